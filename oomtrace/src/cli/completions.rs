//! `oomtrace completions`: a script for a shell.

use std::io::Write as _;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::exit::{Failure, Status};
use super::options::Cli;
use super::output::Stdout;

/// Without the verbs that nobody is shown: the generators know no hidden ones.
fn shown(all: &Command) -> Command {
    let mut shown = Command::new("oomtrace").args(all.get_arguments().cloned());
    shown = shown.subcommands(all.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned());
    shown.version(all.get_version().unwrap_or_default().to_owned())
}

pub fn run(shell: Shell) -> Result<Status, Failure> {
    // Into memory first: the generator panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(&Cli::command()), "oomtrace", &mut script);
    let mut out = Stdout::new();
    out.write_all(&script)?;
    out.flush()?;
    Ok(Status::Done)
}
