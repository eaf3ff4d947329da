//! Prometheus' alert on a line through the last hour: `predict_linear(container_memory_working_set_bytes[1h], 8 * 3600) > limit`, alone
//! and with more than 70 % of the limit in use, as it was amended to fire less often. Page cache counts as inactive, so not as part of
//! the working set. A container that is made anew is another series.

use super::curve::Sample;
use super::rule::{About, Forecast, Rule, Said, least_squares, life, window};

pub struct PredictLinear {
    /// It has to be in use already.
    pub share: Option<f64>,
}

const WINDOW_S: f64 = 3600.0;
const AHEAD_S: f64 = 8.0 * 3600.0;

impl Rule for PredictLinear {
    fn name(&self) -> &'static str {
        match self.share {
            None => "predict_linear 1 h, 8 h",
            Some(_) => "the same, and > 70 %",
        }
    }

    fn about(&self) -> About {
        About { leaks: true, forecasts: true, limits: false }
    }

    fn every_s(&self) -> f64 {
        600.0
    }

    fn judge(&self, seen: &[Sample]) -> Said {
        let points: Vec<(f64, f64)> =
            window(life(seen), WINDOW_S).iter().map(|sample| (sample.t, sample.need())).collect();
        let (Some(last), true) = (seen.last(), points.len() >= 2) else { return Said::default() };
        let (level, slope) = least_squares(&points, last.t);
        let is_used = self.share.is_none_or(|share| last.need() > share * last.limit);
        let forecast =
            (slope > 0.0).then(|| Forecast { at: last.t + (last.limit - level).max(0.0) / slope, interval: None });
        Said { leak: is_used && level + slope * AHEAD_S > last.limit, forecast, limit: None }
    }
}
