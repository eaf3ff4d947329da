//! Docker Engine.

use crate::model::Runtime;
use crate::profile::{Profile, USUAL_SETTING, engine_update};

pub const PROFILE: Profile = Profile {
    runtime: Runtime::Docker,
    cgroup_prefix: Some("docker-"),
    programs: &["dockerd"],
    daemons: &["dockerd", "docker-proxy"],
    shims: &[],
    clients: &["docker", "docker-compose"],
    units: &["docker.service", "snap.docker.dockerd.service"],
    sockets: &[],
    kept: None,
    limit_setting: USUAL_SETTING,
    update: |update| {
        Some(match update.user {
            // Root's own engine may have another container of that name, and whoever made this one chose it.
            Some(uid) => engine_update(&format!("docker --host unix:///run/user/{uid}/docker.sock"), update),
            None => engine_update("docker", update),
        })
    },
};
