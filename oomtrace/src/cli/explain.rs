//! `oomtrace explain`: what an exit status says, and what it does not.

use std::io::Write as _;

use oomtrace::sink::wrap::wrap;

use super::exit::{Failure, Status};
use super::output::{self, width_of_any};

/// Columns where there is no terminal to ask, or a wider one: longer lines are hard to read.
const WIDTH: usize = 100;

/// Prints explanations, one after the other.
pub fn run(texts: &[String]) -> Result<Status, Failure> {
    let width = width_of_any().map_or(WIDTH, |width| width.min(WIDTH));
    let mut out = output::text();
    for (number, text) in texts.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        for line in text.split('\n').flat_map(|line| wrap(line, Some(width))) {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    Ok(Status::Done)
}
