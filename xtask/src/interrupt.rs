//! SIGINT and SIGTERM: whoever waits for long asks here, so that daemons and machines are ended in order.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn remember(_signal: c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// From here on the first SIGINT or SIGTERM is remembered; the second ends this process, as by default.
///
/// # Errors
/// When the kernel refuses the handler.
pub fn listen() -> Result<()> {
    let action =
        SigAction::new(SigHandler::Handler(remember), SaFlags::SA_RESTART | SaFlags::SA_RESETHAND, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler stores to an atomic, which is async-signal-safe.
        unsafe { sigaction(signal, &action) }.context("cannot handle signals")?;
    }
    Ok(())
}

/// One has come.
pub fn came() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
