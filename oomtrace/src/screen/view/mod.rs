//! Draws the state into a frame.

mod command;
mod entry;
mod help;
mod lists;
mod opened;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::screen::glyphs::Glyphs;
use crate::screen::state::{Opened, State};
use crate::screen::table::{self, Tone};
use crate::sink::human;
use crate::sink::wrap::cut_end;

/// There is no room for a table below this.
pub const LEAST: (u16, u16) = (40, 10);

/// How it looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub color: bool,
    /// Of an incident in full, with what is seldom asked for.
    pub verbose: bool,
    pub table: table::Look,
}

impl Look {
    fn style(self, tone: Tone) -> Style {
        let fg = |color| if self.color { Style::new().fg(color) } else { Style::new() };
        match tone {
            Tone::Plain => Style::new(),
            Tone::Dim => Style::new().add_modifier(Modifier::DIM),
            Tone::Good => fg(Color::Green),
            Tone::Warning => fg(Color::Yellow),
            Tone::Bad => fg(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    fn human(self, width: usize) -> human::Look {
        human::Look {
            color: self.color,
            width: Some(width),
            brief: false,
            all: true,
            verbose: self.verbose,
            time: self.table.time,
            ascii: self.table.glyphs == Glyphs::Ascii,
            losses_on_stderr: false,
        }
    }
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const REVERSED: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Draws all of it, and notes in `state` how long a page is.
pub fn draw(frame: &mut Frame<'_>, state: &mut State, look: &Look) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return too_small(frame, area);
    }
    match state.opened.clone() {
        None => lists::draw(frame, area, state, look),
        Some(Opened::Incident(number)) => opened::incident(frame, area, state, number, look),
        Some(Opened::Entry(cgroup)) => entry::draw(frame, area, state, &cgroup, look),
        Some(Opened::Notices) => opened::notices(frame, area, state, look),
        Some(Opened::Help) => help::draw(frame, area, state, look),
    }
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let text = format!("the terminal has {}×{}, and {}×{} is the least", area.width, area.height, LEAST.0, LEAST.1);
    let lines = crate::sink::wrap::wrap(&text, Some(usize::from(area.width)));
    for (y, text) in lines.iter().enumerate() {
        put(frame, area, y, &Line::raw(cut_end(text, usize::from(area.width))));
    }
}

/// Writes a line, counted from the top of `area`; nothing where it has no such line.
fn put(frame: &mut Frame<'_>, area: Rect, y: usize, line: &Line<'_>) {
    let Some(y) = u16::try_from(y).ok().filter(|y| *y < area.height) else { return };
    frame.buffer_mut().set_line(area.x, area.y + y, line, area.width);
}

/// A line with its rest filled, so that its style goes to the edge.
fn bar(text: &str, width: usize, style: Style) -> Line<'static> {
    let text = cut_end(text, width);
    let pad = width.saturating_sub(unicode_width::UnicodeWidthStr::width(text.as_str()));
    Line::styled(format!("{text}{}", " ".repeat(pad)), style)
}

/// Two texts at the two ends of a line; the right one gives way.
fn ends(left: &str, right: &str, width: usize, style: Style) -> Line<'static> {
    let left = cut_end(left, width);
    let taken = unicode_width::UnicodeWidthStr::width(left.as_str());
    let room = width.saturating_sub(taken + 2);
    let wanted = unicode_width::UnicodeWidthStr::width(right);
    if wanted > room {
        return bar(&left, width, style);
    }
    Line::styled(format!("{left}{}{right}", " ".repeat(width - taken - wanted)), style)
}

/// What keys do, as `q leave  / filter`.
fn hints(keys: &[(&'static str, &'static str)]) -> Line<'static> {
    let mut spans = Vec::new();
    for (key, does) in keys {
        spans.push(Span::styled(*key, BOLD));
        spans.push(Span::raw(format!(" {does}  ")));
    }
    Line::from(spans)
}
