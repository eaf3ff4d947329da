//! podman, root's or a user's.

use crate::model::Runtime;
use crate::profile::{Kept, Profile, USUAL_SETTING, Whose, engine_update};

pub const PROFILE: Profile = Profile {
    runtime: Runtime::Podman,
    cgroup_prefix: Some("libpod-"),
    programs: &["podman", "conmon"],
    daemons: &["conmon"],
    shims: &["conmon"],
    clients: &["podman"],
    units: &["podman.service"],
    sockets: &["/run/podman/podman.sock", "/run/user/*/podman/podman.sock"],
    kept: Some(Kept {
        owner: "Podman",
        path: "/var/lib/containers/storage",
        cost: "names and images of Podman's containers",
    }),
    limit_setting: USUAL_SETTING,
    engine,
    update: |update| engine_update(engine, update),
    updates_ended: false,
};

fn engine(Whose { user, .. }: &Whose<'_>) -> Option<String> {
    Some(match user {
        Some(uid) => format!("sudo -u '#{uid}' XDG_RUNTIME_DIR=/run/user/{uid} podman"),
        None => "podman".to_owned(),
    })
}
