//! `oomtrace completions`: a script for a shell.

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::exit::{Failure, Status};
use super::options::Cli;
use super::output::Stdout;

pub fn run(shell: Shell) -> Result<Status, Failure> {
    // Into memory first: the generator panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "oomtrace", &mut script);
    let mut out = Stdout::new();
    out.write_all(&script)?;
    out.flush()?;
    Ok(Status::Done)
}
