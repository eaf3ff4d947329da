//! `signal:signal_generate`: fires once for each signal that is generated for a process or a thread, whoever sends it
//! and whatever becomes of it. Arguments (include/trace/events/signal.h, unchanged from 5.4 to 7.3): `sig`, `info`,
//! `task`, `group`, `result`. `current` is the sender's context; the siglock is held and interrupts are off.

use aya_ebpf::{
    EbpfContext as _,
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{bpf_get_current_task, bpf_get_stack},
    },
    macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use aya_log_ebpf::debug;
use oomtrace_common::{
    event::{
        DISPOSITION_UNKNOWN, FLAG_CMDLINE_TRUNCATED, FLAG_PRECEDING, INFO_KERNEL, INFO_NONE, INFO_REAL, KIND_SIGNAL,
        PF_KTHREAD, SignalEvent,
    },
    limits::MAX_STACK_FRAMES,
    settings::{USUAL, signal_bit},
};

use crate::{
    globals::{LAST_KILLED, SIGNAL_SCRATCH, settings},
    kernel::{cgroup, field, mm, path, task},
    mark_victim,
    record::{Record, count_lost},
};

const SIGKILL: u32 = 9;

/// For those signals that are always recorded.
#[raw_tracepoint(tracepoint = "signal_generate")]
pub fn signal_generate(ctx: RawTracePointContext) -> i32 {
    // This decides what every signal on the machine costs: a number in the program is there sooner than one in a map.
    if signal_bit(number(&ctx)) & USUAL != 0 {
        capture_wanted(&ctx);
    }
    0
}

/// For those and whatever else the user asked for.
#[raw_tracepoint(tracepoint = "signal_generate")]
pub fn signal_generate_any(ctx: RawTracePointContext) -> i32 {
    capture_wanted(&ctx);
    0
}

#[inline(always)]
fn number(ctx: &RawTracePointContext) -> u32 {
    ctx.arg::<i32>(0) as u32
}

#[inline(always)]
fn capture_wanted(ctx: &RawTracePointContext) {
    let signal = number(ctx);
    let bit = signal_bit(signal);
    let report: u64 = settings!(report);
    let preceding: u64 = settings!(preceding);
    let preceding_init: u64 = settings!(preceding_init);
    if bit & (report | preceding | preceding_init) != 0 {
        capture(ctx, signal, bit & report != 0);
    }
}

#[inline(always)]
fn capture(ctx: &RawTracePointContext, signal: u32, report: bool) {
    let info: u64 = ctx.arg(1);
    let victim: u64 = ctx.arg(2);
    let victim_flags: u32 = field!(victim, task_flags);
    if victim_flags & PF_KTHREAD != 0 {
        return;
    }
    let (info_class, si_code) = match info {
        0 => (INFO_NONE, 0),
        1 => (INFO_KERNEL, 0),
        _ => (INFO_REAL, field!(info, siginfo_code)),
    };
    let Some(scratch) = SIGNAL_SCRATCH.get_ptr_mut(0) else { return count_lost() };
    let record = Record::<SignalEvent>::start(scratch);
    let event = unsafe { &mut *record.event };
    task::fill(&mut event.victim, victim);
    if !report {
        // A stop signal is somebody's decision: what the kernel sends by itself (a terminal's Ctrl-C apart) is not one.
        let init = event.victim.ns_level > 0 && event.victim.ns_pid == 1;
        let preceding: u64 = settings!(preceding);
        if signal_bit(signal) & preceding == 0 && !init {
            return;
        }
    }
    let current = unsafe { bpf_get_current_task() };
    task::fill(&mut event.sender, current);
    event.signal = signal;
    event.info = info_class;
    event.si_code = si_code;
    event.group = ctx.arg::<i32>(3) as u32;
    event.result = ctx.arg::<i32>(4) as u32;
    event.victim.pgid = task::process_group(victim);
    // SIGKILL cannot be handled.
    event.disposition = if signal == SIGKILL { DISPOSITION_UNKNOWN } else { task::disposition(victim, signal) };

    let more = push_sections(ctx, &record, victim, current);
    let mut flags = if report { 0 } else { FLAG_PRECEDING };
    if more {
        flags |= FLAG_CMDLINE_TRUNCATED;
    }
    if signal == SIGKILL && info_class == INFO_KERNEL && mark_victim::lacks_task() {
        // A full map only loses the counters of one victim; mark_victim then says FLAG_NO_TASK.
        let _: Result<(), i32> = LAST_KILLED.insert(bpf_get_current_pid_tgid(), victim, 0);
    }
    debug!(ctx, "signal {} from {} to {}", signal, event.sender.tgid, event.victim.tgid);
    record.send(KIND_SIGNAL, flags);
}

/// Appends the tail's sections in the order of `SignalTail`; returns whether the command line was longer.
#[inline(always)]
fn push_sections(ctx: &RawTracePointContext, record: &Record<SignalEvent>, victim: u64, sender: u64) -> bool {
    let event = unsafe { &mut *record.event };
    // Sections that need alignment come first.
    task::push_ancestors(record, sender);
    event.tail.ancestors = record.section();
    push_stack(ctx, record);
    event.tail.stack = record.section();
    (event.tail.victim_cgroup, event.tail.victim_memory_cgroup) = cgroup::push_paths(record, victim);
    (event.tail.sender_cgroup, event.tail.sender_memory_cgroup) = cgroup::push_paths(record, sender);
    path::push_exe(record, event.victim.mm);
    event.tail.victim_exe = record.section();
    // A kernel thread that borrows a process's memory is not that process.
    let sender_mm = if event.sender.task_flags & PF_KTHREAD == 0 { event.sender.mm } else { 0 };
    path::push_exe(record, sender_mm);
    event.tail.sender_exe = record.section();
    let more = mm::push_cmdline(record, sender_mm);
    event.tail.sender_cmdline = record.section();
    task::push_tty(record, sender);
    event.tail.sender_tty = record.section();
    event.tail.reserved = [0; 2];
    more
}

/// Appends the kernel stack.
#[inline(always)]
fn push_stack(ctx: &RawTracePointContext, record: &Record<SignalEvent>) {
    const SIZE: u32 = (MAX_STACK_FRAMES * size_of::<u64>()) as u32;
    let Some(end) = record.end() else { return };
    let n = unsafe { bpf_get_stack(ctx.as_ptr(), end.cast(), SIZE, 0) };
    if n > 0 {
        record.grow(n as u64);
    }
}
