//! Asks an oomtrace whether it watches.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt::SendTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::{HALF, MAX_ANSWER, UNWELL, WELL, address, own_user, peer};

/// Why it cannot be called well.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    #[error(
        "no oomtrace answers as {name} in this network namespace: it has not attached its hooks yet, or was started without --health"
    )]
    Nobody { name: String },
    #[error("a process of uid {user} answers as {name}, and not an oomtrace of this user's")]
    Stranger { name: String, user: u32 },
    #[error("oomtrace does not answer within {} s", 2 * HALF.as_secs())]
    Silent,
    #[error("oomtrace is not well: {0}")]
    Unwell(String),
    #[error("cannot ask {name}: {source}")]
    Ask { name: String, source: io::Error },
}

/// Asks the one that goes by `name`; what it says of itself.
///
/// # Errors
/// When it is not well, or does not say so in time.
pub fn ask(name: &str) -> Result<String, HealthError> {
    let failed = |source| HealthError::Ask { name: name.to_owned(), source };
    let mut stream = match open(name) {
        Ok(stream) => stream,
        Err(error) if error.raw_os_error() == Some(Errno::ECONNREFUSED as i32) => {
            return Err(HealthError::Nobody { name: name.to_owned() });
        }
        // Others are in the queue before this one.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(HealthError::Silent),
        Err(error) => return Err(failed(error)),
    };
    let user = peer(&stream).map_err(failed)?;
    if user != own_user() {
        return Err(HealthError::Stranger { name: name.to_owned(), user });
    }
    let answer = read(&mut stream).map_err(failed)?;
    match answer.trim_end() {
        // It ended at once, or took this for a stranger.
        "" => Err(HealthError::Silent),
        text => match text.strip_prefix(WELL) {
            Some(text) => Ok(text.to_owned()),
            None => Err(HealthError::Unwell(text.strip_prefix(UNWELL).unwrap_or(text).to_owned())),
        },
    }
}

/// Connects, which takes no longer than it may (`SO_SNDTIMEO`, socket(7)).
fn open(name: &str) -> io::Result<UnixStream> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let half = TimeVal::seconds(i64::try_from(HALF.as_secs()).unwrap_or(i64::MAX));
    setsockopt(&socket, SendTimeout, &half)?;
    let address = address(name)?;
    let name = std::os::linux::net::SocketAddrExt::as_abstract_name(&address).unwrap_or_default();
    connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &UnixAddr::new_abstract(name)?)?;
    let stream = UnixStream::from(socket);
    stream.set_read_timeout(Some(HALF))?;
    Ok(stream)
}

/// The answer; empty when none came in time.
fn read(stream: &mut UnixStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    match stream.take(MAX_ANSWER as u64).read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(String::new()),
        Err(error) => return Err(error),
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
