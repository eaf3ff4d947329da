//! The times that `--since` and `--until` mean.

use jiff::{SignedDuration, Timestamp, Zoned};
use oomtrace::text::when;

/// From when, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl Period {
    /// Reads what was said at `now`.
    ///
    /// # Errors
    /// What is wrong with it, in words: it is no time, or nothing can be in between.
    pub fn of(since: Option<&str>, until: Option<&str>, now: &Zoned) -> Result<Self, String> {
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
            _ => Ok(Self { since, until }),
        }
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
                (Ok(Period { since, until }), Ok(expected)) => assert_eq!((since, until), expected),
                (Err(wrong), Err(begins)) => assert!(wrong.starts_with(begins), "{wrong}"),
                (found, _) => panic!("{since:?} {until:?}: {found:?}"),
            }
        }
        assert!(Period::of(Some("now"), Some("now"), &now).is_err());
    }
}
