//! Whether a climb goes on all the time, or was a few steps: releases that each want more, work that somebody has started by hand.

use crate::memory::fit::steps;
use crate::memory::series::Series;

/// So many steps may have each its own reason.
const FEW: usize = 3;
/// Parts that are looked at.
const PARTS: usize = 48;

/// How much of a climb is not by its greatest steps, against a straight line's: 1 where it rises as evenly, 0 where it is those alone.
#[must_use]
pub fn evenness(series: &Series) -> f64 {
    // What it never falls below again: a collector's sawtooth leaves a step for each tooth.
    let mut lowest = series.floor(PARTS);
    let mut after = f64::INFINITY;
    for (_, level) in lowest.iter_mut().rev() {
        after = after.min(*level);
        *level = after;
    }
    let mut steps: Vec<f64> = steps(&lowest).collect();
    let rise: f64 = steps.iter().sum();
    let of_a_line = 1.0 - FEW as f64 / steps.len().max(1) as f64;
    if rise <= 0.0 || of_a_line <= 0.0 {
        return 0.0;
    }
    steps.sort_by(|a, b| b.total_cmp(a));
    let few: f64 = steps.iter().take(FEW).sum();
    ((1.0 - few / rise) / of_a_line).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_even_and_a_few_steps_are_not() {
        let of = |level: fn(f64) -> f64| {
            let points = (0..480).map(|index| (f64::from(index) / 10.0, level(f64::from(index) / 10.0))).collect();
            evenness(&Series { points })
        };
        assert!(of(|t| t) > 0.95);
        assert!(of(|t| t + 20.0 * (t / 3.0).fract()) > 0.7, "under a sawtooth");
        assert!(of(|t| (t / 4.0).floor()) > 0.6, "a step each four hours");
        assert!(of(|t| (t / 16.0).floor()) < 0.01, "two steps");
        assert!(of(|t| -t) < 0.01);
        assert!(evenness(&Series { points: Vec::new() }) < 0.01);
    }
}
