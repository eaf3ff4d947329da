//! What is said before it is too late, and only then: that a limit is nearly met, for a while, or that it will be within hours. By what cannot
//! be taken back: a cgroup full of page cache is warned of by nobody.
//!
//! Said once, and again only after it was all right for some minutes; a forecast only where two that are a minute apart agree, for a curve
//! that was seen for as long as it looks ahead.

use crate::memory::recorder::point::Tenths;
use crate::memory::verdict::{Kind, LimitReached, Sure, Verdict};
use crate::model::LimitLevel;

/// From this share of the limit on, in hundredths, it is nearly met; below that one again it is not.
pub const NEAR_PERCENT: u64 = 95;
const CLEAR_PERCENT: u64 = 90;
/// It must be all right for so long before it is said again; and that no more often than so.
const CLEAR_FOR: Tenths = 3000;
const AGAIN: Tenths = 36_000;
/// Two forecasts are so far apart at the least.
const APART: Tenths = 600;
/// They agree where the times that are left differ by no more than this part of the longer one.
const AGREE: f64 = 0.5;
/// What a program does as it starts is not counted as seen.
const STARTS_S: f64 = 600.0;
/// Work that comes now and then takes such a time.
const LATE_S: f64 = 2400.0;
/// A climb that fills so much of what was seen goes on since the start.
const FROM_ITS_START: f64 = 0.8;
/// A day, and what a day's rise may come later by: 26 h.
const A_DAY_S: f64 = 93_600.0;
/// It must be so near already, in hundredths of the limit: what is far away may do anything yet.
const FORECAST_FROM_PERCENT: u64 = 50;

/// What is warned of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// The limit is nearly met for so long.
    pub near_for: Tenths,
    /// It will be met within so many seconds.
    pub within_s: f64,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Alarm {
    /// The limit is nearly met, for so many tenths of a second.
    Near { for_tenths: Tenths },
    /// When it will be, in Unix seconds, and how fast it grows, in bytes an hour.
    Forecast { reached: LimitReached, bytes_per_hour: f64, sure: Sure },
}

/// What is said, of one cgroup and what was seen of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    pub cgroup: String,
    pub level: LimitLevel,
    pub limit_bytes: u64,
    pub held_bytes: u64,
    pub usage_bytes: u64,
    pub growth_bytes_per_hour: Option<f64>,
    pub alarm: Alarm,
}

/// What was seen and said of one cgroup.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    near_since: Option<Tenths>,
    clear_since: Option<Tenths>,
    near_said: Option<Tenths>,
    /// An earlier forecast, and when it was made.
    forecast: Option<(Tenths, f64)>,
    forecast_said: Option<Tenths>,
}

/// `held` has come to that share of the limit.
const fn is_at(held: u64, limit: u64, percent: u64) -> bool {
    held.saturating_mul(100) >= limit.saturating_mul(percent)
}

impl Watch {
    /// Takes what cannot be taken back, and the limit.
    pub fn look(&mut self, now: Tenths, held: u64, limit: Option<u64>, rules: Rules) -> Option<Alarm> {
        // What has no limit, or none any more, is not near it.
        let limit = limit.filter(|limit| *limit > 0);
        let is_at = |percent| limit.is_some_and(|limit| is_at(held, limit, percent));
        if is_at(NEAR_PERCENT) {
            self.clear_since = None;
            let since = *self.near_since.get_or_insert(now);
            let for_tenths = now.saturating_sub(since);
            if for_tenths >= rules.near_for && self.near_said.is_none() {
                self.near_said = Some(now);
                return Some(Alarm::Near { for_tenths });
            }
            return None;
        }
        if is_at(CLEAR_PERCENT) {
            // Neither: what was counted begins anew, and what was said stands.
            (self.near_since, self.clear_since) = (None, None);
            return None;
        }
        self.near_since = None;
        let clear = *self.clear_since.get_or_insert(now);
        if now.saturating_sub(clear) >= CLEAR_FOR
            && self.near_said.is_some_and(|said| now.saturating_sub(said) >= AGAIN)
        {
            self.near_said = None;
        }
        None
    }

    /// Takes a judgement of the whole curve, made at `unix` seconds, which was seen for `seen_s`.
    pub fn forecast(
        &mut self,
        now: Tenths,
        (unix, seen_s): (f64, f64),
        (held, limit): (u64, Option<u64>),
        verdict: &Verdict,
        rules: Rules,
    ) -> Option<Alarm> {
        let climbs = matches!(verdict.verdict, Kind::Leak | Kind::Climbing) && verdict.confidence != Sure::Possible;
        let is_far = !limit.is_some_and(|limit| is_at(held, limit, FORECAST_FROM_PERCENT));
        let reached = verdict.limit_reached_at.filter(|_| climbs && !is_far);
        let left = reached.map(|reached| reached.median - unix);
        // It looks ahead no longer than it has seen it climb. What began later than the curve may be the day's own rise where no day was seen
        // before it, and else is waited for a little longer.
        let climbed_s = verdict.since.map_or(seen_s, |since| seen_s.min(unix - since));
        let began_late = climbed_s < FROM_ITS_START * seen_s;
        let waited_s = if began_late { LATE_S } else { STARTS_S };
        let is_seen = |left: &f64| climbed_s >= left + waited_s && !(began_late && seen_s < A_DAY_S);
        let (Some(reached), Some(left)) = (reached, left.filter(|left| *left <= rules.within_s && is_seen(left)))
        else {
            self.forecast = None;
            if self.forecast_said.is_some_and(|said| now.saturating_sub(said) >= AGAIN) {
                self.forecast_said = None;
            }
            return None;
        };
        let Some((before, at)) = self.forecast else {
            self.forecast = Some((now, reached.median));
            return None;
        };
        if now.saturating_sub(before) < APART {
            return None;
        }
        self.forecast = Some((now, reached.median));
        let agrees = (reached.median - at).abs() <= AGREE * left.max(at - unix).max(60.0);
        if !agrees || self.forecast_said.is_some() {
            return None;
        }
        self.forecast_said = Some(now);
        let bytes_per_hour = verdict.bytes_per_hour.unwrap_or_default();
        Some(Alarm::Forecast { reached, bytes_per_hour, sure: verdict.confidence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { near_for: 300, within_s: 4.0 * 3600.0 };
    const MIB: u64 = 1 << 20;

    #[test]
    fn nearly_met_is_said_once_and_again_only_after_it_was_all_right() {
        let mut watch = Watch::default();
        let mut said = Vec::new();
        let mut look = |seconds: u32, percent: u64| {
            if watch.look(seconds * 10, percent * MIB, Some(100 * MIB), RULES).is_some() {
                said.push(seconds);
            }
        };
        for seconds in 0..20 {
            look(seconds, 96);
        }
        // It fell back before its time was up.
        look(20, 92);
        for seconds in 21..200 {
            look(seconds, 96);
        }
        // Up and down around the line is one time.
        for seconds in 200..5000 {
            look(seconds, if seconds % 100 < 60 { 96 } else { 91 });
        }
        for seconds in 5000..5400 {
            look(seconds, 60);
        }
        for seconds in 5400..5500 {
            look(seconds, 97);
        }
        assert_eq!(said, [51, 5430]);
        let mut watch = Watch::default();
        assert_eq!(watch.look(9000, MIB, None, RULES), None);
    }

    #[test]
    fn all_right_for_some_minutes_is_without_a_break() {
        for (between, again) in [(92, false), (60, true)] {
            let mut watch = Watch::default();
            let mut look =
                |seconds: u32, percent: u64| watch.look(seconds * 10, percent * MIB, Some(100 * MIB), RULES).is_some();
            assert!(!look(0, 96) && look(30, 96));
            // All right for a second, five minutes of that or another, and all right for a second.
            assert!(!look(4000, 80) && !look(4001, between) && !look(4299, between) && !look(4301, 80));
            assert!(!look(4302, 96));
            assert_eq!(look(4332, 96), again, "{between} %");
        }
    }

    #[test]
    fn a_limit_that_is_taken_away_is_not_nearly_met_meanwhile() {
        let mut watch = Watch::default();
        let mut look = |seconds: u32, limit: Option<u64>| watch.look(seconds * 10, 96 * MIB, limit, RULES);
        let some = Some(100 * MIB);
        assert_eq!(
            (look(0, some), look(20, some), look(25, None), look(2000, None), look(2010, some)),
            Default::default()
        );
        assert_eq!(look(2040, some), Some(Alarm::Near { for_tenths: 300 }));
        // It was all right for an hour and more: it is said again.
        assert_eq!((look(2050, None), look(6000, None), look(6010, some)), (None, None, None));
        assert_eq!(look(6040, some), Some(Alarm::Near { for_tenths: 300 }));
    }

    fn verdict(kind: Kind, sure: Sure, reached: f64) -> Verdict {
        Verdict {
            lives: 1,
            limit_for: crate::memory::verdict::LimitFor::All,
            verdict: kind,
            confidence: sure,
            since: None,
            bytes_per_hour: Some(38.0 * MIB as f64),
            limit_reached_at: Some(LimitReached { median: reached, low: reached - 60.0, high: Some(reached + 60.0) }),
            advised_limit_bytes: None,
            why: String::new(),
        }
    }

    #[test]
    fn a_forecast_is_said_where_two_agree() {
        use Kind::*;
        use Sure::*;
        // Minutes apart: what they say, in hours from the first; whether something is said, and at which.
        let leak = |hours: &[f64]| hours.iter().map(|hours| (Leak, Likely, *hours)).collect::<Vec<_>>();
        for (forecasts, held, expected, why) in [
            (leak(&[3.0, 3.1, 3.0]), 60, Some(1), "they agree"),
            (leak(&[3.0]), 60, None, "only one"),
            (leak(&[9.0, 9.0]), 60, None, "it is not soon"),
            (leak(&[0.5, 3.9, 3.8]), 60, Some(2), "the second is another one"),
            (leak(&[3.0, 9.0, 3.0, 3.0]), 60, Some(3), "one between says no"),
            (leak(&[3.0, 3.1]), 40, None, "far from the limit"),
            (vec![(Climbing, Possible, 3.0), (Climbing, Possible, 3.0)], 60, None, "not sure"),
            (vec![(Cache, Likely, 3.0), (Cache, Likely, 3.0)], 60, None, "page cache"),
        ] {
            let mut watch = Watch::default();
            let mut said = None;
            for (index, (kind, sure, hours)) in forecasts.into_iter().enumerate() {
                let unix = 60.0 * index as f64;
                let now = 600 * u32::try_from(index).unwrap() + 600;
                let found = verdict(kind, sure, hours * 3600.0);
                let of = (held * MIB, Some(100 * MIB));
                if watch.forecast(now, (unix, 5.0 * 3600.0), of, &found, RULES).is_some() {
                    assert_eq!(said.replace(index), None, "{why}: said twice");
                }
            }
            assert_eq!(said, expected, "{why}");
        }
        // It was seen for too short a time to look so far ahead.
        let mut watch = Watch::default();
        for now in [600, 1200, 1800] {
            let found = verdict(Climbing, Likely, 3.0 * 3600.0);
            assert_eq!(watch.forecast(now, (0.0, 3.0 * 3600.0), (60 * MIB, Some(100 * MIB)), &found, RULES), None);
        }
    }
}
