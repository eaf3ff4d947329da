//! Times of which there are no samples: what was monitored was, and what was not nobody has seen. Each sample stands for the time to the next
//! one, up to a few of the usual distances between them.

use std::ops::Range;

use crate::memory::fit::{Point, median, theil_sen};
use crate::memory::sample::{Sample, span_s};
use crate::memory::series::Series;

/// A sample stands for so many usual distances at the most.
const STANDS_FOR: f64 = 3.0;
/// Distances on either side that say what is usual there, and the fewest that do.
const AROUND: usize = 8;
const FEWEST: usize = 3;
/// From this share of a life on, one is worth a word; and all of these together.
const LONG: f64 = 0.03;
const LONG_TOGETHER: f64 = 0.05;

/// What it grew by over one, as a share of what it would have by its slope: it went on.
const AS_MUCH: Range<f64> = 0.5..2.0;

/// See the module's documentation. Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// The last sample before it.
    pub from: f64,
    /// The first one after it.
    pub to: f64,
    /// The usual distance between samples there, in seconds.
    pub usual: f64,
}

impl Gap {
    /// The seconds of it that no sample stands for.
    #[must_use]
    pub fn unseen(&self) -> f64 {
        (self.to - self.from - STANDS_FOR * self.usual).max(0.0)
    }

    /// The seconds that it is longer than the usual distance.
    #[must_use]
    pub fn longer(&self) -> f64 {
        (self.to - self.from - self.usual).max(0.0)
    }
}

/// Those of a life, in the order of time.
#[must_use]
pub fn gaps(life: &[Sample]) -> Vec<Gap> {
    let steps: Vec<f64> = life.iter().zip(life.iter().skip(1)).map(|(one, next)| next.t - one.t).collect();
    let usual = median(&mut steps.clone()).unwrap_or(0.0);
    let pairs = life.iter().zip(life.iter().skip(1)).enumerate();
    // What is not far apart for the whole of it is not looked at more closely, for most samples are not.
    let far = pairs.filter(|(_, (one, next))| !next.is_watched && next.t - one.t > STANDS_FOR * usual);
    let gap = |(index, (one, next)): (usize, (&Sample, &Sample))| {
        let gap = Gap { from: one.t, to: next.t, usual: usual_at(&steps, index)? };
        (gap.unseen() > 0.0).then_some(gap)
    };
    far.filter_map(gap).collect()
}

/// The usual distance around that one: the wider one of both sides, where they differ.
fn usual_at(steps: &[f64], index: usize) -> Option<f64> {
    let (before, after) = steps.split_at_checked(index)?;
    let side = |side: &mut dyn Iterator<Item = &f64>| {
        let mut near: Vec<f64> = side.take(AROUND).copied().collect();
        median(&mut near).filter(|_| near.len() >= FEWEST)
    };
    let sides = [side(&mut before.iter().rev()), side(&mut after.iter().skip(1))];
    sides.into_iter().flatten().reduce(f64::max)
}

/// Those that are worth a word, of a life of so many seconds.
#[must_use]
pub fn long(gaps: &[Gap], span_s: f64) -> Vec<Gap> {
    let long: Vec<Gap> = gaps.iter().filter(|gap| gap.unseen() >= LONG * span_s).copied().collect();
    let together: f64 = long.iter().map(Gap::unseen).sum();
    if together >= LONG_TOGETHER * span_s { long } else { Vec::new() }
}

/// A life in the parts that lie between those.
pub fn stretches<'a>(life: &'a [Sample], gaps: &[Gap]) -> Vec<&'a [Sample]> {
    life.chunk_by(|one, next| !gaps.iter().any(|gap| gap.from == one.t && gap.to == next.t)).collect()
}

/// Gaps that are worth a word, and how it grew over them against how it grows where it was seen.
struct Grown {
    /// Bytes an hour, where it was seen; above 0.
    slope: f64,
    /// Each gap, and the floor before and behind it where there is one.
    around: Vec<(Gap, Option<(Point, Point)>)>,
}

impl Grown {
    /// None where it does not grow, or there is no such gap.
    fn of(life: &[Sample], gaps: &[Gap]) -> Option<Self> {
        const PARTS: usize = 12;
        let long = long(gaps, span_s(life));
        if long.is_empty() {
            return None;
        }
        let mut from = f64::NEG_INFINITY;
        let ends = long.iter().map(|gap| gap.to).chain([f64::INFINITY]);
        let held = Series::of(life, Sample::held);
        let start = life.first().map_or(0.0, |sample| sample.t);
        let floors: Vec<(f64, Vec<Point>)> = ends
            .map(|to| {
                let of = |point: &&Point| (from..to).contains(&(start + point.0 * 3600.0 + 1e-3));
                let stretch = Series { points: held.points.iter().filter(of).copied().collect() };
                from = to;
                (stretch.span(), stretch.floor(PARTS))
            })
            .collect();
        let slopes = floors.iter().filter_map(|(span, floor)| Some((*span, theil_sen(floor)?.slope)));
        let (seen, risen) = slopes.fold((0.0, 0.0), |sum, (span, slope)| (sum.0 + span, sum.1 + span * slope));
        let slope = risen / f64::max(seen, f64::MIN_POSITIVE);
        let around = floors.iter().zip(floors.iter().skip(1));
        let around = around.map(|((_, before), (_, after))| before.last().copied().zip(after.first().copied()));
        let around: Vec<_> = long.iter().copied().zip(around).collect();
        (slope > 0.0).then_some(Self { slope, around })
    }

    /// What it grew by over a gap, as a share of what it would have by its slope.
    fn share(&self, ((then, was), (now, is)): (Point, Point)) -> f64 {
        (is - was) / (self.slope * (now - then)).max(f64::MIN_POSITIVE)
    }
}

/// Those over which it did not go on as it does where it was seen: it had not grown by half as much behind them.
#[must_use]
pub fn paused(life: &[Sample], gaps: &[Gap]) -> Vec<Gap> {
    let Some(grown) = Grown::of(life, gaps) else { return Vec::new() };
    let is_paused = |around: &Option<(Point, Point)>| around.is_some_and(|around| grown.share(around) < AS_MUCH.start);
    grown.around.iter().filter(|(_, around)| is_paused(around)).map(|(gap, _)| *gap).collect()
}

/// What it holds, with a straight line over each of those, where it grew as much over all of them as where it was seen: nobody looked, and it
/// went on. For the question whether it climbs, and no other: the line is no sample.
#[must_use]
pub fn went_on(life: &[Sample], gaps: &[Gap]) -> Option<Series> {
    /// Points of a line.
    const MOST: f64 = 512.0;
    let grown = Grown::of(life, gaps)?;
    let mut held = Series::of(life, Sample::held);
    for (gap, around) in &grown.around {
        let around = around.filter(|around| AS_MUCH.contains(&grown.share(*around)))?;
        let ((then, was), (now, is)) = around;
        let count = ((now - then) * 3600.0 / gap.usual.max(f64::MIN_POSITIVE)).min(MOST) as u32;
        let between = (1..count).map(|index| f64::from(index) / f64::from(count));
        held.points.extend(between.map(|part| (then + part * (now - then), was + part * (is - was))));
    }
    held.points.sort_by(|one, next| one.0.total_cmp(&next.0));
    Some(held)
}

/// A life without the time of these: what comes later is earlier by all but the usual distance.
#[must_use]
pub fn without(life: &[Sample], cut: &[Gap]) -> Vec<Sample> {
    let before = |t: f64| cut.iter().filter(|gap| gap.to <= t).map(Gap::longer).sum::<f64>();
    life.iter().map(|sample| Sample { t: sample.t - before(sample.t), ..*sample }).collect()
}

/// The time of what is at `t` in a life without these.
#[must_use]
pub fn back(t: f64, cut: &[Gap]) -> f64 {
    cut.iter().fold(t, |t, gap| if t > gap.from + gap.usual - 1e-3 { t + gap.longer() } else { t })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(t: f64) -> Sample {
        Sample { t, anon: Some(1e8), ..Sample::default() }
    }

    #[test]
    fn what_is_unseen_is_what_no_sample_stands_for() {
        let times = |each: f64, count: u32, from: f64| (0..count).map(move |index| from + each * f64::from(index));
        // Five minutes each for an hour, ten hours of nothing, and an hour again.
        let all: Vec<Sample> = times(300.0, 13, 0.0).chain(times(300.0, 13, 39_600.0)).map(sample).collect();
        let found = gaps(&all);
        assert_eq!(found, [Gap { from: 3600.0, to: 39_600.0, usual: 300.0 }]);
        assert_eq!((found[0].unseen(), found[0].longer()), (36_000.0 - 900.0, 36_000.0 - 300.0));
        assert_eq!((long(&found, 43_200.0).len(), long(&found, 1e7).len()), (1, 0));
        assert_eq!(stretches(&all, &found).iter().map(|part| part.len()).collect::<Vec<_>>(), [13, 13]);
        let cut = without(&all, &found);
        assert_eq!((cut[12].t, cut[13].t), (3600.0, 3900.0));
        assert!(cut.iter().zip(&all).all(|(cut, all)| back(cut.t, &found) == all.t));
        // Where it is looked at less often there is no gap, and neither where somebody watched all the time.
        let slower: Vec<Sample> = times(15.0, 100, 0.0).chain(times(300.0, 50, 1800.0)).map(sample).collect();
        assert_eq!(gaps(&slower), []);
        let watched: Vec<Sample> = all.iter().map(|sample| Sample { is_watched: true, ..*sample }).collect();
        assert_eq!(gaps(&watched), []);
        assert_eq!((gaps(&[]), gaps(&[sample(1.0), sample(1e6)])), (Vec::new(), Vec::new()));
    }
}
