//! Standard output as a sink, in the form that was asked for.

use std::io::{self, IsTerminal as _};

use oomtrace::sink::Sink;
use oomtrace::sink::human::{Human, Look};
use oomtrace::sink::json::Json;

use super::options::Show;

pub fn sink(options: &Show) -> Box<dyn Sink> {
    if options.json {
        return Box::new(Json::new(io::stdout()));
    }
    let color = options.color.on_stdout();
    let is_terminal = io::stdout().is_terminal();
    let width = move || if is_terminal { terminal_size::terminal_size().map(|(w, _)| usize::from(w.0)) } else { None };
    Box::new(Human::new(io::stdout(), move || Look { color, width: width() }))
}
