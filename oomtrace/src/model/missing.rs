//! A part of the contract: what an entry of `missing` is about, for whoever decides by it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An entry of `missing` that programs know by what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedMissing {
    /// What it is about.
    pub part: MissingPart,
    /// The entry, as `missing` has it.
    pub entry: String,
}

/// A part of an incident that was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingPart {
    /// The OOM killer's own record: the hook that reads it, `oom_kill_process`, is not attached.
    OomRecord,
    /// The victim's command line.
    VictimCommandLine,
    /// Why the kubelet had it killed: the Kubernetes API did not say.
    KubeletReason,
}
