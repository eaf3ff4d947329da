//! What repeats: a collector's sawtooth, a day.

use crate::memory::fit::{least_squares, quantile, theil_sen};
use crate::memory::series::Series;

/// Fewer places say nothing of what repeats.
const FEWEST: usize = 24;
/// How alike what comes a period later must be, 1 being the same.
const ALIKE: f64 = 0.35;

/// What repeats two and a half times at the least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Period {
    pub hours: f64,
    /// From low to high, in bytes.
    pub swing: f64,
    /// It falls at once, as when a collector of garbage runs.
    pub is_sharp: bool,
}

/// The shortest period that explains a series well, by its likeness to itself some time later; none when nothing repeats.
#[must_use]
pub fn period(series: &Series) -> Option<Period> {
    let (grid, step) = series.grid();
    if grid.len() < FEWEST {
        return None;
    }
    let places: Vec<(f64, f64)> = grid.iter().enumerate().map(|(index, y)| (index as f64, *y)).collect();
    let (a, b, _) = least_squares(&places, |t| t);
    let rest: Vec<f64> = places.iter().map(|(t, y)| y - a - b * t).collect();
    let likeness: Vec<f64> = (0..=grid.len() * 2 / 5).map(|lag| likeness(&rest, lag)).collect();
    // Neighbours are alike in any series: what repeats is behind the first place where it is not like itself.
    let trough = likeness.iter().position(|like| *like < 0.1)?;
    let best = likeness.iter().skip(trough).copied().fold(0.0, f64::max);
    if best < ALIKE {
        return None;
    }
    let hills = likeness.windows(3).enumerate().skip(trough).filter_map(|(before, hill)| match hill {
        [left, top, right] if top >= left && top >= right && *top >= 0.85 * best => Some(before + 1),
        _ => None,
    });
    let lag = hills.into_iter().find(|lag| *lag >= 3)?;
    let mut values = rest;
    let low = quantile(&mut values, 0.03)?;
    let high = quantile(&mut values, 0.97)?;
    Some(Period { hours: lag as f64 * step, swing: high - low, is_sharp: drops(series) >= 3 })
}

/// 1 for a series that is the same so many places later, 0 for one that has nothing to do with that.
fn likeness(values: &[f64], lag: usize) -> f64 {
    let later = values.get(lag..).unwrap_or_default();
    let pairs = || values.iter().zip(later);
    let both: f64 = pairs().map(|(x, y)| x * y).sum();
    let (x, y) = pairs().fold((0.0, 0.0), |(x, y), (a, b)| (x + a * a, y + b * b));
    both / (x * y).sqrt().max(f64::MIN_POSITIVE)
}

/// Points within which a fall counts as at once: a collector takes its time.
const AT_ONCE: usize = 3;

/// How often it falls by half of its swing at once.
#[must_use]
pub fn drops(series: &Series) -> usize {
    let swing = series.quantile(0.98) - series.quantile(0.02);
    // What it climbs by over all is no swing.
    let climbed = theil_sen(&series.floor(24)).map_or(0.0, |line| line.slope.abs() * series.span());
    let swing = (swing - climbed).max(0.3 * swing);
    if swing <= 0.0 {
        return 0;
    }
    let mut count = 0;
    let mut rest = series.points.as_slice();
    while let [(_, from), after @ ..] = rest {
        let lowest = after.iter().take(AT_ONCE).map(|point| point.1).fold(f64::INFINITY, f64::min);
        let fell = from - lowest >= 0.5 * swing;
        count += usize::from(fell);
        rest = if fell { after.get(AT_ONCE..).unwrap_or_default() } else { after };
    }
    count
}

/// Its greatest rise over a few points, against its greatest such fall: far below one for a sawtooth.
#[must_use]
pub fn rise_against_fall(series: &Series) -> f64 {
    let changes = series.points.iter().zip(series.points.iter().skip(AT_ONCE)).map(|(from, to)| to.1 - from.1);
    let (up, down) = changes.fold((0.0_f64, 0.0_f64), |(up, down), change| (up.max(change), down.max(-change)));
    up / down.max(f64::MIN_POSITIVE)
}
