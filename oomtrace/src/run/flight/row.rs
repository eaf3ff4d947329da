//! A cgroup that is followed, as a screen shows it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::event::BootNs;
use crate::memory::recorder::growth::growth;
use crate::memory::recorder::point::{Tenths, tenths};
use crate::memory::verdict::Verdict;
use crate::model::{LimitLevel, TimelinePoint};
use crate::node::clock::WallClock;
use crate::run::flight::followed::Followed;

/// A cgroup's memory, as it is followed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// Path of the cgroup: the key.
    pub cgroup: String,
    /// What it is: a container's cgroup, a pod's, or a unit's.
    pub level: LimitLevel,
    /// The latest reading; its `before_ms` is how old it is.
    pub latest: TimelinePoint,
    /// All that is kept, the oldest first: how long ago, in milliseconds, what could not be taken back, and the most that was in use.
    pub series: Vec<(u64, u64, u64)>,
    /// What cannot be taken back now: all that is in use but page cache.
    pub held_bytes: u64,
    /// By how much that grows an hour, by the floor of its last hour. Null: too little was seen of it.
    pub growth_bytes_per_hour: Option<f64>,
    /// What its curve shows, and when it meets its limit, as of the last look at all of it. Null: it was not looked at yet.
    pub outlook: Option<Verdict>,
    /// Since when it is followed, in Unix seconds.
    pub since: f64,
    /// How often it was made anew since then.
    pub restarts: u32,
}

impl Row {
    /// Of the cgroup at `path`; none before it was first read.
    pub(super) fn of(path: &str, known: &Followed, now: BootNs, clock: WallClock) -> Option<Self> {
        let latest = known.curve.latest()?;
        let now_tenths = tenths(now);
        let ago = |at: Tenths| u64::from(now_tenths.saturating_sub(at)) * 100;
        let since_s = f64::from(known.since) / 10.0 + clock.offset_ns as f64 / 1e9;
        Some(Self {
            cgroup: path.to_owned(),
            level: known.level,
            latest: latest.before(now),
            series: known.curve.points().map(|point| (ago(point.at), point.held(), point.peak())).collect(),
            held_bytes: latest.held(),
            growth_bytes_per_hour: growth(&known.curve),
            outlook: known.outlook.clone(),
            since: since_s.round(),
            restarts: known.restarts,
        })
    }
}

/// What following takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Cgroups that are followed.
    pub cgroups: usize,
    /// Bytes of their curves and names.
    pub bytes: usize,
    /// How often the thread woke.
    pub wakes: u64,
    /// Readings of a cgroup's usage, and of everything.
    pub looks: u64,
    pub readings: u64,
}
