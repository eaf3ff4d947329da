//! The contract's part about memory over time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A cgroup's memory at one time before the kill. Sizes are of all that is charged to it and to those below it. Null: not known then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimelinePoint {
    /// How long before the kill, in milliseconds; 0 is the kill itself.
    pub before_ms: u64,
    /// What was in use. A point that stands for a longer time has what was in use when that was calmest.
    pub usage_bytes: u64,
    /// The most that was in use since the point before. Exact where the kernel keeps it, else the most that was seen.
    pub peak_bytes: u64,
    /// Anonymous memory: heap, stacks, private data.
    pub anon_bytes: Option<u64>,
    /// Page cache, shmem among it.
    pub file_bytes: Option<u64>,
    /// Shared memory and tmpfs.
    pub shmem_bytes: Option<u64>,
    /// The kernel's own memory on its behalf.
    pub kernel_bytes: Option<u64>,
    /// Swap in use.
    pub swap_bytes: Option<u64>,
    /// Its limit then. Null as well where it had none.
    pub limit_bytes: Option<u64>,
    /// The share of the time since the point before in which some of it waited for memory (PSI), in thousandths. cgroup v2.
    pub stalled_permille: Option<u16>,
    /// It was made anew since the point before: a container that was restarted.
    #[serde(default)]
    pub restart: bool,
}

/// The cgroup that took most of the machine's memory, by systemd-oomd's and oomd's rule: the largest where it has half of what all have, else
/// the one that grew fastest of the largest fifth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hog {
    /// Path of a container's cgroup, or a unit's.
    pub cgroup: String,
    /// What it had.
    pub usage_bytes: u64,
    /// What it had on average in the hour before.
    pub average_bytes: u64,
    /// What all containers and units that are followed had together.
    pub of_bytes: u64,
    /// It is not the largest by far, but grew fastest.
    pub by_growth: bool,
}

/// What one cgroup's memory did before a kill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// Path of the cgroup.
    pub cgroup: String,
    /// The oldest first.
    pub points: Vec<TimelinePoint>,
}
