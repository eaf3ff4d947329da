//! The Vertical Pod Autoscaler's recommender (kubernetes/autoscaler 55c37cd5, vertical-pod-autoscaler/pkg/recommender): one peak a day, the
//! last 8 of them, in a histogram whose buckets grow by 5 % and whose weights halve each day; the 90th percentile and 15 %, 250 MiB at the
//! least (config.go, model/aggregations_config.go, util/histogram.go). A limit here is what it has for a request. After an OOM kill the
//! peak of that day is the greater of 100 MiB and 20 % more (oom/observer.go, model/container.go).

use super::curve::Sample;
use super::rule::{About, Rule, Said};

pub struct Vpa;

const MIB: f64 = 1_048_576.0;
const DAY_S: f64 = 86_400.0;
const DAYS: usize = 8;
const SMALLEST_BUCKET: f64 = 1e7;
const GROWTH: f64 = 1.05;

impl Rule for Vpa {
    fn name(&self) -> &'static str {
        "VPA, target"
    }

    fn about(&self) -> About {
        About { limits: true, ..About::default() }
    }

    fn every_s(&self) -> f64 {
        f64::INFINITY
    }

    fn judge(&self, seen: &[Sample]) -> Said {
        let Some(first) = seen.first() else { return Said::default() };
        let mut peaks: Vec<f64> = Vec::new();
        for (index, sample) in seen.iter().enumerate() {
            let day = ((sample.t - first.t) / DAY_S) as usize;
            peaks.resize(peaks.len().max(day + 1), 0.0);
            let killed = sample.restart && seen[index - 1].need() > 0.97 * sample.limit;
            let oom = if killed { (sample.limit + 100.0 * MIB).max(1.2 * sample.limit) } else { 0.0 };
            peaks[day] = peaks[day].max(sample.need()).max(oom);
        }
        let kept = peaks.iter().rev().take(DAYS).enumerate().filter(|(_, peak)| **peak > 0.0);
        let mut weights: Vec<(usize, f64)> =
            kept.map(|(age, peak)| (bucket(*peak), 0.5_f64.powi(i32::try_from(age).unwrap_or(i32::MAX)))).collect();
        weights.sort_by_key(|(bucket, _)| *bucket);
        let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let found = weights.iter().find(|(_, weight)| {
            sum += weight;
            sum >= 0.9 * all
        });
        let target = found.or(weights.last()).map(|(bucket, _)| 1.15 * start(bucket + 1));
        Said { limit: target.map(|target| target.max(250.0 * MIB)), ..Said::default() }
    }
}

fn bucket(value: f64) -> usize {
    if value < SMALLEST_BUCKET {
        return 0;
    }
    (value * (GROWTH - 1.0) / SMALLEST_BUCKET + 1.0).log(GROWTH) as usize
}

fn start(bucket: usize) -> f64 {
    SMALLEST_BUCKET * (GROWTH.powi(bucket as i32) - 1.0) / (GROWTH - 1.0)
}
