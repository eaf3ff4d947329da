//! One cgroup that is followed: what is kept of it, also for a while after it is gone.

use crate::memory::recorder::curve::Curve;
use crate::memory::recorder::growth::growth;
use crate::memory::recorder::point::Tenths;
use crate::memory::recorder::scope::Scope;
use crate::memory::recorder::warning::{Alarm, Raised, Watch};
use crate::memory::verdict::Verdict;
use crate::model::LimitLevel;

/// See the module's documentation.
#[derive(Debug)]
pub struct Followed {
    pub level: LimitLevel,
    pub region: Option<String>,
    /// The kernel's id of the cgroup.
    pub id: u64,
    pub curve: Curve,
    pub since: Tenths,
    pub restarts: u32,
    /// What the whole curve shows; none where it is not judged.
    pub outlook: Option<Verdict>,
    /// When its whole curve was last judged.
    pub judged: Tenths,
    pub watch: Watch,
    /// Since when it is gone.
    pub gone: Option<Tenths>,
}

impl Followed {
    /// The cgroup of that id, from now on.
    pub fn new(Scope { level, region }: Scope, id: u64, now: Tenths) -> Self {
        Self {
            level,
            region,
            id,
            curve: Curve::default(),
            since: now,
            restarts: 0,
            outlook: None,
            judged: 0,
            watch: Watch::default(),
            gone: None,
        }
    }

    /// It is made anew, with that id: what was seen of the one before says nothing of this one.
    pub fn restart(&mut self, id: u64) {
        (self.id, self.gone, self.outlook, self.watch) = (id, None, None, Watch::default());
        self.restarts = self.restarts.saturating_add(1);
    }

    /// For how long it was seen since it was last made anew; none before it was first read.
    pub fn seen_for(&self, now: Tenths) -> Option<Tenths> {
        Some(now.saturating_sub(self.curve.life().next()?.at))
    }

    /// The alarm with what is known of the cgroup at `path`; none where it has no limit.
    pub fn raised(&self, path: &str, alarm: Alarm) -> Option<Raised> {
        let latest = self.curve.latest()?;
        Some(Raised {
            cgroup: path.to_owned(),
            level: self.level,
            limit_bytes: latest.limit()?,
            held_bytes: latest.held(),
            usage_bytes: latest.usage(),
            growth_bytes_per_hour: growth(&self.curve),
            alarm,
        })
    }
}
