//! How a floor goes: its line, where that began, whether it flattens, whether it was one step.

use crate::memory::faster::Faster;
use crate::memory::fit::{Line, Point, least_squares, steps, theil_sen};

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub struct Trend {
    pub line: Line,
    /// Its slope in the first and the last third, over that of all of it.
    pub first_third: f64,
    pub last_third: f64,
    /// When it began to climb, in hours, if it was flat before.
    pub onset: Option<f64>,
    /// How much better a curve that flattens fits than a line: the sums of squares that they leave, below one where it does.
    pub saturation: f64,
    /// The rate at the end over that at the start, by that curve.
    pub end_rate: f64,
    /// Its greatest rise from one point to the next, as a share of all of it.
    pub greatest_step: f64,
    /// It rises faster and faster, and was not flat at first.
    pub faster: Option<Faster>,
}

/// Time constants of curves that flatten, as shares of the span.
const TIME_CONSTANTS: [f64; 8] = [0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5];
/// Where a climb may begin, in twentieths of the span.
const ONSETS: std::ops::RangeInclusive<u8> = 2..=14;
/// How much of a line's squares may be left where it was flat at first.
const BEGINS: f64 = 0.45;
/// And where it rises faster and faster.
const FASTER: f64 = 0.2;

/// The trend of points in the order of time; none of fewer than four.
#[must_use]
pub fn trend(points: &[Point]) -> Option<Trend> {
    let line = theil_sen(points)?;
    let start = points.first()?.0;
    let span = (points.last()?.0 - start).max(f64::MIN_POSITIVE);
    let part = |from: f64, to: f64| {
        let of_part = |point: &&Point| (from..=to).contains(&((point.0 - start) / span));
        let slope = theil_sen(&points.iter().filter(of_part).copied().collect::<Vec<_>>())
            .map_or(line.slope, |line| line.slope);
        if line.slope == 0.0 { 0.0 } else { slope / line.slope }
    };
    let straight = least_squares(points, |t| t).2.max(f64::MIN_POSITIVE);
    let (saturation, end_rate) = saturation(points, start, span, straight);
    let rise = line.slope * span;
    let greatest = steps(points).fold(0.0, f64::max);
    let faster = Faster::of(points, start, span, FASTER * straight);
    let (onset, faster) = match (onset(points, start, span, straight), faster) {
        (Some((_, of_onset)), Some((faster, left))) if left <= of_onset => (None, Some(faster)),
        (Some((onset, _)), _) => (Some(onset), None),
        (None, faster) => (None, faster.map(|(faster, _)| faster)),
    };
    Some(Trend {
        line,
        first_third: part(0.0, 0.34),
        last_third: part(0.66, 1.0),
        onset,
        saturation,
        end_rate,
        greatest_step: if rise > 0.0 { greatest / rise } else { 0.0 },
        faster,
    })
}

/// By `a − b·exp(−t/τ)`.
fn saturation(points: &[Point], start: f64, span: f64, straight: f64) -> (f64, f64) {
    let mut best = (1.0, 1.0);
    for share in TIME_CONSTANTS {
        let (_, b, left) = least_squares(points, |t| -(-(t - start) / (share * span)).exp());
        if b > 0.0 && left / straight < best.0 {
            best = (left / straight, (-1.0 / share).exp());
        }
    }
    best
}

/// Flat, and then a line: from when on, and the sum of squares that is left.
fn onset(points: &[Point], start: f64, span: f64, straight: f64) -> Option<(f64, f64)> {
    let mut best = None;
    for twentieth in ONSETS {
        let from = start + span * f64::from(twentieth) / 20.0;
        let (_, b, left) = least_squares(points, |t| (t - from).max(0.0));
        if b > 0.0 && left < best.map_or(BEGINS * straight, |(_, left)| left) {
            best = Some((from, left));
        }
    }
    best
}
