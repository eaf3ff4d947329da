//! How processes end.

#[cfg(feature = "user")]
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{Ancestor, Header, TaskInfo};

/// The last thread of a process is ending (`sched:sched_process_exit`): one that a SIGKILL ended, or the first process of
/// a pid namespace. Its tail is the process's arguments, each NUL-terminated; empty on kernels where the memory is gone
/// by then (to 6.15).
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitEvent {
    pub header: Header,
    /// The process, seen through its last thread.
    pub task: TaskInfo,
    /// As wait(2) gives it: `group_exit_code` when the whole group was ended, else the leader's `exit_code`
    /// (kernel/exit.c, `wait_task_zombie`, 5.4 to 7.3).
    pub status: u32,
    /// Bytes in the tail.
    pub cmdline: u16,
    /// Zero.
    pub reserved: u16,
}

/// There was a SIGKILL for it, and no room for its event.
pub const UNSEEN_LOST: u32 = 1;
/// Another process traced it, which can end it without a signal (ptrace(2)).
pub const UNSEEN_TRACED: u32 = 1 << 1;
/// It was in seccomp's strict mode, or dead by seccomp (`SECCOMP_MODE_STRICT`, `SECCOMP_MODE_DEAD`).
pub const UNSEEN_SECCOMP: u32 = 1 << 2;
/// A SIGKILL was pending for the process, which no hook saw.
pub const UNSEEN_PENDING: u32 = 1 << 3;
/// It ended by exit(137), which looks like a SIGKILL: the first process of a pid namespace. No other bit is set.
pub const UNSEEN_EXITED: u32 = 1 << 4;

/// Sizes of the sections in an [`UnseenEvent`]'s tail, in their order.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnseenTail {
    /// Its path on the default hierarchy, as in [`SignalTail`](super::SignalTail).
    pub cgroup: u16,
    /// On the memory hierarchy; empty when that is the default one.
    pub memory_cgroup: u16,
    /// Its executable; empty, as the next, on kernels where its memory is gone by then (to 6.15).
    pub exe: u16,
    /// Its arguments, each NUL-terminated.
    pub cmdline: u16,
}

/// The last thread of a process is ending by SIGKILL, and no SIGKILL for it is recorded; or as if by one ([`UNSEEN_EXITED`]). In place of
/// an [`ExitEvent`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnseenEvent {
    pub header: Header,
    /// The process, seen through its last thread.
    pub task: TaskInfo,
    /// Its tracer, with [`UNSEEN_TRACED`]; else zeroes.
    pub tracer: Ancestor,
    /// As in [`ExitEvent`].
    pub status: u32,
    /// `UNSEEN_` bits.
    pub facts: u32,
    /// The tail's sections.
    pub tail: UnseenTail,
}
