//! What stands out for a short while.

use crate::memory::fit::spread;
use crate::memory::series::Series;

/// A spike, or several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spike {
    /// When it was highest, in hours.
    pub at: f64,
    pub highest: f64,
    pub usual: f64,
    pub count: usize,
    /// The curve ends in one.
    pub at_end: bool,
}

/// The longest that spikes may last together, as a share of the span.
const SHORT: f64 = 0.15;
/// The least that counts as one: 2 MiB.
const SMALL: f64 = 2_097_152.0;

/// See the module's documentation.
#[must_use]
pub fn spike(series: &Series) -> Option<Spike> {
    let usual = series.quantile(0.5);
    let (at, highest) = series.points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let noise = spread(series.values()).max(series.noise());
    let least = (0.35 * usual).max(7.0 * noise).max(SMALL);
    if highest - usual < least || highest - series.quantile(0.85) < 0.5 * (highest - usual) {
        return None;
    }
    let line = usual + 0.4 * (highest - usual);
    let is_above: Vec<bool> = series.points.iter().map(|point| point.1 > line).collect();
    let above = is_above.iter().filter(|above| **above).count();
    let starts = is_above.iter().zip(is_above.iter().skip(1)).filter(|(before, now)| !**before && **now).count();
    let count = starts + usize::from(is_above.first() == Some(&true));
    let is_short = above as f64 <= SHORT * is_above.len() as f64;
    is_short.then_some(Spike { at, highest, usual, count, at_end: is_above.last() == Some(&true) })
}
