//! What the OOM killer did, and for whose limit.

#[cfg(feature = "user")]
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{CgroupKey, Header, TaskInfo};

/// One memory cgroup's counters, in pages.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemcgLevel {
    pub cgroup: CgroupKey,
    /// `page_counter.usage`, precharged pages included (up to 64 a CPU).
    pub usage: u64,
    /// `page_counter.max`; `PAGE_COUNTER_MAX` = no limit.
    pub max: u64,
    /// `page_counter.watermark`: the highest usage so far.
    pub watermark: u64,
    /// v1: memory+swap. v2: swap alone.
    pub swap_usage: u64,
    /// Limit of the counter above.
    pub swap_max: u64,
    /// `mem_cgroup.oom_group`: 1 = the cgroup is killed as one (memory.oom.group, v2).
    pub oom_group: u32,
    /// Zero.
    pub reserved: u32,
}

/// Sizes of the sections in a [`MarkVictimEvent`]'s tail, in their order.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarkVictimTail {
    /// [`MemcgLevel`]s from the victim's own memory cgroup up; bytes.
    pub levels: u16,
    /// Victim's path on the default hierarchy, as in [`SignalTail`](super::SignalTail).
    pub victim_cgroup: u16,
    /// Victim's path on the memory hierarchy; empty when that is the default one.
    pub victim_memory_cgroup: u16,
    /// The trigger's user stack, the section behind `levels`: the size in bytes of the addresses that follow as a `u64`, return
    /// addresses as `u64`, innermost first, and as many [`UserFrame`]s. 0 unless it is asked for, and to version 7.
    pub user_stack: u16,
}

/// [`UserFrame::offset`] is an offset in the file that has [`UserFrame::build_id`] (`BPF_STACK_BUILD_ID_VALID`,
/// include/uapi/linux/bpf.h, 4.17 to 7.3). With other values of `status` it is an address, or nothing.
pub const USER_FRAME_VALID: i32 = 1;

/// A frame of a user stack as the kernel describes it: `struct bpf_stack_build_id`.
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserFrame {
    pub status: i32,
    /// Padded with zeroes.
    pub build_id: [u8; 20],
    pub offset: u64,
}

/// The OOM killer marked a victim (`oom:mark_victim`). That alone is not a kill: a task that was already dying gets it
/// too (mm/oom_kill.c, `task_will_free_mem`, 5.4 to 7.3).
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarkVictimEvent {
    pub header: Header,
    /// The victim; `tid` is the thread that was marked, which need not be the leader. With [`FLAG_NO_TASK`](super::FLAG_NO_TASK) only `tid`
    /// is known.
    pub victim: TaskInfo,
    /// `current`: the task whose allocation ran into the limit.
    pub trigger: TaskInfo,
    /// `mm.rss_stat[MM_ANONPAGES]` in pages; a per-CPU counter's approximate value since 6.2.
    pub anon_pages: u64,
    /// `MM_FILEPAGES`.
    pub file_pages: u64,
    /// `MM_SHMEMPAGES`.
    pub shmem_pages: u64,
    /// `MM_SWAPENTS`.
    pub swap_pages: u64,
    /// `mm.total_vm` in pages.
    pub total_vm_pages: u64,
    /// `mm.pgtables_bytes`.
    pub page_table_bytes: u64,
    /// `signal.oom_score_adj`.
    pub oom_score_adj: i32,
    /// `mm.mm_users` less the victim's own threads (`signal.live`): if not 0, other processes may share its memory, and are killed
    /// next (`__oom_kill_process`, mm/oom_kill.c, 5.4 to 7.3). Temporary references, as by readers of /proc, count too. 0 to
    /// version 5.
    pub sharers: u32,
    /// The tail's sections.
    pub tail: MarkVictimTail,
}

/// The OOM killer has chosen and is about to kill (`oom_kill_process`, mm/oom_kill.c, 5.4 to 7.3): its own record of why.
/// The SIGKILL follows in the same context, unless the chosen process is dying already. Its tail is the limit owner's
/// path, as in [`SignalTail`](super::SignalTail).
#[repr(C)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, Immutable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomEvent {
    pub header: Header,
    /// `current`'s thread id.
    pub trigger_tid: u32,
    /// Thread group id of `oom_control.chosen`.
    pub chosen_tgid: u32,
    /// Start of its leader on `CLOCK_BOOTTIME`, in nanoseconds.
    pub chosen_start_boot_ns: u64,
    /// `oom_control.chosen_points`: pages, and adjustment by score.
    pub chosen_points: i64,
    /// `oom_control.totalpages`: the limit with swap, or the machine's memory; not the victim's size.
    pub total_pages: u64,
    /// `oom_control.constraint`, one of the `CONSTRAINT_` constants.
    pub constraint: u32,
    /// `oom_control.order`; -1 = asked for by a person (sysrq-f).
    pub order: i32,
    /// `oom_control.gfp_mask`.
    pub gfp: u32,
    /// Bytes in the tail.
    pub owner_path: u16,
    /// Zero.
    pub reserved: u16,
    /// The cgroup whose limit was hit; its id is 0 when there is none.
    pub owner: MemcgLevel,
}

/// `enum oom_constraint` (include/linux/oom.h, 5.4 to 7.3).
pub const CONSTRAINT_NONE: u32 = 0;
/// The allocation may use certain nodes only (cpuset).
pub const CONSTRAINT_CPUSET: u32 = 1;
/// The allocation may use certain nodes only (memory policy).
pub const CONSTRAINT_MEMORY_POLICY: u32 = 2;
/// A memory cgroup's limit.
pub const CONSTRAINT_MEMCG: u32 = 3;
