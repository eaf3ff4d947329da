//! What a rule is worth on curves whose truth is known.

use std::thread;

use super::curve::{Curve, Sample, Truth};
use super::rule::Rule;

/// Of one rule and one curve.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub class: &'static str,
    pub is_leak: bool,
    pub is_periodic: bool,
    pub days: f64,
    /// It says leak of all of the curve; it did so at any time while it was watched.
    pub at_end: bool,
    pub ever: bool,
    /// Warnings raised.
    pub warnings: usize,
    /// Lives that met their limit, and those of which it was warned a quarter of an hour before, or sooner.
    pub met: usize,
    pub met_warned: usize,
    /// At half-way. None: there is no such time in it.
    pub half_way: Option<HalfWay>,
    /// For limits that are advised of all of it, and of its first half.
    pub of_all: Option<Replay>,
    pub of_half: Option<Replay>,
}

#[derive(Clone, Copy, Debug)]
pub struct HalfWay {
    /// By how much it was wrong, over the time that was left. None: it said nothing.
    pub error: Option<f64>,
    /// None: it has no interval.
    pub is_inside: Option<bool>,
}

/// A limit, and what would have come of it.
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    /// None: no limit was advised.
    pub limit: Option<Limit>,
    pub lives: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub killed: usize,
    /// Over the peak of the whole curve, as a share of it.
    pub slack: f64,
}

/// Of each curve; on two processors.
pub fn score(rule: &dyn Rule, curves: &[Curve]) -> Vec<Outcome> {
    let half = curves.len().div_ceil(2);
    thread::scope(|scope| {
        let parts: Vec<_> = curves
            .chunks(half.max(1))
            .map(|part| scope.spawn(move || part.iter().map(|curve| outcome(rule, curve)).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

fn outcome(rule: &dyn Rule, curve: &Curve) -> Outcome {
    let about = rule.about();
    let samples = &curve.samples;
    let (first, last) = (samples[0].t, samples[samples.len() - 1].t);
    let mut found = Outcome {
        class: curve.class,
        is_leak: curve.truth.is_leak(),
        is_periodic: curve.is_periodic,
        days: (last - first) / 86_400.0,
        ..Outcome::default()
    };
    if about.leaks {
        found.at_end = rule.judge(samples).leak;
        found.ever = found.at_end || ever(rule, samples);
        let warnings = rule.warnings(samples);
        found.warnings = warnings.len();
        (found.met, found.met_warned) = warned(samples, &warnings, curve.truth);
    }
    if let (true, Truth::Leak { since, reached: Some(reached) }) = (about.forecasts, curve.truth) {
        let half = f64::midpoint(since, reached);
        found.half_way = (half <= last).then(|| half_way(rule, until(samples, half), reached));
    }
    if about.limits && !found.is_leak {
        found.of_all = Some(replay(rule.judge(samples).limit, samples, samples));
        let (seen, rest) = samples.split_at(until(samples, f64::midpoint(first, last)).len());
        found.of_half = Some(replay(rule.judge(seen).limit, rest, samples));
    }
    found
}

fn until(samples: &[Sample], t: f64) -> &[Sample] {
    &samples[..samples.partition_point(|sample| sample.t <= t)]
}

fn ever(rule: &dyn Rule, samples: &[Sample]) -> bool {
    let every = rule.every_s();
    let mut next = samples[0].t + every;
    samples.iter().enumerate().any(|(index, sample)| {
        if sample.t < next {
            return false;
        }
        next += every;
        rule.judge(&samples[..=index]).leak
    })
}

/// Lives that met their limit, and those of which there was a warning in time.
fn warned(samples: &[Sample], warnings: &[f64], truth: Truth) -> (usize, usize) {
    const IN_TIME_S: f64 = 900.0;
    let Truth::Leak { reached, .. } = truth else { return (0, 0) };
    let last = samples[samples.len() - 1].t;
    let (mut met, mut in_time, mut born) = (0, 0, samples[0].t);
    let mut ends: Vec<(f64, f64)> = samples
        .windows(2)
        .filter(|pair| pair[1].restart)
        .map(|pair| (pair[1].t, pair[0].need() / pair[0].limit))
        .collect();
    // The last life, where the curve ends as it meets its limit.
    ends.extend(reached.filter(|reached| reached - last < 900.0).map(|reached| (reached, 1.0)));
    for (end, share) in ends {
        if share > 0.93 {
            met += 1;
            in_time += usize::from(warnings.iter().any(|at| *at >= born && *at <= end - IN_TIME_S));
        }
        born = end;
    }
    (met, in_time)
}

fn half_way(rule: &dyn Rule, seen: &[Sample], reached: f64) -> HalfWay {
    let now = seen[seen.len() - 1].t;
    let Some(forecast) = rule.judge(seen).forecast else { return HalfWay { error: None, is_inside: None } };
    HalfWay {
        error: Some((forecast.at - reached).abs() / (reached - now)),
        is_inside: forecast.interval.map(|(low, high)| (low..=high.unwrap_or(f64::INFINITY)).contains(&reached)),
    }
}

fn replay(limit: Option<f64>, samples: &[Sample], whole: &[Sample]) -> Replay {
    let most = |samples: &[Sample]| samples.iter().map(Sample::need).fold(0.0, f64::max);
    let lives: Vec<&[Sample]> = split(samples);
    let limit = limit.map(|limit| Limit {
        killed: lives.iter().filter(|life| most(life) > limit).count(),
        slack: limit / most(whole) - 1.0,
    });
    Replay { limit, lives: lives.len() }
}

fn split(samples: &[Sample]) -> Vec<&[Sample]> {
    let starts = samples.iter().enumerate().skip(1).filter(|(_, sample)| sample.restart).map(|(index, _)| index);
    let mut lives = Vec::new();
    let mut begin = 0;
    for end in starts.chain([samples.len()]) {
        lives.push(&samples[begin..end]);
        begin = end;
    }
    lives
}
