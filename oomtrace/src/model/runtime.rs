//! Who makes containers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who made a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// Docker Engine.
    Docker,
    /// containerd by itself (`ctr`), or for a Kubernetes node.
    Containerd,
    /// CRI-O, for a Kubernetes node.
    // Recordings of before have the name of its cgroups.
    #[serde(rename = "cri-o", alias = "crio")]
    Crio,
    /// podman, root's or a user's.
    Podman,
    /// nerdctl, on containerd.
    Nerdctl,
    /// LXC.
    Lxc,
    /// runc by itself, without an engine above it.
    Runc,
    /// crun by itself, without an engine above it.
    Crun,
}

impl Runtime {
    /// The name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Crio => "cri-o",
            Self::Podman => "podman",
            Self::Nerdctl => "nerdctl",
            Self::Lxc => "lxc",
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_one_in_the_contract() {
        for runtime in ["docker", "containerd", "cri-o", "podman", "nerdctl", "lxc", "runc", "crun"] {
            let parsed: Runtime = serde_json::from_value(runtime.into()).unwrap();
            assert_eq!((parsed.name(), serde_json::to_value(parsed).unwrap()), (runtime, runtime.into()));
        }
        assert_eq!(serde_json::from_str::<Runtime>("\"crio\"").unwrap(), Runtime::Crio);
    }
}
