//! A part of the contract: whom the OOM killer could choose among.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The processes that the OOM killer could choose among, with the points that each had: the victim's by the kernel, those of the others
/// by the kernel's own rule (mm/oom_kill.c, oom_badness) from what /proc said right after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidates {
    /// How long after the victim was marked the last of them was read, in microseconds. Null: none was read.
    pub read_after_us: Option<u64>,
    /// How many there were; the first 512 are listed.
    pub seen: u32,
    /// There was no time to look at all of them, or they were too many.
    pub incomplete: bool,
    /// The most points first; those that would be skipped come last.
    pub processes: Vec<Candidate>,
}

/// A process that the OOM killer could choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Its pid on the host.
    pub pid: u32,
    /// Its name (comm).
    pub comm: String,
    /// Its user id in the host's user namespace.
    pub uid: Option<u32>,
    /// It was chosen: its numbers are the kernel's.
    pub chosen: bool,
    /// Its points, in pages. Null: its oom_score_adj counts in thousandths of a total that could not be read.
    pub points: Option<i64>,
    /// What it has in memory.
    pub rss_bytes: u64,
    /// What of it was swapped out.
    pub swap_bytes: u64,
    /// Its page tables.
    pub page_tables_bytes: u64,
    /// From -1000 to 1000.
    pub oom_score_adj: i32,
    /// Why the OOM killer would not choose it, whatever its size. Null: it could be chosen, as far as can be seen.
    pub would_be_skipped: Option<Skipped>,
}

/// Why the OOM killer passes a process over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// Its oom_score_adj is -1000.
    OomScoreAdj,
    /// It is the machine's first process.
    GlobalInit,
}
