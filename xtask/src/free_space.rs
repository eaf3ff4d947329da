//! Room on a disk, asked for before something large is written: a disk that fills up in the middle costs more than a line.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::sys::statvfs::statvfs;

/// `bytes` are free where `directory` is.
///
/// # Errors
/// When they are not, with what to do.
pub fn require(directory: &Path, bytes: u64, what_for: &str) -> Result<()> {
    let free = of(directory)?;
    if free < bytes {
        bail!(
            "{} has {} MiB free, and {what_for} may take {} MiB: make room, or set CARGO_TARGET_DIR to another disk",
            directory.display(),
            free >> 20,
            bytes >> 20
        );
    }
    Ok(())
}

/// Bytes that are free where `directory` is.
pub fn of(directory: &Path) -> Result<u64> {
    let disk = statvfs(directory).with_context(|| format!("cannot ask how full {} is", directory.display()))?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_too_small_is_said_with_what_to_do() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        require(here, 1, "a test").unwrap();
        let error = require(here, u64::MAX, "a test").unwrap_err().to_string();
        assert!(error.contains("CARGO_TARGET_DIR") && error.contains("a test"), "{error}");
    }
}
