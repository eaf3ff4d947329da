//! Any signal, for kernel debugging sessions.

#[cfg(feature = "user")]
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{Header, TaskInfo};

/// A signal as `oomtrace signals` has it: without what a verdict needs. Its tail is the receiver's paths, as in [`SignalTail`](super::SignalTail).
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeenEvent {
    pub header: Header,
    /// Signal number.
    pub signal: u32,
    /// One of the `INFO_` constants.
    pub info: u32,
    /// `si_code` of a real `siginfo`, else 0.
    pub si_code: i32,
    /// 1 = sent to the thread group, 0 = to one thread.
    pub group: u32,
    /// One of the `RESULT_` constants.
    pub result: u32,
    /// One of the `DISPOSITION_` constants.
    pub disposition: u32,
    /// Who gets it.
    pub receiver: TaskInfo,
    /// `current`, who need not have to do with it.
    pub sender: TaskInfo,
    /// Receiver's path on the default hierarchy.
    pub cgroup: u16,
    /// On the memory hierarchy; empty when that is the default one.
    pub memory_cgroup: u16,
    /// Zero.
    pub reserved: u32,
}

/// A thread took it (`signal:signal_deliver`).
pub const TAKEN: u32 = 1;
/// Its process ended by it (`sched:sched_process_exit`).
pub const TAKEN_ENDED: u32 = 2;

/// What became of a signal that a [`SeenEvent`] reported.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenEvent {
    pub header: Header,
    /// Thread group id of who took it, in the initial pid namespace.
    pub tgid: u32,
    /// The thread's id.
    pub tid: u32,
    /// Signal number.
    pub signal: u32,
    /// [`TAKEN`] or [`TAKEN_ENDED`].
    pub what: u32,
    /// When it was generated, on `CLOCK_BOOTTIME`, in nanoseconds.
    pub generated_ns: u64,
}
