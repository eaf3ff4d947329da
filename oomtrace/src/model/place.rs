//! Where a container is, by its cgroup. No part of the contract.

use serde::{Deserialize, Serialize};

use crate::model::{Qos, Runtime};

/// The hierarchy that a path is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// v2.
    #[default]
    Default,
    /// That of the memory controller, which may be the same.
    Memory,
}

/// A container, as a path names it: to be asked about, and nothing to believe by itself (`container::statement`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPlace {
    /// The runtime's id: 64 hexadecimal digits, or a name (LXC, `ctr`).
    pub id: String,
    /// None when the scheme does not say: several runtimes use the bare id.
    pub runtime: Option<Runtime>,
    /// Path of the container's own cgroup.
    pub cgroup: String,
    #[serde(default)]
    pub on: On,
    pub pod: Option<PodPlace>,
    /// The container that it runs in.
    pub outer: Option<Box<ContainerPlace>>,
}

/// A pod, as a path names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodPlace {
    pub uid: String,
    pub qos: Qos,
    /// Path of the pod's cgroup; none in the scheme that folds pod and container into one name.
    pub cgroup: Option<String>,
}
