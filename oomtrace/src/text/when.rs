//! Times as people write them: `2 h ago`, `yesterday 03:00`, `03:12`, `2026-11-25`, RFC 3339.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};

/// It is no time that is understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is no time; it is one such as '2 h ago', '30 min ago', 'yesterday 03:00', 'today', 03:12 (the last one), monday, 2026-11-25, \
     '2026-11-25 03:12', 2026-11-25T03:12:00Z, or now"
)]
pub struct NotATime(String);

/// The longest that is looked back.
const CENTURY_S: i64 = 100 * 366 * 86_400;

/// The instant that `text` is, said at `now`, by the clock of `now`'s time zone. A day by itself is its beginning; a time of day by itself is
/// the last one that was, not one to come.
///
/// # Errors
/// When it is none of the forms that the error names.
pub fn parse(text: &str, now: &Zoned) -> Result<Timestamp, NotATime> {
    let wrong = || NotATime(text.chars().take(100).collect());
    let words = text.trim().to_lowercase();
    if words.len() > 100 || words.is_empty() {
        return Err(wrong());
    }
    if words == "now" {
        return Ok(now.timestamp());
    }
    if let Some(ago) = words.strip_suffix("ago").or_else(|| words.strip_prefix('-')) {
        let ago = duration(ago).ok_or_else(wrong)?;
        return now.timestamp().checked_sub(ago).map_err(|_| wrong());
    }
    // As others' tools take it (`docker logs --since 1h`).
    if let Some(at) = duration(&words).and_then(|ago| now.timestamp().checked_sub(ago).ok()) {
        return Ok(at);
    }
    // With its own offset: nobody's time zone matters.
    if let Ok(at) = text.trim().parse::<Timestamp>() {
        return Ok(at);
    }
    let zone = now.time_zone();
    let civil = match time_of_day(&words) {
        Some(time) => last_before(now, time),
        None => day_and_time(&words, now),
    };
    let at = civil.and_then(|civil| instant(civil, zone)).ok_or_else(wrong)?;
    Ok(at)
}

/// The clock may have been put forward over it, or back: what jiff calls compatible.
fn instant(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    Some(zone.to_ambiguous_zoned(civil).compatible().ok()?.timestamp())
}

/// `2 h`, `90 min`, `1h 30m`, `2 days`, `a week`; at least one part, each with its unit.
fn duration(text: &str) -> Option<SignedDuration> {
    let mut rest = text.trim();
    let mut total = 0_i64;
    if let Some(one) = rest.strip_prefix("an ").or_else(|| rest.strip_prefix("a ")) {
        return Some(SignedDuration::from_secs(unit(one.trim())?));
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let (number, behind) = rest.split_at(digits);
        let behind = behind.trim_start();
        let end = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
        let (name, behind) = behind.split_at(end);
        let seconds = number.parse::<i64>().ok()?.checked_mul(unit(name)?)?;
        total = total.checked_add(seconds).filter(|total| *total <= CENTURY_S)?;
        rest = behind.trim_start_matches([' ', ',']).trim_start_matches("and ");
    }
    (!text.trim().is_empty()).then(|| SignedDuration::from_secs(total))
}

/// Seconds.
fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return None,
    })
}

/// `03:12`, `3:12`, `03:12:05`.
fn time_of_day(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let number = |part: Option<&str>| {
        let part = part?;
        let is_number = matches!(part.len(), 1 | 2) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i8>().ok().filter(|_| is_number)
    };
    let (hour, minute) = (number(parts.next())?, number(parts.next())?);
    let second = match parts.next() {
        Some(second) => number(Some(second))?,
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, 0).ok()
}

/// Today's, or yesterday's where that is yet to come.
fn last_before(now: &Zoned, time: Time) -> Option<DateTime> {
    let today = now.date().to_datetime(time);
    if today <= now.datetime() { Some(today) } else { Some(now.date().yesterday().ok()?.to_datetime(time)) }
}

/// `yesterday`, `monday 03:00`, `2026-11-25`, `2026-11-25 03:12`, `2026-11-25t03:12`.
fn day_and_time(text: &str, now: &Zoned) -> Option<DateTime> {
    let (day, time) = match text.split_once([' ', 't']).filter(|(day, _)| day.contains('-')) {
        Some((day, time)) => (day, Some(time)),
        None => text.split_once(' ').map_or((text, None), |(day, time)| (day, Some(time))),
    };
    let time = match time {
        Some(time) => time_of_day(time.trim().trim_start_matches("at ").trim())?,
        None => Time::midnight(),
    };
    Some(date(day, now)?.to_datetime(time))
}

fn date(day: &str, now: &Zoned) -> Option<Date> {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let today = now.date();
    match day {
        "today" => return Some(today),
        "yesterday" => return today.yesterday().ok(),
        _ => {}
    }
    // The last one, and never today: that is `today`.
    let weekday = |name: &&str| day.len() >= 3 && name.starts_with(day);
    if let Some(at) = DAYS.iter().position(weekday) {
        let ahead = i64::from(today.weekday().to_monday_zero_offset()) - i64::try_from(at).ok()?;
        let back = if ahead <= 0 { ahead + 7 } else { ahead };
        return today.checked_sub(back.days()).ok();
    }
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return None };
    let is_whole = year.len() == 4 && [month, day].iter().all(|part| matches!(part.len(), 1 | 2));
    Date::new(year.parse().ok().filter(|_| is_whole)?, month.parse().ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_taken_as_people_write_them() {
        // A Thursday.
        let now: Zoned = "2026-11-26T16:30:00+01:00[Europe/Berlin]".parse().unwrap();
        for (text, expected) in [
            ("now", "2026-11-26T15:30:00Z"),
            ("2 h ago", "2026-11-26T13:30:00Z"),
            ("2h ago", "2026-11-26T13:30:00Z"),
            ("-90min", "2026-11-26T14:00:00Z"),
            ("2h", "2026-11-26T13:30:00Z"),
            ("1 h 30 min ago", "2026-11-26T14:00:00Z"),
            ("1 hour and 30 minutes ago", "2026-11-26T14:00:00Z"),
            ("an hour ago", "2026-11-26T14:30:00Z"),
            ("2 days ago", "2026-11-24T15:30:00Z"),
            ("a week ago", "2026-11-19T15:30:00Z"),
            ("today", "2026-11-25T23:00:00Z"),
            ("Yesterday", "2026-11-24T23:00:00Z"),
            ("yesterday 03:00", "2026-11-25T02:00:00Z"),
            ("yesterday at 3:00", "2026-11-25T02:00:00Z"),
            ("03:12", "2026-11-26T02:12:00Z"),
            ("03:12:05", "2026-11-26T02:12:05Z"),
            // Not to come.
            ("18:00", "2026-11-25T17:00:00Z"),
            ("monday", "2026-11-22T23:00:00Z"),
            ("thu", "2026-11-18T23:00:00Z"),
            ("friday 12:00", "2026-11-20T11:00:00Z"),
            ("2026-11-25", "2026-11-24T23:00:00Z"),
            ("2026-11-25 03:12", "2026-11-25T02:12:00Z"),
            ("2026-11-25T03:12", "2026-11-25T02:12:00Z"),
            ("2026-11-25T03:12:00Z", "2026-11-25T03:12:00Z"),
            ("2026-11-25T03:12:00.5+02:00", "2026-11-25T01:12:00.5Z"),
            // In summer, and in the hour that there was twice, and the one that there was not.
            ("2026-07-01 12:00", "2026-07-01T10:00:00Z"),
            ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
            ("2026-03-29 02:30", "2026-03-29T01:30:00Z"),
        ] {
            assert_eq!(parse(text, &now), Ok(expected.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            " ",
            "ago",
            "2 ago",
            "h ago",
            "2 parsecs ago",
            "99999999999999999999 h ago",
            "9999999 w ago",
            "25:00",
            "3",
            "03:60",
            "3:1:2:3",
            "2026-13-01",
            "2026-02-30",
            "26-11-25",
            "tomorrow",
            "mo",
            "2026-11-25 x",
            "yesterday noon",
            "\u{1b}[2J",
        ] {
            let error = parse(text, &now).unwrap_err();
            assert!(error.to_string().contains("yesterday 03:00"), "{text}: {error}");
            assert!(!error.to_string().contains('\u{1b}'));
        }
    }
}
