//! What repeats: a collector's sawtooth, a day.

use crate::memory::fit::{least_squares, quantile, theil_sen};
use crate::memory::likeness::likeness;
use crate::memory::series::Series;

/// Fewer places say nothing of what repeats.
const FEWEST: usize = 24;
/// How alike what comes a period later must be, 1 being the same.
const ALIKE: f64 = 0.35;
/// Of the greatest likeness, what the shortest period has.
const AS_ALIKE: f64 = 0.85;
/// A period of fewer places cannot be distinguished from a multiple of itself.
const SHORTEST: usize = 3;

/// What repeats two and a half times at the least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Period {
    pub hours: f64,
    /// From low to high, in bytes.
    pub swing: f64,
    /// It falls at once, as when a collector of garbage runs.
    pub is_sharp: bool,
}

impl Period {
    /// It may be said in words: points are near enough to each other to see it, and it is not what samples make of something that repeats
    /// faster than they are taken.
    #[must_use]
    pub fn is_resolved_in(&self, series: &Series) -> bool {
        /// Of the distances between points, this one counts; and so many of them a period is at the least.
        const WIDE: f64 = 0.75;
        const POINTS: f64 = 5.0;
        /// A fall that is one, of the swing; each is seen in so many points, where there are several in a period.
        const MUCH: f64 = 0.25;
        const SEVERAL: f64 = 1.5;
        const OF_EACH: f64 = 6.0;
        /// What rises at once and falls slowly may be teeth that are each seen a little earlier, unless there are so many points.
        const BACKWARDS: f64 = 0.5;
        const MANY: f64 = 24.0;
        let mut gaps: Vec<f64> = series.intervals().collect();
        let Some(points) = quantile(&mut gaps, WIDE).map(|gap| self.hours / gap.max(f64::MIN_POSITIVE)) else {
            return false;
        };
        let falls = turns_down(series, MUCH * self.swing) as f64 * self.hours / series.span().max(f64::MIN_POSITIVE);
        let is_faster = falls > SEVERAL && points < OF_EACH * falls;
        let turned = Series { points: series.points.iter().map(|(t, y)| (*t, -y)).collect() };
        let is_backwards = points < MANY && rise_against_fall(&turned) < BACKWARDS;
        points >= POINTS - 0.1 && !is_faster && !is_backwards
    }
}

/// The shortest period that explains a series well, by its likeness to itself some time later; none when nothing repeats, or so fast that
/// it cannot be distinguished from its multiples.
#[must_use]
pub fn period(series: &Series) -> Option<Period> {
    let (grid, step, kept) = series.grid();
    if grid.len() < FEWEST {
        return None;
    }
    let places: Vec<(f64, f64)> = grid.iter().enumerate().map(|(index, y)| (index as f64, *y)).collect();
    let (a, b, _) = least_squares(&places, |t| t);
    let mut rest: Vec<f64> = places.iter().map(|(t, y)| y - a - b * t).collect();
    let mut values = rest.clone();
    let low = quantile(&mut values, 0.03)?;
    let high = quantile(&mut values, 0.97)?;
    // What a program lacks at its start, or has for a moment, is no more than that.
    let (least, most) = (low - (high - low), high + (high - low));
    rest.iter_mut().for_each(|value| *value = value.max(least).min(most));
    let likeness: Vec<f64> = likeness(&rest, grid.len() * 2 / 5).into_iter().map(|like| like * kept).collect();
    // Neighbours are alike in any series: what repeats is behind the first place where it is not like itself.
    let trough = likeness.iter().position(|like| *like < 0.1)?;
    let best = likeness.iter().skip(trough).copied().fold(0.0, f64::max);
    if best < ALIKE {
        return None;
    }
    let is_hill = |lag: &usize| {
        let around = lag.checked_sub(1).and_then(|before| likeness.get(before..before + 3));
        matches!(around, Some([left, top, right]) if top >= left && top >= right && *top >= AS_ALIKE * best)
    };
    let lag = shortest(&likeness, top(&likeness, (trough.max(1)..likeness.len()).find(is_hill)?), trough);
    let found = Period { hours: lag * step, swing: high - low, is_sharp: drops(series) >= 3 };
    (lag >= SHORTEST as f64 - 0.1).then_some(found)
}

/// The top of the hill that begins at that lag: noise makes small ones on its way up.
fn top(likeness: &[f64], begin: usize) -> usize {
    /// Of its first one, what is left of it between two of these.
    const BETWEEN: f64 = 0.8;
    let first = likeness.get(begin).copied().unwrap_or_default();
    let hill = likeness.iter().enumerate().skip(begin).take_while(|(_, like)| **like >= BETWEEN * first);
    hill.max_by(|a, b| a.1.total_cmp(b.1)).map_or(begin, |(lag, _)| lag)
}

/// A period of some places and a half is less like itself a whole number of places later than two of them are: the shortest part of `lag` all
/// of whose multiples are as alike as it can be there, in places.
fn shortest(likeness: &[f64], lag: usize, trough: usize) -> f64 {
    /// The most that may be wanting for that.
    const WANTING: f64 = 0.4;
    let of = |lag: usize| likeness.get(lag).copied().unwrap_or_default();
    // What a sawtooth of so many places loses by half a place: 6·(½/p)·(1 − ½/p) of it.
    let least = |part: f64| (AS_ALIKE - (3.0 / part).min(WANTING)) * of(lag);
    let is_period = |part: &f64| {
        let count = (lag as f64 / part).round() as usize;
        (1..count).all(|multiple| {
            let near = part * multiple as f64;
            let like = of(near.floor() as usize).max(of(near.ceil() as usize));
            // And half-way to the next one it is not.
            let between = of((near + part / 2.0).round() as usize);
            near >= trough as f64 && like >= least(*part) && between < 0.5 * like
        })
    };
    let parts = (2..=lag / 2).rev().map(|count| lag as f64 / count as f64);
    parts.filter(|part| *part < 20.0).find(is_period).unwrap_or(lag as f64)
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

/// How often it falls by so much, however slowly, before it rises by as much.
fn turns_down(series: &Series, much: f64) -> usize {
    let (mut count, mut is_falling) = (0, false);
    let mut extreme = series.points.first().map_or(0.0, |point| point.1);
    for (_, level) in &series.points {
        let back = if is_falling { level - extreme } else { extreme - level };
        if back >= much.max(f64::MIN_POSITIVE) {
            (is_falling, extreme) = (!is_falling, *level);
            count += usize::from(is_falling);
        } else if back < 0.0 {
            extreme = *level;
        }
    }
    count
}

/// Its greatest rise over a few points, against its greatest such fall: far below one for a sawtooth. Of as few points as tell them apart
/// best: a tooth that is not much longer than these rises by much of itself over them.
#[must_use]
pub fn rise_against_fall(series: &Series) -> f64 {
    let over = |few: usize| {
        let changes = series.points.iter().zip(series.points.iter().skip(few)).map(|(from, to)| to.1 - from.1);
        let (up, down) = changes.fold((0.0_f64, 0.0_f64), |(up, down), change| (up.max(change), down.max(-change)));
        up / down.max(f64::MIN_POSITIVE)
    };
    (1..=AT_ONCE).map(over).fold(f64::INFINITY, f64::min)
}
