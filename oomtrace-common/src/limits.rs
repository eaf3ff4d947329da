//! How much the kernel side records at most. What does not fit is cut, and a flag in the event is set.

/// Bytes of a task's name in the kernel, the terminating NUL included (`TASK_COMM_LEN`, include/linux/sched.h).
pub const COMM_LEN: usize = 16;

/// Parents of the sender that are recorded, nearest first.
pub const MAX_ANCESTORS: usize = 12;

/// Kernel stack frames that are recorded, innermost first.
pub const MAX_STACK_FRAMES: usize = 24;

/// User stack frames of an OOM kill's trigger that are recorded, innermost first.
pub const MAX_USER_FRAMES: usize = 32;

/// Cgroup path components that are recorded, from the leaf up. Nested containers in nested Kubernetes nodes stay
/// below 16. Each one more is another iteration that the verifier follows, four times for a signal.
pub const MAX_CGROUP_DEPTH: usize = 18;

/// Path components of an executable that are recorded, from the file name up, the mounts crossed included.
pub const MAX_PATH_DEPTH: usize = 16;

/// Bytes of one path component, the terminating NUL included (`NAME_MAX` + 1, include/uapi/linux/limits.h).
pub const MAX_NAME: usize = 256;

/// Bytes of a command line that are recorded.
pub const MAX_CMDLINE: usize = 2048;

/// Bytes of a terminal's name in the kernel (`tty_struct.name`, include/linux/tty.h).
pub const TTY_NAME_LEN: usize = 64;

/// Memory cgroups that are recorded, from the victim's own up to the root.
pub const MAX_MEMCG_LEVELS: usize = 16;

/// Bytes of the variable part of an event, from which on no further section is begun but the last one of a signal: the namespaces
/// of the processes must not be pushed out by long names.
pub const MAX_TAIL: usize = 12 * 1024;

/// Sockets whose clients are recorded.
pub const MAX_SOCKETS: u32 = 256;

/// Processes that are remembered from their SIGKILL to their end.
pub const MAX_DYING: u32 = 16_384;

/// Signals that are followed to their delivery and to the end of their process, by `oomtrace signals` alone.
pub const MAX_FOLLOWED: u32 = 16_384;

/// Processes, and cgroups, whose events are counted to limit them.
pub const MAX_RATES: u32 = 4096;

/// Cgroups whose share of a ring that is nearly full is remembered.
pub const MAX_SHARES: u32 = 4096;

/// The unit in which events are limited, as a power of two of nanoseconds: some 1.07 s.
pub const RATE_WINDOW_SHIFT: u32 = 30;

/// Signals besides SIGKILL that are recorded in that time, of one sender.
pub const MAX_SIGNALS_OF_PROCESS: u32 = 256;

/// The same of all the senders in one container.
pub const MAX_SIGNALS_OF_CGROUP: u32 = 512;

/// Connections of one container.
pub const MAX_CONNECTIONS_OF_CGROUP: u32 = 256;

/// Changes of cgroups below one container or user.
pub const MAX_CGROUP_CHANGES: u32 = 2048;

/// Processes whose connections are remembered in the kernel.
pub const MAX_CLIENTS: u32 = 4096;
