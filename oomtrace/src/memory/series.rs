//! One size of one life over time.

use crate::memory::fit::{Point, median, quantile, spread};
use crate::memory::sample::Sample;

/// Places on an even grid at the most: one a minute for three weeks. A curve of more points is taken by the middle of each part.
const MOST_PLACES: usize = 1 << 15;

/// Hours since the life's start, and bytes.
#[derive(Clone, Debug)]
pub struct Series {
    pub points: Vec<Point>,
}

impl Series {
    /// Of a size of a life's samples, where it is known.
    #[must_use]
    pub fn of(life: &[Sample], size: impl Fn(&Sample) -> Option<f64>) -> Self {
        let start = life.first().map_or(0.0, |sample| sample.t);
        let point = |sample: &Sample| Some(((sample.t - start) / 3600.0, size(sample)?));
        Self { points: life.iter().filter_map(point).collect() }
    }

    /// From its first point to its last, in hours.
    #[must_use]
    pub fn span(&self) -> f64 {
        match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) => last.0 - first.0,
            _ => 0.0,
        }
    }

    /// The time that its points are of, in hours: each stands for what follows it until the next one, the last one as well.
    #[must_use]
    pub fn covers(&self) -> f64 {
        /// One that is alone in a long time stands for no more.
        const MOST_H: f64 = 1.0;
        self.span() + median(&mut self.intervals().collect::<Vec<_>>()).unwrap_or(0.0).min(MOST_H)
    }

    /// The same from that hour on.
    #[must_use]
    pub fn since(&self, t: f64) -> Self {
        Self { points: self.points.iter().filter(|point| point.0 >= t).copied().collect() }
    }

    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        self.points.iter().map(|point| point.1).collect()
    }

    /// The value below which that share lies; 0 of nothing.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        quantile(&mut self.values(), share).unwrap_or(0.0)
    }

    /// The least and the most; zeros of nothing.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        let values = || self.points.iter().map(|point| point.1);
        values().reduce(f64::min).zip(values().reduce(f64::max)).unwrap_or_default()
    }

    /// The middle of its first few values, and of its last.
    #[must_use]
    pub fn ends(&self) -> Option<(f64, f64)> {
        const FEW: usize = 5;
        let first = median(&mut self.points.iter().take(FEW).map(|point| point.1).collect::<Vec<_>>())?;
        let last = median(&mut self.points.iter().rev().take(FEW).map(|point| point.1).collect::<Vec<_>>())?;
        Some((first, last))
    }

    /// The lowest point of each of so many equal parts.
    #[must_use]
    pub fn floor(&self, parts: usize) -> Vec<Point> {
        self.extremes(parts, |new, best| new < best)
    }

    /// The highest.
    #[must_use]
    pub fn ceiling(&self, parts: usize) -> Vec<Point> {
        self.extremes(parts, |new, best| new > best)
    }

    fn extremes(&self, parts: usize, is_better: impl Fn(f64, f64) -> bool) -> Vec<Point> {
        let parts = parts.max(1);
        let Some((start, _)) = self.points.first() else { return Vec::new() };
        let span = self.span().max(f64::MIN_POSITIVE);
        let mut found: Vec<Option<Point>> = vec![None; parts];
        for (t, y) in &self.points {
            let part = ((t - start) / span * parts as f64) as usize;
            if let Some(best) = found.get_mut(part.min(parts - 1))
                && best.is_none_or(|(_, best)| is_better(*y, best))
            {
                *best = Some((*t, *y));
            }
        }
        found.into_iter().flatten().collect()
    }

    /// Between each point and the next one, in hours.
    pub fn intervals(&self) -> impl Iterator<Item = f64> {
        self.points.iter().zip(self.points.iter().skip(1)).map(|(one, next)| next.0 - one.0)
    }

    /// At even distances, as near to each other as its points are, by straight lines between neighbours; that distance in hours; and the
    /// share of its variance that is in that: what moves within a place is left out, and not taken for something slower.
    #[must_use]
    pub fn grid(&self) -> (Vec<f64>, f64, f64) {
        let Some((start, _)) = self.points.first() else { return (Vec::new(), 0.0, 1.0) };
        let interval = median(&mut self.intervals().collect::<Vec<_>>()).unwrap_or(0.0);
        // Points that are not evenly apart make no more of it than twice as many.
        let places = if interval > 0.0 { (self.span() / interval).round() as usize + 1 } else { self.points.len() };
        let wanted = places.clamp(2, 2 * self.points.len().max(1));
        let count = wanted.min(MOST_PLACES);
        let means = (wanted > count).then(|| self.means(count));
        let kept = means.as_ref().map_or(1.0, |means| means.variance() / self.variance().max(f64::MIN_POSITIVE));
        let points = means.as_ref().map_or(&self.points, |means| &means.points);
        let step = self.span() / (count - 1) as f64;
        let mut pairs = points.iter().zip(points.iter().skip(1)).peekable();
        let mut now = pairs.peek().copied();
        let mut grid = Vec::with_capacity(count);
        for index in 0..count {
            let t = start + step * index as f64;
            while now.is_some_and(|(_, (end, _))| *end < t) {
                pairs.next();
                match pairs.peek() {
                    Some(next) => now = Some(*next),
                    None => break,
                }
            }
            let value = match now {
                Some(((t0, y0), (t1, y1))) if t1 > t0 => y0 + (y1 - y0) * ((t - t0) / (t1 - t0)).clamp(0.0, 1.0),
                Some((_, (_, y1))) => *y1,
                None => self.points.first().map_or(0.0, |point| point.1),
            };
            grid.push(value);
        }
        (grid, step, kept.min(1.0))
    }

    /// The middle of each of so many equal parts, where it has points.
    fn means(&self, parts: usize) -> Self {
        let start = self.points.first().map_or(0.0, |point| point.0);
        let each = self.span().max(f64::MIN_POSITIVE) / parts as f64;
        let part = |point: &Point| ((point.0 - start) / each) as usize;
        let mean = |points: &[Point]| {
            let (t, y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
            (t / points.len() as f64, y / points.len() as f64)
        };
        Self { points: self.points.chunk_by(|one, next| part(one) == part(next)).map(mean).collect() }
    }

    fn variance(&self) -> f64 {
        let count = self.points.len().max(1) as f64;
        let mean = self.points.iter().map(|point| point.1).sum::<f64>() / count;
        self.points.iter().map(|point| (point.1 - mean).powi(2)).sum::<f64>() / count
    }

    /// How neighbours differ: the standard deviation of a single value.
    #[must_use]
    pub fn noise(&self) -> f64 {
        let pairs = self.points.iter().zip(self.points.iter().skip(1));
        spread(pairs.map(|(a, b)| b.1 - a.1).collect()) / std::f64::consts::SQRT_2
    }
}
