//! Lines through points that have outliers, and the simple figures that they are made of.

/// A point: hours and bytes.
pub type Point = (f64, f64);

/// A line, with an interval for its slope that holds it in nine of ten cases, in bytes an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    pub slope: f64,
    pub low: f64,
    pub high: f64,
    pub at_zero: f64,
    /// How far points lie from it: their median distance, as the standard deviation of a normal distribution as wide.
    pub scatter: f64,
    /// Kendall's τ: 1 where each point lies above those before it, −1 where below.
    pub tau: f64,
}

impl Line {
    /// The value at that hour.
    #[must_use]
    pub fn at(&self, t: f64) -> f64 {
        self.at_zero + self.slope * t
    }
}

/// Theil's and Sen's line: the median of the slopes between any two points (Sen 1968). None through fewer than four.
#[must_use]
pub fn theil_sen(points: &[Point]) -> Option<Line> {
    if points.len() < 4 {
        return None;
    }
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    let mut order = 0.0;
    for (index, (t0, y0)) in points.iter().enumerate() {
        for (t1, y1) in points.iter().skip(index + 1).filter(|(t1, _)| t1 > t0) {
            slopes.push((y1 - y0) / (t1 - t0));
            order += match y1.total_cmp(y0) {
                std::cmp::Ordering::Less => -1.0,
                std::cmp::Ordering::Equal => 0.0,
                std::cmp::Ordering::Greater => 1.0,
            };
        }
    }
    let (pairs, count) = (slopes.len() as f64, points.len() as f64);
    let slope = median(&mut slopes)?;
    // The ranks that belong to 90 % of Kendall's distribution, whose variance is n(n − 1)(2n + 5)/18.
    let share = 1.645 * (count * (count - 1.0) * (2.0 * count + 5.0) / 18.0).sqrt() / pairs / 2.0;
    let low = quantile(&mut slopes, 0.5 - share)?;
    let high = quantile(&mut slopes, 0.5 + share)?;
    let at_zero = median(&mut points.iter().map(|(t, y)| y - slope * t).collect::<Vec<_>>())?;
    let scatter = spread(points.iter().map(|(t, y)| y - slope * t - at_zero).collect());
    Some(Line { slope, low, high, at_zero, scatter, tau: order / pairs.max(1.0) })
}

/// How much each point lies above the one before it.
pub fn steps(points: &[Point]) -> impl Iterator<Item = f64> {
    points.iter().zip(points.iter().skip(1)).map(|(a, b)| b.1 - a.1)
}

/// The median distance from the median, as the standard deviation of a normal distribution as wide.
#[must_use]
pub fn spread(mut values: Vec<f64>) -> f64 {
    let middle = median(&mut values).unwrap_or(0.0);
    let mut distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    1.4826 * median(&mut distances).unwrap_or(0.0)
}

/// `a` and `b` of the best `a + b·f(t)` by least squares, and the sum of squares that is left.
#[must_use]
pub fn least_squares(points: &[Point], f: impl Fn(f64) -> f64) -> (f64, f64, f64) {
    let n = points.len().max(1) as f64;
    let mean_x = points.iter().map(|(t, _)| f(*t)).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let over: f64 = points.iter().map(|(t, y)| (f(*t) - mean_x) * (y - mean_y)).sum();
    let under: f64 = points.iter().map(|(t, _)| (f(*t) - mean_x).powi(2)).sum();
    let b = if under > 0.0 { over / under } else { 0.0 };
    let a = mean_y - b * mean_x;
    let left = points.iter().map(|(t, y)| (y - a - b * f(*t)).powi(2)).sum();
    (a, b, left)
}

/// The middle one; `values` is put in order. None of none.
#[must_use]
pub fn median(values: &mut [f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value below which that share of them lies, between two neighbours; `values` is put in order.
#[must_use]
pub fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let at = share.clamp(0.0, 1.0) * values.len().saturating_sub(1) as f64;
    let low = values.get(at.floor() as usize)?;
    let high = values.get(at.ceil() as usize)?;
    Some(low + (high - low) * at.fract())
}
