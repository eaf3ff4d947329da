//! `signal:signal_generate`: fires once for each signal that is generated for a process or a thread, by any sender
//! and with any outcome. Arguments (include/trace/events/signal.h, unchanged from 5.4 to 7.3): `sig`, `info`,
//! `task`, `group`, `result`. `current` is the sender's context; the siglock is held and interrupts are off.

use aya_ebpf::{
    EbpfContext as _,
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{bpf_get_current_task_btf, bpf_get_stack},
    },
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use aya_log_ebpf::debug;
use oomtrace_common::{
    counts::{KILLS, SIGNALS, STOP_SIGNALS},
    event::{
        DISPOSITION_UNKNOWN, FLAG_PRECEDING, FLAG_SENDER_TRACED, INFO_KERNEL, KIND_SIGNAL, MADE_FOR_RECEIVER,
        PF_KTHREAD, RESULT_DELIVERED, SIGNAL_GROUP_EXIT, SignalEvent,
    },
    limits::MAX_STACK_FRAMES,
    settings::{USUAL, signal_bit},
};

use crate::{
    count,
    globals::{DYING, Dying, LAST_KILLED, SIGNAL_SCRATCH, settings},
    kernel::{KernelRead, Probed, Typed, cgroup, current_task, field, mm, origin, path, siginfo, task},
    limit, mark_victim,
    record::Record,
    room,
};

const SIGKILL: u32 = 9;

/// For those signals that are always recorded.
#[raw_tracepoint(tracepoint = "signal_generate")]
pub fn signal_generate(ctx: RawTracePointContext) -> i32 {
    // This check runs for every signal on the machine: a constant in the program is faster than a value in a map.
    if signal_bit(number(&ctx)) & USUAL != 0 {
        capture_probed(&ctx);
    }
    0
}

/// For those, and the signals that the user asked for.
#[raw_tracepoint(tracepoint = "signal_generate")]
pub fn signal_generate_any(ctx: RawTracePointContext) -> i32 {
    capture_probed(&ctx);
    0
}

/// As [`signal_generate`], where the verifier knows the kernel's types, and with them what `bpf_get_current_task_btf` gives (5.11).
#[btf_tracepoint(function = "signal_generate")]
pub fn signal_generate_typed(ctx: BtfTracePointContext) -> i32 {
    // The arguments lie as those of a raw tracepoint do.
    let ctx = RawTracePointContext::new(ctx.as_ptr());
    if signal_bit(number(&ctx)) & USUAL != 0 {
        capture_typed(&ctx);
    }
    0
}

/// As [`signal_generate_any`], where the verifier knows the kernel's types.
#[btf_tracepoint(function = "signal_generate")]
pub fn signal_generate_any_typed(ctx: BtfTracePointContext) -> i32 {
    let ctx = RawTracePointContext::new(ctx.as_ptr());
    capture_typed(&ctx);
    0
}

#[inline(always)]
fn number(ctx: &RawTracePointContext) -> u32 {
    ctx.arg::<i32>(0) as u32
}

/// A function of its own, as [`capture_typed`] is: inlined, it would make every signal, wanted or not, pay for the registers that it
/// saves and for a jump across it to the program's early return.
#[inline(never)]
fn capture_probed(ctx: &RawTracePointContext) {
    capture_wanted::<Probed>(ctx, current_task);
}

#[inline(never)]
fn capture_typed(ctx: &RawTracePointContext) {
    // SAFETY: the helper takes nothing and returns an address.
    capture_wanted::<Typed>(ctx, || unsafe { bpf_get_current_task_btf() } as u64);
}

#[inline(always)]
fn capture_wanted<R: KernelRead>(ctx: &RawTracePointContext, current: impl Fn() -> u64) {
    let signal = number(ctx);
    let bit = signal_bit(signal);
    let report: u64 = settings!(report);
    let preceding: u64 = settings!(preceding);
    let preceding_init: u64 = settings!(preceding_init);
    if bit & (report | preceding | preceding_init) != 0 {
        capture::<R>(ctx, signal, bit & report != 0, current);
    }
}

#[inline(always)]
fn capture<R: KernelRead>(ctx: &RawTracePointContext, signal: u32, report: bool, current: impl Fn() -> u64) {
    let info: u64 = ctx.arg(1);
    let victim: u64 = ctx.arg(2);
    let victim_flags: u32 = field!(R: victim, task_flags);
    if victim_flags & PF_KTHREAD != 0 {
        return;
    }
    let counted = match signal {
        SIGKILL => KILLS,
        _ if report => SIGNALS,
        _ => STOP_SIGNALS,
    };
    if signal == SIGKILL && !ends_victim::<R>(ctx, victim) {
        count::no_kill();
        // The OOM killer marks such a victim, too, so it is kept for `mark_victim`.
        return note_killed(info, victim);
    }
    let Some((record, event)) = Record::<SignalEvent>::start(&SIGNAL_SCRATCH, counted) else { return };
    task::fill::<R>(&mut event.victim, victim);
    if !report {
        // A stop signal is a request by a person or a program; a signal of the kernel's own (a terminal's Ctrl-C apart) is not.
        let init = event.victim.ns_level > 0 && event.victim.ns_pid == 1;
        let preceding: u64 = settings!(preceding);
        if signal_bit(signal) & preceding == 0 && !init {
            return;
        }
        record.flag(FLAG_PRECEDING);
    }
    event.signal = signal;
    (event.info, event.si_code) = siginfo::kind(info);
    event.group = ctx.arg::<i32>(3) as u32;
    event.result = ctx.arg::<i32>(4) as u32;
    event.victim.pgid = task::process_group::<R>(victim);
    // SIGKILL cannot be handled.
    event.disposition = if signal == SIGKILL { DISPOSITION_UNKNOWN } else { task::disposition::<R>(victim, signal) };
    let current = current();
    if signal != SIGKILL {
        let for_victim = event.info == INFO_KERNEL || MADE_FOR_RECEIVER.contains(&event.si_code);
        if !limit::allows_signal(if for_victim { victim } else { current }) {
            return count::limited(record.counted());
        }
    }
    task::fill::<R>(&mut event.sender, current);
    let traced: u32 = field!(R: current, task_ptrace);
    if traced != 0 {
        record.flag(FLAG_SENDER_TRACED);
    }
    push_sections::<R>(ctx, &record, event, victim, current);
    origin::push(&record, info, victim);
    event.tail.origin = record.section();
    record.push_kept();
    event.tail.namespaces = record.section();
    debug!(ctx, "signal {} from {} to {}", event.signal, event.sender.tgid, event.victim.tgid);
    if !is_kill(event) {
        record.send(KIND_SIGNAL, room::is_free(room::OTHERS));
        return;
    }
    note_killed(info, victim);
    let (tgid, start) = (event.victim.tgid, event.victim.start_boot_ns);
    let recorded = record.send(KIND_SIGNAL, room::is_free_for(victim, record.bytes(), room::KILLS));
    let dying = Dying { start, recorded: u64::from(recorded) };
    // A full map evicts the processes that have been dying for longest.
    let _: Result<(), i32> = DYING.insert(tgid, dying, 0);
}

/// Whether this SIGKILL ends its victim: the kernel did not ignore it, and the process was not dying already, of an earlier SIGKILL or
/// for another reason, or a zombie. Any user can send SIGKILLs of the other kinds to processes of their own without end.
///
/// `complete_signal` (kernel/signal.c) has set SIGNAL_GROUP_EXIT and `group_exit_code = 9` by the time of the tracepoint, unless the
/// process was exiting already; before 6.0 such a signal still counts as delivered.
#[inline(always)]
fn ends_victim<R: KernelRead>(ctx: &RawTracePointContext, victim: u64) -> bool {
    if ctx.arg::<i32>(4) as u32 != RESULT_DELIVERED {
        return false;
    }
    let signal: u64 = field!(R: victim, task_signal);
    let flags: u32 = field!(R: signal, signal_flags);
    let status: u32 = field!(R: signal, signal_group_exit_code);
    if flags & SIGNAL_GROUP_EXIT == 0 || status & 0x7f != SIGKILL {
        return false;
    }
    let tgid: u32 = field!(R: victim, task_tgid);
    let leader: u64 = field!(R: victim, task_group_leader);
    let start: u64 = field!(R: leader, task_start_boottime);
    // SAFETY: one number is read at once. Should the map have given its place to another process, its start is another one.
    unsafe { DYING.get(tgid) }.is_none_or(|dying| dying.start != start)
}

/// Remembers the victim of a SIGKILL that the kernel made, on kernels where `mark_victim` does not pass the task.
#[inline(always)]
fn note_killed(info: u64, victim: u64) {
    if info == siginfo::KERNELS && mark_victim::lacks_task() {
        // A full map only loses the counters of one victim; mark_victim then sets FLAG_NO_TASK.
        let _: Result<(), i32> = LAST_KILLED.insert(bpf_get_current_pid_tgid(), victim, 0);
    }
}

/// Whether it is a SIGKILL. Read back from the event: if the answer stayed in a register, the verifier would follow everything in
/// between once for each of its values.
#[inline(always)]
fn is_kill(event: &SignalEvent) -> bool {
    // SAFETY: a reference can be read.
    unsafe { (&raw const event.signal).read_volatile() == SIGKILL }
}

/// Appends the tail's sections in the order of `SignalTail`.
#[inline(always)]
fn push_sections<R: KernelRead>(
    ctx: &RawTracePointContext,
    record: &Record<SignalEvent>,
    event: &mut SignalEvent,
    victim: u64,
    sender: u64,
) {
    // Sections that need alignment come first.
    task::keep_namespaces::<R, _>(record, victim);
    task::keep_namespaces::<R, _>(record, sender);
    // The verifier looks each typed load up in the kernel's types, for each parent anew: typed, these alone take half of the time that
    // oomtrace needs to start, and save a fifth of a microsecond.
    task::push_ancestors::<Probed, _>(record, sender, |parent| task::keep_namespaces::<Probed, _>(record, parent));
    event.tail.ancestors = record.section();
    push_stack(ctx, record);
    event.tail.stack = record.section();
    (event.tail.victim_cgroup, event.tail.victim_memory_cgroup) = cgroup::push_paths::<R, _>(record, victim);
    (event.tail.sender_cgroup, event.tail.sender_memory_cgroup) = cgroup::push_paths::<R, _>(record, sender);
    path::push_exe(record, event.victim.mm);
    event.tail.victim_exe = record.section();
    // A kernel thread that borrows a process's memory is not that process.
    let sender_mm = if event.sender.task_flags & PF_KTHREAD == 0 { event.sender.mm } else { 0 };
    path::push_exe(record, sender_mm);
    event.tail.sender_exe = record.section();
    mm::push_cmdline(record, sender_mm);
    event.tail.sender_cmdline = record.section();
    task::push_tty::<R, _>(record, sender);
    event.tail.sender_tty = record.section();
}

/// Appends the kernel stack.
#[inline(always)]
fn push_stack(ctx: &RawTracePointContext, record: &Record<SignalEvent>) {
    const SIZE: u32 = (MAX_STACK_FRAMES * size_of::<u64>()) as u32;
    let Some(end) = record.end() else { return };
    // SAFETY: the context is this program's own, and `end` has room for a section, which is longer than the frames.
    let n = unsafe { bpf_get_stack(ctx.as_ptr(), end.cast(), SIZE, 0) };
    if n > 0 {
        record.grow(n as u64);
    }
}
