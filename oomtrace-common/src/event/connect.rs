//! Who is connected to a runtime's socket.

#[cfg(feature = "user")]
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{Header, TaskInfo};

/// Sizes of the sections in a [`ConnectEvent`]'s tail, in their order.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectTail {
    /// [`Ancestor`](super::Ancestor)s, nearest first; bytes.
    pub ancestors: u16,
    /// The process's path on the default hierarchy, as in [`SignalTail`](super::SignalTail).
    pub cgroup: u16,
    /// On the memory hierarchy; empty when that is the default one.
    pub memory_cgroup: u16,
    /// Its executable.
    pub exe: u16,
    /// Its arguments, each NUL-terminated.
    pub cmdline: u16,
    /// Its controlling terminal, NUL-terminated.
    pub tty: u16,
    /// The [`Listener`], which is the first section; bytes. 0 to version 6, and on kernels whose layout is not known.
    pub listener: u16,
    /// The process's [`Namespaces`](super::Namespaces), the second section; bytes. 0 to version 6, and on kernels whose layout is not known.
    pub namespaces: u16,
}

/// The process that listens on a socket, as the kernel recorded it when it began to (`init_peercred`, net/unix/af_unix.c, 5.4 to
/// 7.3): in a mount namespace of its own, a process can bind a socket to any path.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Thread group id in the initial pid namespace.
    pub tgid: u32,
    /// `cred.uid` in the initial user namespace.
    pub uid: u32,
    /// Depth of the pid namespace that it was in; 0 = the initial one.
    pub pid_level: u32,
    /// `user_namespace.level`; 0 = the initial one.
    pub user_level: u32,
    /// Inode number of the mount namespace that the socket was bound in; 0 = not known.
    pub mount: u32,
}

/// The process's end will not be recorded: too many are followed.
pub const CONNECT_UNFOLLOWED: u32 = 1;
/// The process wrote over a connection that it had: its own from before, or one that another process made.
pub const CONNECT_WROTE: u32 = 1 << 1;

/// A process connects to a Unix socket that is watched, or writes over a connection to one after a long silence. One that connects
/// again and again is recorded some fifty times a second.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectEvent {
    pub header: Header,
    /// Which socket: the number that user space gave it.
    pub socket: u32,
    /// `CONNECT_` bits; zero to version 6.
    pub facts: u32,
    /// `current`, who connects.
    pub task: TaskInfo,
    /// The tail's sections.
    pub tail: ConnectTail,
}

/// The last thread of a process that a [`ConnectEvent`] reported is ending.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DisconnectEvent {
    pub header: Header,
    /// Thread group id in the initial pid namespace.
    pub tgid: u32,
    /// Zero.
    pub reserved: u32,
    /// Start of the leader on `CLOCK_BOOTTIME`, in nanoseconds.
    pub start_boot_ns: u64,
}
