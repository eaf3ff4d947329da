//! Whether a life climbs whose period is too long for floors: from each turn of it to the next.

use crate::memory::climb::{Climb, MIB, Shape, shape};
use crate::memory::evenness::evenness;
use crate::memory::fit::{Line, median, quantile, steps};
use crate::memory::period::Period;
use crate::memory::series::Series;
use crate::memory::trend::{Trend, trend};

/// Moments of a period that are held against the same ones a period later.
const MOMENTS: u8 = 48;

/// Where a period is too long for floors, as a day is in a few days: what it grew by from one to the next.
pub fn by_season(series: &Series, period: Period, reference: f64) -> Option<Climb> {
    let span = series.span();
    let turns = (span / period.hours + 0.1).floor();
    if turns < 2.0 {
        return None;
    }
    let start = series.points.first()?.0;
    let near = 3.0 * span / series.points.len().max(1) as f64;
    let at = |t: f64| {
        let next = series.points.partition_point(|point| point.0 < t);
        series.points.get(next).filter(|point| (point.0 - t).abs() <= near).map(|point| point.1)
    };
    let (mut grown, mut by_turn) = (Vec::new(), Vec::new());
    for turn in 0..turns as u32 {
        let moment = |part: u8| start + period.hours * (f64::from(turn) + f64::from(part) / f64::from(MOMENTS));
        let grew = |part: u8| Some(at(moment(part) + period.hours)? - at(moment(part))?);
        let mut of_turn: Vec<f64> = (0..MOMENTS).filter_map(grew).collect();
        if of_turn.len() >= usize::from(MOMENTS) / 6 {
            by_turn.extend(median(&mut of_turn));
        }
        grown.extend(of_turn);
    }
    let middle = median(&mut grown)?;
    let (low, high) = (quantile(&mut grown, 0.2)?, quantile(&mut grown, 0.8)?);
    let slope = middle / period.hours;
    let rise = slope * span;
    let is_enough = rise >= (0.05 * reference).max(2.0 * MIB).max(0.08 * series.quantile(0.5));
    if !is_enough || low <= 0.0 || by_turn.iter().any(|turn| *turn < 0.3 * middle) {
        return by_floors(series, period, turns as usize);
    }
    let at_zero = median(&mut series.points.iter().map(|(t, y)| y - slope * t).collect::<Vec<_>>())?;
    let line = Line { slope, low: low / period.hours, high: high / period.hours, at_zero, scatter: 0.0, tau: 1.0 };
    let of_middle = |turn: Option<&f64>| turn.map_or(1.0, |turn| turn / middle);
    let (first, last) = (of_middle(by_turn.first()), of_middle(by_turn.last()));
    let trend = Trend {
        line,
        first_third: first,
        last_third: last,
        onset: None,
        saturation: 1.0,
        end_rate: 1.0,
        greatest_step: 0.0,
        faster: None,
    };
    let shape = if last < 0.5 || last < 0.4 * first { Shape::Flattens } else { Shape::Steady };
    // It rises from each turn to the next, at the same moments of it. What never comes down does not turn: that may be steps.
    let evenness = if falls(series) >= 0.4 * period.swing { 1.0 } else { evenness(series) };
    Some(Climb { trend, line, period: Some(period), from: start, span, rise, shape, evenness })
}

/// The most that it falls by.
fn falls(series: &Series) -> f64 {
    let mut highest = f64::NEG_INFINITY;
    let fall = |most: f64, (_, level): &(f64, f64)| {
        highest = highest.max(*level);
        most.max(highest - level)
    };
    series.points.iter().fold(0.0, fall)
}

/// Fewer periods' floors say nothing.
const FEWEST_FLOORS: usize = 5;

/// Where one turn is unlike the next, as a weekend is unlike a Friday: by the lowest of each, which climbs by much.
fn by_floors(series: &Series, period: Period, turns: usize) -> Option<Climb> {
    /// What it climbs by, of the lowest; and how much of that may be its two greatest steps, which may be releases.
    const MUCH: f64 = 0.25;
    const STEPS: f64 = 0.7;
    const STRAIGHT: f64 = 0.8;
    let floor = series.floor(turns);
    if floor.len() < FEWEST_FLOORS {
        return None;
    }
    let trend = trend(&floor)?;
    let line = trend.line;
    let (from, span) = (series.points.first()?.0, series.span());
    let rise = line.slope * span;
    let mut steps: Vec<f64> = steps(&floor).collect();
    steps.sort_by(|a, b| b.total_cmp(a));
    let greatest: f64 = steps.iter().take(2).sum();
    let is_clear = line.tau >= STRAIGHT && line.low > 0.0 && greatest <= STEPS * rise;
    (is_clear && rise >= (MUCH * line.at(from)).max(2.0 * MIB)).then(|| Climb {
        line,
        period: Some(period),
        from,
        span,
        rise,
        shape: shape(&trend),
        evenness: 1.0,
        trend,
    })
}
