//! All that is followed, by path, and how much of it there may be.

use std::collections::{HashMap, HashSet};

use crate::event::BootNs;
use crate::memory::recorder::curve::Curve;
use crate::memory::recorder::growth::growth;
use crate::memory::recorder::hog::{Candidate, hog};
use crate::memory::recorder::point::{Point, Tenths, tenths};
use crate::memory::recorder::scope::{Scope, scope};
use crate::memory::recorder::warning::{Alarm, Raised, Rules, Watch};
use crate::memory::sample::Sample;
use crate::memory::verdict::Verdict;
use crate::model::{Hog, LimitLevel, Timeline};
use crate::node::cgroups::and_above;
use crate::node::clock::WallClock;
use crate::run::flight::followed::Followed;
use crate::run::flight::row::{Row, Seen};

/// Cgroups that are followed, if there are descriptors for so many.
pub const MOST: usize = 4096;
/// Of these, in one place that is another's than root's.
const MOST_IN_REGION: usize = 64;
/// One that is gone is kept for so long, for a kill that is reported late, and for the container that is started again in it.
const KEPT: Tenths = 6000;
/// So many of them at the most.
const MOST_GONE: usize = 128;
/// Containers that their paths do not tell.
const MOST_NAMED: usize = 1024;

/// A curve is judged that was seen for so long; each minute where half of the limit is in use, each ten minutes where it is less, and never
/// below a quarter.
const JUDGED_FROM: Tenths = 3000;
const JUDGED_OFTEN: Tenths = 600;
const JUDGED_SELDOM: Tenths = 6000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Book {
    followed: HashMap<String, Followed>,
    /// Ids of those that are there.
    ids: HashSet<u64>,
    regions: HashMap<String, usize>,
    named: HashSet<String>,
    /// How many there may be; 0 until the thread has counted its descriptors.
    most: usize,
    /// Since everything was last looked for: cgroups for which there was no room.
    left_out: u64,
    pub seen: Seen,
}

/// Why a cgroup is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is none that would be.
    NoScope,
    NoRoom,
}

impl Book {
    pub fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// The cgroup of that id is there and followed.
    pub fn has(&self, id: u64) -> bool {
        self.ids.contains(&id)
    }

    /// The cgroup at `path` is a container's, though its path does not tell.
    pub fn name_container(&mut self, path: &str) {
        if self.named.len() < MOST_NAMED {
            self.named.insert(path.to_owned());
        }
    }

    /// Whether the cgroup at `path` may be followed now.
    ///
    /// # Errors
    /// Why not.
    pub fn admits(&self, path: &str) -> Result<Scope, Refused> {
        let is_named = || self.named.contains(path).then_some(Scope { level: LimitLevel::Container, region: None });
        let scope = scope(path).or_else(is_named).ok_or(Refused::NoScope)?;
        // One that is there already is not one more.
        if self.followed.get(path).is_some_and(|known| known.gone.is_none()) {
            return Ok(scope);
        }
        let in_region = scope.region.as_ref().and_then(|region| self.regions.get(region)).copied().unwrap_or(0);
        // Units are many, and seldom what dies: containers and pods have half of the room for themselves.
        let most = if scope.level == LimitLevel::Unit { self.most / 2 } else { self.most };
        let has_room = self.ids.len() < most && (scope.region.is_none() || in_region < MOST_IN_REGION);
        if has_room { Ok(scope) } else { Err(Refused::NoRoom) }
    }

    /// There was no room for one.
    pub fn leave_out(&mut self) {
        self.left_out = self.left_out.saturating_add(1);
    }

    /// All are looked for anew; whether there was no room for one since the last time.
    pub fn recount(&mut self) -> bool {
        std::mem::take(&mut self.left_out) > 0
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
        self.ids.insert(id);
        if let Some(region) = &scope.region {
            *self.regions.entry(region.clone()).or_default() += 1;
        }
        if let Some(known) = self.followed.get_mut(path) {
            (known.id, known.gone, known.outlook, known.watch) = (id, None, None, Watch::default());
            known.restarts = known.restarts.saturating_add(1);
            return true;
        }
        let Scope { level, region } = scope;
        let new = Followed {
            level,
            region,
            id,
            curve: Default::default(),
            since: now,
            restarts: 0,
            outlook: None,
            judged: 0,
            watch: Watch::default(),
            gone: None,
        };
        self.followed.insert(path.to_owned(), new);
        false
    }

    /// The cgroup at `path` is gone; its curve stays for a while.
    pub fn leave(&mut self, path: &str, now: Tenths) {
        let Some(known) = self.followed.get_mut(path).filter(|known| known.gone.is_none()) else { return };
        known.gone = Some(now);
        self.ids.remove(&known.id);
        if let Some(region) = &known.region
            && let Some(count) = self.regions.get_mut(region)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.regions.remove(region);
            }
        }
        self.named.remove(path);
        self.forget(now);
    }

    /// Forgets what has been gone for long, and what is too much.
    pub fn forget(&mut self, now: Tenths) {
        if self.followed.len() == self.ids.len() {
            return;
        }
        self.followed.retain(|_, known| known.gone.is_none_or(|gone| now.saturating_sub(gone) < KEPT));
        while self.followed.len().saturating_sub(self.ids.len()) > MOST_GONE {
            let oldest = self.followed.iter().filter_map(|(path, known)| Some((known.gone?, path))).min();
            let Some(path) = oldest.map(|(_, path)| path.clone()) else { return };
            self.followed.remove(&path);
        }
    }

    /// Takes a reading; what is raised by it.
    pub fn push(&mut self, path: &str, point: Point, rules: Option<Rules>) -> Option<Raised> {
        let known = self.followed.get_mut(path)?;
        known.curve.push(point);
        let alarm = known.watch.look(point.at, point.held(), point.limit(), rules?)?;
        raised(path, known, alarm)
    }

    /// The whole curve of one that is there, where it is to be judged now: with what its samples' times are ahead of `CLOCK_BOOTTIME`.
    pub fn take_to_judge(&mut self, path: &str, now: Tenths, offset_s: f64) -> Option<Vec<Sample>> {
        let known = self.followed.get_mut(path).filter(|known| known.gone.is_none())?;
        let latest = known.curve.latest()?;
        let share = latest.limit().map_or(50, |limit| latest.held().saturating_mul(100) / limit.max(1));
        let every = match share {
            0..25 => return None,
            25..50 => JUDGED_SELDOM,
            _ => JUDGED_OFTEN,
        };
        let seen = now.saturating_sub(known.curve.points().next()?.at);
        if seen < JUDGED_FROM || now.saturating_sub(known.judged) < every {
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
        let seen_s = f64::from(now.saturating_sub(known.curve.points().next()?.at)) / 10.0;
        let of = (latest.held(), latest.limit());
        let alarm = rules.and_then(|rules| known.watch.forecast(now, (unix, seen_s), of, &verdict, rules));
        known.outlook = Some(verdict);
        raised(path, known, alarm?)
    }

    /// Of the cgroup at `path`, or of the nearest above it that is followed, up to `kill`.
    pub fn timeline(&self, path: &str, kill: BootNs) -> Option<Timeline> {
        let (cgroup, found) = and_above(path).find_map(|path| Some((path, self.followed.get(path)?)))?;
        Some(Timeline { cgroup: cgroup.to_owned(), points: found.curve.timeline(kill) })
    }

    /// Who took the machine's memory by `kill`.
    pub fn hog(&self, kill: BootNs) -> Option<Hog> {
        // A pod's memory is its containers'.
        let alone = self.followed.iter().filter(|(_, known)| known.gone.is_none() && known.level != LimitLevel::Pod);
        let candidates = alone.filter_map(|(path, known)| candidate(path, &known.curve, kill)).collect();
        hog(candidates)
    }

    /// Why it may be that one is not followed, in words.
    pub fn left_out(&self) -> Option<String> {
        let followed = self.ids.len();
        (self.left_out > 0).then(|| {
            format!("{followed} cgroups are followed, and there was no room for {} more that came", self.left_out)
        })
    }

    /// See [`super::FlightRecorder::rows`].
    pub fn rows(&self, now: BootNs, clock: WallClock) -> Vec<Row> {
        let there = self.followed.iter().filter(|(_, known)| known.gone.is_none());
        let mut rows: Vec<Row> = there.filter_map(|(path, known)| row(path, known, now, clock)).collect();
        rows.sort_unstable_by(|a, b| a.cgroup.cmp(&b.cgroup));
        rows
    }

    /// See [`super::FlightRecorder::seen`].
    pub fn seen(&self) -> Seen {
        let bytes = |(path, known): (&String, &Followed)| {
            path.capacity() + size_of::<(String, Followed)>() + known.curve.bytes()
        };
        Seen { cgroups: self.ids.len(), bytes: self.followed.iter().map(bytes).sum(), ..self.seen }
    }
}

fn raised(path: &str, known: &Followed, alarm: Alarm) -> Option<Raised> {
    let latest = known.curve.latest()?;
    Some(Raised {
        cgroup: path.to_owned(),
        level: known.level,
        limit_bytes: latest.limit()?,
        held_bytes: latest.held(),
        usage_bytes: latest.usage(),
        growth_bytes_per_hour: growth(&known.curve),
        alarm,
    })
}

/// What a cgroup had by then, and on average in the hour before.
fn candidate<'a>(path: &'a str, curve: &Curve, kill: BootNs) -> Option<Candidate<'a>> {
    const HOUR: Tenths = 36_000;
    let kill = tenths(kill);
    let before = || curve.points().filter(|point| point.at <= kill && kill - point.at <= HOUR);
    let usage = before().next_back().or_else(|| curve.latest())?.peak();
    let (count, sum) =
        before().fold((0_u64, 0_u64), |(count, sum), point| (count + 1, sum.saturating_add(point.usage())));
    Some(Candidate { cgroup: path, usage, average: sum.checked_div(count).unwrap_or(usage) })
}

/// None before it was first read.
fn row(path: &str, known: &Followed, now: BootNs, clock: WallClock) -> Option<Row> {
    let latest = known.curve.latest()?;
    let now_tenths = tenths(now);
    let ago = |at: Tenths| u64::from(now_tenths.saturating_sub(at)) * 100;
    let since_s = f64::from(known.since) / 10.0 + clock.offset_ns as f64 / 1e9;
    Some(Row {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::gauge::Reading;

    const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";

    fn docker(number: u64) -> String {
        format!("/docker/{number:064x}")
    }

    fn book(most: usize) -> Book {
        Book { most, ..Book::default() }
    }

    /// Follows it, if there is room.
    fn follow(book: &mut Book, path: &str, id: u64, now: Tenths) -> Result<bool, Refused> {
        let scope = book.admits(path)?;
        Ok(book.follow(path, id, scope, now))
    }

    fn point(at: Tenths, usage: u64) -> Point {
        Point::of(&Reading { usage: usage << 20, ..Reading::default() }, at, None, false)
    }

    #[test]
    fn a_user_and_a_container_take_nobody_elses_room() {
        let mut book = book(1000);
        let user = "/user.slice/user-1000.slice/user@1000.service/app.slice";
        let mut refused = 0;
        for number in 0..500 {
            refused += u32::from(follow(&mut book, &format!("{user}/a{number}.scope"), number, 1).is_err());
            let inner = format!("/docker/{ID}/docker/{number:064x}");
            refused += u32::from(follow(&mut book, &inner, 10_000 + number, 1).is_err());
        }
        assert_eq!(refused, 2 * (500 - MOST_IN_REGION as u32));
        assert_eq!(follow(&mut book, &docker(1), 20_000, 1), Ok(false));
        assert_eq!(follow(&mut book, "/system.slice/ssh.service", 20_001, 1), Ok(false));
        for number in 0..500 {
            book.leave(&format!("{user}/a{number}.scope"), 2);
        }
        assert_eq!(follow(&mut book, &format!("{user}/b.scope"), 30_000, 3), Ok(false));
        assert_eq!(book.regions.len(), 2);
    }

    #[test]
    fn no_more_than_there_is_room_for_and_units_have_half() {
        let mut book = book(10);
        for number in 0..20 {
            let unit = follow(&mut book, &format!("/system.slice/a{number}.service"), number, 1);
            assert_eq!(unit.is_ok(), number < 5, "{number}");
        }
        for number in 0..20 {
            assert_eq!(follow(&mut book, &docker(number), 100 + number, 1).is_ok(), number < 5, "{number}");
        }
        assert_eq!(book.left_out(), None);
        book.leave_out();
        assert!(book.left_out().unwrap().starts_with("10 cgroups are followed"));
        assert!(book.recount() && !book.recount());
    }

    #[test]
    fn what_is_gone_is_kept_for_a_while_and_goes_on_where_it_is_started_again() {
        let mut book = book(4096);
        let path = docker(1);
        assert_eq!(follow(&mut book, &path, 7, 1), Ok(false));
        book.push(&path, point(10, 5), None);
        // The same one again is no other.
        assert_eq!(follow(&mut book, &path, 7, 2), Ok(false));
        assert!(book.has(7));
        book.leave(&path, 20);
        assert!(!book.has(7));
        assert_eq!(book.timeline(&path, u64::MAX).unwrap().points.len(), 1);
        assert_eq!(follow(&mut book, &path, 8, 30), Ok(true));
        // Its end was not seen.
        assert_eq!(follow(&mut book, &path, 9, 40), Ok(true));
        assert!(book.has(9) && !book.has(8));
        book.leave(&path, 50);
        book.forget(50 + KEPT);
        assert_eq!(book.timeline(&path, u64::MAX), None);
        for number in 0..1000 {
            assert_eq!(follow(&mut book, &docker(number), number, 1), Ok(false));
            book.leave(&docker(number), 2);
        }
        assert!(book.followed.len() <= MOST_GONE + 1);
        assert!(book.ids.is_empty() && book.regions.is_empty());
    }

    #[test]
    fn a_cgroup_below_has_the_timeline_of_the_one_that_is_followed() {
        let mut book = book(10);
        let path = docker(1);
        follow(&mut book, &path, 7, 1).unwrap();
        book.push(&path, point(10, 5), None);
        book.push(&path, point(30, 9), None);
        for (of, found) in [(path.clone(), true), (format!("{path}/a/b"), true), (format!("{path}x"), false)] {
            assert_eq!(
                book.timeline(&of, u64::MAX).map(|timeline| timeline.cgroup == path),
                found.then_some(true),
                "{of}"
            );
        }
        // What comes after the kill led to nothing.
        let timeline = book.timeline(&path, 2_000_000_000).unwrap();
        assert_eq!(
            timeline.points.iter().map(|point| (point.before_ms, point.usage_bytes >> 20)).collect::<Vec<_>>(),
            [(1000, 5)]
        );
        let rows = book.rows(5_000_000_000, WallClock { offset_ns: 0 });
        assert_eq!((rows.len(), rows[0].latest.before_ms, rows[0].held_bytes >> 20), (1, 2000, 9));
        assert_eq!(rows[0].series, [(4000, 5 << 20, 5 << 20), (2000, 9 << 20, 9 << 20)]);
    }

    #[test]
    fn a_container_that_its_path_does_not_tell_is_followed_by_name() {
        let mut book = book(10);
        assert_eq!(follow(&mut book, "/jobs/web", 1, 1), Err(Refused::NoScope));
        book.name_container("/jobs/web");
        assert_eq!(follow(&mut book, "/jobs/web", 1, 1), Ok(false));
        assert_eq!(book.rows(1, WallClock { offset_ns: 0 }), []);
    }
}
