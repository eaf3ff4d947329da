//! The table as text, once; and as JSON.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use schemars::JsonSchema;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::screen::entry::Entry;
use crate::screen::table::{Look, Tone, cell, layout, titles};

/// All that is followed at one time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Top {
    /// When.
    pub time: String,
    /// Name of the node. Null: not known.
    pub node: Option<String>,
    /// Id of this boot. Null: not known.
    pub boot_id: Option<String>,
    /// Containers, pods and units: the nearest to its limit first, and what has none behind.
    pub entries: Vec<Entry>,
    /// What could not be seen, in words.
    pub missing: Vec<String>,
}

/// A line each, no wider than `width`; with colours where they are wanted.
#[must_use]
pub fn text(entries: &[Entry], width: Option<usize>, color: bool, look: &Look) -> String {
    let longest = entries.iter().map(|entry| entry.name.width()).max().unwrap_or(0);
    let layout = layout(width, longest);
    let bold = if color { Style::new().bold() } else { Style::new() };
    let mut text = format!("{bold}{}{bold:#}\n", titles(&layout).trim_end());
    for entry in entries {
        let mut line = String::new();
        for (index, (column, width)) in layout.iter().enumerate() {
            if index > 0 {
                line.push(' ');
            }
            for (part, tone) in cell(entry, *column, *width, look) {
                let style = style(tone, color && !part.trim().is_empty());
                // Writing to a String cannot fail.
                _ = write!(line, "{style}{part}{style:#}");
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn style(tone: Tone, color: bool) -> Style {
    match tone {
        _ if !color => Style::new(),
        Tone::Plain => Style::new(),
        Tone::Dim => Style::new().dimmed(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Warning => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
    }
}
