//! Standard output, in the form that was asked for.

use std::fmt::Arguments;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};

use oomtrace::sink::Sink;
use oomtrace::sink::csv::Csv;
use oomtrace::sink::human::{Human, Look};
use oomtrace::sink::json::Json;
use oomtrace::sink::template::Lines;
use oomtrace::sink::yaml::Yaml;
use oomtrace::text::ascii::Ascii;

use super::options::{Form, Reading, Show};

/// Writes records to `out`, which is standard output or stands for it.
pub fn sink(options: &Show, reading: &Reading, out: impl Write + Send + 'static) -> Box<dyn Sink + Send> {
    let brief = match reading.form() {
        Form::Json => return Box::new(Json::new(out)),
        Form::Yaml => return Box::new(Yaml::new(out)),
        Form::Csv => return Box::new(Csv::new(out)),
        Form::Template(template) => return Box::new(Lines::new(out, template, reading.all)),
        Form::Text => false,
        Form::Brief => true,
    };
    let color = options.color.on_stdout();
    let ascii = shows_ascii();
    let (all, verbose, time) = (reading.all, reading.verbose(), reading.time().into());
    let look = move || Look { color, width: width(), brief, all, verbose, time, ascii };
    if ascii { Box::new(Human::new(Ascii(out), look)) } else { Box::new(Human::new(out, look)) }
}

/// Standard output is a terminal whose locale has no braille.
pub fn shows_ascii() -> bool {
    io::stdout().is_terminal() && shows_ascii_alone(|name| std::env::var(name).ok())
}

/// By its locale a terminal has no UTF-8; where none is set, the console has few other characters.
pub fn shows_ascii_alone(variable: impl Fn(&str) -> Option<String>) -> bool {
    match locale_has_utf8(&variable) {
        Some(has) => !has,
        None => variable("TERM").is_some_and(|term| term == "linux"),
    }
}

/// Whether characters are UTF-8 by the locale (locale(7)); none where no locale is set.
pub fn locale_has_utf8(variable: impl Fn(&str) -> Option<String>) -> Option<bool> {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty())?;
    let locale = locale.to_ascii_lowercase();
    Some(locale.contains("utf-8") || locale.contains("utf8"))
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
pub fn text() -> Box<dyn Write> {
    text_or_data(true)
}

/// The same for text; data stays as it is.
pub fn text_or_data(is_text: bool) -> Box<dyn Write> {
    if is_text && shows_ascii() { Box::new(Ascii(Stdout::new())) } else { Box::new(Stdout::new()) }
}

/// Standard output, for a verb that does its work and ends. An error says where it was.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_that_is_set_says_what_a_terminal_shows() {
        for (set, ascii) in [
            (&[("LANG", "en_US.UTF-8")][..], false),
            (&[("LANG", "de_DE.utf8"), ("LC_ALL", "")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], true),
            (&[("LC_CTYPE", "de_DE.ISO-8859-1"), ("LANG", "de_DE.UTF-8")], true),
            (&[("TERM", "xterm-256color")], false),
            (&[("TERM", "linux")], true),
        ] {
            let variable =
                |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(shows_ascii_alone(variable), ascii, "{set:?}");
        }
    }
}
