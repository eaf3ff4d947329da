//! coroot's leak check: `MemoryGrowthPct` of auditor/memory.go at 370a33f, over the last hour (watchers/watchers.go), as an alert above
//! 10 % an hour (model/check.go, `MemoryLeakPercent`). RSS without page cache. It says no time and no limit.

use super::curve::Sample;
use super::rule::{About, Rule, Said, least_squares, window};

pub struct Coroot;

const WINDOW_S: f64 = 3600.0;
const PERCENT_PER_HOUR: f64 = 10.0;

impl Rule for Coroot {
    fn name(&self) -> &'static str {
        "coroot, > 10 %/h"
    }

    fn about(&self) -> About {
        About { leaks: true, ..About::default() }
    }

    fn every_s(&self) -> f64 {
        600.0
    }

    fn judge(&self, seen: &[Sample]) -> Said {
        Said { leak: growth_percent(window(seen, WINDOW_S)) > PERCENT_PER_HOUR, ..Said::default() }
    }
}

fn growth_percent(samples: &[Sample]) -> f64 {
    let (Some(last), true) = (samples.last(), samples.len() >= 10) else { return 0.0 };
    // A series there has a place for each step, filled or not.
    let mut steps: Vec<f64> = samples.windows(2).map(|pair| pair[1].t - pair[0].t).collect();
    steps.sort_by(f64::total_cmp);
    let places = WINDOW_S / steps[steps.len() / 2].max(1.0);
    if (samples.len() as f64) < places * 0.8 {
        return 0.0;
    }
    let run = longest_run(samples);
    if run.len() < 10 || (run.len() as f64) < places / 3.0 {
        return 0.0;
    }
    let points: Vec<(f64, f64)> = run.iter().map(|sample| (sample.t, sample.need())).collect();
    let (end, slope) = least_squares(&points, last.t);
    if slope <= 0.0 {
        return 0.0;
    }
    // The last quarter, or a quarter of an hour.
    let mut tail = points.len() - points.len() / 4;
    while tail > 0 && (tail >= points.len() || points[points.len() - 1].0 - points[tail].0 < 900.0) {
        tail -= 1;
    }
    let tail = &points[tail..];
    if tail.len() < 5 || least_squares(tail, last.t).1 < 0.3 * slope {
        return 0.0;
    }
    let start = end - slope * 3600.0;
    if end <= 0.0 || end <= start || end - start < 0.05 * last.limit {
        return 0.0;
    }
    (end - start) / if start > 0.0 { start } else { end } * 100.0
}

/// Between falls to less than half, the longest.
fn longest_run(samples: &[Sample]) -> &[Sample] {
    let (mut best, mut begin) = (&samples[..0], 0);
    for at in 1..=samples.len() {
        if at == samples.len() || samples[at].need() < 0.5 * samples[at - 1].need() {
            if at - begin > best.len() {
                best = &samples[begin..at];
            }
            begin = at;
        }
    }
    best
}
