//! The command line: one file a verb.

mod completions;
mod doctor;
mod exit;
mod explain;
mod options;
mod output;
mod ps;
mod replay;
mod schema;
mod selftest;
mod watch;

use std::process::ExitCode;

use clap::{Parser as _, error::ErrorKind};

use exit::Status;
use options::{Cli, Verb};

/// Parses the arguments, runs the verb, and says on one line what went wrong.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // OOMTRACE_LOG=debug shows oomtrace's own log, and that of its kernel side; aya's is for its developers.
    env_logger::Builder::new()
        .filter_module("aya", log::LevelFilter::Warn)
        .filter_module("aya_obj", log::LevelFilter::Warn)
        .parse_env(env_logger::Env::default().filter_or("OOMTRACE_LOG", "warn"))
        .init();
    let result = match cli.verb {
        None => watch::run(&cli.watch, None),
        Some(Verb::Record(options)) => watch::run(&options.watch, Some(&options.file)),
        Some(Verb::Replay(options)) => replay::run(&options),
        Some(Verb::Selftest(options)) => selftest::run(&options),
        Some(Verb::SelftestChild { role }) => selftest::run_child(role),
        Some(Verb::Doctor(options)) => doctor::run(&options),
        Some(Verb::Explain { code }) => explain::run(&code),
        Some(Verb::Ps(options)) => ps::run(&options),
        Some(Verb::Schema { of }) => schema::run(of),
        Some(Verb::Completions { shell }) => completions::run(shell),
    };
    match result {
        Ok(status) => status.into(),
        Err(failure) if failure.is_closed_pipe() => Status::Done.into(),
        Err(failure) => {
            exit::say(&failure);
            failure.status().into()
        }
    }
}

/// Help and version are answers, not errors; a usage error has clap's own text.
fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Err(print) if print.kind() != std::io::ErrorKind::BrokenPipe => return Status::Failed.into(),
        _ => {}
    }
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Status::Done.into(),
        _ => Status::Usage.into(),
    }
}
