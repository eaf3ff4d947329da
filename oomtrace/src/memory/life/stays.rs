//! A life that does not climb.

use super::Life;
use crate::memory::climb::{MIB, Shape, least_rise};
use crate::memory::fit::theil_sen;
use crate::memory::forecast::advised;
use crate::memory::period::{drops, period, rise_against_fall};
use crate::memory::seen::DAY;
use crate::memory::series::Series;
use crate::memory::shift::{Shift, shift};
use crate::memory::verdict::{Kind, LimitFor, Sure, Verdict};
use crate::memory::words;

impl Life {
    /// It does not climb.
    pub(super) fn stays(&self) -> Verdict {
        if let Some((from, to, within)) = self.warmed_up() {
            let found = self.bounded(Kind::WarmUp, Sure::Likely, words::warmed_up(from, to, within));
            return Verdict { limit_for: LimitFor::SoFar, ..found };
        }
        if let Some(shift) =
            shift(&self.held, least_rise(&self.held, self.reference).max(0.1 * self.held.quantile(0.5)))
        {
            return self.shifted(&shift);
        }
        if let Some(climb) = self.climb.filter(|climb| climb.shape == Shape::Step) {
            let why = words::step(climb.rise * climb.trend.greatest_step);
            return Verdict { since: Some(self.time(climb.from)), ..self.bounded(Kind::Steady, Sure::Possible, why) };
        }
        let (low, high) = (self.held.quantile(0.03), self.held.quantile(0.97));
        let period = period(&self.held);
        let said = period.filter(|period| period.is_resolved_in(&self.held));
        let swings = high - low >= (0.1 * self.held.quantile(0.5)).max(2.0 * MIB);
        let count = drops(&self.held);
        let is_sharp = period.is_some_and(|period| period.is_sharp) || count >= 5;
        if swings && count >= 3 && is_sharp && rise_against_fall(&self.held) < 0.75 {
            let sure = if period.is_some() { Sure::Likely } else { Sure::Possible };
            return self.bounded(Kind::Sawtooth, sure, words::sawtooth(low, high, said));
        }
        if let Some((from, to)) = self.falls() {
            return self.fallen(words::falls(from, to));
        }
        let (least, most) = self.held.range();
        let is_narrow = most - least <= (0.2 * self.held.quantile(0.5)).max(8.0 * MIB);
        let is_explained = is_narrow || (swings && period.is_some());
        let sure = match self.seen_of(self.held.span(), 0.0) >= 6.0 {
            true if is_explained => Sure::Certain,
            false if !is_explained => Sure::Possible,
            _ => Sure::Likely,
        };
        let outlier = Some(most).filter(|most| *most > 1.1 * high);
        self.bounded(Kind::Steady, sure, words::steady(low, high, said.filter(|_| swings), outlier))
    }

    /// It had more, and under the limit that it has, that fitted: no higher one is wanted.
    fn fallen(&self, why: String) -> Verdict {
        let found = self.bounded(Kind::Steady, Sure::Likely, why);
        let own = self.limit.filter(|limit| self.cut_off.is_none() && self.most <= *limit);
        let is_enough = |bytes: u64| own.map_or(bytes, |limit| bytes.min(limit as u64));
        Verdict { limit_for: LimitFor::Before, advised_limit_bytes: found.advised_limit_bytes.map(is_enough), ..found }
    }

    /// It stays at another level than before.
    fn shifted(&self, shift: &Shift) -> Verdict {
        let lasted = self.held.span() - shift.at;
        let found = self.bounded(Kind::Steady, Sure::Likely, words::shift(shift, lasted));
        // What it had before a step down may come again: only what has lasted for a day, and was never cut off, is taken for what it wants.
        let is_settled = self.is_alone && self.cut_off.is_none() && self.seen_of(lasted, shift.at) >= DAY;
        let since = Some(self.time(shift.at));
        if shift.after > shift.before {
            return Verdict { since, ..found };
        }
        if shift.count > 1 || !is_settled {
            return Verdict { since, ..self.fallen(found.why) };
        }
        let most = self.charged.since(shift.at).range().1;
        Verdict { since, limit_for: LimitFor::Since, advised_limit_bytes: Some(advised(most, None)), ..found }
    }

    /// From what and to what, where it falls all the time.
    fn falls(&self) -> Option<(f64, f64)> {
        /// Points are compared two by two.
        const MOST: usize = 100;
        let points = &self.held.points;
        let each = points.len().div_ceil(MOST).max(1);
        let line = theil_sen(&points.iter().copied().step_by(each).collect::<Vec<_>>())?;
        let (first, last) = (points.first()?, points.last()?);
        let fall = line.slope * (first.0 - last.0);
        (line.tau < -0.6 && fall > 0.15 * self.held.quantile(0.5)).then(|| (line.at(first.0), line.at(last.0)))
    }

    /// From what, to what, and within how many hours, where it rose at its start and has stayed there.
    fn warmed_up(&self) -> Option<(f64, f64, f64)> {
        let points = &self.held.points;
        let few = (points.len() / 60).clamp(1, 5);
        let start = Series { points: points.iter().take(few).copied().collect() }.quantile(0.5);
        let late = Series { points: points.iter().skip(points.len() / 2).copied().collect() };
        let plateau = late.quantile(0.5);
        let scatter = late.quantile(0.95) - late.quantile(0.05);
        let rise = plateau - start;
        let still = theil_sen(&late.floor(12)).map_or(0.0, |line| line.slope * late.span());
        if rise < (0.2 * plateau).max(4.0 * MIB) || rise < 1.5 * scatter || still > 0.25 * rise {
            return None;
        }
        let there = points.iter().find(|point| point.1 >= start + 0.9 * rise)?.0;
        // What jumps there was asked to.
        let on_the_way = points.iter().filter(|point| (0.15..0.85).contains(&((point.1 - start) / rise))).count();
        (on_the_way >= 4 && there <= 0.6 * self.held.span()).then_some((start, plateau, there))
    }
}
