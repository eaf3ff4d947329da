//! The two lists: memory above, kills below.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::{BOLD, DIM, Look, REVERSED, ends, hints, put};
use crate::memory::verdict::Kind;
use crate::model::Container;
use crate::screen::entry::Entry;
use crate::screen::painted;
use crate::screen::state::{Before, Pane, State, Watched};
use crate::screen::table::{Layout, NEAR, Tone, cell, layout, timestamp, titles, when};
use crate::sink::human::{belongs_to, time_of};
use crate::sink::wrap::{cut_end, cut_middle};
use crate::text::escape::escape;

/// Columns before a line, for the mark of the chosen one.
const MARK: usize = 2;
/// The keys at the end of the last line that are always there: the help, and the way out.
const ALWAYS: usize = 2;
/// The least lines of kills.
const LEAST_KILLS: usize = 2;

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &mut State, look: &Look) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    put(frame, area, 0, &ends(&title(state), state.order.words(), width, REVERSED));
    // Title, heads, what is chosen, the rule, and the last line.
    let room = height.saturating_sub(5);
    let incidents = state.shown_incidents().len();
    let (rows, kills) = share_out(room, state.listed.len().max(1), incidents.max(1));
    state.page = if state.pane == Pane::Memory { rows } else { kills };
    memory(frame, Rect { y: area.y + 1, height: rows as u16 + 1, ..area }, state, rows, look);
    let below = rows + 2;
    put(frame, area, below, &about(state, width, look));
    put(frame, area, below + 1, &rule(state, width, look));
    stream(frame, Rect { y: area.y + below as u16 + 2, height: kills as u16, ..area }, state, kills, look);
    put(frame, area, height - 1, &last(state, width, look));
}

/// Lines for the rows and for the kills: the kills have what they need, up to a third.
fn share_out(room: usize, rows: usize, incidents: usize) -> (usize, usize) {
    let most = (room / 3).max(LEAST_KILLS);
    let kills = incidents.clamp(LEAST_KILLS, most).max(room.saturating_sub(rows).min(incidents)).min(room);
    (room - kills, kills)
}

/// `oomtrace top on node-1: 12 containers, 2 near their limit`.
fn title(state: &State) -> String {
    let all = || state.entries().iter();
    let is_near = |entry: &&Entry| entry.share().is_some_and(|share| share >= NEAR);
    let containers = match all().filter(|entry| entry.container.is_some()).count() {
        1 => "1 container".to_owned(),
        count => format!("{count} containers"),
    };
    let (near, others): (Vec<_>, Vec<_>) = all().filter(is_near).partition(|entry| entry.container.is_some());
    let near = match near.len() {
        0 => "none near its limit".to_owned(),
        1 => "1 near its limit".to_owned(),
        near => format!("{near} near their limits"),
    };
    // Units, and pods whose limits are their own.
    let others = match others.len() {
        0 => String::new(),
        1 => ", 1 other near its own".to_owned(),
        others => format!(", {others} others near theirs"),
    };
    let host = if state.node.is_empty() { String::new() } else { format!(" on {}", escape(&state.node)) };
    format!(" oomtrace top{host}: {containers}, {near}{others}")
}

fn memory(frame: &mut Frame<'_>, area: Rect, state: &mut State, rows: usize, look: &Look) {
    let width = usize::from(area.width).saturating_sub(MARK);
    let longest = state.shown_entries().map(|entry| entry.name.width()).max().unwrap_or(0);
    let layout = layout(Some(width), longest);
    put(frame, area, 0, &Line::styled(format!("{}{}", " ".repeat(MARK), titles(&layout)), BOLD));
    state.memory.show(rows, state.listed.len());
    if state.listed.is_empty() {
        let why = match (state.filter(), state.entries().is_empty()) {
            ("", true) if state.has_filters => "nothing here matches the filters".to_owned(),
            ("", true) => "no container or unit has a cgroup whose memory can be read".to_owned(),
            ("", false) => "nothing here has a limit: u shows all units".to_owned(),
            (filter, _) => format!("nothing matches {filter:?}: Esc ends the filter"),
        };
        return put(frame, area, 1, &Line::styled(format!("  {why}"), DIM));
    }
    let (top, at) = (state.memory.top, state.memory.at);
    let is_here = state.pane == Pane::Memory;
    for (y, (index, entry)) in state.shown_entries().enumerate().skip(top).take(rows).enumerate() {
        let line = row(entry, &layout, index == at && is_here, look);
        put(frame, area, y + 1, &line);
    }
}

fn row(entry: &Entry, layout: &Layout, is_chosen: bool, look: &Look) -> Line<'static> {
    let mut spans = vec![Span::raw(if is_chosen { "> " } else { "  " })];
    for (index, (column, width)) in layout.iter().enumerate() {
        if index > 0 {
            spans.push(Span::raw(" "));
        }
        let parts = cell(entry, *column, *width, &look.table);
        spans.extend(parts.into_iter().map(|(text, tone)| Span::styled(text, look.style(tone))));
    }
    let line = Line::from(spans);
    if is_chosen { line.style(BOLD) } else { line }
}

/// What there was no column for, of the chosen entry.
fn about(state: &State, width: usize, look: &Look) -> Line<'static> {
    let Some(entry) = state.chosen() else { return Line::default() };
    let mut parts = Vec::new();
    if let Some(kill) = &entry.last_kill {
        let time = time_of(&kill.time, timestamp(look.table.now), look.table.time);
        let times = if kill.count > 1 { format!(", {} so far", kill.count) } else { String::new() };
        parts.push(format!("killed {time}: {}{times}", kill.cause.name()));
    }
    if entry.restarts() > 0 {
        parts.push(format!("restarted {}", crate::text::times(entry.restarts())));
    }
    if let Some(reached) = entry.limit_reached() {
        parts.push(format!("at its limit {}", when((reached.median - look.table.now) / 3600.0)));
    }
    if parts.is_empty()
        && let Some(outlook) = entry.memory.outlook.as_ref().filter(|outlook| outlook.verdict != Kind::TooShort)
    {
        parts.push(outlook.why.clone());
    }
    match &entry.container {
        // How often it was restarted is said above, as it is by now.
        Some(container) => parts.extend(belongs_to(&Container { restart_count: None, ..container.clone() })),
        None => parts.push(entry.memory.cgroup.clone()),
    }
    let dot = format!(" {} ", look.table.glyphs.dot());
    let name = cut_middle(&entry.name, width / 3);
    let room = width.saturating_sub(name.width() + 4);
    Line::from(vec![
        Span::raw("  "),
        Span::styled(name, BOLD),
        Span::styled(format!("  {}", cut_end(&escape(&parts.join(&dot)), room)), DIM),
    ])
}

/// `── 3 kills ─────`, or why none is seen.
fn rule(state: &State, width: usize, look: &Look) -> Line<'static> {
    let count = state.incidents.count;
    let said = match &state.watched {
        Watched::MemoryAlone(why) => format!("kills are not seen here: {}", escape(why)),
        Watched::Kills => {
            let kills = match count {
                0 => "no kill since the start".to_owned(),
                1 => "1 kill".to_owned(),
                count => format!("{count} kills"),
            };
            let routine = match (state.incidents.routine, state.all_kills) {
                (0, _) => String::new(),
                (routine, true) => format!(", and {routine} routine"),
                (routine, false) => format!(", {routine} routine not shown (a)"),
            };
            format!("{kills}{routine}{}", before(state, look))
        }
    };
    let rule = look.table.glyphs.rule();
    let said = cut_end(&said, width.saturating_sub(6));
    let rest = width.saturating_sub(said.width() + 4);
    Line::from(vec![
        Span::styled(format!("{} ", rule.repeat(2)), DIM),
        Span::styled(said, if count > 0 { look.style(Tone::Bad) } else { DIM }),
        Span::styled(format!(" {}", rule.repeat(rest)), DIM),
    ])
}

/// `; 2502 before the start, since 03:10:00`: what the history has of this boot.
fn before(state: &State, look: &Look) -> String {
    let Some(Before { kills, first }) = state.before.as_ref().filter(|before| before.kills > 0) else {
        return String::new();
    };
    let time = |first: &String| format!(", since {}", time_of(first, timestamp(look.table.now), look.table.time));
    format!("; {kills} before the start{}", first.as_ref().map(time).unwrap_or_default())
}

fn stream(frame: &mut Frame<'_>, area: Rect, state: &mut State, lines: usize, look: &Look) {
    let of = state.shown_incidents().len();
    state.kills.show(lines, of);
    let (top, at) = (state.kills.top, state.kills.at);
    let is_here = state.pane == Pane::Kills;
    let width = usize::from(area.width);
    let shown = state.shown_incidents();
    for (y, (index, shown)) in shown.iter().enumerate().skip(top).take(lines).enumerate() {
        let is_chosen = index == at && is_here;
        let mut line = painted::lines(&shown.line(look.human(width))).pop().unwrap_or_default();
        line.spans.insert(0, Span::raw(if is_chosen { "> " } else { "  " }));
        if line.width() > width {
            line = cut(line, width);
        }
        put(frame, area, y, &if is_chosen { line.style(BOLD) } else { line });
    }
}

/// The line's first columns, with an ellipsis.
fn cut(line: Line<'static>, width: usize) -> Line<'static> {
    let mut left = width;
    let mut spans = Vec::new();
    for span in line.spans {
        let wanted = span.content.width();
        if wanted < left {
            left -= wanted;
            spans.push(span);
            continue;
        }
        // One column is for the ellipsis, also where this part just fits.
        spans.push(Span::styled(cut_end(&format!("{} ", span.content), left), span.style));
        break;
    }
    Line::from(spans)
}

/// The filter, what was just said, or what the keys do.
fn last(state: &State, width: usize, look: &Look) -> Line<'static> {
    if state.is_editing() {
        return Line::from(vec![
            Span::styled("/", BOLD),
            Span::raw(cut_end(state.filter(), width.saturating_sub(30))),
            Span::styled(" ", REVERSED),
            Span::styled("  Enter keeps it, Esc ends it", DIM),
        ]);
    }
    if state.has_new_notice
        && let Some(notice) = state.notices.back()
    {
        let room = width.saturating_sub(12);
        return Line::from(vec![
            Span::styled(cut_end(&escape(notice), room), look.style(Tone::Warning)),
            Span::styled("  n", BOLD),
            Span::raw(" shows all"),
        ]);
    }
    let notices = match state.notices.len() {
        1 => "1 notice".to_owned(),
        count => format!("{count} notices"),
    };
    let filter = match state.filter() {
        "" => String::new(),
        filter => format!("/{}  ", cut_end(filter, 20)),
    };
    let mut keys = vec![
        ("Enter", "opens"),
        ("Tab", "other list"),
        ("/", "filters"),
        ("s", "sorts"),
        ("u", if state.all_entries { "fewer" } else { "all units" }),
        ("?", "helps"),
        ("q", "leaves"),
    ];
    // Blanks at its end may be cut. Whoever has no room for all reads in the help what is not here, and can leave.
    while keys.len() > ALWAYS && filter.width() + hints(&keys).width().saturating_sub(2) > width {
        keys.remove(keys.len() - ALWAYS - 1);
    }
    let mut line = hints(&keys);
    if !state.notices.is_empty() && width > filter.width() + line.width() + notices.len() + 4 {
        line.spans.extend([Span::styled("n", BOLD), Span::raw(format!(" {notices}"))]);
    }
    if !filter.is_empty() {
        line.spans.insert(0, Span::styled(filter, look.style(Tone::Warning)));
    }
    line
}
