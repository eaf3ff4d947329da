//! Raw events, as they lie in the ring buffer: a fixed part, then a tail of sections whose sizes the fixed part gives.
//!
//! Every struct is `repr(C)` without implicit padding, so that each byte of an event is defined: with padding, `IntoBytes` would not
//! compile.

#[cfg(feature = "user")]
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::limits::COMM_LEN;

mod connect;
mod end;
mod oom;
mod seen;

pub use connect::{CONNECT_UNFOLLOWED, CONNECT_WROTE, ConnectEvent, ConnectTail, DisconnectEvent, Listener};
pub use end::{
    ExitEvent, UNSEEN_EXITED, UNSEEN_LOST, UNSEEN_PENDING, UNSEEN_SECCOMP, UNSEEN_TRACED, UnseenEvent, UnseenTail,
};
pub use oom::{
    CONSTRAINT_CPUSET, CONSTRAINT_MEMCG, CONSTRAINT_MEMORY_POLICY, CONSTRAINT_NONE, MarkVictimEvent, MarkVictimTail,
    MemcgLevel, OomEvent, USER_FRAME_VALID, UserFrame,
};
pub use seen::{SeenEvent, TAKEN, TAKEN_ENDED, TakenEvent};

/// Name of the ring buffer that they lie in.
pub const EVENTS_MAP: &str = "EVENTS";

/// Version of everything in this module.
pub const WIRE_VERSION: u16 = 8;
/// The oldest version whose events mean the same: those since only added kinds, and numbers where zeroes had been.
pub const OLDEST_WIRE_VERSION: u16 = 4;

/// A signal was generated ([`SignalEvent`]).
pub const KIND_SIGNAL: u16 = 1;
/// The OOM killer marked a victim ([`MarkVictimEvent`]).
pub const KIND_MARK_VICTIM: u16 = 2;

/// A process ended ([`ExitEvent`]).
pub const KIND_EXIT: u16 = 3;
/// A process was given its SIGKILL, in its own context ([`DeliverEvent`]).
pub const KIND_DELIVER: u16 = 4;

/// The OOM killer has chosen ([`OomEvent`]).
pub const KIND_OOM: u16 = 5;

/// A cgroup was created, renamed, removed or released ([`CgroupEvent`]).
pub const KIND_CGROUP: u16 = 6;
/// A process connected to a socket that is watched ([`ConnectEvent`]).
pub const KIND_CONNECT: u16 = 7;
/// A process that had connected to one ended ([`DisconnectEvent`]).
pub const KIND_DISCONNECT: u16 = 8;
/// A process ended by a SIGKILL that was not seen ([`UnseenEvent`]).
pub const KIND_UNSEEN: u16 = 9;

/// A signal was generated, for `oomtrace signals` ([`SeenEvent`]).
pub const KIND_SEEN: u16 = 10;
/// A signal that was seen was taken, or ended its process ([`TakenEvent`]).
pub const KIND_TAKEN: u16 = 11;

/// Something did not fit and was cut: a path, the command line, the ancestors.
pub const FLAG_TRUNCATED: u32 = 1;
/// The sender's command line is longer than what was recorded.
pub const FLAG_CMDLINE_TRUNCATED: u32 = 1 << 1;
/// Recorded for what may follow (a stop signal before a SIGKILL); not asked for by the user.
pub const FLAG_PRECEDING: u32 = 1 << 2;
/// `mark_victim` gave only a thread id, and no task of that id was seen: the victim's counters are zero.
pub const FLAG_NO_TASK: u32 = 1 << 3;
/// The paths of executables say where they end: a whole one has the name `/` behind its last one. Without it (recordings of before) they
/// are taken for whole.
pub const FLAG_WHOLE_PATHS: u32 = 1 << 4;
/// Somebody traced the sender (`task_struct.ptrace`), and may have made it send the signal.
pub const FLAG_SENDER_TRACED: u32 = 1 << 5;

/// `siginfo` was `SEND_SIG_NOINFO`: the kernel, on behalf of the current task (kernel/signal.c, 5.4 to 7.3).
pub const INFO_NONE: u32 = 0;
/// `siginfo` was `SEND_SIG_PRIV`: the kernel itself.
pub const INFO_KERNEL: u32 = 1;
/// A real `siginfo`: a system call, or `force_sig`.
pub const INFO_REAL: u32 = 2;
/// `si_code`s of signals that are generated in the context of an unrelated running task: SI_SIGIO, SI_ASYNCIO, SI_MESGQ and SI_TIMER
/// (include/uapi/asm-generic/siginfo.h).
pub const MADE_FOR_RECEIVER: core::ops::RangeInclusive<i32> = -5..=-2;

/// `TRACE_SIGNAL_DELIVERED` (include/trace/events/signal.h, 5.4 to 7.3).
pub const RESULT_DELIVERED: u32 = 0;
/// `TRACE_SIGNAL_IGNORED`.
pub const RESULT_IGNORED: u32 = 1;
/// `TRACE_SIGNAL_ALREADY_PENDING`.
pub const RESULT_ALREADY_PENDING: u32 = 2;

/// Not read: SIGKILL has none, or this kernel's layout is not known.
pub const DISPOSITION_UNKNOWN: u32 = 0;
/// `SIG_DFL`.
pub const DISPOSITION_DEFAULT: u32 = 1;
/// `SIG_IGN`.
pub const DISPOSITION_IGNORED: u32 = 2;
/// A handler.
pub const DISPOSITION_HANDLED: u32 = 3;
/// Blocked, as by a process that takes its signals with sigwait(3) or signalfd(2).
pub const DISPOSITION_BLOCKED: u32 = 4;

/// `PF_KTHREAD` in `task_struct.flags` (include/linux/sched.h, 5.4 to 7.3).
pub const PF_KTHREAD: u32 = 0x0020_0000;
/// `PF_EXITING`.
pub const PF_EXITING: u32 = 0x0000_0004;

/// `SIGNAL_GROUP_EXIT` in `signal_struct.flags` (include/linux/sched/signal.h, 5.10 to 7.3).
pub const SIGNAL_GROUP_EXIT: u32 = 0x0000_0004;
/// `SIGNAL_UNKILLABLE`: the first process of a pid namespace.
pub const SIGNAL_UNKILLABLE: u32 = 0x0000_0040;

/// Every event starts with this.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// One of the `KIND_` constants.
    pub kind: u16,
    /// [`WIRE_VERSION`].
    pub version: u16,
    /// `FLAG_` bits.
    pub flags: u32,
    /// `CLOCK_BOOTTIME` in nanoseconds (`bpf_ktime_get_boot_ns`, 5.8).
    pub boot_ns: u64,
}

/// A cgroup's identity: ids are unique within one hierarchy only.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CgroupKey {
    /// `kernfs_node.id`: the directory's inode number on 64-bit kernels since 5.5. 0 = not known.
    pub id: u64,
    /// `cgroup_root.hierarchy_id`: 0 is the default (v2) hierarchy.
    pub hierarchy: u32,
    /// `cgroup.level`: components in its path.
    pub level: u32,
}

/// A process, as seen through one of its threads.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskInfo {
    /// Thread group id, in the initial pid namespace.
    pub tgid: u32,
    /// The thread's own id, in the initial pid namespace.
    pub tid: u32,
    /// The parent's thread group id.
    pub ppid: u32,
    /// `cred.uid` in the initial user namespace.
    pub uid: u32,
    /// Thread group id in its innermost pid namespace.
    pub ns_pid: u32,
    /// Depth of that namespace; 0 = the initial one.
    pub ns_level: u32,
    /// Audit login uid; `u32::MAX` = never logged in, or a kernel without CONFIG_AUDIT.
    pub loginuid: u32,
    /// Audit session; `u32::MAX` = none.
    pub sessionid: u32,
    /// `task_struct.flags` (`PF_`) of the thread.
    pub task_flags: u32,
    /// `signal_struct.flags` (`SIGNAL_`).
    pub signal_flags: u32,
    /// `signal_struct.group_exit_code`, as in a wait status.
    pub group_exit_code: u32,
    /// Id of its process group, in the initial pid namespace; a signal's victim only, else 0.
    pub pgid: u32,
    /// Start of the thread group's leader on `CLOCK_BOOTTIME`, in nanoseconds; with `tgid` it identifies a process.
    pub start_boot_ns: u64,
    /// Address of the `mm_struct`, only ever compared; 0 = none (any more).
    pub mm: u64,
    /// On the default hierarchy.
    pub cgroup: CgroupKey,
    /// On the hierarchy that has the memory controller.
    pub memory_cgroup: CgroupKey,
    /// The thread group leader's name, NUL-terminated.
    pub comm: [u8; COMM_LEN],
}

/// A parent of the sender.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ancestor {
    /// Thread group id in the initial pid namespace.
    pub tgid: u32,
    /// `cred.uid` in the initial user namespace.
    pub uid: u32,
    /// Start of the leader on `CLOCK_BOOTTIME`, in nanoseconds.
    pub start_boot_ns: u64,
    /// The leader's name, NUL-terminated.
    pub comm: [u8; COMM_LEN],
}

/// A process's namespaces, which decide how far the path of its executable and the number of its user can be trusted.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Thread group id of the process, in the initial pid namespace.
    pub tgid: u32,
    /// Inode number of its mount namespace; 0 = none any more: it is exiting.
    pub mount: u32,
    /// Inode number of its user namespace.
    pub user: u32,
    /// `user_namespace.level`: 0 = the initial one.
    pub user_level: u32,
    /// `user_namespace.owner`, a uid of the initial user namespace: who made it.
    pub user_owner: u32,
}

/// Sizes of the sections in a [`SignalEvent`]'s tail, in their order; each section starts where the last one ended.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalTail {
    /// [`Ancestor`]s of the sender, nearest first; bytes.
    pub ancestors: u16,
    /// Kernel stack, `u64` return addresses, innermost first; bytes.
    pub stack: u16,
    /// Victim's path on the default hierarchy: components leaf first, each NUL-terminated.
    pub victim_cgroup: u16,
    /// Victim's path on the memory hierarchy; empty when that is the default one.
    pub victim_memory_cgroup: u16,
    /// Sender's path on the default hierarchy.
    pub sender_cgroup: u16,
    /// Sender's path on the memory hierarchy; empty when that is the default one.
    pub sender_memory_cgroup: u16,
    /// Victim's executable: components file name first, each NUL-terminated.
    pub victim_exe: u16,
    /// Sender's executable.
    pub sender_exe: u16,
    /// Sender's arguments, each NUL-terminated.
    pub sender_cmdline: u16,
    /// Sender's controlling terminal, NUL-terminated.
    pub sender_tty: u16,
    /// An [`Origin`]; empty to version 6.
    pub origin: u16,
    /// [`Namespaces`] of the victim, of the sender, and of the sender's ancestors, nearest first; bytes. 0 to version 6, and on
    /// kernels whose layout is not known.
    pub namespaces: u16,
}

/// Data that distinguishes, besides the stack, the ways in which a signal can have been generated.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// `si_pid` and `si_uid` of a real `siginfo`, or what lies in their place; else 0. The kernel itself writes them for kill(2) and
    /// tgkill(2): the sender's own pid in its own pid namespace, 0 from outside the victim's, and the sender's uid in the
    /// victim's user namespace (kernel/signal.c, `send_signal`, 5.4 to 7.3).
    pub si_pid: u32,
    pub si_uid: u32,
    /// The victim's hard `RLIMIT_CPU` in seconds; `u64::MAX` = none, or not known.
    pub cpu_limit: u64,
    /// The victim's hard `RLIMIT_RTTIME` in microseconds; `u64::MAX` = none, or not known.
    pub rttime_limit: u64,
    /// `signal_struct.cputimer`: the CPU time that the kernel compares with `RLIMIT_CPU`, user and system, in nanoseconds.
    pub cpu_used: [u64; 2],
}

/// A signal that the kernel generated for a process (`signal:signal_generate`).
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalEvent {
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
    /// One of the `DISPOSITION_` constants: what the victim had set up for the signal.
    pub disposition: u32,
    /// Who gets the signal.
    pub victim: TaskInfo,
    /// `current`: the sender, or on an OOM kill the trigger.
    pub sender: TaskInfo,
    /// The tail's sections.
    pub tail: SignalTail,
}

/// A thread takes its process's SIGKILL (`signal:signal_deliver`), its memory still its own; the first of its threads
/// that does. Its tail is the process's arguments.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliverEvent {
    pub header: Header,
    /// Thread group id in the initial pid namespace.
    pub tgid: u32,
    /// Bytes in the tail.
    pub cmdline: u16,
    /// Zero.
    pub reserved: u16,
    /// Start of the leader on `CLOCK_BOOTTIME`, in nanoseconds.
    pub start_boot_ns: u64,
}

/// What happened to a cgroup.
pub const CGROUP_MADE: u32 = 1;
/// Under another name; v1 only.
pub const CGROUP_RENAMED: u32 = 2;
/// Its directory was removed: no process is in it, and none will be.
pub const CGROUP_REMOVED: u32 = 3;
/// The kernel released it.
pub const CGROUP_RELEASED: u32 = 4;

/// A cgroup on the default or the memory hierarchy (`cgroup:cgroup_mkdir`, `cgroup_rename`, `cgroup_rmdir`,
/// `cgroup_release`). Its tail is the cgroup's path, as in [`SignalTail`]; empty once it is removed.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupEvent {
    pub header: Header,
    pub cgroup: CgroupKey,
    /// One of the `CGROUP_` constants.
    pub what: u32,
    /// Bytes in the tail.
    pub path: u16,
    /// Zero.
    pub reserved: u16,
}

// The kernel side fills these in a map value whose bytes are reused: a hole would leak an older event's bytes.
const _: () = {
    assert!(size_of::<Header>() == 16);
    assert!(size_of::<CgroupKey>() == 16);
    assert!(size_of::<TaskInfo>() == 12 * 4 + 2 * 8 + 2 * 16 + COMM_LEN);
    assert!(size_of::<Ancestor>() == 16 + COMM_LEN);
    assert!(size_of::<Namespaces>() == 20);
    assert!(size_of::<SignalTail>() == 24);
    assert!(size_of::<Origin>() == 8 + 4 * 8);
    assert!(size_of::<SignalEvent>() == 16 + 24 + 2 * size_of::<TaskInfo>() + 24);
    assert!(size_of::<MemcgLevel>() == 64);
    assert!(size_of::<UserFrame>() == 32);
    assert!(size_of::<SeenEvent>() == 16 + 24 + 2 * size_of::<TaskInfo>() + 8);
    assert!(size_of::<TakenEvent>() == 16 + 16 + 8);
    assert!(size_of::<ExitEvent>() == 16 + size_of::<TaskInfo>() + 8);
    assert!(size_of::<UnseenTail>() == 8);
    assert!(size_of::<UnseenEvent>() == 16 + size_of::<TaskInfo>() + size_of::<Ancestor>() + 8 + 8);
    assert!(size_of::<OomEvent>() == 16 + 8 + 3 * 8 + 16 + size_of::<MemcgLevel>());
    assert!(size_of::<DeliverEvent>() == 16 + 8 + 8);
    assert!(size_of::<CgroupEvent>() == 16 + 16 + 8);
    assert!(size_of::<ConnectTail>() == 16);
    assert!(size_of::<Listener>() == 20);
    assert!(size_of::<ConnectEvent>() == 16 + 8 + size_of::<TaskInfo>() + 16);
    assert!(size_of::<DisconnectEvent>() == 16 + 8 + 8);
    assert!(size_of::<MarkVictimEvent>() == 16 + 2 * size_of::<TaskInfo>() + 6 * 8 + 8 + 8);
};
