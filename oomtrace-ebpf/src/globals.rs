//! Maps and read-only globals: all that the kernel side shares with user space.

use aya_ebpf::{
    macros::map,
    maps::{HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use oomtrace_common::{
    client::{Client, SocketPath, Watched},
    counts::Counts,
    layout::Layout,
    limits::{MAX_CLIENTS, MAX_DYING, MAX_RATES, MAX_SHARES, MAX_SOCKETS},
    settings::{Settings, SignalFilter},
};

use crate::{limit::Rate, record::Scratch, room::Share};

/// Kernel structure offsets, set by user space before load.
#[unsafe(no_mangle)]
pub static LAYOUT: Layout = Layout::UNKNOWN;

/// What this run records, set by user space before load.
#[unsafe(no_mangle)]
pub static SETTINGS: Settings = Settings {
    report: 0,
    preceding: 0,
    preceding_init: 0,
    mark_victim_has_task: 0,
    exit_has_memory: 0,
    memory_hierarchy: 0,
    ring_bytes: 0,
    user_stack: 0,
    reserved: 0,
};

/// What `signals` leaves out, set by user space before load.
#[unsafe(no_mangle)]
pub static SIGNAL_FILTER: SignalFilter = SignalFilter::ALL;

/// Events on their way to user space, in the order in which they happened; its size is set by user space. How much of it each kind
/// may fill is in `room`.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// What was not recorded.
#[map]
pub static COUNTS: PerCpuArray<Counts> = PerCpuArray::with_max_entries(1, 0);

/// Events other than kills that were recorded for each process: see `limit`.
#[map]
pub static PROCESS_RATES: LruHashMap<u64, Rate> = LruHashMap::with_max_entries(MAX_RATES, 0);

/// Events other than kills that were recorded for each cgroup. Separate from the processes' map: any user can start many processes,
/// whose entries would evict those of cgroups.
#[map]
pub static CGROUP_RATES: LruHashMap<u64, Rate> = LruHashMap::with_max_entries(MAX_RATES, 0);

/// Bytes of the ring's last quarter that are charged to each cgroup: see `room`.
#[map]
pub static SHARES: LruHashMap<u64, Share> = LruHashMap::with_max_entries(MAX_SHARES, 0);

/// Processes that a SIGKILL is ending, from the signal to their end.
#[map]
pub static DYING: LruHashMap<u32, Dying> = LruHashMap::with_max_entries(MAX_DYING, 0);

/// A process that a SIGKILL is ending.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Dying {
    /// Start of its leader on `CLOCK_BOOTTIME`, in nanoseconds.
    pub start: u64,
    /// 1 = the signal's event is recorded; 0 = there was no room for it.
    pub recorded: u64,
}

/// Signals on their way, for `signals` alone: by whom they are for, see there. User space makes it larger for those who need it.
#[map]
pub static FOLLOWED: LruHashMap<u64, Followed> = LruHashMap::with_max_entries(64, 0);

/// A signal on its way.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Followed {
    /// When it was generated, on `CLOCK_BOOTTIME`, in nanoseconds.
    pub generated: u64,
    /// 1 = a thread has taken it.
    pub taken: u64,
}

/// Buffer in which `signal_generate` builds an event: events are larger than a BPF stack. One per program and CPU is enough:
/// the hook runs with interrupts off (siglock).
#[map]
pub static SIGNAL_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Buffer of `mark_victim`. Its hook runs under `task_lock`, so nothing preempts it (kernels with PREEMPT_RT apart).
#[map]
pub static MARK_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Buffer of `oom_kill_process`: the OOM killer runs once at a time (`oom_lock`), but on any CPU.
#[map]
pub static OOM_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Buffer of `signal_deliver`; its hook runs under the siglock, too.
#[map]
pub static DELIVER_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Buffer of `sched_process_exit`. From 7.0 on tracepoints no longer disable preemption, but a program that is running on
/// a CPU is not started there again (kernel/trace/bpf_trace.c, `__bpf_trace_run`, 6.1 to 7.3): a second exit in between
/// is missed, and reported as missed; the event is never garbled.
#[map]
pub static EXIT_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Buffer of the cgroup hooks, which run under one lock for all (`trace_cgroup_path_lock`, kernel/cgroup).
#[map]
pub static CGROUP_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Buffer of `unix_connect`: one of its programs is attached, and it is not started again on a CPU where it is running, see
/// [`EXIT_SCRATCH`].
#[map]
pub static CONNECT_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Sockets whose clients are recorded, by the paths that they are bound to.
#[map]
pub static SOCKETS: HashMap<SocketPath, Watched> = HashMap::with_max_entries(MAX_SOCKETS, 0);

/// Processes that connected to one of [`SOCKETS`], until they end, or user space removes them: it keeps each container to its share.
/// Not an LRU map: a new process must not evict another one, whose end would then not be recorded.
#[map]
pub static CLIENTS: HashMap<u32, Client> = HashMap::with_max_entries(MAX_CLIENTS, 0);

/// Processes whose SIGKILL was delivered to one of their threads: the others need not report it again.
#[map]
pub static DELIVERED: LruHashMap<u32, u64> = LruHashMap::with_max_entries(1024, 0);

/// The last task that a thread sent a kernel-made SIGKILL to: thread id to `task_struct` address. The old
/// `mark_victim` gives only an id, and follows that SIGKILL in the same context.
#[map]
pub static LAST_KILLED: LruHashMap<u64, u64> = LruHashMap::with_max_entries(1024, 0);

/// An offset of [`LAYOUT`].
macro_rules! layout {
    ($field:ident) => {
        $crate::globals::current(&$crate::globals::LAYOUT.$field)
    };
}
pub(crate) use layout;

/// A field of [`SETTINGS`].
macro_rules! settings {
    ($field:ident) => {
        $crate::globals::current(&$crate::globals::SETTINGS.$field)
    };
}
pub(crate) use settings;

/// A field of [`SIGNAL_FILTER`].
macro_rules! signal_filter {
    ($field:ident) => {
        $crate::globals::current(&$crate::globals::SIGNAL_FILTER.$field)
    };
}
pub(crate) use signal_filter;

/// The value of a field of [`LAYOUT`] or [`SETTINGS`]. Volatile, because user space rewrites them after compilation.
#[inline(always)]
pub fn current<T: Copy>(field: &'static T) -> T {
    // SAFETY: a reference can be read; user space writes before the program is loaded, and numbers alone.
    unsafe { core::ptr::from_ref(field).read_volatile() }
}
