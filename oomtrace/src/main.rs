//! `oomtrace`: parse, set up logging, dispatch.

// They panic where nobody reads, or a disk is full.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
