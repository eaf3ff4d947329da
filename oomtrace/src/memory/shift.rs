//! Where a level changed at once and stayed there: a release that wants more, another configuration.

use crate::memory::fit::{median, quantile};
use crate::memory::series::Series;

/// A change of level, the last one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// When, in hours: the first point of the new level.
    pub at: f64,
    /// The levels, in bytes.
    pub before: f64,
    pub after: f64,
    /// How often it did so in all.
    pub count: usize,
}

/// Parts of as many points each, of which the middle value counts.
const PARTS: usize = 400;
/// The shortest level, as a share of them; and the fewest of them.
const SHORTEST: usize = 25;
const FEWEST: usize = 3;
/// More changes are work that comes and goes.
const MOST: usize = 3;
/// Of a change, what a level may move by.
const STILL: f64 = 0.4;

/// The last shift of a series that stays at levels. `least`: the smallest one, in bytes.
#[must_use]
pub fn shift(series: &Series, least: f64) -> Option<Shift> {
    let each = series.points.len().div_ceil(PARTS).max(1);
    let middle = |points: &[(f64, f64)]| median(&mut points.iter().map(|point| point.1).collect::<Vec<_>>());
    let levels: Vec<f64> = series.points.chunks(each).filter_map(middle).collect();
    let shortest = (levels.len() / SHORTEST).max(FEWEST);
    let changes: Vec<(usize, f64)> = (shortest..(levels.len() + 1).saturating_sub(shortest))
        .filter_map(|at| {
            let of = |from: usize, to: usize| median(&mut levels.get(from..to)?.to_vec());
            Some((at, of(at, at + shortest)? - of(at - shortest, at)?))
        })
        .collect();
    let mut found: Vec<usize> = Vec::new();
    loop {
        let is_apart = |at: usize| found.iter().all(|other| at.abs_diff(*other) >= shortest);
        let others = changes.iter().filter(|(at, by)| by.abs() >= least && is_apart(*at));
        // Of a few that see the same one, the middle.
        let Some(greatest) = others.clone().map(|(_, by)| by.abs()).reduce(f64::max) else { break };
        let first = others.clone().find(|(_, by)| by.abs() >= 0.95 * greatest)?.0;
        let same = others.filter(|(at, by)| by.abs() >= 0.95 * greatest && *at < first + shortest);
        found.push((first + same.map(|(at, _)| *at).max()?) / 2);
        if found.len() > MOST {
            return None;
        }
    }
    found.sort_unstable();
    let starts = || [0].into_iter().chain(found.iter().copied());
    let ends = found.iter().copied().chain([levels.len()]);
    // The parts in which it changes are of neither.
    let of_levels: Vec<&[f64]> = starts()
        .zip(ends)
        .map(|(from, to)| levels.get(from + usize::from(from > 0)..to - usize::from(to < levels.len())))
        .collect::<Option<_>>()?;
    let mut middles = Vec::with_capacity(of_levels.len());
    let mut widest = 0.0_f64;
    for level in of_levels {
        let mut values = level.to_vec();
        widest = widest.max(quantile(&mut values, 0.95)? - quantile(&mut values, 0.05)?);
        middles.push(median(&mut values)?);
    }
    let smallest = middles.iter().zip(middles.iter().skip(1)).map(|(one, next)| (next - one).abs()).reduce(f64::min)?;
    if smallest < least || widest > STILL * smallest {
        return None;
    }
    let (after, before) = (*middles.last()?, *middles.get(middles.len() - 2)?);
    let begin = (found.last()?.saturating_sub(2)) * each;
    let is_there = |point: &&(f64, f64)| (point.1 - before).abs() > (point.1 - after).abs();
    let at = series.points.iter().skip(begin).find(is_there)?.0;
    Some(Shift { at, before, after, count: found.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u32, level: impl Fn(u32) -> f64) -> Option<Shift> {
        let point = |index: u32| (f64::from(index) / 10.0, level(index) + f64::from(index * 7919 % 13));
        shift(&Series { points: (0..count).map(point).collect() }, 20.0)
    }

    #[test]
    fn levels_are_found_and_what_moves_has_none() {
        for count in [60, 500, 5000] {
            let at = count * 2 / 5;
            let found = of(count, |index| if index < at { 100.0 } else { 300.0 }).unwrap();
            assert_eq!((found.at, found.count), (f64::from(at) / 10.0, 1), "{count}: {found:?}");
            assert!((found.before - 106.0).abs() < 3.0 && (found.after - 306.0).abs() < 3.0, "{found:?}");
            let twice = of(count, |index| [100.0, 300.0, 50.0][(index / (count / 3)).min(2) as usize]).unwrap();
            assert_eq!(twice.count, 2, "{twice:?}");
            assert!((twice.before - 306.0).abs() < 3.0 && (twice.after - 56.0).abs() < 3.0, "{twice:?}");
        }
        assert_eq!(of(500, |_| 100.0), None);
        assert_eq!(of(500, f64::from), None, "it climbs");
        assert_eq!(of(500, |index| 100.0 * (f64::from(index) / 80.0).sin()), None, "a wave");
        assert_eq!(of(500, |index| f64::from(index % 100)), None, "a sawtooth");
        assert_eq!(of(500, |index| if (250..255).contains(&index) { 400.0 } else { 0.0 }), None, "a spike");
        assert_eq!(of(500, |index| f64::from(index / 40 % 2) * 90.0), None, "it comes and goes");
        assert_eq!((of(0, |_| 1.0), of(3, f64::from)), (None, None));
    }
}
