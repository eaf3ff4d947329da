//! A pod as the API has it: of its hundreds of fields those that are used, so that 250 pods take little memory.

use serde::Deserialize;

use crate::text::clip;

/// What is kept of `metadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodMetadata {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    /// RFC 3339.
    pub deletion_timestamp: Option<String>,
    pub deletion_grace_period_seconds: Option<i64>,
    pub owner_references: Vec<OwnerReference>,
    pub annotations: Annotations,
    pub labels: Labels,
}

/// Containers of a pod that are kept, and bytes of an image's name and of a message.
const CONTAINERS: usize = 64;
const IMAGE: usize = 512;
const MESSAGE: usize = 1024;

/// The annotation and the labels that are used.
pub const MIRROR: &str = "kubernetes.io/config.mirror";
pub const GENERATION: &str = "pod-template-generation";
pub const HASH: &str = "pod-template-hash";

/// Of annotations, which may be many and long, what is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Annotations {
    /// On the API's image of a static pod: the uid that the kubelet gave the pod itself.
    #[serde(rename = "kubernetes.io/config.mirror")]
    pub mirror: Option<String>,
}

/// The same of labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// By which a DaemonSet's controller says of which revision a pod is.
    #[serde(rename = "pod-template-generation")]
    pub template_generation: Option<String>,
    /// With which a Deployment's controller ends the name of a ReplicaSet.
    #[serde(rename = "pod-template-hash")]
    pub template_hash: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub uid: String,
    pub controller: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    pub containers: Vec<ContainerSpec>,
    pub init_containers: Vec<ContainerSpec>,
    pub termination_grace_period_seconds: Option<i64>,
    pub priority: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerSpec {
    pub name: String,
    pub image: Option<String>,
    pub resources: Resources,
    pub liveness_probe: Option<ProbeSpec>,
    pub readiness_probe: Option<ProbeSpec>,
    pub startup_probe: Option<ProbeSpec>,
    pub lifecycle: Option<Lifecycle>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Resources {
    pub requests: Amounts,
    pub limits: Amounts,
}

/// As quantities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Amounts {
    pub memory: Option<String>,
    pub cpu: Option<String>,
    pub ephemeral_storage: Option<String>,
}

/// Only whether there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lifecycle {
    pub pre_stop: Option<Present>,
}

/// It is there, whatever is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Present {}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeSpec {
    pub exec: Option<Present>,
    pub http_get: Option<Present>,
    pub tcp_socket: Option<Present>,
    pub grpc: Option<Present>,
    pub initial_delay_seconds: Option<u32>,
    pub period_seconds: Option<u32>,
    pub timeout_seconds: Option<u32>,
    pub failure_threshold: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    pub reason: Option<String>,
    pub message: Option<String>,
    pub qos_class: Option<String>,
    /// RFC 3339.
    pub start_time: Option<String>,
    pub conditions: Vec<Condition>,
    pub container_statuses: Vec<ContainerStatus>,
    pub init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Condition {
    pub r#type: String,
    pub status: String,
    pub reason: Option<String>,
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    pub name: String,
    #[serde(rename = "containerID")]
    pub container_id: Option<String>,
    pub restart_count: u32,
    pub state: ContainerState,
    pub last_state: ContainerState,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    pub running: Option<Running>,
    pub terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    /// RFC 3339.
    pub started_at: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    pub reason: Option<String>,
    pub exit_code: i64,
    pub started_at: Option<String>,
    /// RFC 3339.
    pub finished_at: Option<String>,
    #[serde(rename = "containerID")]
    pub container_id: Option<String>,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PodObject {
    pub metadata: PodMetadata,
    pub spec: PodSpec,
    pub status: PodStatus,
}

impl PodObject {
    /// Drops what is never looked at, and what is longer than it may be: whoever may make pods chooses most of it.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        for container in self.spec.containers.iter_mut().chain(&mut self.spec.init_containers) {
            container.image = container.image.take().map(|image| clip(&image, IMAGE).to_owned());
        }
        self.spec.containers.truncate(CONTAINERS);
        self.spec.init_containers.truncate(CONTAINERS);
        self.status.container_statuses.truncate(CONTAINERS);
        self.status.init_container_statuses.truncate(CONTAINERS);
        self.status.message = self.status.message.take().map(|message| clip(&message, MESSAGE).to_owned());
        self.metadata.owner_references.retain(|owner| owner.controller == Some(true));
        self.metadata.owner_references.shrink_to_fit();
        self.spec.containers.shrink_to_fit();
        self.status.conditions.retain(|condition| condition.r#type == "DisruptionTarget");
        self.status.conditions.shrink_to_fit();
        self.status.container_statuses.shrink_to_fit();
        self
    }

    /// The uid that its cgroups and containers have. Whoever may make pods may annotate one as the image of a static pod, which has a hash
    /// without dashes for a uid: another pod's uid has dashes, and is not believed here.
    #[must_use]
    pub fn uid(&self) -> &str {
        let is_hash = |uid: &&String| uid.len() == 32 && uid.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.metadata.annotations.mirror.as_ref().filter(is_hash).unwrap_or(&self.metadata.uid)
    }

    /// What made it.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference> {
        OwnerReference::controller(&self.metadata.owner_references)
    }

    /// A container of that name, an init container among them.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&ContainerSpec> {
        self.spec.containers.iter().chain(&self.spec.init_containers).find(|container| container.name == name)
    }

    /// The name of the container with that id, as the kubelet has it.
    #[must_use]
    pub fn name_of(&self, id: &str) -> Option<&str> {
        let is_it = |status: &&ContainerStatus| status.container_id.as_deref().map(bare_id) == Some(id);
        self.statuses().find(is_it).map(|status| status.name.as_str())
    }

    /// What the kubelet says of it.
    #[must_use]
    pub fn status_of(&self, name: &str) -> Option<&ContainerStatus> {
        self.statuses().find(|status| status.name == name)
    }

    /// Those of its containers, its init containers among them.
    pub fn statuses(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.status.container_statuses.iter().chain(&self.status.init_container_statuses)
    }
}

impl ContainerStatus {
    /// The ends of its containers, one after another, that the kubelet still has, the latest first.
    pub fn ends(&self) -> impl Iterator<Item = &Terminated> {
        [&self.state, &self.last_state].into_iter().filter_map(|state| state.terminated.as_ref())
    }
}

impl Terminated {
    /// Its container's id, without the runtime's name.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.container_id.as_deref().map(bare_id)
    }
}

impl OwnerReference {
    /// That one of them which controls the object.
    #[must_use]
    pub fn controller(all: &[Self]) -> Option<&Self> {
        all.iter().find(|owner| owner.controller == Some(true))
    }
}

/// The id without the runtime's name: `containerd://…`.
#[must_use]
pub fn bare_id(id: &str) -> &str {
    id.split_once("://").map_or(id, |(_, id)| id)
}
