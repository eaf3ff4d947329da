//! A text in place of the lists, to be gone through.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::command::wrapped;
use super::{DIM, Look, REVERSED, ends, hints, put};
use crate::screen::painted;
use crate::screen::state::State;
use crate::sink::wrap::wrap;
use crate::text::escape::escape;

pub fn incident(frame: &mut Frame<'_>, area: Rect, state: &mut State, number: u64, look: &Look) {
    let Some(shown) = state.incidents.get(number) else {
        let gone = vec![Line::styled("it is gone: newer ones took its place", DIM)];
        return text(frame, area, state, " a kill", &gone);
    };
    let full = state.incidents.in_full(shown, look.human(usize::from(area.width)));
    let lines: Vec<_> =
        painted::lines(&full).into_iter().flat_map(|line| wrapped(line, usize::from(area.width))).collect();
    text(frame, area, state, " a kill", &lines);
}

pub fn notices(frame: &mut Frame<'_>, area: Rect, state: &mut State, _look: &Look) {
    let width = usize::from(area.width);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for notice in state.notices.iter().rev() {
        lines.extend(wrap(&escape(notice), Some(width)).into_iter().map(Line::raw));
    }
    if lines.is_empty() {
        lines.push(Line::styled("nothing was said so far", DIM));
    }
    text(frame, area, state, " what oomtrace said, the latest first", &lines);
}

/// Below a title, from where it was scrolled to.
pub fn text(frame: &mut Frame<'_>, area: Rect, state: &mut State, title: &str, lines: &[Line<'static>]) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let room = height.saturating_sub(2);
    state.page = room;
    state.scroll = state.scroll.min(lines.len().saturating_sub(room));
    let below = lines.len().saturating_sub(state.scroll + room);
    let more = if below > 0 { format!("{below} more below ") } else { String::new() };
    put(frame, area, 0, &ends(title, &more, width, REVERSED));
    for (y, line) in lines.iter().skip(state.scroll).take(room).enumerate() {
        put(frame, area, y + 1, line);
    }
    put(frame, area, height - 1, &hints(&[("Esc", "goes back"), ("j/k", "scroll"), ("?", "helps")]));
}
