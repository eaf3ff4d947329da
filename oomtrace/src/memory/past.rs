//! What earlier lives of the same container did.

use crate::memory::climb::{FEWEST, Shape, climb};
use crate::memory::fit::median;
use crate::memory::sample::{Sample, span_s};
use crate::memory::series::Series;

/// Lives that climb alike, the one that goes on among them, that make a leak.
pub const LIVES: usize = 3;
/// A slope is like another one between these shares of it.
const LIKE: std::ops::RangeInclusive<f64> = 0.6..=1.67;
/// The shortest life that says something: five minutes.
const SHORTEST_H: f64 = 5.0 / 60.0;

/// Lives that climb alike, the one that goes on among them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Alike {
    pub lives: usize,
    /// The middle one's slope, the slowest one's, and the fastest one's, in bytes an hour.
    pub slope: f64,
    pub low: f64,
    pub high: f64,
    /// How long the middle one of those that ended lasted, in hours.
    pub lasted: Option<f64>,
}

impl Alike {
    /// A life that climbs so is one of them.
    #[must_use]
    pub fn has(&self, slope: f64) -> bool {
        LIKE.contains(&(slope / self.slope))
    }

    /// A life that has come to its limit may have done so as these do: it rose no faster, but for some of what it may have at its start, of
    /// the limit or the most that was in use.
    #[must_use]
    pub fn may_be(&self, life: &[Sample], reference: f64) -> bool {
        const AT_ITS_START: f64 = 0.1;
        let held = |sample: &Sample| sample.held();
        let (Some(first), Some(last)) = (life.iter().find_map(held), life.iter().rev().find_map(held)) else {
            return false;
        };
        last - first <= LIKE.end() * self.high * hours(life) + AT_ITS_START * reference
    }
}

/// A life has enough samples, and is long enough, to say something.
#[must_use]
pub fn is_enough(life: &[Sample]) -> bool {
    life.len() >= FEWEST && hours(life) >= SHORTEST_H
}

/// From a life's first sample to its last.
#[must_use]
pub fn hours(life: &[Sample]) -> f64 {
    span_s(life) / 3600.0
}

/// The last limit that a life is known to have had.
#[must_use]
pub fn limit(life: &[Sample]) -> Option<f64> {
    life.iter().rev().find_map(|sample| sample.limit)
}

/// See [`Alike`]: within two thirds and five thirds of the middle one. What an earlier life shows to be a warm-up is none. `reference`: as
/// for a climb.
#[must_use]
pub fn alike(lives: &[&[Sample]], reference: f64) -> Alike {
    let (mut slopes, mut lasted) = (Vec::new(), Vec::new());
    for (index, life) in lives.iter().enumerate().filter(|(_, life)| is_enough(life) && hours(life) >= 2.0 * SHORTEST_H)
    {
        let series = Series::of(life, Sample::held);
        let climb = climb(&series, reference).filter(|climb| climb.shape == Shape::Steady);
        let earlier = lives.get(..index).unwrap_or_default();
        let is_warm_up = |slope: f64| earlier.iter().any(|earlier| came_to_rest(earlier, life, slope));
        if let Some(climb) = climb.filter(|climb| !is_warm_up(climb.line.slope)) {
            slopes.push(climb.line.slope);
            if index + 1 < lives.len() {
                lasted.push(series.span());
            }
        }
    }
    let Some(slope) = median(&mut slopes) else { return Alike::default() };
    let alike: Vec<f64> = slopes.iter().filter(|other| LIKE.contains(&(**other / slope))).copied().collect();
    Alike {
        lives: alike.len(),
        slope,
        low: alike.iter().copied().fold(f64::INFINITY, f64::min),
        high: alike.iter().copied().fold(0.0, f64::max),
        lasted: median(&mut lasted),
    }
}

/// An earlier life rose by as much as `life`, which climbs by that many bytes an hour, within its time; went on for as long again, and rose
/// by little more; and did not come to its limit. So `life` may be no more than its warm-up.
fn came_to_rest(earlier: &[Sample], life: &[Sample], slope: f64) -> bool {
    const AT_LIMIT: f64 = 0.95;
    /// Of what `life` has risen by, and of what it would have risen by in the rest of the earlier one.
    const AS_MUCH: f64 = 0.6;
    const LITTLE: f64 = 0.25;
    const FEW: usize = 5;
    let long = hours(life);
    // Before anything is looked at of it: a curve may have a thousand lives, each of which is held against each.
    if hours(earlier) < 2.0 * long {
        return false;
    }
    let (held, of_life) = (Series::of(earlier, Sample::held), Series::of(life, Sample::held));
    let (Some((first, last)), Some((begun, now))) = (held.ends(), of_life.ends()) else { return false };
    let mut then: Vec<f64> =
        held.points.iter().filter(|point| point.0 >= long).take(FEW).map(|point| point.1).collect();
    let Some(then) = median(&mut then) else { return false };
    let is_below = limit(earlier).is_none_or(|limit| held.range().1 < AT_LIMIT * limit);
    let rest = held.span() - long;
    // The first few samples of a life that is kept in few points are not of its beginning.
    let first = held.points.first().map_or(first, |point| point.1.min(first));
    rest >= long && is_below && then - first >= AS_MUCH * (now - begun) && last - then <= LITTLE * slope * rest
}
