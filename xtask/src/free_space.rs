//! Room on a disk, asked for before something large is written: a disk that fills up in the middle costs more than a line.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::sys::statvfs::statvfs;

/// A disk has not the room that something may take. The machine lacks it, and no code is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    directory: PathBuf,
    free_bytes: u64,
    what_for: String,
    wanted_bytes: u64,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has {} MiB free, and {} may take {} MiB: make room, or set CARGO_TARGET_DIR to another disk",
            self.directory.display(),
            self.free_bytes >> 20,
            self.what_for,
            self.wanted_bytes >> 20
        )
    }
}

impl std::error::Error for Lack {}

/// `bytes` are free where `directory` is.
///
/// # Errors
/// A [`Lack`] when they are not.
pub fn require(directory: &Path, bytes: u64, what_for: &str) -> Result<()> {
    let free_bytes = of(directory)?;
    if free_bytes < bytes {
        let (directory, what_for) = (directory.to_owned(), what_for.to_owned());
        return Err(Lack { directory, free_bytes, what_for, wanted_bytes: bytes }.into());
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
        let error = require(here, u64::MAX, "a test").unwrap_err();
        assert!(error.is::<Lack>());
        let said = error.to_string();
        assert!(said.contains("CARGO_TARGET_DIR") && said.contains("a test"), "{said}");
    }
}
