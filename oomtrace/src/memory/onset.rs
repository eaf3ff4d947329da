//! A climb that has begun lately: too short beside what came before to be seen in all of it.

use crate::memory::climb::{Climb, FEWEST, Shape, climb};
use crate::memory::fit::spread;
use crate::memory::series::Series;

/// It is less than this share of the life: else it is seen in the whole.
const SHARE: f64 = 0.5;
/// The shortest that is looked at, in hours: five minutes.
const SHORTEST_H: f64 = 5.0 / 60.0;
/// Of what it has risen by, what the life may have been above its usual level before.
const BEFORE: f64 = 0.35;
/// What it rises by at the least, as a share of what is usual.
const LEAST: f64 = 0.25;
/// Less straight than this, or in fewer steps, it is a spike.
const STRAIGHT: f64 = 0.8;
const EVEN: f64 = 0.3;

/// The climb that a life ends in, where it stayed at one level before and had never been so high. `reference`: as for [`climb()`].
#[must_use]
pub fn lately(series: &Series, reference: f64) -> Option<Climb> {
    let usual = series.quantile(0.5);
    let now = series.points.last()?;
    let risen = now.1 - usual;
    if risen < LEAST * usual {
        return None;
    }
    let noise = spread(series.values()).max(series.noise());
    let near = usual + (0.1 * risen).max(2.0 * noise);
    let last_near = series.points.iter().rposition(|point| point.1 <= near)?;
    let (before, after) = series.points.split_at(last_near);
    let highest_before = before.iter().map(|point| point.1).fold(0.0, f64::max);
    let from = after.first()?.0;
    let span = now.0 - from;
    if after.len() < FEWEST
        || span < SHORTEST_H
        || span > SHARE * series.span()
        || highest_before > usual + (BEFORE * risen).max(3.0 * noise)
    {
        return None;
    }
    let late = Series { points: after.to_vec() };
    climb(&late, reference)
        .filter(|climb| climb.shape == Shape::Steady && climb.line.tau >= STRAIGHT && climb.evenness >= EVEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(level: impl Fn(f64) -> f64) -> Option<Climb> {
        // A minute each, for ten hours.
        let points = (0..600).map(|minute| f64::from(minute) / 60.0).map(|t| (t, level(t))).collect();
        lately(&Series { points }, 1e9)
    }

    #[test]
    fn a_climb_at_the_end_is_found_and_a_spike_is_none() {
        let begun = of(|t| 2e8 + 4e8 * (t - 9.0).max(0.0)).unwrap();
        assert!((begun.line.slope / 4e8 - 1.0).abs() < 0.1 && (begun.from - 9.0).abs() < 0.2, "{begun:?}");
        assert!(of(|t| if t > 9.8 { 8e8 } else { 2e8 }).is_none(), "it rose at once");
        assert!(of(|t| 2e8 + 4e8 * (t % 5.0 - 4.0).max(0.0)).is_none(), "it has been so high before");
        assert!(of(|_| 2e8).is_none());
    }
}
