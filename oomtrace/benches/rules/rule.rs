//! What a rule says of a curve.

use super::curve::Sample;

/// When the limit is met, in Unix seconds.
#[derive(Clone, Copy, Debug)]
pub struct Forecast {
    pub at: f64,
    /// Not before, and not after (None: maybe never), where the rule says so.
    pub interval: Option<(f64, Option<f64>)>,
}

/// None: the rule has no word on that, or nothing to say of this curve.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    pub leak: bool,
    pub forecast: Option<Forecast>,
    pub limit: Option<f64>,
}

pub trait Rule: Sync {
    fn name(&self) -> &'static str;

    /// What it has a word on: leaks, forecasts, limits.
    fn about(&self) -> About;

    /// Of all that was seen so far.
    fn judge(&self, seen: &[Sample]) -> Said;

    /// How often it is asked whether it is a leak, in seconds. An alert looks at a short window, and so often.
    fn every_s(&self) -> f64;

    /// When it warns of the limit, while the curve is being watched: Unix seconds. By default, as an alert that two evaluations, a minute
    /// and more apart, have to agree on (`for: 1m`), which is the same one until it has been quiet for an hour.
    fn warnings(&self, samples: &[Sample]) -> Vec<f64> {
        const APART_S: f64 = 59.0;
        const QUIET_S: f64 = 3600.0;
        let (mut raised, mut evaluated, mut agreed) = (Vec::new(), f64::NEG_INFINITY, false);
        let mut firing = f64::NEG_INFINITY;
        for (index, sample) in samples.iter().enumerate() {
            if sample.t - evaluated < APART_S {
                continue;
            }
            evaluated = sample.t;
            let fires = self.judge(&samples[..=index]).leak;
            if fires && agreed {
                if sample.t - firing > QUIET_S {
                    raised.push(sample.t);
                }
                firing = sample.t;
            }
            agreed = fires;
        }
        raised
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct About {
    pub leaks: bool,
    pub forecasts: bool,
    pub limits: bool,
}

/// The life that goes on.
pub fn life(seen: &[Sample]) -> &[Sample] {
    let start = seen.iter().rposition(|sample| sample.restart).unwrap_or(0);
    &seen[start..]
}

/// The end of it that is no older than so many seconds, seen from its last sample.
pub fn window(seen: &[Sample], seconds: f64) -> &[Sample] {
    let Some(last) = seen.last() else { return seen };
    &seen[seen.partition_point(|sample| sample.t < last.t - seconds)..]
}

/// The intercept at `origin` and the slope of the least squares' line.
pub fn least_squares(points: &[(f64, f64)], origin: f64) -> (f64, f64) {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let over: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let under: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let slope = if under > 0.0 { over / under } else { 0.0 };
    (mean_y + slope * (origin - mean_x), slope)
}
