//! What a signal is sent with.

use oomtrace_common::event::{INFO_KERNEL, INFO_NONE, INFO_REAL};

use super::field;

/// `SEND_SIG_PRIV` (include/linux/sched/signal.h), the kernel's own: no pointer to a `siginfo`.
pub const KERNELS: u64 = 1;

/// The `INFO_` constant of what `signal_generate` has for `info`, and the `si_code` of a real one, else 0.
#[inline(always)]
pub fn kind(info: u64) -> (u32, i32) {
    match info {
        0 => (INFO_NONE, 0),
        KERNELS => (INFO_KERNEL, 0),
        _ => (INFO_REAL, field!(info, siginfo_code)),
    }
}
