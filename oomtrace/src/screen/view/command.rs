//! A command that is wider than the screen: on several lines that a shell reads as one, for a terminal that cannot be scrolled sideways.

use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The least columns that a part of it has.
const LEAST: usize = 8;

/// A line that has room in `width` columns as it is. Nothing but commands is wider: of those each line but the last ends with a backslash, which a
/// shell takes away with the line's end. They are broken at a blank; a word that no line has room for goes on at the beginning of the next one,
/// where it is in quotes with these closed and opened again.
pub fn wrapped(line: Line<'static>, width: usize) -> Vec<Line<'static>> {
    if line.width() <= width {
        return vec![line];
    }
    let style = line.spans.last().map(|span| span.style).unwrap_or_default();
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    let command = text.trim_start();
    let indent = text.width().saturating_sub(command.width());
    let mut lines = Lines { width, indent, begins_at: indent, current: String::new(), done: Vec::new() };
    for word in words(command) {
        lines.word(word);
    }
    lines.end();
    let line =
        |(indent, part): (usize, String)| Line::from(vec![Span::raw(" ".repeat(indent)), Span::styled(part, style)]);
    lines.done.into_iter().map(line).collect()
}

/// Lines as they grow.
struct Lines {
    width: usize,
    indent: usize,
    /// Where the one that grows begins.
    begins_at: usize,
    current: String,
    done: Vec<(usize, String)>,
}

impl Lines {
    /// Columns that are left on the line, before a quote, a blank and a backslash.
    fn room(&self) -> usize {
        let room = self.width.saturating_sub(self.begins_at + 3).max(LEAST);
        room.saturating_sub(self.current.width())
    }

    fn word(&mut self, word: &str) {
        let blank = usize::from(!self.current.is_empty());
        if !self.current.is_empty() && blank + word.width() > self.room() {
            self.current.push_str(" \\");
            self.end();
        } else if blank > 0 {
            self.current.push(' ');
        }
        let mut state = State::default();
        for character in word.chars() {
            // Neither behind a backslash nor before one.
            if character.width().unwrap_or(0) > self.room() && !state.is_escaped && character != '\\' {
                let quote = state.quote.filter(|_| !self.current.is_empty());
                self.current.extend(quote);
                self.current.push('\\');
                self.end();
                self.begins_at = 0;
                self.current.extend(quote);
            }
            self.current.push(character);
            state.take(character);
        }
    }

    fn end(&mut self) {
        self.done.push((self.begins_at, std::mem::take(&mut self.current)));
        self.begins_at = self.indent;
    }
}

/// How a shell reads what comes.
#[derive(Clone, Copy, Default)]
struct State {
    quote: Option<char>,
    is_escaped: bool,
}

impl State {
    fn take(&mut self, character: char) {
        match (self.quote, character) {
            _ if self.is_escaped => self.is_escaped = false,
            (None | Some('"'), '\\') => self.is_escaped = true,
            (None, '\'' | '"') => self.quote = Some(character),
            (Some(open), close) if open == close => self.quote = None,
            _ => {}
        }
    }
}

/// Parts between single blanks that are in no quotes, and behind no backslash.
fn words(command: &str) -> Vec<&str> {
    let (mut found, mut from, mut state) = (Vec::new(), 0, State::default());
    for (at, character) in command.char_indices() {
        if character == ' ' && state.quote.is_none() && !state.is_escaped {
            found.extend(command.get(from..at));
            from = at + 1;
        }
        state.take(character);
    }
    found.extend(command.get(from..));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, width: usize) -> Vec<String> {
        wrapped(Line::raw(text.to_owned()), width).iter().map(ToString::to_string).collect()
    }

    /// What a shell makes of it.
    fn arguments(command: &str) -> String {
        let script = format!("docker() {{ printf '<%s>\\n' \"$@\"; }}; {command}");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{script}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_shell_reads_it_as_one_command() {
        let id = "6c26".repeat(16);
        for command in [
            "docker update --memory 768m --memory-swap 768m 'a name with blanks' shop-web-1".to_owned(),
            format!("docker update --memory 768m docker-{id}.scope --and {id}{id}"),
            format!(r#"docker patch -p '{{"spec":{{"containers":[{{"name":"app","{id}":"it'\''s  x"}}]}}}}' end"#),
            format!(r#"docker "in {id} quotes \" \\ {id}" a\ b '{id} {id}'"#),
        ] {
            let text = format!("             {command}");
            assert_eq!(shown(&text, 500).join("\n"), text);
            let expected = arguments(&command);
            for width in 24..=120 {
                let lines = shown(&text, width);
                assert!(lines.iter().all(|line| line.width() <= width.max(26) + 2), "{width}: {lines:?}");
                assert_eq!(arguments(&lines.join("\n")), expected, "{width}: {lines:#?}");
            }
        }
    }
}
