//! The programs of `oomtrace signals`, which are loaded for it alone: each signal as it is generated, when it is taken, and when its
//! process ends by it. The tracepoints are those of `signal_generate`, `signal_deliver` and `sched_process_exit`.
//!
//! A signal is followed by whom it is for, the process or the thread, and by its number. Signals that wait are one each
//! (kernel/signal.c, `legacy_queue`), those of real time apart, of which the last one is followed.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::raw_tracepoint, programs::RawTracePointContext};
use oomtrace_common::{
    counts::{ARGUMENTS, EXITS, SIGNALS},
    event::{
        KIND_SEEN, KIND_TAKEN, PF_KTHREAD, RESULT_DELIVERED, SIGNAL_GROUP_EXIT, SeenEvent, TAKEN, TAKEN_ENDED,
        TakenEvent,
    },
    settings::{ANY_UID, signal_bit},
};

use crate::{
    globals::{DELIVER_SCRATCH, EXIT_SCRATCH, FOLLOWED, Followed, SIGNAL_SCRATCH, signal_filter},
    kernel::{Probed, boot_ns, cgroup, current_task, field, siginfo, task},
    record::{Record, Scratch},
};

const SIGKILL: u32 = 9;

#[raw_tracepoint(tracepoint = "signal_generate")]
pub fn signals_generate(ctx: RawTracePointContext) -> i32 {
    let signal = ctx.arg::<i32>(0) as u32;
    let (wanted, result): (u64, u32) = (signal_filter!(signals), signal_filter!(result));
    if signal_bit(signal) & wanted == 0 || (result != 0 && ctx.arg::<i32>(4) as u32 + 1 != result) {
        return 0;
    }
    let (sender, wanted): (u32, u32) = ((bpf_get_current_pid_tgid() >> 32) as u32, signal_filter!(sender));
    if wanted != 0 && sender != wanted {
        return 0;
    }
    let receiver: u64 = ctx.arg(2);
    let flags: u32 = field!(receiver, task_flags);
    let tgid: u32 = field!(receiver, task_tgid);
    let wanted: u32 = signal_filter!(receiver);
    if flags & PF_KTHREAD != 0 || (wanted != 0 && tgid != wanted) {
        return 0;
    }
    let cred: u64 = field!(receiver, task_cred);
    let (uid, wanted): (u32, u32) = (field!(cred, cred_uid), signal_filter!(uid));
    if wanted == ANY_UID || uid == wanted {
        capture(&ctx, signal, receiver);
    }
    0
}

/// A function of its own: inlined, it would make every signal pay for the registers that it saves.
#[inline(never)]
fn capture(ctx: &RawTracePointContext, signal: u32, receiver: u64) {
    let info: u64 = ctx.arg(1);
    let Some((record, event)) = Record::<SeenEvent>::start(&SIGNAL_SCRATCH, SIGNALS) else { return };
    task::fill::<Probed>(&mut event.receiver, receiver);
    task::fill::<Probed>(&mut event.sender, current_task());
    event.signal = signal;
    (event.info, event.si_code) = siginfo::kind(info);
    event.group = ctx.arg::<i32>(3) as u32;
    event.result = ctx.arg::<i32>(4) as u32;
    event.disposition = task::disposition::<Probed>(receiver, signal);
    event.reserved = 0;
    let follows: u32 = signal_filter!(follows);
    if follows != 0 && event.result == RESULT_DELIVERED {
        let whom = if event.group != 0 { event.receiver.tgid } else { event.receiver.tid };
        let followed = Followed { generated: boot_ns(), taken: 0 };
        // A full map evicts one that has been on its way for long.
        let _: Result<(), i32> = FOLLOWED.insert(key(whom, signal, event.group != 0), followed, 0);
    }
    (event.cgroup, event.memory_cgroup) = cgroup::push_paths::<Probed, _>(&record, receiver);
    // No kill is watched for meanwhile: the ring buffer is theirs.
    record.send(KIND_SEEN, true);
}

#[raw_tracepoint(tracepoint = "signal_deliver")]
pub fn signals_deliver(ctx: RawTracePointContext) -> i32 {
    let signal = ctx.arg::<i32>(0) as u32;
    let taken = taken(signal);
    // A signal that ends its process is taken as SIGKILL by each thread (kernel/signal.c, `complete_signal`, `get_signal`).
    if !taken && signal == SIGKILL {
        let current = current_task();
        let process: u64 = field!(current, task_signal);
        let status: u32 = field!(process, signal_group_exit_code);
        self::taken(status & 0x7f);
    }
    0
}

/// The current thread takes a signal that was for it, or for its process; whether one is followed.
#[inline(never)]
fn taken(signal: u32) -> bool {
    let ids = bpf_get_current_pid_tgid();
    let (tgid, tid) = ((ids >> 32) as u32, ids as u32);
    let followed = match FOLLOWED.get_ptr_mut(key(tid, signal, false)) {
        Some(followed) => followed,
        None => match FOLLOWED.get_ptr_mut(key(tgid, signal, true)) {
            Some(followed) => followed,
            None => return false,
        },
    };
    // SAFETY: the map has checked the pointer, and its memory stays a map's while the program runs. Each access is one load or store of
    // an aligned number; should the map have given the place to another signal, one time is wrong.
    let generated = unsafe {
        if (*followed).taken != 0 {
            return true;
        }
        (*followed).taken = 1;
        (*followed).generated
    };
    send(&DELIVER_SCRATCH, ARGUMENTS, TAKEN, signal, generated);
    true
}

#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn signals_exit(_ctx: RawTracePointContext) -> i32 {
    let current = current_task();
    let process: u64 = field!(current, task_signal);
    let live: u32 = field!(process, signal_live);
    if live != 0 {
        return 0;
    }
    let flags: u32 = field!(process, signal_flags);
    let group_exit_code: u32 = field!(process, signal_group_exit_code);
    let leader: u64 = field!(current, task_group_leader);
    let leader_code: u32 = field!(leader, task_exit_code);
    let status = if flags & SIGNAL_GROUP_EXIT != 0 { group_exit_code } else { leader_code };
    if status & 0x7f != 0 {
        ended(status & 0x7f);
    }
    0
}

/// A function of its own: inlined, it would make every thread's end pay for the registers that it saves.
#[inline(never)]
fn ended(signal: u32) {
    let ids = bpf_get_current_pid_tgid();
    let (of_process, of_thread) = (key((ids >> 32) as u32, signal, true), key(ids as u32, signal, false));
    for key in [of_process, of_thread] {
        // SAFETY: the entry is copied at once.
        if let Some(followed) = unsafe { FOLLOWED.get(key) }.copied() {
            // A failed removal does no harm: the map evicts old entries.
            let _: Result<(), i32> = FOLLOWED.remove(key);
            return send(&EXIT_SCRATCH, EXITS, TAKEN_ENDED, signal, followed.generated);
        }
    }
}

#[inline(always)]
fn send(scratch: &aya_ebpf::maps::PerCpuArray<Scratch>, counted: usize, what: u32, signal: u32, generated_ns: u64) {
    let Some((record, event)) = Record::<TakenEvent>::start(scratch, counted) else { return };
    let ids = bpf_get_current_pid_tgid();
    event.tgid = (ids >> 32) as u32;
    event.tid = ids as u32;
    event.signal = signal;
    event.what = what;
    event.generated_ns = generated_ns;
    record.send(KIND_TAKEN, true);
}

/// Ids have 22 bits at most, signals seven.
#[inline(always)]
fn key(id: u32, signal: u32, to_process: bool) -> u64 {
    u64::from(id) << 8 | u64::from(signal & 0x7f) << 1 | u64::from(to_process)
}
