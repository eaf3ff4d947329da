//! Ctrl-Z: the terminal is given back before the process stops, and taken again when it goes on.

use std::io;
use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal, raise};
use oomtrace::own::writer;

use super::shared::Shared;

fn signals() -> SigSet {
    [Signal::SIGTSTP, Signal::SIGCONT].into_iter().collect()
}

/// From now on they wait until a thread takes them. Must come before any other thread is started.
pub fn block() -> io::Result<()> {
    Ok(signals().thread_block()?)
}

/// Starts a thread that waits for them. One that keeps the process from stopping would be worse than none: see [`stop`].
pub fn listen(shared: Arc<Shared>) -> io::Result<()> {
    writer::spawn("suspend", move || {
        while let Ok(signal) = signals().wait() {
            match signal {
                Signal::SIGTSTP => shared.suspend(),
                _ => shared.continued(),
            }
        }
    })
}

/// Stops the process, and comes back when it goes on: at once where no shell is there to have it go on, for then the kernel ignores it
/// (kernel/signal.c, get_signal, of an orphaned process group).
pub fn stop() {
    let only: SigSet = [Signal::SIGTSTP].into_iter().collect();
    // For this thread, so that it is not the other one that takes it. Without it nothing stops, and it goes on.
    if only.thread_unblock().is_ok() {
        _ = raise(Signal::SIGTSTP);
        _ = only.thread_block();
    }
}
