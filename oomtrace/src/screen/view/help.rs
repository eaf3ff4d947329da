//! What the keys do, and what the columns say.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{BOLD, Look, opened};
use crate::screen::state::State;
use crate::sink::wrap::wrap;

/// What, and what it is.
const KEYS: [(&str, &str); 11] = [
    ("up, down, j, k", "one line up or down; PgUp, PgDn, Home, End (or g, G) go farther"),
    ("Tab", "to the other list and back"),
    ("Enter", "opens what is chosen in full: a kill with its remedy, a container with its curve"),
    ("/", "shows only what has a text in its name, image or cgroup; Enter keeps the filter, Esc ends it"),
    ("s", "sorts: nearest to the limit, next to meet it, fastest growing, largest, by name"),
    ("u", "units that have no limit, too; and back"),
    ("a", "routine kills, too; and back"),
    ("n", "what oomtrace said meanwhile"),
    ("?", "this"),
    ("q, Esc", "back, and out"),
    ("Ctrl-Z", "puts it aside; fg brings it back"),
];
const COLUMNS: [(&str, &str); 7] = [
    ("MEMORY", "the limit as a bar: first what the kernel cannot take back, then page cache, then what is free"),
    ("%", "what the kernel cannot take back, of the limit: a container is killed near 100, however much cache it has"),
    ("USED, LIMIT", "all that is charged to it, page cache among it; and the most that it may use"),
    ("LAST H", "what was in use over the last hour, or since it is followed, from 0 to the most that it was"),
    ("GROWTH/H", "by how much an hour its floor rises, without page cache; - means too little was seen to say"),
    ("FULL IN", "when it meets its limit if it goes on so; - means that nothing says that it will"),
    ("RESTARTS", "how often it was started again, as far as that was seen or its runtime says"),
];

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &mut State, _look: &Look) {
    let width = usize::from(area.width);
    let mut lines = Vec::new();
    for (title, rows) in [("Keys", KEYS.as_slice()), ("Columns", COLUMNS.as_slice())] {
        lines.push(Line::styled(title, BOLD));
        for (what, is) in rows {
            // As wide as the longest of them.
            let text = wrap(is, Some(width.saturating_sub(18)));
            for (index, text) in text.into_iter().enumerate() {
                let what = if index == 0 { *what } else { "" };
                lines.push(Line::from(vec![Span::styled(format!("  {what:<15} "), BOLD), Span::raw(text)]));
            }
        }
        lines.push(Line::default());
    }
    opened::text(frame, area, state, " oomtrace top", &lines);
}
