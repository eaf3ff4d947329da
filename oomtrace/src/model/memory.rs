//! The contract's part about memory: why the OOM killer killed, and what there was at that instant.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the OOM killer went by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Oom {
    pub scope: Option<OomScope>,
    /// What called the OOM killer.
    pub origin: Option<OomOrigin>,
    pub limit_owner: Option<LimitOwner>,
    /// The allocation was of 2^order pages; -1 = asked for by a person (sysrq-f).
    pub order: Option<i32>,
    /// The allocation's flags, by name.
    pub gfp: Option<String>,
    /// The victim's whole cgroup was killed (memory.oom.group).
    pub group: Option<bool>,
    /// The cgroup on which memory.oom.group was set: the highest one up to the limit's owner counts.
    pub group_cgroup: Option<String>,
    pub chosen_points: Option<i64>,
    pub oom_score_adj: Option<i32>,
    pub victim_memory: Option<VictimMemory>,
}

/// What ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OomScope {
    Memcg,
    Host,
    Cpuset,
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
    pub path: String,
    pub level: LimitLevel,
    pub limit_bytes: Option<u64>,
    pub usage_bytes: Option<u64>,
    pub peak_bytes: Option<u64>,
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitLevel {
    Container,
    Pod,
    /// A systemd service or scope.
    Unit,
    /// Any other cgroup below the root.
    Slice,
    Root,
}

/// The victim's memory when it was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VictimMemory {
    pub anon_bytes: u64,
    pub file_bytes: u64,
    pub shmem_bytes: u64,
    pub swap_bytes: u64,
    pub page_tables_bytes: u64,
    pub total_vm_bytes: u64,
}

/// Memory around the victim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Usage over time before the kill.
    pub timeline: Option<Vec<serde_json::Value>>,
}

/// One cgroup's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryLevel {
    pub path: String,
    pub usage_bytes: u64,
    /// Null = no limit.
    pub limit_bytes: Option<u64>,
    pub peak_bytes: u64,
    /// cgroup v2: swap in use, and its limit.
    pub swap_usage_bytes: Option<u64>,
    pub swap_limit_bytes: Option<u64>,
    /// cgroup v1: memory and swap together (memsw), and their limit.
    pub memsw_usage_bytes: Option<u64>,
    pub memsw_limit_bytes: Option<u64>,
}

/// The machine's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostMemory {
    pub total_bytes: Option<u64>,
    /// What could be had without swapping (MemAvailable).
    pub available_bytes: Option<u64>,
    pub free_bytes: Option<u64>,
    pub swap_total_bytes: Option<u64>,
    pub swap_free_bytes: Option<u64>,
}

/// A process and what it has in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryUser {
    pub pid: u32,
    pub comm: String,
    /// Pages that it shares with others are counted for each.
    pub resident_bytes: u64,
}
