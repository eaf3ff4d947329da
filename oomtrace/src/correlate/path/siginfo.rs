//! What a `siginfo` says of who made it. A process writes what it likes into one by rt_sigqueueinfo(2) and pidfd_send_signal(2), to
//! another process with negative codes other than `SI_TKILL` only (kernel/signal.c, `do_rt_sigqueueinfo`, 5.4 to 7.3).

use crate::event::{Info, Signal};

// include/uapi/asm-generic/siginfo.h
pub const SI_USER: i32 = 0;
pub const SI_KERNEL: i32 = 0x80;
pub const SI_TIMER: i32 = -2;
pub const SI_MESGQ: i32 = -3;
pub const SI_ASYNCIO: i32 = -4;
pub const SI_SIGIO: i32 = -5;
pub const SI_TKILL: i32 = -6;
/// `POLL_IN` to `POLL_HUP`: of a signal that was asked for by F_SETSIG. As many codes say how a child ended, `CLD_EXITED` to
/// `CLD_CONTINUED`.
const FIRST_POLL: i32 = 1;
const LAST_POLL: i32 = 6;

/// The siginfo that a kernel function sends a signal with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The kernel's own (`SEND_SIG_PRIV`).
    Kernel,
    /// None (`SEND_SIG_NOINFO`).
    None,
    /// The kernel's own, or one that says so.
    ByKernel,
    /// One that the kernel fills in when it forces a signal on a thread.
    Forced,
    /// kill(2)'s. On 7.3 it has none.
    Kill,
    /// tgkill(2)'s, likewise.
    Tkill,
    /// Whatever the caller wrote; none where it left that to the kernel (7.3).
    FromUser,
    Timer,
    MessageQueue,
    /// What became ready.
    Polled,
    /// How a child ended.
    ChildEnded,
    /// Any real one.
    Any,
}

impl Class {
    /// `info` is of this class.
    pub fn is_of(self, info: Info) -> bool {
        match (self, info) {
            (Self::Kernel | Self::ByKernel, Info::Kernel) | (Self::ByKernel, Info::Real(SI_KERNEL)) => true,
            (Self::None, Info::None) => true,
            (Self::Forced, Info::Real(code)) => code > 0,
            (Self::Kill, Info::None | Info::Real(SI_USER)) => true,
            (Self::Tkill, Info::None | Info::Real(SI_TKILL)) => true,
            (Self::FromUser, Info::None | Info::Real(_)) => true,
            (Self::Timer, Info::Real(SI_TIMER)) => true,
            (Self::MessageQueue, Info::Real(SI_MESGQ)) => true,
            (Self::Polled, Info::Real(SI_SIGIO)) => true,
            (Self::Polled | Self::ChildEnded, Info::Real(code)) => (FIRST_POLL..=LAST_POLL).contains(&code),
            (Self::Any, Info::Real(_)) => true,
            _ => false,
        }
    }
}

/// The siginfo alone proves that the current process made the signal by a system call of its own: its code is one that nobody can
/// write to another process by hand, no interrupt sends it, and it has the current process's own pid and user.
pub fn names_the_sender(signal: &Signal) -> bool {
    let (Info::Real(SI_USER | SI_TKILL), Some(claimed)) = (signal.info, signal.claimed) else { return false };
    let (sender, victim) = (&signal.sender, &signal.victim);
    // The kernel writes 0 where the sender has no pid in the victim's namespace.
    let is_its_pid = match claimed.pid {
        0 => sender.ns_level < victim.ns_level,
        pid => pid == sender.ns_pid,
    };
    is_its_pid && claimed.uid == sender.uid && !sender.kernel_thread
}
