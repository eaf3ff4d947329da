//! One entry in full, with its curve.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{BOLD, DIM, Look, opened};
use crate::memory::held::page_cache;
use crate::screen::entry::Entry;
use crate::screen::state::State;
use crate::screen::table::{curve, growth, timestamp, tone, when};
use crate::sink::human::{TimeForm, about, time_of};
use crate::sink::wrap::wrap_behind;
use crate::text::escape::escape;
use crate::text::{bytes, elapsed_ms};

/// Columns before a text.
const INDENT: usize = 13;
/// Lines of a curve.
const ROWS: (usize, usize) = (3, 10);

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &mut State, cgroup: &str, look: &Look) {
    let lines = match state.entry(cgroup) {
        Some(entry) => lines(entry, area, look),
        None => vec![Line::styled("it is gone", DIM)],
    };
    opened::text(frame, area, state, " memory", &lines);
}

fn lines(entry: &Entry, area: Rect, look: &Look) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    let memory = &entry.memory;
    let latest = &memory.latest;
    let mut all = vec![Line::styled(format!(" {}", entry.name), BOLD)];
    let mut line = |label: &str, text: &str| {
        for (index, text) in wrap_behind(&escape(text), INDENT, INDENT, Some(width)).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            all.push(Line::from(vec![Span::styled(format!("   {label:<10}"), DIM), Span::raw(text)]));
        }
    };
    if let Some(container) = &entry.container {
        line("in", &about(container));
    }
    line("cgroup", &memory.cgroup);
    let used = match latest.limit_bytes {
        Some(limit) => format!("{} of {}", bytes(latest.usage_bytes), bytes(limit)),
        None => format!("{}, no limit", bytes(latest.usage_bytes)),
    };
    let share = entry.share().map(|share| format!(", {:.0} % of the limit", (share * 100.0).floor()));
    let held = format!("{} cannot be taken back{}", bytes(memory.held_bytes), share.unwrap_or_default());
    line("memory", &format!("{used}; {held}; read {} ago", elapsed_ms(latest.before_ms)));
    let parts = [
        ("anon", latest.anon_bytes),
        ("page cache", page_cache(latest.file_bytes, latest.shmem_bytes)),
        ("shmem", latest.shmem_bytes),
        ("kernel", latest.kernel_bytes),
        ("swap", latest.swap_bytes),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter_map(|(name, size)| Some(format!("{} {name}", bytes((*size).filter(|size| *size > 0)?))))
        .collect();
    if !parts.is_empty() {
        line("of that", &parts.join(", "));
    }
    if let Some(waited) = latest.stalled_permille.filter(|waited| *waited > 0) {
        line("waits", &format!("for memory, {}.{} % of the time", waited / 10, waited % 10));
    }
    if let Some(rate) = memory.growth_bytes_per_hour {
        line("grows", &format!("{} an hour by what was seen of the last hour, page cache left out", growth(rate)));
    }
    if let Some(outlook) = &memory.outlook {
        line("seen", &outlook.why);
    }
    if let Some(reached) = entry.limit_reached() {
        let at = |seconds: f64| clock(seconds, look);
        let high = reached.high.map_or_else(|| "never".to_owned(), at);
        let when = when((reached.median - look.table.now) / 3600.0);
        line("full", &format!("{when}, expected at {} (between {} and {high})", at(reached.median), at(reached.low)));
    }
    if let Some(outlook) = memory.outlook.as_ref().filter(|outlook| outlook.advised_limit_bytes.is_some())
        && let Some(advice) = outlook.advice(bytes)
    {
        line("wants", &advice);
    }
    if entry.restarts() > 0 {
        line("restarted", &crate::text::times(entry.restarts()));
    }
    if let Some(kill) = &entry.last_kill {
        let time = time_of(&kill.time, timestamp(look.table.now), look.table.time);
        let times = if kill.count > 1 { format!(", the last of {} seen", kill.count) } else { String::new() };
        line("killed", &format!("{time}, {}{times}: {}", kill.cause.name(), kill.why));
    }
    all.extend(plot(entry, area, all.len(), look));
    all
}

/// The whole curve, with its scale.
fn plot(entry: &Entry, area: Rect, above: usize, look: &Look) -> Vec<Line<'static>> {
    let series = &entry.memory.series;
    let (Some((oldest, ..)), Some(most)) = (series.first(), series.iter().map(|(.., peak)| *peak).max()) else {
        return Vec::new();
    };
    let rows = usize::from(area.height).saturating_sub(above + 5).clamp(ROWS.0, ROWS.1);
    let width = usize::from(area.width).saturating_sub(INDENT + 2);
    let points = curve(entry, *oldest);
    let style = look.style(tone(entry.share()));
    let top = bytes(most);
    let mut lines = vec![Line::default()];
    for (index, row) in look.table.glyphs.plot(&points, width, rows).into_iter().enumerate() {
        let label = match index {
            0 => top.as_str(),
            index if index + 1 == rows => "0",
            _ => "",
        };
        lines.push(Line::from(vec![Span::styled(format!("{label:>11}  "), DIM), Span::styled(row, style)]));
    }
    let from = format!("{} ago", elapsed_ms(*oldest));
    let gap = width.saturating_sub(from.len() + 3);
    lines.push(Line::styled(format!("{}{from}{}now", " ".repeat(INDENT), " ".repeat(gap)), DIM));
    lines
}

/// A time in the form that was asked for; to the minute is enough of what is to come.
fn clock(seconds: f64, look: &Look) -> String {
    let form = if look.table.time == TimeForm::Relative { TimeForm::Local } else { look.table.time };
    time_of(&timestamp(seconds).to_string(), timestamp(look.table.now), form)
}
