//! Where a curve's program was started anew.

use crate::memory::fit::median;
use crate::memory::sample::Sample;

/// Samples that a level is taken from.
const AROUND: usize = 15;
/// A program that uses less than this moves too much to tell a restart from its own doing: 4 MiB.
const SMALL: f64 = 4_194_304.0;
/// The least page cache whose loss says something: 1 MiB.
const SMALL_CACHE: f64 = 1_048_576.0;

/// The lives, each with one sample at the least; the last one goes on.
#[must_use]
pub fn lives(samples: &[Sample]) -> Vec<&[Sample]> {
    let mut steps: Vec<f64> = samples.iter().zip(samples.iter().skip(1)).map(|(a, b)| b.t - a.t).collect();
    let step = median(&mut steps).unwrap_or(0.0);
    let mut found = Vec::new();
    let mut rest = samples;
    while !rest.is_empty() {
        let is_start = |at: &usize| rest.get(*at).is_some_and(|sample| sample.restart) || fell(rest, *at, step);
        let end = (1..rest.len()).find(is_start).unwrap_or(rest.len());
        let (life, after) = rest.split_at(end);
        found.push(life);
        rest = after;
    }
    found
}

/// Everything fell at that sample of a life: to a fifth of what it was, or to half of it where something else says so too.
fn fell(life: &[Sample], at: usize, step: f64) -> bool {
    // Memory of what was just started moves.
    if at < 2 {
        return false;
    }
    let (before, after) = life.split_at(at);
    let (Some(last), Some(now)) = (before.last(), after.first()) else { return false };
    let (Some(was), Some(is)) = (last.held(), now.held()) else { return false };
    if was < SMALL || is > 0.5 * was {
        return false;
    }
    let stays = |was: Option<f64>, is: Option<f64>| matches!((was, is), (Some(was), Some(is)) if was > SMALL_CACHE && is > 0.6 * was);
    // What stood at its limit and lost half of that at once was killed: what else it has may stay.
    if is <= 0.5 * was && last.limit.is_some_and(|limit| was >= 0.95 * limit) {
        return !is_misread(after, was);
    }
    let keeps = stays(last.file, now.file) || stays(last.in_use(), now.in_use());
    if is_misread(after, was) {
        return false;
    }
    let mut levels: Vec<f64> = before.iter().rev().take(AROUND).filter_map(Sample::held).collect();
    let level = median(&mut levels).unwrap_or(was);
    let is_deep = is <= 0.2 * level.max(0.7 * was);
    // What ran into its limit was killed; page cache may stay, for it is the container's.
    let was_full =
        last.limit.is_some_and(|limit| was >= 0.9 * limit || last.in_use().is_some_and(|usage| usage >= 0.97 * limit));
    let was_away = step > 0.0 && now.t - last.t > 3.5 * step;
    // A collector of garbage leaves the page cache alone: that went as well, and it is where it began.
    let lost_cache = last.file.is_some_and(|file| file > SMALL) && now.file.is_some();
    let first = before.iter().find_map(Sample::held).unwrap_or(0.0);
    (is_deep && was_full) || (!keeps && (is_deep || was_full || was_away || (lost_cache && is <= 1.3 * first)))
}

/// One sample that was misread is no restart.
fn is_misread(after: &[Sample], was: f64) -> bool {
    let next: Vec<f64> = after.iter().skip(1).take(2).filter_map(Sample::held).collect();
    next.len() == 2 && next.iter().all(|level| *level > 0.8 * was)
}
