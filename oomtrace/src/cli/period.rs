//! The times that `--since` and `--until` mean.

use jiff::{SignedDuration, Timestamp, Zoned};
use oomtrace::text::when;

/// From when, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Which days these are, where a time of day alone was not taken for one of today: whoever wrote it may have meant another.
    pub said: Option<String>,
}

impl Period {
    /// Reads what was said at `now`.
    ///
    /// # Errors
    /// What is wrong with it, in words: it is no time, or nothing can be in between.
    pub fn of(since: Option<&str>, until: Option<&str>, now: &Zoned) -> Result<Self, String> {
        let (since_text, until_text) = (since, until);
        let time = |name: &str, text: Option<&str>| {
            text.map(|text| when::parse(text, now)).transpose().map_err(|error| format!("{name}: {error}"))
        };
        let is_clock = until.is_some_and(is_time_of_day);
        let (since, until) = (time("--since", since)?, time("--until", until)?);
        // A time of day is the last one that there was; behind --since it is the first one after that.
        let until = match since.zip(until) {
            Some((from, to)) if is_clock && to <= from && to + DAY > from => Some(to + DAY),
            _ => until,
        };
        match since.zip(until) {
            Some((from, to)) if from >= to => Err(format!("--since is not before --until: {from} and {to}")),
            _ => {
                let both = [(since_text, since), (until_text, until)];
                let said = both.iter().any(|(text, at)| is_of_another_day(*text, *at, now));
                Ok(Self { since, until, said: said.then(|| spelled_out(since, until, now)) })
            }
        }
    }
}

/// A time of day that was not taken for one of today.
fn is_of_another_day(text: Option<&str>, at: Option<Timestamp>, now: &Zoned) -> bool {
    let day = |at: Timestamp| at.to_zoned(now.time_zone().clone()).date();
    text.is_some_and(is_time_of_day) && at.is_some_and(|at| day(at) != now.date())
}

/// `from 2026-11-26 21:05:00 to 2026-11-27 21:00:00 is meant`
fn spelled_out(since: Option<Timestamp>, until: Option<Timestamp>, now: &Zoned) -> String {
    let shown = |at: Timestamp| at.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    match (since.map(shown), until.map(shown)) {
        (Some(from), Some(to)) => format!("the time from {from} to {to} is taken"),
        (Some(from), None) => format!("the time since {from} is taken"),
        (None, to) => format!("the time until {} is taken", to.unwrap_or_default()),
    }
}

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// `05:24`, `05:24:10`.
fn is_time_of_day(text: &str) -> bool {
    text.contains(':') && text.chars().all(|c| c.is_ascii_digit() || c == ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_leave_nothing_between_are_refused() {
        let now: Zoned = "2026-11-26T12:00:00+00:00[UTC]".parse().unwrap();
        let at = |time: &str| Some(time.parse::<Timestamp>().unwrap());
        let backwards = "--since is not before --until: 2026-11-26T11:00:00Z and 2026-11-26T10:00:00Z";
        for (since, until, expected) in [
            (None, None, Ok((None, None))),
            (Some("2 h ago"), None, Ok((at("2026-11-26T10:00:00Z"), None))),
            (Some("2 h ago"), Some("1 h ago"), Ok((at("2026-11-26T10:00:00Z"), at("2026-11-26T11:00:00Z")))),
            (Some("1 h ago"), Some("2 h ago"), Err(backwards)),
            // Some minutes ahead, and not of yesterday.
            (Some("11:30"), Some("12:05"), Ok((at("2026-11-26T11:30:00Z"), at("2026-11-26T12:05:00Z")))),
            (Some("one day"), None, Err("--since: ")),
            (None, Some("one day"), Err("--until: ")),
        ] {
            match (Period::of(since, until, &now), expected) {
                (Ok(Period { since, until, .. }), Ok(expected)) => assert_eq!((since, until), expected),
                (Err(wrong), Err(begins)) => assert!(wrong.starts_with(begins), "{wrong}"),
                (found, _) => panic!("{since:?} {until:?}: {found:?}"),
            }
        }
        assert!(Period::of(Some("now"), Some("now"), &now).is_err());
    }

    #[test]
    fn a_time_of_day_that_is_not_of_today_is_said_with_its_day() {
        let span = "the time from 2026-11-26 21:05:00 to 2026-11-27 21:00:00 is taken";
        for (now, since, until, expected) in [
            // Five minutes that were written the wrong way round, and a night.
            ("21:03", Some("21:05"), Some("21:00"), Some(span)),
            (
                "09:00",
                Some("23:00"),
                Some("01:00"),
                Some("the time from 2026-11-26 23:00:00 to 2026-11-27 01:00:00 is taken"),
            ),
            (
                "21:10",
                Some("21:05"),
                Some("21:00"),
                Some("the time from 2026-11-27 21:05:00 to 2026-11-28 21:00:00 is taken"),
            ),
            ("21:03", Some("21:05"), None, Some("the time since 2026-11-26 21:05:00 is taken")),
            ("21:03", None, Some("21:05"), Some("the time until 2026-11-26 21:05:00 is taken")),
            ("21:10", Some("21:00"), Some("21:05"), None),
            ("21:10", Some("21:05"), None, None),
            // These say their day.
            ("21:03", Some("yesterday 21:05"), Some("21:00"), None),
            ("21:03", Some("2026-11-26 21:05"), Some("1 h ago"), None),
            ("21:03", None, None, None),
        ] {
            let now: Zoned = format!("2026-11-27T{now}:00+01:00[Europe/Berlin]").parse().unwrap();
            let period = Period::of(since, until, &now).unwrap();
            assert_eq!(period.said.as_deref(), expected, "{now}: {since:?} {until:?}");
        }
    }
}
