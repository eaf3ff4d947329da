//! All that is followed, by path.

use std::collections::HashMap;

use crate::event::BootNs;
use crate::memory::recorder::hog::{Candidate, hog};
use crate::memory::recorder::point::{Point, Tenths, tenths};
use crate::memory::recorder::scope::Scope;
use crate::memory::recorder::warning::{Raised, Rules};
use crate::memory::sample::Sample;
use crate::memory::verdict::Verdict;
use crate::model::{Hog, LimitLevel, Timeline};
use crate::node::cgroups::and_above;
use crate::node::clock::WallClock;
use crate::run::flight::followed::Followed;
use crate::run::flight::room::{Refused, Room};
use crate::run::flight::row::{Row, Seen};

/// One that is gone is kept for so long, for a kill that is reported late, and for the container that is started again in it.
const KEPT: Tenths = 6000;
/// So many of them at the most.
const MOST_GONE: usize = 128;

/// A curve is judged that was seen for so long; each minute where half of the limit is in use, each ten minutes where it is less, and never
/// below a quarter.
const JUDGED_FROM: Tenths = 3000;
const JUDGED_OFTEN: Tenths = 600;
const JUDGED_SELDOM: Tenths = 6000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Book {
    followed: HashMap<String, Followed>,
    pub room: Room,
    pub seen: Seen,
}

impl Book {
    /// Whether the cgroup at `path` may be followed now.
    ///
    /// # Errors
    /// Why not.
    pub fn admits(&self, path: &str) -> Result<Scope, Refused> {
        let scope = self.room.scope(path)?;
        // One that is there already is not one more.
        let is_there = self.there(path).is_some();
        if is_there || self.room.admits(&scope) { Ok(scope) } else { Err(Refused::NoRoom) }
    }

    fn there(&self, path: &str) -> Option<&Followed> {
        self.followed.get(path).filter(|known| known.gone.is_none())
    }

    /// Follows the cgroup at `path` from now on; whether it is one that was there before, made anew.
    pub fn follow(&mut self, path: &str, id: u64, scope: Scope, now: Tenths) -> bool {
        if let Some(known) = self.followed.get(path).map(|known| (known.gone, known.id)) {
            match known {
                (None, known) if known == id => return false,
                (None, _) => self.leave(path, now),
                (Some(_), _) => {}
            }
        }
        self.room.take(id, &scope);
        match self.followed.get_mut(path) {
            Some(known) => {
                known.restart(id);
                true
            }
            None => {
                self.followed.insert(path.to_owned(), Followed::new(scope, id, now));
                false
            }
        }
    }

    /// The cgroup at `path` is gone; its curve stays for a while.
    pub fn leave(&mut self, path: &str, now: Tenths) {
        let Some(known) = self.followed.get_mut(path).filter(|known| known.gone.is_none()) else { return };
        known.gone = Some(now);
        self.room.release(known.id, known.region.as_deref());
        self.forget(now);
    }

    /// Forgets what has been gone for long, and what is too much.
    pub fn forget(&mut self, now: Tenths) {
        if self.followed.len() == self.room.taken() {
            return;
        }
        self.followed.retain(|_, known| known.gone.is_none_or(|gone| now.saturating_sub(gone) < KEPT));
        while self.followed.len().saturating_sub(self.room.taken()) > MOST_GONE {
            let oldest = self.followed.iter().filter_map(|(path, known)| Some((known.gone?, path))).min();
            let Some(path) = oldest.map(|(_, path)| path.clone()) else { return };
            self.followed.remove(&path);
        }
    }

    /// Takes a reading; what is raised by it.
    pub fn push(&mut self, path: &str, point: Point, rules: Option<Rules>) -> Option<Raised> {
        let known = self.followed.get_mut(path)?;
        known.curve.push(point);
        // Nothing comes to a limit that was taken away.
        if let Some(outlook) = known.outlook.as_mut().filter(|_| point.limit().is_none()) {
            outlook.limit_reached_at = None;
        }
        let alarm = known.watch.look(point.at, point.held(), point.limit(), rules?)?;
        known.raised(path, alarm)
    }

    /// The whole curve of one that is there, where it is to be judged now: with what its samples' times are ahead of `CLOCK_BOOTTIME`.
    pub fn take_to_judge(&mut self, path: &str, now: Tenths, offset_s: f64) -> Option<Vec<Sample>> {
        let known = self.followed.get_mut(path).filter(|known| known.gone.is_none())?;
        let latest = known.curve.latest()?;
        let share = latest.limit().map_or(50, |limit| latest.held().saturating_mul(100) / limit.max(1));
        let every = match share {
            0..25 => {
                // What was seen when it had more holds no more.
                known.outlook = None;
                return None;
            }
            25..50 => JUDGED_SELDOM,
            _ => JUDGED_OFTEN,
        };
        if known.seen_for(now)? < JUDGED_FROM || now.saturating_sub(known.judged) < every {
            return None;
        }
        known.judged = now;
        Some(known.curve.samples(offset_s))
    }

    /// Takes what the whole curve shows; what is raised by it.
    pub fn judged(
        &mut self,
        path: &str,
        now: Tenths,
        unix: f64,
        verdict: Verdict,
        rules: Option<Rules>,
    ) -> Option<Raised> {
        let known = self.followed.get_mut(path)?;
        let latest = *known.curve.latest()?;
        let seen_s = f64::from(known.seen_for(now)?) / 10.0;
        let of = (latest.held(), latest.limit());
        // A verdict goes by the last limit that the life had; that there is none here is known.
        let limit_reached_at = verdict.limit_reached_at.filter(|_| latest.limit().is_some());
        let verdict = Verdict { limit_reached_at, ..verdict };
        let alarm = rules.and_then(|rules| known.watch.forecast(now, (unix, seen_s), of, &verdict, rules));
        known.outlook = Some(verdict);
        known.raised(path, alarm?)
    }

    /// Of the cgroup at `path`, or of the nearest above it that is followed, up to `kill`.
    pub fn timeline(&self, path: &str, kill: BootNs) -> Option<Timeline> {
        let (cgroup, found) = and_above(path).find_map(|path| Some((path, self.followed.get(path)?)))?;
        Some(Timeline { cgroup: cgroup.to_owned(), points: found.curve.timeline(kill) })
    }

    /// Who took the machine's memory by `kill`.
    pub fn hog(&self, kill: BootNs) -> Option<Hog> {
        // A pod's memory is its containers'; what is below another is that one's.
        let is_counted = |path: &str| self.there(path).is_some_and(|known| known.level != LimitLevel::Pod);
        let alone = |path: &str| is_counted(path) && !and_above(path).skip(1).any(is_counted);
        let counted = self.followed.iter().filter(|(path, _)| alone(path));
        hog(counted.filter_map(|(path, known)| Candidate::of(path, &known.curve, tenths(kill))).collect())
    }

    /// See [`super::FlightRecorder::rows`].
    pub fn rows(&self, now: BootNs, clock: WallClock) -> Vec<Row> {
        let there = self.followed.iter().filter(|(_, known)| known.gone.is_none());
        let mut rows: Vec<Row> = there.filter_map(|(path, known)| Row::of(path, known, now, clock)).collect();
        rows.sort_unstable_by(|a, b| a.cgroup.cmp(&b.cgroup));
        rows
    }

    /// See [`super::FlightRecorder::seen`].
    pub fn seen(&self) -> Seen {
        let bytes = |(path, known): (&String, &Followed)| {
            path.capacity() + size_of::<(String, Followed)>() + known.curve.bytes()
        };
        Seen { cgroups: self.room.taken(), bytes: self.followed.iter().map(bytes).sum(), ..self.seen }
    }
}

#[cfg(test)]
mod tests;
