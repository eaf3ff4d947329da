//! Lines on standard error, which nobody waits for: whoever reads it may stall, and its disk may be full.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::sink::outlet::Outlet;
use crate::sink::queue::{Count, Entry, Limits, Rank};
use crate::sink::steady::{Closing, Steady, Trouble, duplicate};
use crate::text::escape::escape;

const LIMITS: Limits = Limits { entries: 1024, bytes: 256 << 10 };

static THREAD: OnceLock<Outlet<Vec<u8>>> = OnceLock::new();

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

/// Says `text` on a line of its own.
pub fn say(text: &str) {
    put(format!("oomtrace: {}\n", escape(text)).into_bytes());
}

/// Ends the line where a terminal has shown `^C`.
pub fn new_line() {
    put(b"\n".to_vec());
}

/// Has what was said written until then.
pub fn close(until: Instant) {
    if let Some(thread) = THREAD.get() {
        // Where it could be said, it is what cannot be written.
        _ = thread.close(until);
    }
}

fn put(line: Vec<u8>) {
    match THREAD.get() {
        Some(thread) => {
            let bytes = line.len();
            thread.push(line, bytes, Rank::First, Count::one(false));
        }
        // Nobody may be reading, and that is no reason to stop.
        None => _ = io::stderr().write_all(&line),
    }
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
