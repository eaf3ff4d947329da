//! When a climb meets its limit, and what limit a curve wants.

use crate::memory::climb::{Climb, MIB};
use crate::memory::faster::Faster;
use crate::memory::fit::{Line, Point, median, quantile, theil_sen};
use crate::memory::series::Series;

/// When the limit is reached, in the hours of the series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    pub median: f64,
    pub low: f64,
    /// None: it may take for ever.
    pub high: Option<f64>,
}

/// The least that a slope is unsure by: what drives a leak changes, and neighbours are not independent, which its interval knows nothing
/// of.
const UNSURE: f64 = 0.15;
/// By how much the interval of a slope is widened for the same reasons.
const WIDER: f64 = 1.3;

/// The ceiling's line, or its curve, until it meets the limit. `others`: the slowest and the fastest that other lives climbed, in bytes an
/// hour.
#[must_use]
pub fn reached(climb: &Climb, charged: &Series, limit: f64, others: Option<(f64, f64)>) -> Option<Reached> {
    let now = charged.points.last()?.0;
    let parts = climb.period.map_or(16, |period| ((climb.span / (1.2 * period.hours)) as usize).clamp(4, 16));
    let ceiling = charged.since(climb.from).ceiling(parts);
    let line = ceilings_line(climb, &ceiling);
    let risen = |t: f64| climb.trend.faster.map_or(line.slope * t, |faster| faster.risen(t));
    let mut above: Vec<f64> = ceiling.iter().map(|(t, y)| y - risen(*t)).collect();
    let level = median(&mut above)? + risen(now);
    let spread = quantile(&mut above, 0.9)? - quantile(&mut above, 0.1)?;
    if level >= limit {
        return Some(Reached { median: now, low: now, high: Some(now + 0.1 * climb.span) });
    }
    let left = limit - level;
    Some(
        climb
            .trend
            .faster
            .map_or_else(|| along_line(&line, now, left, spread, others), |faster| along(&faster, now, left, spread)),
    )
}

/// The floor's line; or the ceiling's own where that clearly climbs faster: a collector that runs when what lives has doubled leaves twice
/// as much above it.
fn ceilings_line(climb: &Climb, ceiling: &[Point]) -> Line {
    const FEWEST: usize = 6;
    const STRAIGHT: f64 = 0.8;
    let clearly_faster = |own: &Line| own.tau >= STRAIGHT && own.low > climb.line.high * (1.0 + UNSURE);
    let own = theil_sen(ceiling).filter(|_| ceiling.len() >= FEWEST).filter(clearly_faster);
    own.unwrap_or(climb.line)
}

/// `left` bytes from now on. The ceiling is unsure by `spread`.
fn along_line(line: &Line, now: f64, left: f64, spread: f64, others: Option<(f64, f64)>) -> Reached {
    let slope = line.slope;
    let unsure = ((line.high - line.low) / 2.0).max(UNSURE * slope) * WIDER;
    let median = now + left / slope;
    let (slowest, fastest) = (slope - unsure, slope + unsure);
    let (slowest, fastest) = others.map_or((slowest, fastest), |(low, high)| (slowest.min(low), fastest.max(high)));
    let low = now + (left - spread).max(0.0) / fastest;
    let high = (slowest > 0.15 * slope).then(|| (now + (left + spread) / slowest).max(median));
    Reached { median, low: low.min(median), high }
}

/// The same where it rises faster and faster. It may get no faster than it is.
fn along(faster: &Faster, now: f64, left: f64, spread: f64) -> Reached {
    let unsure = WIDER * UNSURE;
    let median = now + faster.until(now, left);
    let low = now + faster.until(now, left - spread) * (1.0 - 2.0 * unsure);
    let high = now + (left + spread) / faster.rate_at(now) * (1.0 + unsure);
    Reached { median, low: low.min(median), high: high.is_finite().then_some(high.max(median)) }
}

/// Room over what was needed: a limit that is never met, and wastes little.
const ROOM: f64 = 1.15;
/// What was cut off at its limit wanted more, and nobody knows how much: by this much the limit is raised first.
const CUT_OFF: f64 = 1.1;
/// The least limit that is advised.
const LEAST: f64 = 8.0 * MIB;

/// The limit for a need, in bytes, rounded up. `cut_off`: the limit that the need was cut off at.
#[must_use]
pub fn advised(need: f64, cut_off: Option<f64>) -> u64 {
    let need = cut_off.map_or(need, |limit| need.max(limit) * CUT_OFF);
    let wanted = (need * ROOM).max(LEAST);
    let step = match wanted / MIB {
        mib if mib < 64.0 => 1.0,
        mib if mib < 256.0 => 4.0,
        mib if mib < 2048.0 => 16.0,
        _ => 64.0,
    } * MIB;
    ((wanted / step).ceil() * step) as u64
}
