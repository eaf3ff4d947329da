//! What it costs to follow memory: `oomtrace/benches/flight.rs`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// How long each row is measured.
const SECONDS: &str = "60";

/// The rows, as a table.
pub fn measure(program: &Path) -> Result<String> {
    let output = Command::new(program).arg(SECONDS).output().context("cannot run the bench's program")?;
    if !output.status.success() {
        bail!("flight: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// With what it was measured by.
pub fn section(table: &str) -> String {
    format!(
        "\n## Following memory\n\nThe thread that follows memory, over {SECONDS} s each, from 75 s after the last cgroup was made, on the memory \
         controller's hierarchy: cgroups called as Docker's with a limit of 64 MiB, and what else this machine has. Busy ones have a process \
         that takes up to 8 MiB and gives them back each three seconds. Processor time is the kernel's own of that thread (schedstat), at 100 \
         % of one core; bytes are those of a curve and its name after that short time, at most some 15 KiB.\n\n{table}"
    )
}
