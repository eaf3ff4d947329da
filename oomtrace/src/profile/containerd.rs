//! containerd by itself, or for a Kubernetes node.

use crate::model::Runtime;
use crate::profile::{Kept, Profile, USUAL_SETTING};

/// Where a containerd keeps its state besides the place that is an option of oomtrace's, and where it then takes requests.
pub const PLACES: [(&str, &str); 3] = [
    // k3s and RKE2
    ("/run/k3s/containerd", "/run/k3s/containerd/containerd.sock"),
    // The one that dockerd starts when there is no other (libcontainerd/supervisor, 20.10 to 28).
    ("/run/docker/containerd/daemon", "/run/docker/containerd/containerd.sock"),
    ("/var/snap/microk8s/common/run/containerd", "/var/snap/microk8s/common/run/containerd.sock"),
];

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
    // Those of [`PLACES`], and of whatever shims name.
    sockets: &[],
    kept: Some(Kept {
        owner: "containerd",
        path: "/run/containerd",
        cost: "names, images and labels of its containers, and of Kubernetes' with it",
    }),
    limit_setting: USUAL_SETTING,
    engine: |_| None,
    update: |_| None,
    updates_ended: false,
};
