//! Files that others have made or can make grow: opening one never blocks, acts or follows, and reading stops at a bound that is set
//! before the first byte.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc;

/// The first `max` bytes of a regular file. A FIFO, a device, a socket or a symbolic link is none.
///
/// # Errors
/// When it cannot be opened or read, or is no regular file.
pub fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`read`]; what is no UTF-8 in it is replaced, so that a name of somebody's hides nothing beside it.
///
/// # Errors
/// As [`read`].
pub fn read_text(path: &Path, max: u64) -> io::Result<String> {
    read(path, max).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn open(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK, opening a FIFO waits for a writer (open(2)), and some devices act when they are opened.
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stops_at_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, b"a\xffcdef").unwrap();
        assert_eq!(read(&file, 3).unwrap(), b"a\xffc");
        assert_eq!(read_text(&file, 100).unwrap(), "a\u{fffd}cdef");
        // Of endless length, as far as anybody can tell.
        assert!(read(Path::new("/proc/self/environ"), 1).unwrap().len() <= 1);
    }

    #[test]
    fn what_is_no_regular_file_is_neither_waited_for_nor_followed() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        for path in [fifo.as_path(), &link, Path::new("/dev/zero"), dir.path()] {
            assert!(read(path, 100).is_err(), "{}", path.display());
        }
    }
}
