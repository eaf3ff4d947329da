//! containerd by itself, or for a Kubernetes node.

use crate::model::Runtime;
use crate::profile::{Kept, Profile, USUAL_SETTING};

pub const PROFILE: Profile = Profile {
    runtime: Runtime::Containerd,
    cgroup_prefix: Some("cri-containerd-"),
    programs: &["containerd", "containerd-shim*"],
    daemons: &["containerd", "containerd-shim*"],
    shims: &["containerd-shim*"],
    clients: &["ctr", "crictl"],
    units: &[
        "containerd.service",
        "k3s.service",
        "k3s-agent.service",
        "rke2-server.service",
        "rke2-agent.service",
        "snap.microk8s.daemon-containerd.service",
    ],
    // The one that dockerd starts when there is no other. Those that keep Kubernetes' containers are in `container::containerds`.
    sockets: &["/run/docker/containerd/containerd.sock"],
    kept: Some(Kept {
        owner: "containerd",
        path: "/run/containerd",
        cost: "names, images and labels of its containers, and of Kubernetes' with it",
    }),
    limit_setting: USUAL_SETTING,
    update: |_| None,
};
