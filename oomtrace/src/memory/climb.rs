//! Whether a life's floor climbs.

use crate::memory::evenness::evenness;
use crate::memory::fit::{Line, Point, quantile, steps, theil_sen};
use crate::memory::period::{Period, period};
use crate::memory::season::by_season;
use crate::memory::series::Series;
use crate::memory::trend::{Trend, trend};

/// A floor that climbs for sure.
#[derive(Clone, Copy, Debug)]
pub struct Climb {
    pub trend: Trend,
    /// Bytes an hour.
    pub line: Line,
    pub period: Option<Period>,
    /// Since that hour of the life.
    pub from: f64,
    /// For so many hours.
    pub span: f64,
    /// By so many bytes.
    pub rise: f64,
    pub shape: Shape,
    /// Of how many steps it is made: see [`evenness()`].
    pub evenness: f64,
}

impl Climb {
    /// How fast it climbs at its end, in bytes an hour.
    #[must_use]
    pub fn rate_now(&self) -> f64 {
        self.trend.faster.map_or(self.line.slope, |faster| faster.rate_at(self.from + self.span))
    }
}

/// In what way it climbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Steady,
    /// Slower and slower.
    Flattens,
    /// Once, and no more.
    Step,
}

/// Points to shorter than this many are no series.
pub const FEWEST: usize = 10;
/// 1 MiB.
pub const MIB: f64 = 1_048_576.0;
/// Parts that a floor is made of, and the fewest that say something.
const PARTS: usize = 24;
const FEWEST_PARTS: usize = 6;

/// The climb of a series; none where it does not climb for sure. `reference`: the limit, or the most that was in use.
#[must_use]
pub fn climb(series: &Series, reference: f64) -> Option<Climb> {
    let period = period(series).filter(|period| period.swing >= 0.02 * reference);
    // Each part has its lowest point where it is longer than what repeats.
    let parts = period.map_or(PARTS, |period| ((series.span() / (1.5 * period.hours)) as usize).min(PARTS));
    if let Some(period) = period
        && parts < FEWEST_PARTS
    {
        return by_season(series, period, reference);
    }
    let parts = parts.max(FEWEST_PARTS);
    let floor = begun(series.floor(parts));
    let whole = trend(&floor)?;
    // Wider parts must agree: bursts are longer than narrow ones.
    let wide = theil_sen(&begun(series.floor((parts / 2).max(FEWEST_PARTS))))?;
    let (found, from) = whole.onset.and_then(|onset| late(series, onset, parts)).unwrap_or((whole, floor.first()?.0));
    let began_late = from > floor.first()?.0;
    let span = series.points.last()?.0 - from;
    let rise = found.line.slope * span;
    let is_enough = rise >= least_rise(series, reference).max(2.0 * found.line.scatter);
    let is_clear =
        found.line.low > 0.0 && found.line.tau >= 0.6 && if began_late { wide.slope > 0.0 } else { wide.low > 0.0 };
    (is_enough && is_clear).then(|| Climb {
        line: found.line,
        period,
        from,
        span,
        rise,
        shape: shape(&found),
        evenness: evenness(&series.since(from)),
        trend: found,
    })
}

/// The least rise that is one, in bytes. `reference`: as for [`climb()`].
#[must_use]
pub fn least_rise(series: &Series, reference: f64) -> f64 {
    (0.04 * reference).max(MIB).max(0.05 * series.quantile(0.5))
}

/// Without its first point, where a program that starts has not yet what it always has.
fn begun(mut floor: Vec<Point>) -> Vec<Point> {
    /// Its first step is so much greater than those that follow.
    const GREATER: f64 = 3.0;
    let first = steps(&floor).next().unwrap_or(0.0);
    let mut later: Vec<f64> = steps(&floor).skip(1).collect();
    if floor.len() >= FEWEST_PARTS && first > GREATER * quantile(&mut later, 0.9).unwrap_or(0.0).max(0.0) {
        floor.remove(0);
    }
    floor
}

/// The trend from there on, where there are points enough.
fn late(series: &Series, onset: f64, parts: usize) -> Option<(Trend, f64)> {
    let late = series.since(onset);
    let floor = late.floor((parts * 2 / 3).clamp(FEWEST_PARTS, 16));
    (late.points.len() >= FEWEST).then(|| trend(&floor)).flatten().map(|trend| (trend, onset))
}

/// The shape of a trend.
pub fn shape(trend: &Trend) -> Shape {
    let Trend { first_third: first, last_third: last, saturation, end_rate, greatest_step, .. } = *trend;
    if greatest_step > 0.8 || (greatest_step > 0.6 && last < 0.35) {
        Shape::Step
    } else if last < 0.5
        || (saturation < 0.5 && end_rate < 0.45 && last < 0.75)
        || (first > 0.0 && last / first < 0.4 && saturation < 0.75)
    {
        Shape::Flattens
    } else {
        Shape::Steady
    }
}
