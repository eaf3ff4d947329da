//! What user space decides before load and the kernel side reads as constants: the verifier prunes what is switched off.

#[cfg(feature = "user")]
use zerocopy::{Immutable, IntoBytes};

/// Name of the global that holds [`Settings`] in the kernel side's read-only data.
pub const SETTINGS_GLOBAL: &str = "SETTINGS";

/// Signal `n` is bit `n - 1`, as in a kernel `sigset_t`.
#[must_use]
pub const fn signal_bit(signal: u32) -> u64 {
    if signal == 0 || signal > 64 { 0 } else { 1 << (signal - 1) }
}

/// What a person or a service manager asks a process to stop with: SIGINT, SIGQUIT, SIGTERM.
pub const STOP: u64 = signal_bit(2) | signal_bit(3) | signal_bit(15);
/// What images use besides as their stop signal: SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGPWR, SIGRTMIN+3, SIGRTMIN+4.
pub const STOP_INIT: u64 =
    signal_bit(1) | signal_bit(10) | signal_bit(12) | signal_bit(28) | signal_bit(30) | signal_bit(37) | signal_bit(38);
/// SIGKILL.
pub const KILL: u64 = signal_bit(9);
/// What is recorded unless the user asks for more.
pub const USUAL: u64 = KILL | STOP | STOP_INIT;

/// Constants of one run, passed to the kernel side as the bytes of a read-only global. It has no padding: `IntoBytes` would not
/// compile.
#[repr(C)]
#[cfg_attr(feature = "user", derive(IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Signals reported for every victim, as [`signal_bit`]s. SIGKILL is always among them.
    pub report: u64,
    /// Signals recorded for every victim, because they may precede a kill.
    pub preceding: u64,
    /// Signals recorded, because they may precede a kill, only when the first process of a pid namespace gets them: images
    /// choose their own stop signal, and these are too common elsewhere.
    pub preceding_init: u64,
    /// `oom/mark_victim` passes a `task_struct` (1) or only a thread id (0).
    ///
    /// Mainline changed it in 6.9 (72ba14deb40a) and every stable line got it as a backport, so BTF decides, never a
    /// version number.
    pub mark_victim_has_task: u32,
    /// A process still has its memory at `sched_process_exit` (1, from 6.16 on), so that its arguments can be read there.
    pub exit_has_memory: u32,
    /// `cgroup_root.hierarchy_id` of the hierarchy that has the memory controller; 0 on v2.
    pub memory_hierarchy: u32,
    /// Bytes that the ring buffer holds.
    pub ring_bytes: u32,
    /// Whether the user stack of an OOM kill's trigger is recorded.
    pub user_stack: u32,
    /// Zero.
    pub reserved: u32,
}

/// Name of the global that holds [`SignalFilter`].
pub const SIGNAL_FILTER_GLOBAL: &str = "SIGNAL_FILTER";
/// Name of the map of signals that are followed; what is in it is the kernel side's alone.
pub const FOLLOWED_MAP: &str = "FOLLOWED";
/// Any user.
pub const ANY_UID: u32 = u32::MAX;

/// What `oomtrace signals` has the kernel side leave out, so that others cost next to nothing. Without padding, as [`Settings`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalFilter {
    /// Signals, as [`signal_bit`]s.
    pub signals: u64,
    /// Thread group id of the sender; 0 = any.
    pub sender: u32,
    /// Thread group id of the receiver; 0 = any.
    pub receiver: u32,
    /// The receiver's uid in the initial user namespace; [`ANY_UID`] = any.
    pub uid: u32,
    /// One of the `RESULT_` constants plus 1; 0 = any.
    pub result: u32,
    /// Whether they are followed to their delivery and to the end of their process.
    pub follows: u32,
    /// Zero.
    pub reserved: u32,
}

impl SignalFilter {
    /// Leaves nothing out, and follows nothing.
    pub const ALL: Self =
        Self { signals: u64::MAX, sender: 0, receiver: 0, uid: ANY_UID, result: 0, follows: 0, reserved: 0 };
}
