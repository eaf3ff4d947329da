//! CRI-O, for a Kubernetes node.

use crate::model::Runtime;
use crate::profile::{Kept, Profile, USUAL_SETTING};

pub const PROFILE: Profile = Profile {
    runtime: Runtime::Crio,
    cgroup_prefix: Some("crio-"),
    programs: &["crio", "conmonrs"],
    daemons: &["crio", "conmonrs"],
    shims: &["conmonrs"],
    clients: &["crictl"],
    units: &["crio.service"],
    sockets: &["/run/crio/crio.sock"],
    kept: Some(Kept {
        owner: "CRI-O, Podman",
        path: "/run/containers/storage",
        cost: "names and images of CRI-O's containers",
    }),
    limit_setting: USUAL_SETTING,
    engine: |_| None,
    update: |_| None,
    updates_ended: false,
};
