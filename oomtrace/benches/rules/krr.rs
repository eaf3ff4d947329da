//! Robusta's KRR, its simple strategy (robusta-dev/krr d6baa74, strategies/simple.py): the greatest working set of 14 days at steps of 75 s, and
//! 15 %; from 100 points and 3 hours on; rounded up to a MiB, 100 at the least (core/runner.py). OOM data are an option that is off.

use super::curve::Sample;
use super::rule::{About, Rule, Said, window};

pub struct Krr;

const MIB: f64 = 1_048_576.0;
const STEP_S: f64 = 75.0;
const HISTORY_S: f64 = 336.0 * 3600.0;

impl Rule for Krr {
    fn name(&self) -> &'static str {
        "KRR, simple"
    }

    fn about(&self) -> About {
        About { limits: true, ..About::default() }
    }

    fn every_s(&self) -> f64 {
        f64::INFINITY
    }

    fn judge(&self, seen: &[Sample]) -> Said {
        let seen = window(seen, HISTORY_S);
        let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return Said::default() };
        if seen.len() < 100 || last.t - first.t < 3.0 * 3600.0 {
            return Said::default();
        }
        // What is between two steps is not seen.
        let (mut most, mut next) = (0.0_f64, first.t);
        for (index, sample) in seen.iter().enumerate() {
            let until = seen.get(index + 1).map_or(f64::INFINITY, |after| after.t);
            if next < until {
                most = most.max(sample.need());
                next += STEP_S * ((until.min(last.t) - next) / STEP_S).floor().max(0.0) + STEP_S;
            }
        }
        Said { limit: Some(((1.15 * most / MIB).ceil() * MIB).max(100.0 * MIB)), ..Said::default() }
    }
}
