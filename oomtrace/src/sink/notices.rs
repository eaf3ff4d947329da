//! Lines on standard error, which nobody waits for: whoever reads it may stall, and its disk may be full.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::sink::outlet::Outlet;
use crate::sink::queue::{Count, Entry, Limits, Rank};
use crate::sink::steady::{Closing, Steady, Trouble, duplicate};
use crate::sink::terminal::{readable, shows_ascii};
use crate::sink::wrap::wrap_behind;
use crate::text::ascii::Ascii;
use crate::text::escape::escape;

const LIMITS: Limits = Limits { entries: 1024, bytes: 256 << 10 };

/// A line on the terminal has no end yet, and is going to be written anew.
static OPEN_LINE: AtomicBool = AtomicBool::new(false);

static THREAD: OnceLock<Outlet<Vec<u8>>> = OnceLock::new();

/// Takes a line in place of standard error.
type Taker = Box<dyn Fn(&[u8]) + Send>;

static ELSEWHERE: Mutex<Option<Taker>> = Mutex::new(None);

/// Has a thread write from now on. `full` is called once whenever a line cannot be written for want of room.
///
/// # Errors
/// When there can be no thread.
pub fn start(mut full: impl FnMut(&io::Error) + Send + 'static) -> io::Result<()> {
    let Ok(out) = duplicate(io::stderr()) else { return Ok(()) };
    let closing = Arc::new(Closing::default());
    let mut out = Steady::new(out, Arc::clone(&closing), move |trouble| {
        if let Trouble::Began(error) = trouble {
            full(error);
        }
    });
    let write = move |entry: Entry<Vec<u8>>| match entry {
        Entry::Item(line) => out.write_all(&line),
        Entry::Gap(gap) => writeln!(out, "oomtrace: {} lines were not written here", gap.others),
    };
    // Nobody may be reading, and that is no reason to stop.
    let outlet = Outlet::start("stderr", LIMITS, closing, write, |_| {})?;
    _ = THREAD.set(outlet);
    Ok(())
}

/// Whether standard output's terminal has a line that has no end yet. Whoever writes it writes it anew below what is said meanwhile, which
/// takes its place where both are on one terminal.
pub fn set_open_line(is_open: bool) {
    OPEN_LINE.store(is_open, Ordering::Relaxed);
}

/// Says `text` on a line of its own; on a terminal on as many as it takes, which break between words.
pub fn say(text: &str) {
    let is_terminal = io::stderr().is_terminal();
    let width = is_terminal.then(|| terminal_size::terminal_size_of(io::stderr())).flatten();
    let begin = if is_terminal && OPEN_LINE.load(Ordering::Relaxed) { "\r\x1b[K" } else { "" };
    let lines = lines(text, width.map(|(width, _)| usize::from(width.0)));
    put(format!("{begin}{lines}").into_bytes());
}

fn lines(text: &str, width: Option<usize>) -> String {
    const NAME: &str = "oomtrace: ";
    let lines = wrap_behind(&escape(text), NAME.len(), INDENT.len(), width);
    format!("{NAME}{}\n", lines.join(&format!("\n{INDENT}")))
}

/// Stands before what goes on.
const INDENT: &str = "  ";

/// Ends the line where a terminal has shown `^C`.
pub fn new_line() {
    put(b"\n".to_vec());
}

/// From now on `taker` has what would be written, which must not wait for anything: a line in the middle of a screen would tear it. None:
/// it is written again.
pub fn divert(taker: Option<Taker>) {
    *ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner) = taker;
}

/// Has what was said written until then.
pub fn close(until: Instant) {
    if let Some(thread) = THREAD.get() {
        // Where it could be said, it is what cannot be written.
        _ = thread.close(until);
    }
}

fn put(line: Vec<u8>) {
    let line = in_characters(line, shows_ascii(&io::stderr()));
    if let Some(taker) = ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        return taker(&line);
    }
    match THREAD.get() {
        Some(thread) => {
            let bytes = line.len();
            thread.push(line, bytes, Rank::First, Count::one(false));
        }
        // Nobody may be reading, and that is no reason to stop.
        None => _ = io::stderr().write_all(&line),
    }
}

/// In those of ASCII, where the terminal shows no others.
fn in_characters(line: Vec<u8>, ascii: bool) -> Vec<u8> {
    if !ascii {
        return line;
    }
    let mut shown = Vec::with_capacity(line.len());
    // Writing to a Vec cannot fail.
    _ = Ascii::new(&mut shown, true).write_all(&line);
    shown
}

/// Writes `text` as it is laid out, at once: nothing else goes on meanwhile.
///
/// # Errors
/// When standard error cannot be written.
pub fn print(text: &str) -> io::Result<()> {
    readable(io::stderr()).write_all(text.as_bytes())
}

/// For a log: each write is a line.
#[derive(Debug)]
pub struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        put(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_without_utf8_has_ascii_on_standard_error_too() {
        let line = lines("no container matches “web…”", None).into_bytes();
        assert_eq!(in_characters(line.clone(), true), b"oomtrace: no container matches \"web~\"\n");
        assert_eq!(in_characters(line.clone(), false), line);
    }

    #[test]
    fn a_line_breaks_between_words_where_a_terminal_ends() {
        let text = "without oom_kill_process: whose limit it was is inferred";
        for (width, said) in [
            (None, "oomtrace: without oom_kill_process: whose limit it was is inferred\n"),
            (Some(40), "oomtrace: without oom_kill_process:\n  whose limit it was is inferred\n"),
        ] {
            assert_eq!(lines(text, width), said);
        }
    }
}
