//! The kernel's log in a file: what dmesg printed, what a syslog daemon wrote, journalctl's JSON, or `/dev/kmsg` as it was read. Of another
//! machine, or of before its last boot.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use serde::de::IgnoredAny;

use crate::node::files;
use crate::past::journal;
use crate::past::klog::record::{MAX_TEXT, Record, Stamp, of_device, unescaped};

/// Bytes of a file that are read, the last ones.
const MAX_FILE: u64 = 256 << 20;
/// Bytes of its beginning, where its first line is.
const MAX_FIRST: u64 = 64 << 10;
/// Records that are kept, the last ones.
const MAX_RECORDS: usize = 1 << 20;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What was read of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// The oldest first.
    pub records: Vec<Record>,
    /// The file has more before them.
    pub is_cut: bool,
}

/// How a file has its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// journalctl's JSON.
    Journal,
    /// `/dev/kmsg`.
    Device,
    Text,
}

impl Form {
    fn of(line: &str) -> Self {
        let is_object = || line.starts_with('{') && serde_json::from_str::<IgnoredAny>(line).is_ok();
        if is_object() {
            Self::Journal
        } else if of_device(line).is_some() {
            Self::Device
        } else {
            Self::Text
        }
    }
}

/// Reads a file; of a large one, its end. Its first line says its form: in another one a line proves nothing, for whoever may write a line
/// of text may write any. Times without a year are of the last twelve months; those without a time zone are this machine's.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path, now: Timestamp) -> io::Result<Saved> {
    read_end(path, now, MAX_FILE, MAX_RECORDS)
}

fn read_end(path: &Path, now: Timestamp, most_bytes: u64, most_records: usize) -> io::Result<Saved> {
    let mut file = files::open(path)?;
    let size = file.metadata()?.len();
    // From the byte before on: up to the first line's end it is of a line that is not read whole, or an empty one.
    let from = size.saturating_sub(most_bytes).saturating_sub(1);
    let mut is_cut = from > 0;
    let mut is_broken = is_cut;
    let form = first_line(&mut file)?.map(|line| Form::of(&line));
    file.seek(SeekFrom::Start(from))?;
    let mut records = VecDeque::new();
    files::lines_of(file, size - from, |line| {
        if std::mem::take(&mut is_broken) {
            return;
        }
        let line = String::from_utf8_lossy(line);
        let Some(mut record) = parse(&line, now, &TimeZone::system()) else { return };
        record.by_kernel = record.by_kernel && form == Some(Form::of(&line));
        if records.len() >= most_records {
            records.pop_front();
            is_cut = true;
        }
        records.push_back(record);
    })?;
    Ok(Saved { records: records.into(), is_cut })
}

/// The first line that is not empty; none where the beginning has none.
fn first_line(file: &mut File) -> io::Result<Option<String>> {
    let mut first = None;
    files::lines_of(file, MAX_FIRST, |line| {
        let text = String::from_utf8_lossy(line);
        if first.is_none() && !text.trim().is_empty() {
            first = Some(text.into_owned());
        }
    })?;
    Ok(first)
}

/// A line, in whichever form it is by itself; none when nothing of the kernel's is in it.
#[must_use]
pub fn parse(line: &str, now: Timestamp, zone: &TimeZone) -> Option<Record> {
    if line.starts_with('{') {
        return journal::parse(line.as_bytes())?.kernel();
    }
    if let Some(record) = of_device(line) {
        // Of a boot that is not known. What the kernel did not write is not in its log.
        return Some(record).filter(|record| record.by_kernel);
    }
    let line = line.trim_end_matches(['\r', ' ']);
    let (at, rest) = match syslog(line, now, zone) {
        Some((at, rest)) => (Some(at), rest),
        None => (None, line),
    };
    let (dated, stamp, text) = stamped(rest, zone);
    if text.is_empty() {
        return None;
    }
    let text = unescaped(crate::text::clip(text, MAX_TEXT));
    Some(Record { at: at.or(dated), stamp, number: None, text, by_kernel: false })
}

/// What a syslog daemon writes, or journalctl: a time, the host, `kernel:`, and the record.
fn syslog<'a>(line: &'a str, now: Timestamp, zone: &TimeZone) -> Option<(Timestamp, &'a str)> {
    let (head, text) = line.split_once(" kernel: ")?;
    // Two words or three of a time, and the host's name.
    let (time, _host) = head.rsplit_once(' ')?;
    let at = match time.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => bsd(time, now, zone)?,
    };
    Some((at, text))
}

/// `Jan  5 02:12:02`, of the last twelve months.
fn bsd(time: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut words = time.split_whitespace();
    let (month, day, clock) = (month(words.next()?)?, words.next()?.parse().ok()?, clock(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    let this_year = now.to_zoned(zone.clone()).year();
    [this_year, this_year - 1].into_iter().find_map(|year| {
        let date = Date::new(year, month, day).ok()?;
        let at = DateTime::from_parts(date, clock).to_zoned(zone.clone()).ok()?.timestamp();
        // A day of grace, for clocks that differ.
        (at.as_second() <= now.as_second() + 86_400).then_some(at)
    })
}

/// What dmesg puts before a record: its severity, and a time since boot, or with -T a date.
fn stamped<'a>(line: &'a str, zone: &TimeZone) -> (Option<Timestamp>, Option<Stamp>, &'a str) {
    let line = match line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => line,
    };
    let Some((stamp, text)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return (None, None, line);
    };
    let is_since_boot = stamp.contains('.') && stamp.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let at = dated(stamp, zone);
    if !is_since_boot && at.is_none() {
        // A row of the table of tasks begins so.
        return (None, None, line);
    }
    let us = if is_since_boot { since_boot(stamp.trim()) } else { None };
    (at, us.map(|us| Stamp { us, boot: None }), text.strip_prefix(' ').unwrap_or(text))
}

/// `152.700479`, in microseconds; none where it is not to the microsecond.
fn since_boot(stamp: &str) -> Option<u64> {
    let (seconds, us) = stamp.split_once('.').filter(|(_, us)| us.len() == 6)?;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(us.parse().ok()?)
}

/// `Thu Dec  7 00:05:14 2017`.
fn dated(stamp: &str, zone: &TimeZone) -> Option<Timestamp> {
    let words: Vec<&str> = stamp.split_whitespace().collect();
    let [_day_name, name, day, time, year] = words.as_slice() else { return None };
    let date = Date::new(year.parse().ok()?, month(name)?, day.parse().ok()?).ok()?;
    Some(DateTime::from_parts(date, clock(time)?).to_zoned(zone.clone()).ok()?.timestamp())
}

fn month(name: &str) -> Option<i8> {
    MONTHS.iter().position(|month| *month == name).and_then(|month| i8::try_from(month + 1).ok())
}

/// `02:12:02`.
fn clock(text: &str) -> Option<Time> {
    let mut parts = text.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    Time::new(hour, minute, second, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_its_text_and_what_time_it_has() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let killed = "Out of memory: Killed process 7 (x) total-vm:4kB";
        for (line, at) in [
            (format!("[152.700479] {killed}"), None),
            (format!("<3>[  152.700479] {killed}"), None),
            (format!("[Thu Dec  7 00:05:14 2017] {killed}"), Some("2017-12-07T00:05:14Z")),
            (format!("Jan  5 02:12:02 node-1 kernel: {killed}"), Some("2026-01-05T02:12:02Z")),
            (format!("May 15 23:01:53 node-1 kernel: [  152.700479] {killed}"), Some("2025-05-15T23:01:53Z")),
            (format!("2026-02-01T02:12:02.5+01:00 node-1 kernel: {killed}"), Some("2026-02-01T01:12:02.5Z")),
            (format!("6,12,152700479,-;{killed}"), None),
            (killed.to_owned(), None),
        ] {
            let record = parse(&line, now, &TimeZone::UTC).unwrap();
            assert_eq!(record.text, killed, "{line}");
            assert_eq!(record.at, at.map(|at| at.parse().unwrap()), "{line}");
            assert_eq!(record.by_kernel, line.starts_with("6,"), "{line}");
            let us = line.contains("152").then_some(152_700_479);
            assert_eq!(record.stamp.map(|stamp| stamp.us), us, "{line}");
        }
        // Written by a process.
        assert_eq!(parse(&format!("12,12,1,-;{killed}"), now, &TimeZone::UTC), None);
        let row = "[   9881] 12345  9881     6769     6449    94208        0             0 tail";
        assert_eq!(parse(row, now, &TimeZone::UTC).unwrap().text, row);
        assert_eq!(parse(&format!("[  1.5] {row}"), now, &TimeZone::UTC).unwrap().text, row);
    }

    #[test]
    fn a_line_in_another_form_than_its_file_proves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kern.log");
        let text = "Nov 27 05:20:28 node kernel: [  100.000001] x";
        let device = "6,317,152000000,-;x";
        let journal =
            r#"{"__REALTIME_TIMESTAMP":"1764000000000001","_TRANSPORT":"kernel","SYSLOG_FACILITY":"0","MESSAGE":"x"}"#;
        for (first, others) in [(text, [device, journal]), (device, [text, journal]), (journal, [text, device])] {
            let lines = ["", first, others[0], others[1], first].join("\n");
            std::fs::write(&path, &lines).unwrap();
            let sure = first != text;
            // Also where the beginning is not read.
            for (bytes, expected) in
                [(4096, vec![sure, false, false, sure]), (lines.len() as u64 - 2, vec![false, false, sure])]
            {
                let saved = read_end(&path, Timestamp::now(), bytes, 9).unwrap();
                let proven: Vec<bool> = saved.records.iter().map(|record| record.by_kernel).collect();
                assert_eq!(proven, expected, "{lines}");
            }
        }
    }

    #[test]
    fn of_a_large_file_its_end_is_read_and_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kern.log");
        std::fs::write(&path, "6,1,1,-;a\n6,2,2,-;b\n6,3,3,-;c\n").unwrap();
        let read = |bytes, records| {
            let saved = read_end(&path, Timestamp::now(), bytes, records).unwrap();
            let texts: Vec<String> = saved.records.into_iter().map(|record| record.text).collect();
            (texts.concat(), saved.is_cut)
        };
        for (bytes, records, expected, is_cut) in [
            (30, 3, "abc", false),
            (100, 100, "abc", false),
            // A line of ten bytes whose beginning is not read is not taken for another one.
            (28, 3, "bc", true),
            (20, 3, "bc", true),
            (19, 3, "c", true),
            (100, 2, "bc", true),
        ] {
            assert_eq!(read(bytes, records), (expected.to_owned(), is_cut), "{bytes} {records}");
        }
    }
}
