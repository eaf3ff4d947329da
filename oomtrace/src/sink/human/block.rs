//! How a block's lines look: its first line, lines with a label, commands to be pasted.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::Look;
use super::words::when;
use crate::sink::wrap::{wrap, wrap_behind};
use crate::text::escape::escape;

const HEAD: Style = Style::new().bold();
pub(super) const KILL: Style = AnsiColor::Red.on_default().bold();
pub(super) const SIGNAL: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const LABEL: Style = AnsiColor::Cyan.on_default();
pub(super) const DO: Style = AnsiColor::Green.on_default();
pub(super) const DIM: Style = Style::new().dimmed();

/// Columns before a line's text: three blanks and the label.
pub(super) const INDENT: usize = 13;

/// What is written of a record so far.
pub(super) struct Block {
    pub(super) text: String,
    pub(super) look: Look,
}

impl Block {
    /// A block's first line: when, what, where, and why.
    pub(super) fn title(&mut self, time: &str, what: &str, style: Style, place: &str, said: &str) {
        let (time, what) = (when(time, self.look), format!("{what:<9}"));
        let indent = time.len() + what.len() + 4;
        let text =
            if said.is_empty() { escape(place) } else { escape(&format!("{place}: {said}")).into_owned().into() };
        for (index, line) in wrap_behind(&text, indent, INDENT, self.look.width).iter().enumerate() {
            let before = match index {
                0 if line.is_empty() => format!("{}  {}", self.paint(DIM, &time), self.paint(style, what.trim_end())),
                0 => format!("{}  {}  ", self.paint(DIM, &time), self.paint(style, &what)),
                _ => " ".repeat(INDENT),
            };
            // Writing to a String cannot fail.
            _ = writeln!(self.text, "{}", format!("{before}{}", self.paint(HEAD, line)).trim_end());
        }
    }

    /// A line that is to be pasted as it is: it has no label, and is not broken.
    pub(super) fn command(&mut self, command: &str) {
        let command = self.paint(DO, &escape(command));
        _ = writeln!(self.text, "{}{command}", " ".repeat(INDENT));
    }

    pub(super) fn line(&mut self, label: &str, text: &str) {
        self.styled_line(label, text, Style::new());
    }

    pub(super) fn styled_line(&mut self, label: &str, text: &str, style: Style) {
        for (index, line) in wrap_behind(&escape(text), INDENT, INDENT, self.look.width).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            // Blanks have no colour, so that none is left at a line's end.
            let label = format!("{}{}", self.paint(LABEL, label), " ".repeat(10_usize.saturating_sub(label.len())));
            let line = self.paint(style, line);
            _ = writeln!(self.text, "{}", format!("   {label}{line}").trim_end());
        }
    }

    /// A line that is no part of a block, in a weak colour.
    pub(super) fn dim(&mut self, text: &str) {
        for line in wrap(&escape(text), self.look.width) {
            _ = writeln!(self.text, "{}", self.paint(DIM, &line));
        }
    }

    /// The same as any other.
    pub(super) fn plain(&mut self, text: &str) {
        for line in wrap(&escape(text), self.look.width) {
            _ = writeln!(self.text, "{line}");
        }
    }

    pub(super) fn faint(&mut self, label: &str, text: &str) {
        self.styled_line(label, text, DIM);
    }

    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        if self.look.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
