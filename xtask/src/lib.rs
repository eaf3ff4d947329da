//! What `cargo xtask` shares with oomtrace's build script (finding a BPF toolchain, and building the kernel side with it) and
//! with its scenarios (a private Docker daemon).

// The build script's own, so that it need not compile all else that is here.
#[path = "../../oomtrace/build/bpf.rs"]
pub mod bpf;
pub mod chart;
pub mod dockerd;
pub mod helm;
pub mod packages;
pub mod situations;

use std::io;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Runs a command to its end, its output shown.
///
/// # Errors
/// When it cannot be run, or fails.
pub fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}

/// Says what happens next, on stderr: standard output may be oomtrace's.
pub fn say(text: &str) {
    // Nobody may be reading, and that is no reason to stop.
    _ = io::Write::write_fmt(&mut io::stderr(), format_args!("xtask: {text}\n"));
}
