//! `oomtrace`: parse, set up logging, dispatch.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
