//! `oomtrace health`: whether an oomtrace on this node watches.

use std::io::Write as _;

use oomtrace::run::health::client;

use super::exit::{Failure, Status};
use super::output;

pub fn run(name: &str) -> Result<Status, Failure> {
    let said = client::ask(name)?;
    let mut out = output::text();
    writeln!(out, "{said}")?;
    out.flush()?;
    Ok(Status::Done)
}
