//! The contract's part about Kubernetes: a container's pod, and what the API says of both.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Kubernetes pod. From `owner` on it is what the Kubernetes API says, and null or empty without it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pod {
    /// Its name.
    pub name: Option<String>,
    /// Its Kubernetes namespace.
    pub namespace: Option<String>,
    /// Its uid, as its cgroup and its containers have it.
    pub uid: Option<String>,
    /// Its quality of service class.
    pub qos: Option<Qos>,
    /// The container is the pod's sandbox, which holds the pod's namespaces and runs nothing of the user's (pause).
    #[serde(default)]
    pub sandbox: bool,
    /// What the pod is made by: a Deployment, and not only its ReplicaSet. Null as well for a pod that was made by hand.
    #[serde(default)]
    pub owner: Option<PodOwner>,
    /// How long the kubelet waits after the stop signal before it has a container killed, in seconds.
    #[serde(default)]
    pub grace_s: Option<u64>,
    /// The image of the victim's container, as the pod's spec has it.
    #[serde(default)]
    pub image: Option<String>,
    /// What the victim's container asks for.
    #[serde(default)]
    pub requests: Option<PodResources>,
    /// What the victim's container may use.
    #[serde(default)]
    pub limits: Option<PodResources>,
    /// Probes of the victim's container.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// How often the victim's container was started again, as the kubelet had it then.
    #[serde(default)]
    pub restart_count: Option<u32>,
    /// The end of the container that was there before the victim's, as the kubelet has it.
    #[serde(default)]
    pub last_state: Option<LastState>,
}

/// A pod's quality of service class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Qos {
    /// Every container has requests that equal its limits.
    Guaranteed,
    /// Some container has a request or a limit.
    Burstable,
    /// No container has a request or a limit.
    BestEffort,
}

/// What makes a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodOwner {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `Job`, `CronJob`, `ReplicaSet` where nothing made that, or another kind.
    pub kind: String,
    /// Its name, in the pod's namespace.
    pub name: String,
    /// What stands between the two, as `ReplicaSet/web-5d4`. Null: nothing.
    pub through: Option<String>,
}

/// What a container asks for, or may use. Null: nothing is said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodResources {
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processors, in thousandths of one.
    pub cpu_millis: Option<u64>,
    /// Files on the node's own disk, in bytes (`ephemeral-storage`).
    #[serde(default)]
    pub ephemeral_storage_bytes: Option<u64>,
}

/// A probe of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// What it is for.
    pub kind: ProbeKind,
    /// What it does: `exec`, `http`, `tcp` or `grpc`.
    pub by: ProbeAction,
    /// Seconds between the container's start and the first one.
    pub initial_delay_s: u32,
    /// Seconds from one to the next.
    pub period_s: u32,
    /// Seconds that one may take.
    pub timeout_s: u32,
    /// So many must fail in a row.
    pub failure_threshold: u32,
}

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// A container that fails it is killed and started again.
    Liveness,
    /// A container that fails it gets no traffic.
    Readiness,
    /// A container that does not pass it in time is killed and started again.
    Startup,
}

/// What a probe does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeAction {
    /// It runs a command in the container.
    Exec,
    /// It asks a web server in the pod.
    Http,
    /// It connects to a port of the pod.
    Tcp,
    /// It asks a gRPC server in the pod.
    Grpc,
    /// Something that this version does not know.
    Other,
}

/// How a container ended, as the kubelet has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastState {
    /// `OOMKilled`, `Error`, `Completed`, `ContainerCannotRun` …
    pub reason: Option<String>,
    /// The exit code.
    pub exit_code: i64,
    /// When it ended, to the second.
    pub finished_at: Option<String>,
    /// Its id.
    pub container_id: Option<String>,
}
