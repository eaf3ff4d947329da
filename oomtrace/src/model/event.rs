//! A part of the contract: the kernel side's events, for whoever debugs a kernel or oomtrace itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the kernel side's events as it came, before anything is put together or judged. Incident filters do not apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KernelEvent {
    /// What happened: `signal`, `mark_victim`, `oom`, `exit`, `unseen`, `deliver`, `cgroup`, `connect` or `disconnect`.
    pub kind: String,
    /// When, on CLOCK_BOOTTIME, in nanoseconds.
    pub boot_ns: u64,
    /// What the kernel side recorded, by name. These follow the kernel side of one version of oomtrace, and are no part of the promise
    /// that this contract makes.
    pub fields: BTreeMap<String, serde_json::Value>,
}
