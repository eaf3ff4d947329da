//! The contract's part about memory: why the OOM killer killed, and what there was at that instant.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Candidates, Course, Hog, TimelinePoint, UserFrame};

/// What the OOM killer went by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Oom {
    /// What ran out.
    pub scope: Option<OomScope>,
    /// What called the OOM killer.
    pub origin: Option<OomOrigin>,
    /// The cgroup whose limit was hit. Null when no memory cgroup's was, or when it is not known which.
    pub limit_owner: Option<LimitOwner>,
    /// Memory cgroups that were at their limit when the victim was chosen, the lowest first. With more than one, and without the OOM
    /// killer's own record, it may have been the limit of any of them.
    #[serde(default)]
    pub at_limit: Vec<String>,
    /// The allocation was of 2^order pages; -1 = asked for by a person (sysrq-f).
    pub order: Option<i32>,
    /// The allocation's flags, by name.
    pub gfp: Option<String>,
    /// The victim's whole cgroup was killed (memory.oom.group).
    pub group: Option<bool>,
    /// The cgroup on which memory.oom.group was set: the highest one up to the limit's owner counts.
    pub group_cgroup: Option<String>,
    /// The victim's points when it was chosen, in pages: its memory and swap, shifted by oom_score_adj. Null where the OOM killer's
    /// own record cannot be read.
    pub chosen_points: Option<i64>,
    /// The victim's oom_score_adj, from -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// The victim's memory when it was chosen.
    pub victim_memory: Option<VictimMemory>,
    /// Where the trigger was in user space when its allocation found no memory, innermost first; at most 32 frames, and no more than
    /// frame pointers lead to. Null without --stack, for a kernel thread, and when the victim's mark was not seen.
    #[serde(default)]
    pub trigger_stack: Option<Vec<UserFrame>>,
    /// Whom the OOM killer could choose among. Null without --candidates, and when the victim's mark was not seen.
    #[serde(default)]
    pub candidates: Option<Candidates>,
}

/// What ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OomScope {
    /// A memory cgroup's limit.
    Memcg,
    /// The machine's memory.
    Host,
    /// The memory nodes of the trigger's cpuset.
    Cpuset,
    /// The nodes of the trigger's memory policy.
    Mempolicy,
}

/// What called the OOM killer, by the kernel stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OomOrigin {
    /// An allocation that found no memory.
    Allocation,
    /// A person: sysrq-f.
    Sysrq,
    /// The multi-generation LRU could not keep its newest pages for min_ttl_ms.
    MinTtl,
    /// A write to memory.max that lowered the limit below the usage.
    LimitLowered,
}

/// The cgroup whose limit was hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitOwner {
    /// Its path.
    pub path: String,
    /// What it is: a container's cgroup, a pod's, a unit's, or another.
    pub level: LimitLevel,
    /// Its limit. Null: not known.
    pub limit_bytes: Option<u64>,
    /// What was in use in it and below it.
    pub usage_bytes: Option<u64>,
    /// The most that was ever in use in it and below it.
    pub peak_bytes: Option<u64>,
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitLevel {
    /// A container.
    Container,
    /// A Kubernetes pod.
    Pod,
    /// A systemd service or scope.
    Unit,
    /// Any other cgroup below the root.
    Slice,
    /// The root. It has a limit only for a kernel that itself runs inside a container.
    Root,
}

/// The victim's memory when it was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VictimMemory {
    /// Anonymous memory: heap, stacks, private data.
    pub anon_bytes: u64,
    /// Pages of files that it has mapped.
    pub file_bytes: u64,
    /// Shared memory and tmpfs pages that it has mapped.
    pub shmem_bytes: u64,
    /// What of it was swapped out.
    pub swap_bytes: u64,
    /// Its page tables.
    pub page_tables_bytes: u64,
    /// The size of its address space, which need not be in memory.
    pub total_vm_bytes: u64,
}

/// Memory around the victim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// From the victim's cgroup to the root, at the kill.
    pub levels: Vec<MemoryLevel>,
    /// memory.stat of the victim's cgroup.
    pub stat: Option<BTreeMap<String, u64>>,
    /// memory.stat of the limit's owner, when that is another cgroup.
    pub owner_stat: Option<BTreeMap<String, u64>>,
    /// What the machine had, right after the kill.
    pub host: Option<HostMemory>,
    /// The largest processes below the limit's owner, or of the machine where it ran out; the victim among them, with what
    /// it had when it was chosen.
    pub largest: Vec<MemoryUser>,
    /// Processes below the limit's owner, or of the machine where it ran out, right after the victim was chosen. Null: not all could
    /// be looked at.
    #[serde(default)]
    pub processes: Option<u32>,
    /// cgroup v1: the kernel's own memory on behalf of the limit's owner (memory.kmem.usage_in_bytes). On v2 it is in memory.stat.
    #[serde(default)]
    pub kernel_bytes: Option<u64>,
    /// Memory over time before the kill, the oldest point first, of the cgroup that `timeline_of` names; at most 120 points, the denser
    /// the nearer. The last one is the kernel's own record of the kill. Null: it was not followed.
    pub timeline: Option<Vec<TimelinePoint>>,
    /// Path of the cgroup whose memory `timeline` has: the limit's owner, else the container, pod or unit that the victim was in.
    #[serde(default)]
    pub timeline_of: Option<String>,
    /// Who took the machine's memory, where that ran out. Null: no cgroup stands out, or they were not followed.
    #[serde(default)]
    pub hog: Option<Hog>,
    /// What kind of death it was, by that. Null: it cannot be said.
    #[serde(default)]
    pub course: Option<Course>,
}

/// One cgroup's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryLevel {
    /// Its path.
    pub path: String,
    /// What was in use in it and below it.
    pub usage_bytes: u64,
    /// Its limit. Null = no limit.
    pub limit_bytes: Option<u64>,
    /// The most that was ever in use in it and below it.
    pub peak_bytes: u64,
    /// cgroup v2: swap in use.
    pub swap_usage_bytes: Option<u64>,
    /// cgroup v2: the limit of swap. Null = no limit.
    pub swap_limit_bytes: Option<u64>,
    /// cgroup v1: memory and swap together (memsw).
    pub memsw_usage_bytes: Option<u64>,
    /// cgroup v1: their limit. Null = no limit.
    pub memsw_limit_bytes: Option<u64>,
}

/// The machine's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostMemory {
    /// All of it (MemTotal).
    pub total_bytes: Option<u64>,
    /// What could be had without swapping (MemAvailable).
    pub available_bytes: Option<u64>,
    /// What was free (MemFree).
    pub free_bytes: Option<u64>,
    /// All swap (SwapTotal).
    pub swap_total_bytes: Option<u64>,
    /// Swap that was free (SwapFree).
    pub swap_free_bytes: Option<u64>,
}

/// A process and what it has in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryUser {
    /// Its pid on the host.
    pub pid: u32,
    /// Its name (comm).
    pub comm: String,
    /// What it has in memory. Pages that it shares with others are counted for each.
    pub resident_bytes: u64,
    /// Path of its memory cgroup, where the machine ran out. Null: not read.
    #[serde(default)]
    pub cgroup: Option<String>,
    /// A memory limit holds for it, its own cgroup's or that of one above, where the machine ran out. Null: not read.
    #[serde(default)]
    pub limited: Option<bool>,
}
