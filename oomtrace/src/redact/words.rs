//! A script's words: each of its commands is looked through as a process's arguments are.

use crate::redact::arguments::find_in;
use crate::redact::assignments::{Context, is_secret};
use crate::redact::names::Class;
use crate::redact::span::Spans;

/// Words of a script that are looked at; those behind have their names and shapes found all the same.
const MAX_WORDS: usize = 512;

/// What a command reads a secret from its standard input by.
const READS_SECRET: &[&str] =
    &["--password-stdin", "--pass-stdin", "--stdin", "--with-token", "--passphrase-fd", "chpasswd", "cryptsetup", "-S"];

/// A part of a script between `;`, `|`, `&` and the like.
#[derive(Default)]
struct Command {
    /// From where to where, without quotes around it.
    words: Vec<(usize, usize)>,
    /// Words given as its input: `<<< x`.
    here: Vec<(usize, usize)>,
    /// Its output is the next one's input.
    is_piped: bool,
}

/// Where secrets are in `script`; `cut`: it was longer.
pub fn find(script: &[u8], cut: bool, depth: u8) -> Spans {
    let mut spans = Spans::default();
    let commands = commands(script);
    let text = |(start, end): &(usize, usize)| script.get(*start..*end).unwrap_or_default();
    let mut piped: Option<&Command> = None;
    for command in &commands {
        let words: Vec<&[u8]> = command.words.iter().map(text).collect();
        for ((start, _), found) in command.words.iter().zip(find_in(&words, cut, Context::Script, depth)) {
            spans.add_all(&found, *start);
        }
        let reads = words.iter().any(|word| READS_SECRET.iter().any(|known| known.as_bytes() == *word));
        if reads {
            let writes = |command: &&Command| {
                command.words.first().is_some_and(|first| matches!(text(first), b"echo" | b"printf"))
            };
            let given = piped.filter(writes).into_iter().flat_map(|command| command.words.iter().skip(1));
            for word in given.chain(&command.here).filter(|word| !text(word).starts_with(b"-")) {
                if is_secret(text(word), Class::Secret, Context::Script) {
                    spans.add(word.0, word.1);
                }
            }
        }
        piped = command.is_piped.then_some(command);
    }
    spans
}

fn commands(script: &[u8]) -> Vec<Command> {
    let mut commands = vec![Command::default()];
    let (mut at, mut words) = (0, 0);
    let mut is_here = false;
    while let Some(byte) = script.get(at).copied() {
        match byte {
            byte if byte.is_ascii_whitespace() && byte != b'\n' => at += 1,
            // The line goes on.
            b'\\' if script.get(at + 1) == Some(&b'\n') => at += 2,
            b'<' if script.get(at..).is_some_and(|rest| rest.starts_with(b"<<<")) => {
                is_here = true;
                at += 3;
            }
            b'<' | b'>' => at += 1,
            b'\n' | b';' | b'|' | b'&' | b'(' | b')' | b'`' => {
                let is_pipe = byte == b'|' && script.get(at + 1) != Some(&b'|');
                if let Some(command) = commands.last_mut().filter(|command| !command.words.is_empty()) {
                    command.is_piped = is_pipe;
                    commands.push(Command::default());
                }
                at += 1;
            }
            _ => {
                let end = crate::redact::assignments::word_end(script, at).max(at + 1);
                let word = unquoted(script, at, end);
                if let Some(command) = commands.last_mut() {
                    if std::mem::take(&mut is_here) { command.here.push(word) } else { command.words.push(word) }
                }
                at = end;
                words += 1;
                if words >= MAX_WORDS {
                    break;
                }
            }
        }
    }
    commands
}

/// Without the quotes around all of it.
fn unquoted(script: &[u8], start: usize, end: usize) -> (usize, usize) {
    match script.get(start..end) {
        Some([open @ (b'"' | b'\''), inner @ .., close]) if open == close && !inner.contains(open) => {
            (start + 1, end - 1)
        }
        // Cut off within its quotes.
        Some([open @ (b'"' | b'\''), inner @ ..]) if !inner.contains(open) => (start + 1, end),
        _ => (start, end),
    }
}
