//! Whether oomtrace watches, for whoever keeps it running: `oomtrace --health` answers, `oomtrace health` asks.
//!
//! The answer comes over an abstract Unix socket (unix(7)) in oomtrace's network namespace, for which no file system must be writable.
//! Whoever is in that namespace may connect; the kernel says of which user, and a stranger is turned away without a word.

pub mod client;
pub mod server;

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// What it goes by where nobody gives it a name: there may be several in one network namespace.
pub const NAME: &str = "oomtrace";
/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;
/// The longest answer, in bytes.
const MAX_ANSWER: usize = 1024;
/// What the loop may take to answer.
const LOOP_ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// What the whole answer may take, of which connecting and reading get half each.
const HALF: Duration = Duration::from_secs(3);
/// How an answer begins that says that it is well; any other is of one that is not.
const WELL: &str = "well: ";
const UNWELL: &str = "not well: ";

fn address(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("oomtrace-health/{name}"))
}

/// The user whose process is at the other end: who connected, or who listens.
fn peer(stream: &UnixStream) -> io::Result<u32> {
    Ok(getsockopt(stream, PeerCredentials)?.uid())
}

fn own_user() -> u32 {
    nix::unistd::geteuid().as_raw()
}
