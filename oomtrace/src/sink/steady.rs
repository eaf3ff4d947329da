//! Writes to a descriptor whatever it is: a pipe that nobody reads, a terminal that is stopped, a disk that is full for a moment. It
//! may wait for as long as any of these does, so it is for threads of their own.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How often a full disk is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// Wakes up those who wait for room, once nothing more will come.
#[derive(Debug, Default)]
pub struct Closing {
    is_closing: Mutex<bool>,
    set: Condvar,
}

impl Closing {
    pub fn set(&self) {
        *self.is_closing.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.set.notify_all();
    }

    /// Waits for `time`, or until it is closing; whether it is.
    #[must_use]
    pub fn wait(&self, time: Duration) -> bool {
        let is_closing = self.is_closing.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.set.wait_timeout_while(is_closing, time, |is_closing| !*is_closing);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// What whoever writes wants to know.
pub enum Trouble<'a> {
    /// It cannot be written at the moment; it is tried again.
    Began(&'a io::Error),
    /// It can be written again.
    Ended,
}

/// See the module's documentation.
pub struct Steady {
    out: File,
    is_terminal: bool,
    closing: std::sync::Arc<Closing>,
    trouble: Box<dyn FnMut(Trouble<'_>) + Send>,
}

impl Steady {
    pub fn new(out: File, closing: std::sync::Arc<Closing>, trouble: impl FnMut(Trouble<'_>) + Send + 'static) -> Self {
        let is_terminal = std::io::IsTerminal::is_terminal(&out);
        Self { out, is_terminal, closing, trouble: Box::new(trouble) }
    }

    /// Writes all of `bytes`, for as long as it takes. What was begun is finished when there is room again, so that no line is
    /// torn; when it is closing before, what was begun is taken back where it can be.
    fn write_whole(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        let mut in_trouble = false;
        while !rest.is_empty() {
            let error = match self.out.write(rest) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    if std::mem::take(&mut in_trouble) {
                        (self.trouble)(Trouble::Ended);
                    }
                    continue;
                }
                Err(error) => error,
            };
            match fate(&error, self.is_terminal) {
                Fate::Again => {}
                Fate::Poll => self.wait_writable()?,
                Fate::Room => {
                    if !std::mem::replace(&mut in_trouble, true) {
                        (self.trouble)(Trouble::Began(&error));
                    }
                    if self.closing.wait(AGAIN) {
                        self.take_back(bytes.len() - rest.len());
                        return Err(error);
                    }
                }
                Fate::Gone => return Err(io::Error::new(io::ErrorKind::BrokenPipe, error)),
                Fate::Broken => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until the other side of a descriptor that does not block takes more. Whoever shares it may have made it so.
    fn wait_writable(&self) -> io::Result<()> {
        match poll(&mut [PollFd::new(self.out.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Cuts the last `len` bytes off a file that ends with them.
    fn take_back(&self, len: usize) {
        use std::io::Seek as _;
        let is_file = self.out.metadata().is_ok_and(|metadata| metadata.is_file());
        if len == 0 || !is_file {
            return;
        }
        let at = (&self.out).stream_position();
        let (Ok(at), Ok(metadata)) = (at, self.out.metadata()) else { return };
        // Somebody else may have written behind it.
        if at == metadata.len()
            && let Some(before) = at.checked_sub(len as u64)
            && let Err(error) = self.out.set_len(before)
        {
            log::debug!("{len} bytes of a line that was cut off stay: {error}");
        }
    }
}

impl Write for Steady {
    /// All of it, or none counts.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_whole(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What to do about an error.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Again,
    /// When the other side takes more.
    Poll,
    /// When there may be room.
    Room,
    /// Nobody is there any more.
    Gone,
    /// It will never do.
    Broken,
}

fn fate(error: &io::Error, is_terminal: bool) -> Fate {
    match error.raw_os_error() {
        Some(libc::EINTR) => Fate::Again,
        Some(libc::EAGAIN) => Fate::Poll,
        Some(libc::EPIPE | libc::ECONNRESET | libc::ENOTCONN | libc::ESHUTDOWN) => Fate::Gone,
        // The terminal was hung up (drivers/tty/tty_io.c).
        Some(libc::EIO) if is_terminal => Fate::Gone,
        Some(libc::EBADF | libc::EINVAL | libc::EFAULT) => Fate::Broken,
        // A full disk, a quota, a limit of file sizes, a network's disk that is away.
        _ => Fate::Room,
    }
}

/// Standard output's or standard error's descriptor, again: whoever has the first may close it.
///
/// # Errors
/// When there is none.
pub fn duplicate(of: impl AsFd) -> io::Result<File> {
    // Not below 3, where somebody would take it for a standard descriptor.
    Ok(rustix::io::fcntl_dupfd_cloexec(of, 3)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek as _};
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    #[test]
    fn errors_are_told_apart() {
        for (errno, is_terminal, expected) in [
            (libc::EINTR, false, Fate::Again),
            (libc::EAGAIN, false, Fate::Poll),
            (libc::EPIPE, false, Fate::Gone),
            (libc::EIO, true, Fate::Gone),
            (libc::EIO, false, Fate::Room),
            (libc::ENOSPC, false, Fate::Room),
            (libc::EDQUOT, false, Fate::Room),
            (libc::EFBIG, false, Fate::Room),
            (libc::ENOMEM, false, Fate::Room),
            (libc::EBADF, false, Fate::Broken),
        ] {
            assert_eq!(fate(&io::Error::from_raw_os_error(errno), is_terminal), expected, "{errno}");
        }
    }

    #[test]
    fn a_descriptor_that_does_not_block_is_waited_for() {
        let (out, mut reader) = UnixStream::pair().unwrap();
        out.set_nonblocking(true).unwrap();
        let mut steady = Steady::new(duplicate(&out).unwrap(), Arc::default(), |_| {});
        drop(out);
        let text = vec![b'x'; 4 << 20];
        let sent = text.len();
        let writer = std::thread::spawn(move || steady.write_all(&text).map_err(|error| error.kind()));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!((writer.join().unwrap(), read.len()), (Ok(()), sent));
    }

    #[test]
    fn a_full_disk_is_said_once_and_given_up_when_it_closes() {
        let closing = Arc::new(Closing::default());
        closing.set();
        let said = Arc::new(Mutex::new(Vec::new()));
        let says = Arc::clone(&said);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut steady = Steady::new(full, closing, move |trouble| {
            says.lock().unwrap().push(matches!(trouble, Trouble::Began(_)));
        });
        assert_eq!(steady.write_all(b"x").unwrap_err().raw_os_error(), Some(libc::ENOSPC));
        assert_eq!(*said.lock().unwrap(), [true]);
    }

    #[test]
    fn a_line_that_was_begun_is_taken_back() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"whole\nto").unwrap();
        let steady = Steady::new(file.try_clone().unwrap(), Arc::default(), |_| {});
        steady.take_back(2);
        file.seek(io::SeekFrom::Start(0)).unwrap();
        assert_eq!(io::read_to_string(&file).unwrap(), "whole\n");
    }
}
