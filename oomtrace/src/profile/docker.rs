//! Docker Engine.

use crate::model::Runtime;
use crate::profile::{Profile, USUAL_SETTING, Whose, engine_update};

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

fn engine(Whose { user, url }: &Whose<'_>) -> Option<String> {
    Some(match (user, url) {
        // Root's own engine may have another container of that name, and whoever made this one chose it. Their daemon may be any program, and
        // their files say anything: none of it is for root.
        (Some(uid), _) => format!("sudo -u '#{uid}' docker --host unix:///run/user/{uid}/docker.sock"),
        (None, Some(url)) => format!("docker --host {url}"),
        (None, None) => "docker".to_owned(),
    })
}
