//! Standard output, in the form that was asked for.

use std::fmt::Arguments;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::sys::stat::fstat;
use oomtrace::sink::Sink;
use oomtrace::sink::csv::Csv;
use oomtrace::sink::human::{Human, Look};
use oomtrace::sink::json::Json;
use oomtrace::sink::template::Lines;
use oomtrace::sink::terminal;
use oomtrace::sink::yaml::Yaml;
use oomtrace::text::ascii::Ascii;

use super::options::{Form, Reading, Show};

/// Writes records to `out`, which is standard output or stands for it. `losses_on_stderr`: standard error says what was lost, and is the same
/// terminal.
pub fn sink(
    options: &Show,
    reading: &Reading,
    out: impl Write + Send + 'static,
    losses_on_stderr: bool,
) -> Box<dyn Sink + Send> {
    match reading.form() {
        Form::Json => Box::new(Json::new(out)),
        Form::Yaml => Box::new(Yaml::new(out)),
        Form::Csv => Box::new(Csv::new(out)),
        Form::Template(template) => Box::new(Lines::new(out, template, reading.all)),
        Form::Text | Form::Brief => Box::new(human(options, reading, out, losses_on_stderr)),
    }
}

/// Writes records for a person.
pub fn human<W: Write + Send + 'static>(
    options: &Show,
    reading: &Reading,
    out: W,
    losses_on_stderr: bool,
) -> Human<Ascii<W>> {
    let brief = reading.form() == Form::Brief;
    let color = options.color.on_stdout();
    let ascii = shows_ascii();
    let (all, verbose, time) = (reading.all, reading.verbose(), reading.time().into());
    let look = move || Look { color, width: width(), brief, all, verbose, time, ascii, losses_on_stderr };
    Human::new(Ascii::new(out, ascii), look)
}

/// Standard output and standard error are one terminal.
pub fn is_one_terminal() -> bool {
    let device = |out: BorrowedFd<'_>| fstat(out).ok().map(|file| file.st_rdev);
    let both_are = io::stdout().is_terminal() && io::stderr().is_terminal();
    both_are && device(io::stdout().as_fd()) == device(io::stderr().as_fd())
}

/// Standard output is a terminal whose locale has no braille.
pub fn shows_ascii() -> bool {
    terminal::shows_ascii(&io::stdout())
}

/// Columns of standard output; none when it is no terminal, or one that does not say how many it has.
pub fn width() -> Option<usize> {
    columns(terminal_size::terminal_size_of(io::stdout()))
}

/// Columns of standard output, standard error or standard input, the first of them that is a terminal: what goes through a pager is for
/// that terminal as well.
pub fn width_of_any() -> Option<usize> {
    columns(terminal_size::terminal_size())
}

fn columns(size: Option<(terminal_size::Width, terminal_size::Height)>) -> Option<usize> {
    size.map(|(width, _)| usize::from(width.0))
}

/// What text has left out of what there was; none when it was nothing.
pub fn hidden(routine: u64) -> Option<String> {
    match routine {
        0 => None,
        1 => Some("1 routine kill is not shown (--all shows it)".to_owned()),
        number => Some(format!("{number} routine kills are not shown (--all shows them)")),
    }
}

/// Standard output for text that a person reads: on a terminal in characters that it has.
pub fn text() -> Ascii<Stdout> {
    text_or_data(true)
}

/// The same for text; data stays as it is.
pub fn text_or_data(is_text: bool) -> Ascii<Stdout> {
    Ascii::new(Stdout::new(), is_text && shows_ascii())
}

/// Standard output, for a verb that does its work and ends. An error says where it was.
#[derive(Debug)]
pub struct Stdout(io::Stdout);

impl Stdout {
    pub fn new() -> Self {
        Self(io::stdout())
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(said)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(said)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).map_err(said)
    }

    fn write_fmt(&mut self, text: Arguments<'_>) -> io::Result<()> {
        self.0.write_fmt(text).map_err(said)
    }
}

fn said(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
}

/// Standard output's descriptor, past the standard library's lock and buffer: a thread that waits in a write must not have either.
pub fn descriptor() -> io::Result<File> {
    oomtrace::sink::steady::duplicate(io::stdout())
}
