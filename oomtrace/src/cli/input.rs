//! Files that are read, and standard input in the place of one.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::path::Path;

/// What stands for standard input.
pub const STANDARD: &str = "-";

/// Opens a file, or standard input where it is `-`.
///
/// # Errors
/// When the file cannot be opened; when standard input is a terminal, at which nobody types `what`.
pub fn open(path: &Path, what: &str) -> io::Result<File> {
    if path != Path::new(STANDARD) {
        return File::open(path);
    }
    let input = io::stdin();
    if input.is_terminal() {
        return Err(io::Error::other(format!("standard input is a terminal: name a file, or pipe {what} in")));
    }
    Ok(File::from(input.as_fd().try_clone_to_owned()?))
}

/// As sentences name it.
pub fn named(path: &Path) -> &Path {
    if path == Path::new(STANDARD) { Path::new("standard input") } else { path }
}
