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
    engine,
    update: |update| engine_update(engine, update),
    updates_ended: true,
};

fn engine(user: Option<u32>) -> Option<String> {
    Some(match user {
        // Root's own engine may have another container of that name, and whoever made this one chose it.
        Some(uid) => format!("docker --host unix:///run/user/{uid}/docker.sock"),
        None => "docker".to_owned(),
    })
}
