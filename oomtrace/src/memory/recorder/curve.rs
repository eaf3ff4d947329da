//! One cgroup's curve, in a fixed number of points: the latest as they were read, the older ones the farther apart the older they are, by
//! the square root of their age. What stays the same takes two points, however long it does.
//!
//! With the 256 older points, a curve of an hour has one for each 14 s an hour ago, one of a day each 11 min a day ago, and one of a week
//! each 80 min a week ago, and 32 min a day ago.

use std::collections::VecDeque;

use crate::memory::recorder::point::{Point, Tenths};
use crate::memory::sample::Sample;
use crate::memory::still::filled;
use crate::model::TimelinePoint;

/// The latest, as they were read: a minute where it is looked at each second.
const RECENT: usize = 64;
/// Those before.
const PAST: usize = 256;
/// Points of an incident's timeline, the kernel's own record among them.
pub const TIMELINE: usize = 120;
/// Bytes that a curve takes at the most.
pub const MOST_BYTES: usize = (RECENT + PAST) * size_of::<Point>();

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    past: Vec<Point>,
    recent: VecDeque<Point>,
}

impl Curve {
    /// Takes a reading; one that is not later than those before is none.
    pub fn push(&mut self, point: Point) {
        let mut latest = self.recent.iter_mut().rev();
        match (latest.next(), latest.next()) {
            (Some(last), _) if last.at >= point.at => return,
            // Against the first of a flat part: what creeps is seen.
            (Some(last), Some(before)) if before.is_like(&point) && before.is_like(last) => {
                last.at = point.at;
                return;
            }
            _ => {}
        }
        if self.recent.len() >= RECENT
            && let Some(oldest) = self.recent.pop_front()
        {
            self.age(oldest, point.at);
        }
        self.recent.push_back(point);
    }

    /// Moves a point to the older ones, of which two become one where there is no room.
    fn age(&mut self, point: Point, now: Tenths) {
        if self.past.len() >= PAST {
            let cheapest = self.cheapest(now);
            if let Some(later) = self.past.get(cheapest + 1).copied()
                && let Some(earlier) = self.past.get_mut(cheapest)
            {
                *earlier = earlier.merged(&later);
                self.past.remove(cheapest + 1);
            }
        }
        // Doubling would take more than there will ever be.
        if self.past.len() == self.past.capacity() {
            self.past.reserve_exact((PAST - self.past.len()).min(self.past.len().max(8)));
        }
        self.past.push(point);
    }

    /// Where two neighbours are nearest to each other, for their age. The curve's beginning stays; what divides lives or limits stays for as
    /// long as anything else can go.
    fn cheapest(&self, now: Tenths) -> usize {
        let mut best = (f32::INFINITY, 0);
        let triples = self.past.iter().zip(self.past.iter().skip(1)).zip(self.past.iter().skip(2)).enumerate();
        for (index, ((before, earlier), later)) in triples {
            let (gap, age) = (later.at - before.at, now.saturating_sub(earlier.at).max(1));
            let divides = if earlier.is_of_one_life(later) { 1.0 } else { 1e6 };
            let cost = gap as f32 / (age as f32).sqrt() * divides;
            if cost < best.0 {
                best = (cost, index + 1);
            }
        }
        best.1
    }

    /// All points, the oldest first.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = &Point> + Clone {
        self.past.iter().chain(&self.recent)
    }

    /// Those since it was last made anew, the oldest first.
    pub fn life(&self) -> impl Iterator<Item = &Point> + Clone {
        let later = self.points().rev().position(|point| point.restart);
        let all = self.past.len() + self.recent.len();
        self.points().skip(later.map_or(0, |later| all.saturating_sub(later + 1)))
    }

    #[must_use]
    pub fn latest(&self) -> Option<&Point> {
        self.recent.back()
    }

    /// Bytes that it takes now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (self.past.capacity() + self.recent.capacity()) * size_of::<Point>()
    }

    /// For the rules; `offset_s`: from `CLOCK_BOOTTIME` to Unix time. What stayed the same has samples in between.
    #[must_use]
    pub fn samples(&self, offset_s: f64) -> Vec<Sample> {
        let kept: Vec<Sample> = self.points().map(|point| point.sample(offset_s)).collect();
        filled(&kept)
    }

    /// What led to a kill at `kill_ns`, on `CLOCK_BOOTTIME`: what was read before that. The kernel's own record comes behind it.
    #[must_use]
    pub fn timeline(&self, kill_ns: u64) -> Vec<TimelinePoint> {
        let points: Vec<Point> =
            self.points().filter(|point| u64::from(point.at) * 100_000_000 < kill_ns).copied().collect();
        thinned(&points, TIMELINE - 1).iter().map(|point| point.before(kill_ns)).collect()
    }
}

/// At most so many of them, the denser the later. Up to half of them may be there for what divides lives or limits, the latest of these.
fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    if points.len() <= most {
        return points.to_vec();
    }
    let pairs = points.iter().zip(points.iter().skip(1)).enumerate();
    let divided = pairs.filter(|(_, (before, point))| !before.is_of_one_life(point));
    let divisions: Vec<usize> = divided.map(|(before, _)| before + 1).collect();
    let divisions = divisions.get(divisions.len().saturating_sub(most / 2)..).unwrap_or_default();
    let places = most - divisions.len();
    // As a part of the square root of the greatest age.
    let span = f64::from(last.at - first.at).max(1.0);
    let place = |point: &Point| ((1.0 - (f64::from(last.at - point.at) / span).sqrt()) * places as f64) as usize;
    let mut kept: Vec<(usize, Point)> = Vec::with_capacity(most);
    for (index, point) in points.iter().enumerate() {
        let at = place(point).min(places - 1);
        let is_kept = divisions.binary_search(&index).is_ok();
        match kept.last_mut() {
            Some((before, merged)) if *before == at && !is_kept => *merged = merged.merged(point),
            _ => kept.push((at, *point)),
        }
    }
    kept.into_iter().map(|(_, point)| point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::verdict::{Kind, Sure, judge};
    use crate::node::gauge::Reading;

    const MIB: u64 = 1 << 20;

    fn point(at: Tenths, usage: u64) -> Point {
        let reading = Reading { usage, anon: Some(usage), file: Some(0), limit: Some(512 * MIB), ..Reading::default() };
        Point::of(&reading, at, None, false)
    }

    fn with_limit(at: Tenths, usage: u64, limit: u64) -> Point {
        let reading = Reading { usage, anon: Some(usage), file: Some(0), limit: Some(limit), ..Reading::default() };
        Point::of(&reading, at, None, false)
    }

    #[test]
    fn a_curve_of_any_length_takes_no_more_than_its_bytes() {
        let mut curve = Curve::default();
        // A week, each ten seconds, always something else.
        for step in 0..60_480_u32 {
            curve.push(point(step * 100, (100 + u64::from(step * 7919 % 97)) * MIB));
        }
        assert!(curve.bytes() <= MOST_BYTES + 64, "{}", curve.bytes());
        const { assert!(MOST_BYTES < 15 << 10) };
        assert_eq!(curve.points().count(), RECENT + PAST);
        let times: Vec<Tenths> = curve.points().map(|point| point.at).collect();
        assert!(times.is_sorted_by(|a, b| a < b));
        // Its beginning is there, and so is its highest.
        assert_eq!(times[0], 0);
        assert_eq!(curve.points().map(Point::peak).max(), Some(196 * MIB));
        // As the documentation says: how far apart a week and a day ago.
        let gap_at = |age: Tenths| {
            let at = times.last().unwrap() - age;
            let next = times.partition_point(|time| *time <= at);
            f64::from(times[next] - times[next - 1]) / 600.0
        };
        assert!((30.0..160.0).contains(&gap_at(6_000_000)), "{}", gap_at(6_000_000));
        assert!((15.0..64.0).contains(&gap_at(864_000)), "{}", gap_at(864_000));
    }

    #[test]
    fn what_stays_the_same_takes_two_points() {
        let mut curve = Curve::default();
        for step in 0..1000 {
            curve.push(point(step * 600, 64 * MIB));
        }
        assert_eq!(curve.points().map(|point| point.at).collect::<Vec<_>>(), [0, 999 * 600]);
        // What creeps does not hide in that.
        for step in 1000..2000 {
            curve.push(point(step * 600, 64 * MIB + u64::from(step - 1000) * (64 << 10)));
        }
        assert!(curve.points().count() > 50);
    }

    #[test]
    fn what_stayed_the_same_is_a_curve_for_the_rules() {
        let mut curve = Curve::default();
        assert!(curve.samples(0.0).is_empty());
        for step in 0..1000 {
            curve.push(point(step * 600, 64 * MIB));
        }
        assert_eq!(curve.points().count(), 2);
        let said = judge(&curve.samples(0.0));
        assert_eq!((said.verdict, said.confidence), (Kind::Steady, Sure::Certain), "{said:?}");
    }

    /// Three lives that meet their limit, and then the version that mends that, which stays at 60 % for three days.
    #[test]
    fn a_mended_version_that_stays_the_same_is_no_leak_of_those_before() {
        let mut curve = Curve::default();
        let mut at = 0;
        let mut read = |curve: &mut Curve, mib: u64, is_new: bool| {
            at += 600;
            let mut point = with_limit(at, mib * MIB, 500 * MIB);
            point.restart = is_new;
            curve.push(point);
        };
        for _ in 0..3 {
            (0..240).for_each(|step| read(&mut curve, 60 + step * 435 / 240, step == 0));
        }
        for step in 0..3 * 24 * 60 {
            read(&mut curve, 300, step == 0);
            if step % 500 == 60 {
                let said = judge(&curve.samples(0.0));
                assert_eq!((said.verdict, said.limit_reached_at), (Kind::Steady, None), "after {step} min: {said:?}");
            }
        }
        let said = judge(&curve.samples(0.0));
        assert_eq!((said.verdict, said.limit_reached_at), (Kind::Steady, None), "{said:?}");
        assert!(said.why.contains("earlier lives climbed by"), "{}", said.why);
    }

    #[test]
    fn a_time_that_does_not_go_on_is_no_point() {
        let mut curve = Curve::default();
        for (at, usage) in [(10, MIB), (10, 2 * MIB), (9, 2 * MIB)] {
            curve.push(point(at, usage));
        }
        assert_eq!(curve.points().map(Point::usage).collect::<Vec<_>>(), [MIB]);
    }

    #[test]
    fn a_limit_that_was_changed_is_seen_for_long_after() {
        let mut curve = Curve::default();
        for step in 0..5000_u32 {
            let limit = if step < 1000 { 512 } else { 256 } * MIB;
            curve.push(with_limit(step * 100, (100 + u64::from(step % 89)) * MIB, limit));
        }
        let limits: Vec<u64> = curve.points().filter_map(Point::limit).collect();
        let changes = limits.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!((limits.first(), limits.last(), changes), (Some(&(512 * MIB)), Some(&(256 * MIB)), 1));
    }

    #[test]
    fn a_timeline_keeps_lives_and_limits_apart_and_has_no_more_points_for_that() {
        // Made anew each so many points, when little is in use; before that it was high.
        for (each, expected) in [(700, 2), (100, 19), (2, TIMELINE / 2 - 1), (1, TIMELINE / 2 - 1)] {
            let points: Vec<Point> = (0..2000)
                .map(|step: Tenths| {
                    let usage = if step.is_multiple_of(each) { 5 } else { 400 + u64::from(step % 13) };
                    let mut point = point(step * 100, usage * MIB);
                    point.restart = step > 0 && step.is_multiple_of(each);
                    point
                })
                .collect();
            let kept = thinned(&points, TIMELINE - 1);
            assert!(kept.len() < TIMELINE, "{each}: {}", kept.len());
            let starts: Vec<&Point> = kept.iter().filter(|point| point.restart).collect();
            assert!(starts.len() >= expected, "{each}: {}", starts.len());
            // Those that stand for themselves alone.
            let mut alone = starts.iter().filter(|start| start.at.is_multiple_of(each * 100));
            assert!(alone.all(|start| start.peak() == 5 * MIB), "{each}");
        }
        let limits = |step: u32| if step == 1234 { 256 } else { 512 } * MIB;
        let points: Vec<Point> = (0..2000).map(|step| with_limit(step * 100, 100 * MIB, limits(step))).collect();
        let kept = thinned(&points, TIMELINE - 1);
        let changes: Vec<Tenths> =
            kept.windows(2).filter(|pair| pair[0].limit() != pair[1].limit()).map(|pair| pair[0].at / 100).collect();
        assert_eq!(changes, [1233, 1234]);
    }

    #[test]
    fn a_timeline_is_bounded_has_what_was_before_the_kill_and_keeps_the_spike() {
        let mut curve = Curve::default();
        for step in 0..2000_u32 {
            let usage = if step == 700 { 400 } else { 100 + u64::from(step % 13) };
            curve.push(point(step * 100 + 1, usage * MIB));
        }
        let kill_ns = 1999 * 10_000_000_000;
        let timeline = curve.timeline(kill_ns);
        assert!((60..TIMELINE).contains(&timeline.len()), "{}", timeline.len());
        assert!(timeline.windows(2).all(|pair| pair[0].before_ms > pair[1].before_ms));
        assert!(timeline.iter().all(|point| point.before_ms > 0));
        assert_eq!(timeline.iter().map(|point| point.peak_bytes).max(), Some(400 * MIB));
        assert!(timeline.last().unwrap().before_ms <= 10_000);
        assert_eq!(Curve::default().timeline(1), []);
    }
}
