//! Reads files with a limit that holds before the first byte is read: what others write into them may have any length.
//!
//! These are for files whose path only root controls: the kernel's and the system's. See [`crate::node::territory`] for files that
//! users make.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc;

/// A file of the kernel's that holds a number, a name or some lines.
pub const SMALL: u64 = 64 << 10;
/// Bytes of one line of a list; a line of mountinfo has at most three paths.
const MAX_LINE: u64 = 64 << 10;

/// The first bytes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    pub bytes: Vec<u8>,
    /// The file has more.
    pub cut: bool,
}

/// Opens a regular file for reading. Never waits for a writer, and never acts on a terminal or on a device.
///
/// # Errors
/// When it cannot be opened, or is something else than a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// The file's first bytes, `max` at most.
///
/// # Errors
/// When it cannot be read.
pub fn read_start(path: &Path, max: u64) -> io::Result<Start> {
    start_of(open(path)?, max)
}

/// The whole file.
///
/// # Errors
/// When it cannot be read, or has more than `max` bytes.
pub fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    whole_of(open(path)?, max)
}

/// The whole file as text. What is not UTF-8 in it becomes replacement characters.
///
/// # Errors
/// When it cannot be read, or has more than `max` bytes.
pub fn read_text(path: &Path, max: u64) -> io::Result<String> {
    read(path, max).map(text)
}

/// As text, without a copy where it is UTF-8.
#[must_use]
pub fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The first bytes of an open file, `max` at most.
///
/// # Errors
/// When it cannot be read.
pub fn start_of(file: impl io::Read, max: u64) -> io::Result<Start> {
    sized(file, 0, max)
}

/// As [`start_of`], with room for `size` bytes from the beginning.
fn sized(file: impl io::Read, size: u64, max: u64) -> io::Result<Start> {
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(max)).unwrap_or_default());
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    let cut = bytes.len() as u64 > max;
    if cut {
        bytes.truncate(usize::try_from(max).unwrap_or(usize::MAX));
    }
    Ok(Start { bytes, cut })
}

/// All of an open file.
///
/// # Errors
/// When it cannot be read, or has more than `max` bytes.
pub fn whole_of(file: File, max: u64) -> io::Result<Vec<u8>> {
    // The kernel's own files say 0.
    let size = file.metadata()?.len();
    if size > max {
        return Err(too_large(max));
    }
    let start = sized(file, size.saturating_add(1), max)?;
    if start.cut { Err(too_large(max)) } else { Ok(start.bytes) }
}

fn too_large(max: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {max} bytes"))
}

/// Hands over the file's lines, `max` bytes of them at most, one after the other and without their ends. A line that is too long
/// for one is cut.
///
/// # Errors
/// When it cannot be read.
pub fn lines(path: &Path, max: u64, line: impl FnMut(&[u8])) -> io::Result<()> {
    lines_of(open(path)?, max, line)
}

/// As [`lines`], of an open file.
///
/// # Errors
/// When it cannot be read.
pub fn lines_of(file: impl io::Read, max: u64, mut line: impl FnMut(&[u8])) -> io::Result<()> {
    let mut all = BufReader::with_capacity(1 << 16, file.take(max));
    let mut held = Vec::new();
    loop {
        held.clear();
        if (&mut all).take(MAX_LINE).read_until(b'\n', &mut held)? == 0 {
            return Ok(());
        }
        if held.last() == Some(&b'\n') {
            held.pop();
        } else {
            // The rest of a line that is too long, which is looked at no further.
            all.skip_until(b'\n')?;
        }
        line(&held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_not_further() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_start(&path, 4).unwrap(), Start { bytes: b"1234".to_vec(), cut: true });
        assert!(!read_start(&path, 5).unwrap().cut);
        // It has no end.
        assert!(read(Path::new("/dev/zero"), 5).is_err());
    }

    /// Opening a FIFO for reading waits for a writer (fifo(7)).
    #[test]
    fn what_is_no_file_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(read(&fifo, 5).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(read(dir.path(), 5).is_err());
    }

    #[test]
    fn lines_are_bytes_and_a_long_one_is_cut() {
        let long = vec![b'x'; 3 * MAX_LINE as usize];
        let text = [b"a\n\xff\n".as_slice(), &long, b"\n\nlast"].concat();
        let mut found = Vec::new();
        lines_of(text.as_slice(), u64::MAX, |line| found.push(line.to_vec())).unwrap();
        let expected = [b"a".to_vec(), b"\xff".to_vec(), vec![b'x'; MAX_LINE as usize], Vec::new(), b"last".to_vec()];
        assert_eq!(found, expected);
        found.clear();
        lines_of(text.as_slice(), 3, |line| found.push(line.to_vec())).unwrap();
        assert_eq!(found, [b"a".to_vec(), b"\xff".to_vec()]);
    }
}
