//! oomtrace's rule: the verdict of `oomtrace curve`, and the warnings of the recorder that runs while oomtrace watches, on the curve
//! that it keeps.

use oomtrace::memory::recorder::curve::Curve as Recorded;
use oomtrace::memory::recorder::point::{Point, Tenths};
use oomtrace::memory::recorder::warning::{Rules, Watch};
use oomtrace::memory::sample::{self, cleaned};
use oomtrace::memory::verdict::{Kind, judge};
use oomtrace::node::gauge::Reading;

use super::curve::{Curve, Sample, Truth};
use super::rule::{About, Forecast, Rule, Said};

pub struct Oomtrace;

/// As `--warn-within` and `--warn-near` are by default.
const RULES: Rules = Rules { near_for: 300, within_s: 4.0 * 3600.0 };
/// As `run::flight::book` has it: a curve is judged from an age of five minutes on, each minute where half of the limit is in use. Below
/// that no forecast is raised.
const JUDGED_FROM: Tenths = 3000;
const JUDGED_EVERY: Tenths = 600;

impl Rule for Oomtrace {
    fn name(&self) -> &'static str {
        "oomtrace"
    }

    fn about(&self) -> About {
        About { leaks: true, forecasts: true, limits: true }
    }

    fn every_s(&self) -> f64 {
        6.0 * 3600.0
    }

    fn judge(&self, seen: &[Sample]) -> Said {
        let verdict = judge(&cleaned(seen.iter().map(read).collect()));
        let forecast = verdict
            .limit_reached_at
            .map(|reached| Forecast { at: reached.median, interval: Some((reached.low, reached.high)) });
        Said {
            leak: verdict.verdict == Kind::Leak,
            forecast,
            limit: verdict.advised_limit_bytes.map(|bytes| bytes as f64),
        }
    }

    /// A forecast. That 95 % of the limit are in use is no forecast.
    fn warnings(&self, samples: &[Sample]) -> Vec<f64> {
        let Some(first) = samples.first() else { return Vec::new() };
        let (mut curve, mut watch, mut judged, mut raised) = (Recorded::default(), Watch::default(), 0, Vec::new());
        for sample in samples {
            let now = ((sample.t - first.t) * 10.0) as Tenths + 10;
            let point = point(sample, now);
            curve.push(point);
            let is_far = sample.need() < 0.49 * sample.limit;
            if now < JUDGED_FROM || now - judged < JUDGED_EVERY || (is_far && now - judged < 10 * JUDGED_EVERY) {
                continue;
            }
            judged = now;
            let verdict = judge(&curve.samples(first.t));
            let of = (point.held(), point.limit());
            if watch.forecast(now, (sample.t, f64::from(now) / 10.0), of, &verdict, RULES).is_some() {
                raised.push(sample.t);
            }
        }
        raised
    }
}

/// What it says of a curve, on one line, for whoever wants to know why.
pub fn explained(curve: &Curve) -> String {
    let samples = &curve.samples;
    let (start, last) = (samples[0].t, samples[samples.len() - 1].t);
    let hours = |t: f64| (t - start) / 3600.0;
    let one = |samples: &[Sample]| {
        let verdict = judge(&cleaned(samples.iter().map(read).collect()));
        let most = samples.iter().map(Sample::need).fold(0.0, f64::max);
        let advised = verdict.advised_limit_bytes.map(|bytes| bytes as f64 / most);
        let reached = verdict.limit_reached_at.map(|at| (hours(at.low), hours(at.median), at.high.map(hours)));
        format!("{:?} {:?} {advised:.2?} {reached:.0?} {}", verdict.verdict, verdict.confidence, verdict.why)
    };
    let upto = |t: f64| &samples[..samples.partition_point(|sample| sample.t <= t)];
    let looks = (1..).map(|look| start + f64::from(look) * Oomtrace.every_s()).take_while(|t| *t < last);
    let ever: Vec<f64> = looks.filter(|t| Oomtrace.judge(upto(*t)).leak).map(hours).collect();
    let warnings: Vec<f64> = Oomtrace.warnings(samples).into_iter().map(hours).collect();
    let (half, truth) = match curve.truth {
        Truth::Leak { since, reached } => (
            f64::midpoint(since, reached.unwrap_or(last)),
            format!("leak {:.0} {:.0?}", hours(since), reached.map(hours)),
        ),
        Truth::NoLeak => (f64::midpoint(start, last), "none".to_owned()),
    };
    format!(
        "{}\n  {truth}; {:.0} h; at end: {}\n  half, {:.0} h: {}\n  leak at {ever:.0?}; warned at {warnings:.0?}",
        curve.class,
        hours(last),
        one(samples),
        hours(half),
        one(upto(half)),
    )
}

/// As it is in a file. The kernel counts shared memory as `file` too.
fn read(sample: &Sample) -> sample::Sample {
    sample::Sample {
        t: sample.t,
        anon: Some(sample.anon),
        file: Some(sample.file + sample.shmem),
        shmem: Some(sample.shmem),
        usage: Some(sample.usage()),
        working_set: None,
        limit: Some(sample.limit),
        restart: sample.restart,
        is_watched: false,
    }
}

/// As the recorder reads it.
fn point(sample: &Sample, at: Tenths) -> Point {
    let reading = Reading {
        usage: sample.usage() as u64,
        anon: Some(sample.anon as u64),
        file: Some((sample.file + sample.shmem) as u64),
        shmem: Some(sample.shmem as u64),
        limit: Some(sample.limit as u64),
        ..Reading::default()
    };
    Point::of(&reading, at, None, sample.restart)
}
