//! What the kernel side counts instead of recording it. Every event that is not recorded is counted here by its kind, so
//! that a lost kill does not disappear among losses of other kinds.

/// Name of the map that holds [`Counts`], one a CPU.
pub const COUNTS_MAP: &str = "COUNTS";

/// SIGKILLs that end a process.
pub const KILLS: usize = 0;
/// The OOM killer's marks on its victims.
pub const OOM_MARKS: usize = 1;
/// The OOM killer's records of its choices.
pub const OOM_CHOICES: usize = 2;
/// Ends of processes: of those that a SIGKILL ended, and of the inits of pid namespaces.
pub const EXITS: usize = 3;
/// Arguments of processes that take their SIGKILL.
pub const ARGUMENTS: usize = 4;
/// Signals kept for the kill that may follow.
pub const STOP_SIGNALS: usize = 5;
/// Signals that were asked for.
pub const SIGNALS: usize = 6;
/// Connections to runtimes.
pub const CONNECTIONS: usize = 7;
/// Ends of processes that had connected.
pub const DISCONNECTIONS: usize = 8;
/// Cgroups that were created, renamed, removed or released.
pub const CGROUPS: usize = 9;
/// How many kinds there are.
pub const KINDS: usize = 10;

/// One CPU's numbers since load.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events for which there was no room, by kind.
    pub lost: [u64; KINDS],
    /// Events above the limit for one process or cgroup and time window, by kind.
    pub limited: [u64; KINDS],
    /// SIGKILLs that ended nothing: ignored, or for a process that was dying already.
    pub no_kills: u64,
}

// SAFETY: `repr(C)`, of u64s alone.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Counts {}
