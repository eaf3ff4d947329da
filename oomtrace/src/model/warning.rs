//! The contract's part about what is to come.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Confidence, Container, LimitLevel, Pod};

/// A memory limit is nearly met, or will be soon. By what cannot be taken back: page cache that the kernel would drop does not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// When it was seen.
    pub time: String,
    /// The host's name.
    pub node: Option<String>,
    /// What is warned of.
    pub kind: WarningKind,
    /// How sure that is: of what is there certain, of a forecast never.
    pub confidence: Confidence,
    /// The container whose limit it is. Null: it is none's, or a pod's.
    pub container: Option<Container>,
    /// The pod whose limit it is, where it is a pod's own; of what only a container has, nothing.
    #[serde(default)]
    pub pod: Option<Pod>,
    /// The systemd unit whose limit it is.
    pub unit: Option<String>,
    /// Path of the cgroup that has the limit.
    pub cgroup: String,
    /// What that is: a container's cgroup, a pod's, or a unit's.
    pub level: LimitLevel,
    /// Its limit.
    pub limit_bytes: u64,
    /// What is in use and cannot be taken back.
    pub held_bytes: u64,
    /// All that is in use.
    pub usage_bytes: u64,
    /// For how long the limit has been nearly met, in milliseconds. Null for a forecast.
    pub near_for_ms: Option<u64>,
    /// By how much it grows an hour. Null where it is nearly met and that is not known.
    pub bytes_per_hour: Option<u64>,
    /// When the limit is met, if it goes on so. Null where it is nearly met.
    pub reached: Option<Reached>,
    /// What was seen, in one clause.
    pub why: String,
}

/// What is warned of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// 95 % of the limit and more are in use, and have been for a while.
    NearLimit,
    /// The limit will be met within the time that `--warn-within` gives.
    LimitForecast,
}

/// When a limit is met; in nine of ten cases between `low` and `high`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reached {
    /// Most likely then.
    pub median: String,
    /// At the earliest.
    pub low: String,
    /// At the latest. Null: it may never be.
    pub high: Option<String>,
}
