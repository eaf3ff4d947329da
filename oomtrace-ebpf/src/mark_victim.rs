//! `oom:mark_victim`: the OOM killer marked a task as its victim. Runs under the victim's `task_lock`, so its `mm` is
//! stable. Argument: a `task_struct` (mainline 6.9 and the stable lines' backports of 72ba14deb40a), or a thread id.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{BPF_F_USER_BUILD_ID, BPF_F_USER_STACK},
    helpers::{bpf_get_current_pid_tgid, generated::bpf_get_stack},
    macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use aya_log_ebpf::debug;
use oomtrace_common::{
    counts::OOM_MARKS,
    event::{FLAG_NO_TASK, KIND_MARK_VICTIM, MarkVictimEvent, MarkVictimTail, UserFrame},
    limits::MAX_USER_FRAMES,
};

use crate::{
    globals::{LAST_KILLED, MARK_SCRATCH, settings},
    kernel::{Probed, cgroup, current_task, field, memcg, mm, task},
    record::Record,
    room,
};

#[raw_tracepoint(tracepoint = "mark_victim")]
pub fn mark_victim(ctx: RawTracePointContext) -> i32 {
    let (victim, tid) = victim_of(&ctx);
    let Some((record, event)) = Record::<MarkVictimEvent>::start(&MARK_SCRATCH, OOM_MARKS) else { return 0 };
    let signal: u64 = field!(victim, task_signal);
    task::fill::<Probed>(&mut event.victim, victim);
    event.victim.tid = tid;
    task::fill::<Probed>(&mut event.trigger, current_task());
    mm::fill_counters(event, event.victim.mm);
    let oom_score_adj: i16 = field!(signal, signal_oom_score_adj);
    event.oom_score_adj = i32::from(oom_score_adj);
    event.sharers = mm::sharers(event.victim.mm, signal);
    memcg::push_levels(&record, victim);
    let levels = record.section();
    let wants_stack: u32 = settings!(user_stack);
    if wants_stack != 0 {
        push_user_stack(&ctx, &record);
    }
    let user_stack = record.section();
    let (victim_cgroup, victim_memory_cgroup) = cgroup::push_paths::<Probed, _>(&record, victim);
    event.tail = MarkVictimTail { levels, victim_cgroup, victim_memory_cgroup, user_stack };
    debug!(&ctx, "mark_victim {} of {}", tid, event.victim.tgid);
    if victim == 0 {
        record.flag(FLAG_NO_TASK);
    }
    record.send(KIND_MARK_VICTIM, room::is_free_for(victim, record.bytes(), room::REST));
    0
}

/// Appends the current task's user stack: how many bytes its addresses have, the addresses, and each one's file. The files are
/// looked up here, because a trigger that is the victim has no memory any more when user space gets to ask.
#[inline(always)]
fn push_user_stack(ctx: &RawTracePointContext, record: &Record<MarkVictimEvent>) {
    const COUNT: usize = size_of::<u64>();
    const ADDRESSES: u32 = (MAX_USER_FRAMES * size_of::<u64>()) as u32;
    const FILES: u32 = (MAX_USER_FRAMES * size_of::<UserFrame>()) as u32;
    let Some(end) = record.end() else { return };
    // SAFETY: the context is this program's own, and `end` has room for a section, which is longer than the number and the addresses.
    let n = unsafe { bpf_get_stack(ctx.as_ptr(), end.add(COUNT).cast(), ADDRESSES, u64::from(BPF_F_USER_STACK)) };
    // A kernel thread has none.
    if n <= 0 {
        return;
    }
    // SAFETY: likewise; it is aligned, since the fixed part and each level are multiples of eight bytes.
    unsafe { end.cast::<u64>().write(n as u64) };
    record.grow(COUNT as u64 + n as u64);
    let Some(end) = record.end() else { return };
    let flags = u64::from(BPF_F_USER_STACK | BPF_F_USER_BUILD_ID);
    // SAFETY: as above; a section is longer than the files.
    let n = unsafe { bpf_get_stack(ctx.as_ptr(), end.cast(), FILES, flags) };
    if n > 0 {
        record.grow(n as u64);
    }
}

/// The victim's task, or 0 when only its thread id is known, and that id.
#[inline(always)]
fn victim_of(ctx: &RawTracePointContext) -> (u64, u32) {
    if !lacks_task() {
        let task: u64 = ctx.arg(0);
        return (task, field!(task, task_pid));
    }
    let tid = ctx.arg::<i32>(0) as u32;
    // The SIGKILL came first, in this very context. Without one, the victim was dying already; it may be this task.
    // SAFETY: the number is copied at once. Should the map have given its place to another, it is a task that has another id.
    let last = unsafe { LAST_KILLED.get(bpf_get_current_pid_tgid()) }.copied().unwrap_or(0);
    if has_tid(last, tid) {
        return (last, tid);
    }
    let current = current_task();
    if has_tid(current, tid) { (current, tid) } else { (0, tid) }
}

#[inline(always)]
fn has_tid(task: u64, tid: u32) -> bool {
    let pid: u32 = field!(task, task_pid);
    task != 0 && pid == tid
}

/// This kernel's `mark_victim` passes a thread id only.
#[inline(always)]
pub fn lacks_task() -> bool {
    let has_task: u32 = settings!(mark_victim_has_task);
    has_task == 0
}
