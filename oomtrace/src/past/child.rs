//! A program that is asked: its output by lines, bounded in bytes and in time.

use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;
/// Bytes of a line; one that is longer is left out.
const MAX_LINE: usize = 1 << 20;
/// Bytes that are kept of what it says on standard error.
const MAX_ERROR: u64 = 1024;

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// It was ended before it had said everything: there was too much, it took too long, or its reader had enough.
    pub is_cut: bool,
    /// What it said against it, where it failed.
    pub error: Option<String>,
}

/// Where a program is, of those places that root alone writes to.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.is_file())
}

/// Runs it, and hands over its lines, until `line` breaks off.
///
/// # Errors
/// When it cannot be started, or not be read.
pub fn lines(
    program: &Path,
    arguments: &[String],
    (most, within): (usize, Duration),
    mut line: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> io::Result<Ended> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .env("SYSTEMD_COLORS", "0")
        .env("SYSTEMD_PAGER", "")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let is_cut = read(&mut child, most, Instant::now() + within, &mut line);
    if !matches!(is_cut, Ok(false)) {
        // It may have ended by itself.
        _ = child.kill();
    }
    let status = child.wait()?;
    let is_cut = is_cut?;
    let mut error = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        stderr.take(MAX_ERROR).read_to_end(&mut error)?;
    }
    let said = String::from_utf8_lossy(&error).trim().to_owned();
    let error =
        (!is_cut && !status.success()).then(|| if said.is_empty() { format!("it ended with {status}") } else { said });
    Ok(Ended { is_cut, error })
}

/// True when it was not read to its end.
fn read(
    child: &mut Child,
    most: usize,
    until: Instant,
    line: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
) -> io::Result<bool> {
    let Some(mut stdout) = child.stdout.take() else { return Ok(false) };
    let (mut held, mut seen, mut is_long) = (Vec::new(), 0, false);
    let mut chunk = vec![0; CHUNK];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut ready = [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, timeout) {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(nix::Error::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let count = stdout.read(&mut chunk)?;
        if count == 0 {
            return Ok(!held.is_empty() && !is_long && line(&held).is_break());
        }
        seen += count;
        for piece in chunk.get(..count).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
            is_long |= held.len() + piece.len() > MAX_LINE;
            if !is_long {
                held.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                if !std::mem::take(&mut is_long) && line(held.strip_suffix(b"\n").unwrap_or(&held)).is_break() {
                    return Ok(true);
                }
                held.clear();
            }
        }
        if seen > most {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, most: usize, within: Duration) -> (Vec<String>, Ended) {
        let mut found = Vec::new();
        let arguments = ["-c".to_owned(), script.to_owned()];
        let ended = lines(Path::new("/bin/sh"), &arguments, (most, within), |line| {
            found.push(String::from_utf8_lossy(line).into_owned());
            if line == b"enough" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        (found, ended.unwrap())
    }

    #[test]
    fn what_it_says_is_read_and_what_it_does_not_is_not_waited_for() {
        const LONG: Duration = Duration::from_secs(60);
        let (found, ended) = sh("printf 'a\\n\\nb'", 100, LONG);
        assert_eq!((found, ended), (vec!["a".to_owned(), String::new(), "b".to_owned()], Ended::default()));
        let (found, ended) = sh("echo a; exec sleep 1000", 100, Duration::from_millis(300));
        assert_eq!((found.len(), ended.is_cut, ended.error), (1, true, None));
        let (_, ended) = sh("yes", 1 << 20, LONG);
        assert!(ended.is_cut);
        let (found, ended) = sh("echo a; echo enough; echo b; exec sleep 1000", 100, LONG);
        assert_eq!((found.len(), ended.is_cut, ended.error), (2, true, None));
        let (_, ended) = sh("echo no such thing >&2; exit 1", 100, LONG);
        assert_eq!(ended.error.as_deref(), Some("no such thing"));
        let (_, ended) = sh("exit 3", 100, LONG);
        assert!(ended.error.unwrap().contains('3'));
    }
}
