//! `oomtrace explain`: what an exit status says, and what it does not.

use std::io::Write as _;

use oomtrace::sink::notices;
use oomtrace::sink::wrap::wrap;
use oomtrace::text::quote::quote;

use super::exit::{Failure, Status};
use super::output::{self, width_of_any};
use super::values::explanation;

/// Columns where there is no terminal to ask, or a wider one: longer lines are hard to read.
const WIDTH: usize = 100;

/// Prints explanations, one after the other; and then, of words that have none, that it knows none.
pub fn run(words: &[String]) -> Result<Status, Failure> {
    let width = width_of_any().map_or(WIDTH, |width| width.min(WIDTH));
    let mut out = output::text();
    let (mut is_first, mut unknown) = (true, Vec::new());
    for word in words {
        let text = match explanation(word) {
            Ok(text) => text,
            Err(why) => {
                unknown.push(format!("invalid value {} for <CODE>: {why}", quote(word)));
                continue;
            }
        };
        if !std::mem::take(&mut is_first) {
            writeln!(out)?;
        }
        for line in text.split('\n').flat_map(|line| wrap(line, Some(width))) {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    unknown.iter().for_each(|said| notices::say(said));
    Ok(if unknown.is_empty() { Status::Done } else { Status::Usage })
}
