//! `mm_struct`: the command line in the current task's memory, and a victim's memory counters.

use aya_ebpf::helpers::generated::{bpf_probe_read_user, bpf_probe_read_user_str};
use oomtrace_common::{
    event::{FLAG_CMDLINE_TRUNCATED, MarkVictimEvent},
    limits::MAX_CMDLINE,
};

use super::field;
use crate::{globals::layout, record::Record};

/// Appends the arguments of the current task, each NUL-terminated, and flags it when there were more. `mm` must be the
/// current task's: another's user memory cannot be read here.
#[inline(always)]
pub fn push_cmdline<T>(record: &Record<T>, mm: u64) {
    let arg_start: u64 = field!(mm, mm_arg_start);
    let arg_end: u64 = field!(mm, mm_arg_end);
    if arg_start == 0 || arg_end <= arg_start {
        return;
    }
    let mut size = arg_end - arg_start;
    if size > MAX_CMDLINE as u64 {
        size = MAX_CMDLINE as u64;
        record.flag(FLAG_CMDLINE_TRUNCATED);
    }
    let Some(end) = record.end() else { return record.flag(FLAG_CMDLINE_TRUNCATED) };
    // The mask shows the verifier what the comparison above already ensures.
    let size = size & (2 * MAX_CMDLINE as u64 - 1);
    // SAFETY: `end` has room for a section, which `size` is within; the helper checks the address that it reads from.
    if unsafe { bpf_probe_read_user(end.cast(), size as u32, arg_start as *const _) } == 0 {
        return record.grow(size);
    }
    record.flag(FLAG_CMDLINE_TRUNCATED);
    // A page is not there, and a tracer must not fault it in: take the first argument alone.
    // SAFETY: likewise, with at most half a section.
    let n = unsafe { bpf_probe_read_user_str(end.cast(), MAX_CMDLINE as u32, arg_start as *const _) };
    if n > 0 {
        record.grow(n as u64);
    }
}

/// Fills in the memory counters of `mm`; zero when it is released.
#[inline(always)]
pub fn fill_counters(out: &mut MarkVictimEvent, mm: u64) {
    // MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES (include/linux/mm_types_task.h, 5.4 to 7.3).
    out.file_pages = counter(mm, 0);
    out.anon_pages = counter(mm, 1);
    out.swap_pages = counter(mm, 2);
    out.shmem_pages = counter(mm, 3);
    out.total_vm_pages = field!(mm, mm_total_vm);
    out.page_table_bytes = field!(mm, mm_pgtables_bytes);
}

/// Users of `mm` besides the living threads of the process whose `signal_struct` this is.
#[inline(always)]
pub fn sharers(mm: u64, signal: u64) -> u32 {
    let users: u32 = field!(mm, mm_users);
    let own: u32 = field!(signal, signal_live);
    users.saturating_sub(own)
}

/// One of the resident-set counters. It is a sum of per-CPU parts whose approximation may dip below zero.
#[inline(always)]
fn counter(mm: u64, index: u64) -> u64 {
    let value: i64 = field!(mm + index * u64::from(layout!(mm_rss_stat_stride)), mm_rss_stat);
    if value < 0 { 0 } else { value as u64 }
}
