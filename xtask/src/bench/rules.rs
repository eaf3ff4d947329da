//! The rules of memory against each other: `oomtrace/benches/rules.rs`, which writes its section itself.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The section.
pub fn section(program: &Path) -> Result<String> {
    let output = Command::new(program).output().context("cannot run the bench's program")?;
    if !output.status.success() {
        bail!("rules: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(format!("\n{}", String::from_utf8_lossy(&output.stdout)))
}
