//! What the lives before say of one.

use crate::memory::climb::FEWEST;
use crate::memory::past::{hours, limit};
use crate::memory::sample::Sample;
use crate::memory::series::Series;
use crate::memory::spike::{Spike, spike};

/// The most of it that was charged.
#[must_use]
pub fn most(life: &[Sample]) -> f64 {
    life.iter().filter_map(Sample::charged).fold(0.0, f64::max)
}

/// The highest limit that a life came to, which cut off what it wanted.
#[must_use]
pub fn cut_off(lives: &[&[Sample]]) -> Option<f64> {
    const AT_LIMIT: f64 = 0.985;
    let limits = lives.iter().copied().flatten().filter_map(|sample| {
        let limit = sample.limit?;
        (sample.charged()? >= AT_LIMIT * limit).then_some(limit)
    });
    limits.reduce(f64::max)
}

/// Each of them began by the curve's own word, or behind one that had come to its limit.
#[must_use]
pub fn are_ends_known(lives: &[&[Sample]]) -> bool {
    const AT_LIMIT: f64 = 0.9;
    let is_full =
        |last: &Sample| last.limit.zip(last.charged()).is_some_and(|(limit, charged)| charged >= AT_LIMIT * limit);
    let is_known = |(before, life): (&&[Sample], &&[Sample])| {
        life.first().is_some_and(|first| first.restart) || before.last().is_some_and(is_full)
    };
    lives.iter().zip(lives.iter().skip(1)).all(is_known)
}

/// The life before this one ended while it stood out.
#[must_use]
pub fn ended_before(life: &[Sample], lives: &[&[Sample]]) -> Option<Spike> {
    let start = life.first()?.t;
    let before = lives.iter().rfind(|other| other.first().is_some_and(|first| first.t < start))?;
    let held = Series::of(before, Sample::held);
    let stood_out = |spike: &Spike| spike.at_end && spike.count == 1 && spike.highest > 1.5 * spike.usual;
    (held.points.len() >= FEWEST).then(|| spike(&held)).flatten().filter(stood_out)
}

/// An earlier life that had lasted as long had as much, and did not come to its limit.
#[must_use]
pub fn was_before(life: &[Sample], lives: &[&[Sample]]) -> bool {
    const AT_LIMIT: f64 = 0.95;
    let (long, much) = (hours(life), most(life));
    let is_earlier = |other: &&&[Sample]| other.first().zip(life.first()).is_some_and(|(other, this)| other.t < this.t);
    lives.iter().filter(is_earlier).any(|other| {
        hours(other) >= long && most(other) >= much && limit(other).is_none_or(|limit| most(other) < AT_LIMIT * limit)
    })
}
