//! The table of entries: which columns there is room for, and what stands in them.

use unicode_width::UnicodeWidthStr as _;

use crate::memory::recorder::pace::NEAR_PERCENT;
use crate::screen::entry::Entry;
use crate::screen::glyphs::Glyphs;
use crate::sink::human::{TimeForm, time_of};
use crate::sink::wrap::cut_middle;
use crate::text::bytes;

/// From these shares of the limit on, it is near, where it is looked at more often as well, and it is close.
pub const NEAR: f64 = NEAR_PERCENT as f64 / 100.0;
pub const CLOSE: f64 = 0.9;
/// A curve goes back so far, in milliseconds: as far as the growth is looked at.
const CURVE_MS: u64 = 3_600_000;
/// What changes by less an hour stays the same, in bytes.
const STILL: f64 = 65_536.0;
/// Columns of a name, at least and at most.
const NAME: (usize, usize) = (16, 44);
/// What is due within a minute, or was before.
const NOW: &str = "now";
/// The widest that bars and curves become.
const WIDEST: usize = 24;

/// A column, in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Name,
    Bar,
    Share,
    Used,
    Limit,
    Curve,
    Growth,
    Left,
    Starts,
    LastKill,
}

/// How a part of a cell is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Dim,
    Good,
    Warning,
    Bad,
}

/// What all cells have to know.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub glyphs: Glyphs,
    pub time: TimeForm,
    /// Unix seconds.
    pub now: f64,
}

/// The columns that fit, in that order, and how wide each is.
pub type Layout = Vec<(Column, usize)>;

/// Those that are left out first where there is no room for all.
const DISPENSABLE: [Column; 8] = [
    Column::LastKill,
    Column::Starts,
    Column::Curve,
    Column::Growth,
    Column::Left,
    Column::Bar,
    Column::Used,
    Column::Share,
];

impl Column {
    const ALL: [Self; 10] = [
        Self::Name,
        Self::Bar,
        Self::Share,
        Self::Used,
        Self::Limit,
        Self::Curve,
        Self::Growth,
        Self::Left,
        Self::Starts,
        Self::LastKill,
    ];

    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Bar => "MEMORY",
            Self::Share => "%",
            Self::Used => "USED",
            Self::Limit => "LIMIT",
            Self::Curve => "LAST H",
            Self::Growth => "GROWTH/H",
            Self::Left => "FULL IN",
            Self::Starts => "RESTARTS",
            Self::LastKill => "LAST KILL",
        }
    }

    const fn width(self) -> usize {
        match self {
            Self::Name => NAME.0,
            Self::Bar => 10,
            Self::Share => 4,
            Self::Used | Self::Limit | Self::Curve | Self::Starts => 8,
            Self::Growth => 9,
            Self::Left => 7,
            Self::LastKill => 31,
        }
    }

    /// Numbers stand to the right.
    #[must_use]
    pub const fn is_right(self) -> bool {
        matches!(self, Self::Share | Self::Used | Self::Limit | Self::Growth | Self::Left | Self::Starts)
    }
}

/// The columns that fit into `width`, a blank between two of them; all of them where there is none. `longest`: the widest name.
#[must_use]
pub fn layout(width: Option<usize>, longest: usize) -> Layout {
    let name = longest.clamp(Column::Name.title().len(), NAME.1);
    let Some(width) = width else {
        let whole = |column: Column| if column == Column::Name { longest.max(4) } else { column.width() };
        return Column::ALL.map(|column| (column, whole(column))).to_vec();
    };
    let mut columns: Vec<Column> = Column::ALL.to_vec();
    let taken = |columns: &[Column]| columns.iter().map(|column| column.width() + 1).sum::<usize>().saturating_sub(1);
    for dispensable in DISPENSABLE {
        if taken(&columns) <= width {
            break;
        }
        columns.retain(|column| *column != dispensable);
    }
    let mut layout: Layout = columns.iter().map(|column| (*column, column.width())).collect();
    let mut left = width.saturating_sub(taken(&columns));
    // Names first, then what is drawn.
    for (of, most) in [(Column::Name, name.max(NAME.0)), (Column::Bar, WIDEST), (Column::Curve, WIDEST)] {
        if let Some((_, width)) = layout.iter_mut().find(|(column, _)| *column == of) {
            let more = most.saturating_sub(*width).min(left);
            *width += more;
            left -= more;
        }
    }
    layout
}

/// What stands in a cell, as wide as it is.
#[must_use]
pub fn cell(entry: &Entry, column: Column, width: usize, look: &Look) -> Vec<(String, Tone)> {
    let parts = content(entry, column, width, look);
    let taken: usize = parts.iter().map(|(text, _)| text.width()).sum();
    let pad = (" ".repeat(width.saturating_sub(taken)), Tone::Plain);
    if column.is_right() {
        std::iter::once(pad).chain(parts).collect()
    } else {
        parts.into_iter().chain([pad]).collect()
    }
}

/// The titles, each as wide as its column.
#[must_use]
pub fn titles(layout: &Layout) -> String {
    let title = |(column, width): &(Column, usize)| {
        let (title, width) = (column.title(), *width);
        if column.is_right() { format!("{title:>width$}") } else { format!("{title:<width$}") }
    };
    layout.iter().map(title).collect::<Vec<_>>().join(" ")
}

fn content(entry: &Entry, column: Column, width: usize, look: &Look) -> Vec<(String, Tone)> {
    let latest = &entry.memory.latest;
    let share = entry.share();
    let tone = tone(share);
    let plain = |text: String| vec![(text, Tone::Plain)];
    let none = || vec![("-".to_owned(), Tone::Dim)];
    match column {
        Column::Name => {
            let tone = if entry.last_kill.is_some() { Tone::Bad } else { Tone::Plain };
            vec![(cut_middle(&entry.name, width), tone)]
        }
        Column::Bar => match share {
            Some(share) => {
                let (held, used, free) = look.glyphs.bar(share, entry.used().unwrap_or(share), width);
                vec![(held, tone), (used, Tone::Dim), (free, Tone::Dim)]
            }
            None => Vec::new(),
        },
        Column::Share => {
            share.map_or_else(none, |share| vec![(format!("{:.0}%", (share * 100.0).floor().min(999.0)), tone)])
        }
        Column::Used => plain(bytes(latest.usage_bytes)),
        Column::Limit => latest.limit_bytes.map_or_else(none, |limit| plain(bytes(limit))),
        Column::Curve => vec![(look.glyphs.curve(&curve(entry, CURVE_MS), width), tone)],
        Column::Growth => entry.memory.growth_bytes_per_hour.map_or_else(none, |rate| plain(growth(rate))),
        Column::Left => match entry.limit_reached() {
            Some(reached) => {
                let hours = (reached.median - look.now) / 3600.0;
                vec![(span(hours), if hours < 1.0 { Tone::Bad } else { Tone::Warning })]
            }
            None => none(),
        },
        Column::Starts => match entry.restarts() {
            0 => none(),
            count => plain(count.to_string()),
        },
        Column::LastKill => entry.last_kill.as_ref().map_or_else(none, |kill| {
            let time = time_of(&kill.time, timestamp(look.now), look.time);
            let text = crate::sink::wrap::cut_end(&format!("{time} {}", kill.cause.name()), width.max(1));
            vec![(text, Tone::Bad)]
        }),
    }
}

/// How near the limit is.
#[must_use]
pub fn tone(share: Option<f64>) -> Tone {
    match share {
        Some(share) if share >= CLOSE => Tone::Bad,
        Some(share) if share >= NEAR => Tone::Warning,
        Some(_) => Tone::Good,
        None => Tone::Plain,
    }
}

/// What was in use over the last `within_ms`, as far as that is known: from 0 to 1 in both directions, against the most that it was. What is
/// followed for a shorter time begins further to the right.
#[must_use]
pub fn curve(entry: &Entry, within_ms: u64) -> Vec<(f64, f64)> {
    let series = &entry.memory.series;
    // What is older draws nothing but its last point, at the left edge.
    let recent = series.partition_point(|(ago, ..)| *ago > within_ms).saturating_sub(1);
    let series = series.get(recent..).unwrap_or_default();
    let span = within_ms.max(1) as f64;
    let most = series.iter().map(|(.., peak)| *peak).max().unwrap_or(0).max(1) as f64;
    let x = |ago: u64| 1.0 - (ago as f64 / span).min(1.0);
    let mut points: Vec<(f64, f64)> = series.iter().map(|(ago, _, peak)| (x(*ago), *peak as f64 / most)).collect();
    // What stays the same is not written down again.
    if let Some((_, last)) = points.last().copied().filter(|(at, _)| *at < 1.0) {
        points.push((1.0, last));
    }
    points
}

/// `+38 MiB`, `0`, `-2 MiB`.
#[must_use]
pub fn growth(rate: f64) -> String {
    let size = bytes(rate.abs() as u64);
    match rate {
        rate if rate.abs() < STILL => "0".to_owned(),
        rate if rate > 0.0 => format!("+{size}"),
        _ => format!("-{size}"),
    }
}

/// `now`, `45 min`, `3.2 h`, `5 d`.
#[must_use]
pub fn span(hours: f64) -> String {
    match hours {
        hours if hours < 1.0 / 60.0 => NOW.to_owned(),
        hours if hours < 1.5 => format!("{:.0} min", hours * 60.0),
        hours if hours < 10.0 => format!("{hours:.1} h"),
        hours if hours < 48.0 => format!("{hours:.0} h"),
        hours if hours < 24.0 * 99.5 => format!("{:.0} d", hours / 24.0),
        _ => ">99 d".to_owned(),
    }
}

/// The same in a sentence: `now`, `in 45 min`.
#[must_use]
pub fn when(hours: f64) -> String {
    match span(hours).as_str() {
        NOW => NOW.to_owned(),
        span => format!("in {span}"),
    }
}

/// Of Unix seconds.
#[must_use]
pub fn timestamp(seconds: f64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap_or_default()
}
