//! Over what a climb was seen: whether it may be called a leak.

use crate::memory::climb::{Climb, MIB};
use crate::memory::past::{Alike, LIVES};
use crate::memory::period::Period;

/// A day, in hours.
pub const DAY: f64 = 24.0;
/// Periods that make a leak.
const PERIODS: f64 = 3.0;
/// Below this evenness a climb may be two or three releases that each want more.
const EVEN: f64 = 0.3;

/// Over what a climb was seen: whether it may be called a leak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// In so many lives.
    Lives(usize),
    /// Over so many hours: a day and more.
    Days(f64),
    /// The floor rises over so many periods.
    Periods(f64),
    /// For so long, and in steps too few to say that it goes on.
    Unevenly,
    TooShort,
}

impl Seen {
    /// It may be called one.
    #[must_use]
    pub const fn is_leak(self) -> bool {
        !matches!(self, Self::TooShort | Self::Unevenly)
    }

    /// Of a climb in a life of which samples stand for so many hours, and for so many of the climb itself; `alike`: what all lives have in
    /// common.
    #[must_use]
    pub fn of(climb: &Climb, known_h: f64, climb_h: f64, alike: &Alike) -> Self {
        let periods = climb.period.map_or(0.0, |period| periods(climb, climb_h, period));
        let is_straight = climb.trend.last_third >= 0.6 && climb.line.tau >= 0.75 && climb.evenness >= EVEN;
        // The parts of a floor leave out some of both ends.
        let over_days = known_h >= DAY && climb_h >= 0.9 * DAY;
        // A day's own rise, behind a collector's sawtooth, is no leak: that is not so steep.
        let over_periods =
            periods >= PERIODS && climb_h >= DAY / 8.0 && climb.rise >= (0.25 * climb.line.at(climb.from)).max(MIB);
        match (is_straight, over_days, over_periods) {
            _ if alike.lives >= LIVES && alike.has(climb.line.slope) => Self::Lives(alike.lives),
            (true, true, _) => Self::Days(climb_h),
            (true, _, true) => Self::Periods(periods.floor()),
            (false, true, _) | (false, _, true) => Self::Unevenly,
            (_, false, false) => Self::TooShort,
        }
    }
}

/// Over so many periods it was seen: what came before the climb is none of them.
fn periods(climb: &Climb, climb_h: f64, period: Period) -> f64 {
    /// Parts of a floor are that long at the least, the first of which may be left out.
    const FIRST: f64 = 3.0;
    // When it began within a life is not known to a period.
    let unsure = if climb.from > FIRST * period.hours { 1.0 } else { 0.0 };
    climb_h / period.hours - unsure
}
