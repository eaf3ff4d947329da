//! The contract's part about what kind of death by memory it was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Confidence;

/// What memory did before an OOM kill, by its curve and by those of earlier lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Course {
    /// What it was.
    pub kind: CourseKind,
    /// How sure that is; a curve alone is never certain.
    pub confidence: Confidence,
    /// Since when. Null: it does not apply, or began before it was followed.
    pub since: Option<String>,
    /// By how much it grew an hour. Null: it does not apply.
    pub bytes_per_hour: Option<u64>,
    /// Lives of the same container, unit or cgroup that this rests upon, this one among them.
    pub lives: u32,
    /// The limit that would have been enough for what was seen. Null: a limit is no remedy, or it is not known.
    pub advised_limit_bytes: Option<u64>,
    /// The cgroup that took the machine's memory, where another than the victim's did.
    pub neighbour: Option<String>,
    /// What was seen, in one clause.
    pub why: String,
}

/// Kinds of death by memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CourseKind {
    /// It never had enough: it met its limit as it started or warmed up, or was near it all the time.
    TooSmall,
    /// It climbed, and was not seen for long enough to call that a leak.
    Climbing,
    /// It climbed, for a day, over three periods, or in three lives alike.
    Leak,
    /// It rose at once from what was usual.
    Spike,
    /// Files in a tmpfs, or shared memory.
    Tmpfs,
    /// Page cache that the kernel could not take back.
    PageCache,
    /// The kernel's own memory.
    Kernel,
    /// Many processes, none of which is large.
    ManyProcesses,
    /// The machine ran out, and another cgroup had taken it.
    Neighbour,
    /// The limit was lowered to what was in use, or below.
    LimitLowered,
}
