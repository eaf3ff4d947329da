//! A command that is wider than the screen: on several lines that a shell reads as one, for a terminal that cannot be scrolled sideways.

use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The least columns that a part of it has.
const LEAST: usize = 8;

/// A line that has room in `width` columns as it is. Nothing but commands is wider: of those each line but the last ends with a backslash, where
/// there is a blank outside of quotes to break it at, and what has none is broken where the screen ends.
pub fn folded(line: Line<'static>, width: usize) -> Vec<Line<'static>> {
    if line.width() <= width {
        return vec![line];
    }
    let style = line.spans.last().map(|span| span.style).unwrap_or_default();
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    let command = text.trim_start();
    let indent = text.width().saturating_sub(command.width());
    let room = width.saturating_sub(indent + 2).max(LEAST);
    let parts = parts(command, room);
    let line = |part: String| Line::from(vec![Span::raw(" ".repeat(indent)), Span::styled(part, style)]);
    parts.into_iter().map(line).collect()
}

fn parts(command: &str, room: usize) -> Vec<String> {
    let mut done = Vec::new();
    let mut current = String::new();
    for word in words(command) {
        if !current.is_empty() && current.width() + 1 + word.width() > room {
            done.push(format!("{current} \\"));
            current.clear();
        }
        if !current.is_empty() {
            current.push(' ');
        }
        for character in word.chars() {
            if current.width() + character.width().unwrap_or(0) > room {
                done.push(std::mem::take(&mut current));
            }
            current.push(character);
        }
    }
    done.push(current);
    done
}

/// Parts between single blanks that are in no quotes, and behind no backslash.
fn words(command: &str) -> Vec<&str> {
    let (mut found, mut from, mut quote, mut is_escaped) = (Vec::new(), 0, None, false);
    for (at, character) in command.char_indices() {
        match (quote, character) {
            _ if is_escaped => is_escaped = false,
            (None | Some('"'), '\\') => is_escaped = true,
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None, ' ') => {
                found.extend(command.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    found.extend(command.get(from..));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, width: usize) -> Vec<String> {
        folded(Line::raw(text.to_owned()), width).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_shell_reads_it_as_one_command() {
        let command = "docker update --memory 768m --memory-swap 768m 'a name with blanks' shop-web-1";
        let text = format!("             {command}");
        assert_eq!(shown(&text, 200).join("\n"), text);
        for width in 24..=95 {
            let lines = shown(&text, width);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:?}");
            assert!(lines.iter().all(|line| line.starts_with(&" ".repeat(13))), "{width}: {lines:?}");
        }
        for width in [40, 60, 80] {
            let lines = shown(&text, width);
            let script = format!("docker() {{ printf '%s\\n' \"$@\"; }}; {}", lines.join("\n"));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let expected = "update\n--memory\n768m\n--memory-swap\n768m\na name with blanks\nshop-web-1\n";
            assert_eq!(said, expected, "{width}: {lines:?}");
        }
        assert_eq!(shown("  a 'b", 5), ["  a 'b"], "{}", LEAST);
    }
}
