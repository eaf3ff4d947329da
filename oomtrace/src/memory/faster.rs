//! Climbs that get faster: requests that pile up, what each pass over a list leaves.

use crate::memory::fit::{Point, least_squares};

/// `a + b·f(t)`, with the hours since `start`.
#[derive(Clone, Copy, Debug)]
pub struct Faster {
    pub start: f64,
    pub b: f64,
    pub form: Form,
}

/// `f`.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// `tᵖ`.
    Power(f64),
    /// `exp(t·k)`.
    Exponential(f64),
}

/// Powers that are tried, and exponents at the end of the span.
const POWERS: [f64; 8] = [1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0];
const EXPONENTS: [f64; 6] = [1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

impl Form {
    fn at(self, t: f64) -> f64 {
        match self {
            Self::Power(p) => t.max(0.0).powf(p),
            Self::Exponential(k) => (t * k).exp(),
        }
    }

    fn rate_at(self, t: f64) -> f64 {
        match self {
            Self::Power(p) => p * t.max(0.0).powf(p - 1.0),
            Self::Exponential(k) => k * (t * k).exp(),
        }
    }

    /// Where it has that value.
    fn inverse(self, value: f64) -> f64 {
        match self {
            Self::Power(p) => value.powf(1.0 / p),
            Self::Exponential(k) => value.ln() / k,
        }
    }
}

impl Faster {
    /// The form that leaves the least sum of squares, which is given too; of those that leave hardly more the mildest. None: none leaves
    /// less than `most`.
    #[must_use]
    pub fn of(points: &[Point], start: f64, span: f64, most: f64) -> Option<(Self, f64)> {
        const HARDLY: f64 = 1.05;
        let powers = POWERS.map(Form::Power);
        let exponentials = EXPONENTS.map(|exponent| Form::Exponential(exponent / span));
        let fits = powers.into_iter().chain(exponentials).filter_map(|form| {
            let (_, b, left) = least_squares(points, |t| form.at(t - start));
            (b > 0.0 && b.is_finite() && left < most).then_some((Self { start, b, form }, left))
        });
        let fits: Vec<(Self, f64)> = fits.collect();
        let best = fits.iter().map(|(_, left)| *left).fold(f64::INFINITY, f64::min);
        let end = start + 2.0 * span;
        fits.into_iter()
            .filter(|(_, left)| *left <= HARDLY * best)
            .min_by(|(one, _), (other, _)| one.rate_at(end).total_cmp(&other.rate_at(end)))
    }

    /// Bytes above `a`, at that hour.
    #[must_use]
    pub fn risen(&self, t: f64) -> f64 {
        self.b * self.form.at(t - self.start)
    }

    /// Hours from `now` on until it has risen by `bytes` more.
    #[must_use]
    pub fn until(&self, now: f64, bytes: f64) -> f64 {
        let run = now - self.start;
        (self.form.inverse(self.form.at(run) + bytes.max(0.0) / self.b) - run).max(0.0)
    }

    /// Bytes an hour.
    #[must_use]
    pub fn rate_at(&self, now: f64) -> f64 {
        self.b * self.form.rate_at(now - self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_found_again_and_goes_on() {
        for (what, level) in [
            ("a square", (|t: f64| 7.0 + 3.0 * t * t) as fn(f64) -> f64),
            ("an exponential", |t| 7.0 + 3.0 * (t / 8.0).exp()),
        ] {
            let points: Vec<Point> = (0..24).map(f64::from).map(|t| (t, level(t))).collect();
            let (found, _) = Faster::of(&points, 0.0, 24.0, f64::INFINITY).unwrap();
            let until = found.until(23.0, level(40.0) - level(23.0));
            assert!((until - 17.0).abs() < 0.01, "{what}: {until}");
            let rate = (level(23.01) - level(22.99)) / 0.02;
            assert!((found.rate_at(23.0) / rate - 1.0).abs() < 0.01, "{what}");
        }
        // It does not get faster.
        let line: Vec<Point> = (0..24).map(|t| (f64::from(t), f64::from(t))).collect();
        assert!(Faster::of(&line, 0.0, 24.0, 0.1).is_none());
    }
}
