use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Container, Process};

/// A container's first process ended by exit(137), which looks like a SIGKILL, and no SIGKILL was sent to it: it chose to, or passed on
/// what had become of a child. It is no incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exited {
    /// Version of the contract.
    pub schema: u32,
    /// Sortable by time, and unique across reboots and nodes.
    pub id: String,
    /// When it ended.
    pub time: String,
    /// The host's name.
    pub node: Option<String>,
    /// The kernel's id of this boot.
    pub boot_id: Option<String>,
    /// The process that ended: the first one of a pid namespace.
    pub process: Process,
    /// It is the container's first process, and not that of a namespace that was made within it.
    pub container_init: bool,
    /// Its container.
    pub container: Option<Container>,
    /// Its systemd unit: a service or a scope.
    pub unit: Option<String>,
    /// Its exit code: 137.
    pub code: u32,
    /// What is to be said of it, in one clause.
    pub why: String,
    /// The process of the pid namespace that was killed last before, if that was not long before. Null: none that was seen.
    pub after: Option<ExitedAfter>,
}

/// A process that was killed before the container's first process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitedAfter {
    /// The id of the incident of its kill. Null: there is none, as when it was killed along with another process.
    pub incident: Option<String>,
    /// Its pid on the host.
    pub pid: u32,
    /// Its name (comm).
    pub comm: String,
    /// It is a child of the process that ended.
    pub is_child: bool,
    /// The OOM killer killed it.
    pub is_oom: bool,
    /// The process that killed it: its pid. Null: the kernel.
    pub by_pid: Option<u32>,
    /// The name of that.
    pub by_comm: Option<String>,
    /// How long before, in milliseconds.
    pub before_ms: u64,
}
