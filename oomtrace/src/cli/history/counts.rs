//! Counts, as a table with bars, or for programs.

use anstyle::{AnsiColor, Style};
use clap::ValueEnum as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use oomtrace::sink::{csv, json, terminal, yaml};
use oomtrace::store::{By, Group, History, Selection};
use oomtrace::text::escape::escape;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::{say_none, title, write};
use crate::cli::exit::{Failure, Status};
use crate::cli::options::{self, Form};
use crate::cli::output::{self, Stdout};

/// Columns, where nobody says how many there are.
const WIDTH: usize = 80;
/// Of a name.
const NAME: usize = 44;
/// A bar is not shorter than this; where there is no room for it, there is none.
const BAR: usize = 8;

/// For programs: what they have in common is named, too.
#[derive(Serialize)]
struct Line<'a> {
    by: By,
    #[serde(flatten)]
    group: &'a Group,
}

pub fn run(
    options: &options::History,
    history: &History,
    selection: &Selection,
    by: By,
    zone: &TimeZone,
) -> Result<Status, Failure> {
    let groups = history.count_by(selection, by, zone)?;
    let mut text = Vec::new();
    let lines = groups.iter().map(|group| Line { by, group });
    match options.reading.form() {
        Form::Json => lines.into_iter().try_for_each(|line| json::append(&mut text, &line))?,
        Form::Yaml => {
            for line in lines {
                text.extend(yaml::document(&line)?.into_bytes());
            }
        }
        Form::Csv => {
            text.extend(csv::line(&["by", "key", "count", "first", "last"].map(str::to_owned))?);
            for Group { key, count, first, last } in &groups {
                text.extend(csv::line(&[
                    by.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned()),
                    key.clone().unwrap_or_default(),
                    count.to_string(),
                    first.clone().unwrap_or_default(),
                    last.clone().unwrap_or_default(),
                ])?);
            }
        }
        _ if groups.is_empty() => say_none(history, selection)?,
        _ => {
            let width = output::width_of_any().unwrap_or(WIDTH);
            // As the C library decides it: without a locale there is ASCII alone.
            let blocks = terminal::locale_has_utf8(terminal::variable) == Some(true);
            let look = Look { width, color: options.color.on_stdout(), blocks };
            let shown = chart(&groups, by, zone, Timestamp::now(), look);
            return write(&mut output::text(), shown.as_bytes());
        }
    }
    write(&mut Stdout::new(), &text)
}

/// How it is drawn.
#[derive(Clone, Copy)]
struct Look {
    width: usize,
    color: bool,
    /// Eighths of a block can be shown.
    blocks: bool,
}

/// One kill may have ended several processes.
const COUNT: &str = "INCIDENTS";

/// A line each: what it is, how many, a bar, and when the last one was.
fn chart(groups: &[Group], by: By, zone: &TimeZone, now: Timestamp, look: Look) -> String {
    let is_time = matches!(by, By::Hour | By::Day);
    let names: Vec<String> = groups.iter().map(|group| name(group, by, zone)).collect();
    let counts: Vec<String> = groups.iter().map(|group| group.count.to_string()).collect();
    let last = |group: &Group| Some(local(group.last.as_deref()?, zone, now));
    let lasts: Vec<String> = groups.iter().map(|group| last(group).filter(|_| !is_time).unwrap_or_default()).collect();
    let widest =
        |cells: &[String], title: &str| cells.iter().map(|cell| cell.width()).max().unwrap_or(0).max(title.width());
    let (heading, last) = (title(by), if is_time { "" } else { "LAST" });
    let (name, count, when) = (widest(&names, heading), widest(&counts, COUNT), widest(&lasts, last));
    let taken = name + 2 + count + 2 + if when > 0 { when + 2 } else { 0 };
    let bar = look.width.saturating_sub(taken).min(60);
    let bar = if bar < BAR { 0 } else { bar };
    let most = groups.iter().map(|group| group.count).max().unwrap_or(0).max(1);
    let paint = |style: Style, text: &str| if look.color { format!("{style}{text}{style:#}") } else { text.to_owned() };
    let head = line(heading, name, COUNT, count, last, when, "");
    let mut text = paint(Style::new().bold(), head.trim_end()) + "\n";
    for (((group, cell), number), at) in groups.iter().zip(&names).zip(&counts).zip(&lasts) {
        let drawn = paint(AnsiColor::Cyan.on_default(), &drawn(group.count, most, bar, look.blocks));
        text.push_str(line(cell, name, number, count, at, when, &drawn).trim_end());
        text.push('\n');
    }
    text
}

fn line(
    name: &str,
    name_width: usize,
    count: &str,
    count_width: usize,
    last: &str,
    last_width: usize,
    bar: &str,
) -> String {
    let blanks = |text: &str, width: usize| " ".repeat(width.saturating_sub(text.width()));
    let last = if last_width > 0 { format!("{last}{}  ", blanks(last, last_width)) } else { String::new() };
    format!("{name}{}  {}{count}  {last}{bar}", blanks(name, name_width), blanks(count, count_width))
}

/// As long as the count is of the largest; whatever there is has a mark.
fn drawn(count: u64, most: u64, width: usize, blocks: bool) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if count == 0 || width == 0 {
        return String::new();
    }
    let eighths = u128::from(count) * (width as u128 * 8) / u128::from(most);
    let eighths = usize::try_from(eighths).unwrap_or(width * 8).max(1);
    if !blocks {
        return "#".repeat(eighths.div_ceil(8));
    }
    let rest = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{rest}", "█".repeat(eighths / 8))
}

fn name(group: &Group, by: By, zone: &TimeZone) -> String {
    let Some(key) = &group.key else {
        return match by {
            By::Cause => "(no verdict)".to_owned(),
            By::Container => "(none: host processes)".to_owned(),
            By::Node | By::Uid => "(not known)".to_owned(),
            _ => "(none)".to_owned(),
        };
    };
    let at =
        |format: &str| key.parse::<Timestamp>().ok().map(|at| at.to_zoned(zone.clone()).strftime(format).to_string());
    let shown = match by {
        By::Hour => at("%Y-%m-%d %H:%M"),
        By::Day => at("%Y-%m-%d %a"),
        _ => None,
    };
    let shown = shown.unwrap_or_else(|| escape(key).into_owned());
    if shown.width() <= NAME {
        return shown;
    }
    // The end of a name says more of what it is than its beginning.
    let mut cut = String::new();
    for c in shown.chars().rev() {
        if cut.width() + unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) + 1 > NAME {
            break;
        }
        cut.insert(0, c);
    }
    format!("…{cut}")
}

/// `16:30:05` today, else with the day.
fn local(time: &str, zone: &TimeZone, now: Timestamp) -> String {
    let Ok(at) = time.parse::<Timestamp>() else { return String::new() };
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    at.strftime(if at.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(key: &str, count: u64) -> Group {
        Group {
            key: Some(key.to_owned()),
            count,
            first: Some("2026-11-25T10:00:00Z".to_owned()),
            last: Some("2026-11-26T15:30:00Z".to_owned()),
        }
    }

    #[test]
    fn bars_are_as_long_as_their_counts_and_no_line_is_too_wide() {
        let now = "2026-11-26T16:00:00Z".parse().unwrap();
        let groups = [
            group("web", 80),
            group("db\u{1b}[2J", 10),
            group(&"x".repeat(70), 1),
            Group { key: None, ..group("", 1) },
        ];
        for (blocks, expected) in [
            (
                true,
                "CONTAINER                                     INCIDENTS  LAST
web                                                  80  15:30:00  █████████████
db\\x1b[2J                                            10  15:30:00  █▋
…xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx          1  15:30:00  ▏
(none: host processes)                                1  15:30:00  ▏
",
            ),
            (
                false,
                "CONTAINER                                     INCIDENTS  LAST
web                                                  80  15:30:00  #############
db\\x1b[2J                                            10  15:30:00  ##
…xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx          1  15:30:00  #
(none: host processes)                                1  15:30:00  #
",
            ),
        ] {
            let look = Look { width: 80, color: false, blocks };
            assert_eq!(chart(&groups, By::Container, &TimeZone::UTC, now, look), expected);
        }
        let narrow = chart(&groups, By::Container, &TimeZone::UTC, now, Look { width: 66, color: false, blocks: true });
        assert!(!narrow.contains('█') && narrow.lines().all(|line| line.width() <= 66), "{narrow}");
    }

    #[test]
    fn hours_are_in_the_zone_that_counts() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let hour = Group { key: Some("2026-11-25T23:00:00Z".to_owned()), ..group("", 2) };
        assert_eq!(name(&hour, By::Hour, &zone), "2026-11-26 00:00");
        assert_eq!(name(&hour, By::Day, &zone), "2026-11-26 Thu");
    }
}
