//! A part of the contract: what others say of an end that the kernel saw otherwise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Container, Source};

/// What a runtime or the kubelet says of a container's end that is not what the kernel did. It comes after its incident, because they
/// take their time, and a verdict does not wait for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contradiction {
    /// The incident's id.
    pub incident: String,
    /// When it was said.
    pub time: String,
    /// The container whose end it is about.
    pub container: Container,
    /// What it says, and what the kernel did.
    pub fact: String,
    /// Who says so: the runtime, or the kubelet by the Kubernetes API.
    pub source: Source,
}
