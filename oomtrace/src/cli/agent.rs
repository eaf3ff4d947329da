//! `oomtrace agent`: watching without a terminal; and the process that keeps the history of whatever watches.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use oomtrace::sink::notices;
use oomtrace::store::{Bounds, keeper};
use sd_notify::NotifyState;

use super::exit::{Failure, Status};
use super::options::Agent;
use super::watch;

/// Watches until it is stopped.
pub fn run(mut options: Agent) -> Result<Status, Failure> {
    options.watch.reading = options.watch.reading.or_brief();
    watch::run(&options.watch, &options.keep, None, Some(ServiceManager))
}

/// Whoever started the agent, and wants to know how it is: systemd, by NOTIFY_SOCKET; or nobody.
#[derive(Clone, Copy, Debug)]
pub struct ServiceManager;

impl ServiceManager {
    /// Reports that kills are seen from now on, and then at intervals that they still are. To be run by the loop that watches: when that
    /// hangs, the reports stop.
    pub async fn keep_notified(self) {
        self.notify(&[NotifyState::Ready, NotifyState::Status("watching OOM kills and SIGKILLs")]);
        let Some(within) = sd_notify::watchdog_enabled() else { return };
        // Half of what it waits for, as sd_watchdog_enabled(3) has it.
        let mut due = tokio::time::interval((within / 2).max(Duration::from_millis(100)));
        loop {
            due.tick().await;
            self.notify(&[NotifyState::Watchdog]);
        }
    }

    /// Reports that the agent ends.
    pub fn ending(self) {
        self.notify(&[NotifyState::Stopping]);
    }

    fn notify(self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            log::warn!("the service manager cannot be notified: {error}");
        }
    }
}

/// Keeps the history for the oomtrace that started this process, which has its two sockets as standard input and output.
pub fn keep(path: &Path, days: u32, bytes: u64) -> Result<Status, Failure> {
    outlive_signals()?;
    let (to_keep, asked) = (socket(libc::STDIN_FILENO)?, socket(libc::STDOUT_FILENO)?);
    keeper::run(to_keep, asked, path, Bounds { days, bytes })?;
    Ok(Status::Done)
}

/// It ends when the one that watches has ended, and not before.
fn outlive_signals() -> io::Result<()> {
    let ignored = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGXFSZ] {
        // SAFETY: ignoring runs no code of ours.
        unsafe { sigaction(signal, &ignored) }?;
    }
    Ok(())
}

/// A descriptor that this process was started with; nobody else in it uses that.
fn socket(descriptor: libc::c_int) -> io::Result<UnixStream> {
    // SAFETY: the descriptor is open, or the copy of it fails; what is made of it is the copy.
    let copy = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just made, and is nobody else's.
    let socket = UnixStream::from(unsafe { OwnedFd::from_raw_fd(copy) });
    if let Err(error) = socket.peer_addr() {
        notices::say("this is for a watching oomtrace to start");
        return Err(error);
    }
    // So that the other side sees the end when the copy is closed.
    // SAFETY: closes what was copied.
    unsafe { libc::close(descriptor) };
    Ok(socket)
}
