//! When one cgroup is looked at next, which the sampling thread alone needs to know: what it remembers from look to look.

use crate::memory::recorder::pace::{self, Look};
use crate::memory::recorder::point::{Point, Tenths};
use crate::node::gauge::Reading;

/// Everything is read at the latest after this time, whatever the usage says: a limit may have been changed, cache given way to a heap.
const WHOLE_EVERY: Tenths = 600;
/// And where its limit is near, so that it is seen for how long it has been.
const NEAR_EVERY: Tenths = 50;

/// See the module's documentation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    pub due: Tenths,
    since: Tenths,
    changed: Tenths,
    /// The last time that everything was read.
    whole: Tenths,
    /// The last look, what was in use, and what of it could not be taken back.
    looked: Tenths,
    usage: u64,
    held: u64,
    limit: Option<u64>,
    stalled_us: Option<u64>,
    /// It is made anew with the next point.
    restart: bool,
}

impl Pace {
    /// Of one that is looked at from now on.
    pub fn new(now: Tenths, restart: bool) -> Self {
        Self { due: now, since: now, changed: now, restart, ..Self::default() }
    }

    /// By what is in use, everything is to be read now.
    pub fn wants_whole(&self, now: Tenths, usage: u64) -> bool {
        let since = now.saturating_sub(self.whole);
        self.whole == 0
            || since >= WHOLE_EVERY
            || pace::is_change(self.usage, usage, self.limit)
            // Where a limit is near, what is cache of it decides.
            || (pace::is_near(usage, self.limit) && (usage != self.usage || since >= NEAR_EVERY))
    }

    /// Only the usage was read, and nothing is new about it.
    pub fn looked(&mut self, now: Tenths) {
        self.looked = now;
        self.plan(now, 0);
    }

    /// Everything was read: the point that it makes.
    pub fn take(&mut self, now: Tenths, reading: &Reading) -> Point {
        let over = now.saturating_sub(self.whole);
        let waited = match (self.stalled_us, reading.stalled_us) {
            // 100 µs are a thousandth of a tenth of a second.
            (Some(before), Some(after)) if self.whole > 0 && over > 0 => {
                let permille = after.saturating_sub(before) / (u64::from(over) * 100);
                u16::try_from(permille.min(1000)).ok()
            }
            _ => None,
        };
        let point = Point::of(reading, now, waited, std::mem::take(&mut self.restart));
        let held = point.held();
        let rise = held.saturating_sub(self.held);
        if self.whole == 0 || pace::is_change(self.usage, reading.usage, reading.limit) || self.limit != reading.limit {
            self.changed = now;
        }
        let rise = if self.whole == 0 { 0 } else { rise };
        (self.usage, self.held, self.limit, self.stalled_us) = (reading.usage, held, reading.limit, reading.stalled_us);
        let since_whole = std::mem::replace(&mut self.whole, now);
        self.looked = if since_whole == 0 { now } else { since_whole };
        self.plan(now, rise);
        self.looked = now;
        point
    }

    /// It is not looked at each second.
    pub fn is_calm(&self, now: Tenths) -> bool {
        self.due.saturating_sub(now) > 15
    }

    fn plan(&mut self, now: Tenths, rise: u64) {
        self.due = pace::next(&Look {
            now,
            since: self.since,
            changed: self.changed,
            held: self.held,
            limit: self.limit,
            rise,
            over: now.saturating_sub(self.looked),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn reading(usage: u64, limit: u64) -> Reading {
        Reading { usage: usage * MIB, limit: Some(limit * MIB), stalled_us: Some(0), ..Reading::default() }
    }

    #[test]
    fn what_stays_the_same_is_read_once_a_minute_and_a_change_at_once() {
        let mut pace = Pace::new(1000, false);
        assert!(pace.wants_whole(1000, 50 * MIB));
        assert!(!pace.take(1000, &reading(50, 512)).restart);
        assert!(!pace.wants_whole(1100, 50 * MIB));
        assert!(pace.wants_whole(1100, 60 * MIB));
        assert!(pace.wants_whole(1600, 50 * MIB));
        pace.looked(1100);
        assert!(pace.due > 1100);
    }

    #[test]
    fn what_rises_towards_its_limit_is_looked_at_each_second() {
        let mut pace = Pace::new(1000, true);
        assert!(pace.take(1000, &reading(50, 512)).restart);
        // A minute and more later, so that it is not because it is new.
        assert!(!pace.take(2000, &reading(60, 512)).restart);
        assert_eq!(pace.due, 2100);
        pace.take(2100, &reading(200, 512));
        assert_eq!(pace.due, 2110);
    }

    #[test]
    fn waiting_is_a_share_of_the_time_since() {
        let mut pace = Pace::new(1000, false);
        assert_eq!(pace.take(1000, &reading(50, 512)).stalled_permille(), None);
        let waited = Reading { stalled_us: Some(250_000), ..reading(50, 512) };
        assert_eq!(pace.take(1010, &waited).stalled_permille(), Some(250));
        assert_eq!(pace.take(1020, &reading(50, 512)).stalled_permille(), Some(0));
    }
}
