//! `sched:sched_process_exit`: each thread passes it in `do_exit`; the last one of a process is told by
//! `signal.live == 0` (decremented before, kernel/exit.c, 5.4 to 7.3). Argument: the task, which is `current`.

use aya_ebpf::{helpers::generated::bpf_get_current_task, macros::raw_tracepoint, programs::RawTracePointContext};
use oomtrace_common::event::{DisconnectEvent, ExitEvent, KIND_DISCONNECT, KIND_EXIT, SIGNAL_GROUP_EXIT};

use crate::{
    globals::{CLIENTS, EXIT_SCRATCH, settings},
    kernel::{Probed, field, mm, task},
    record::{Record, count_lost},
};

const SIGKILL: u32 = 9;

#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn sched_process_exit(_ctx: RawTracePointContext) -> i32 {
    let current = unsafe { bpf_get_current_task() };
    let signal: u64 = field!(current, task_signal);
    let live: u32 = field!(signal, signal_live);
    if live != 0 {
        return 0;
    }
    let leader: u64 = field!(current, task_group_leader);
    disconnect(leader);
    let flags: u32 = field!(signal, signal_flags);
    let group_exit_code: u32 = field!(signal, signal_group_exit_code);
    let leader_code: u32 = field!(leader, task_exit_code);
    let status = if flags & SIGNAL_GROUP_EXIT != 0 { group_exit_code } else { leader_code };
    let (ns_pid, ns_level) = task::pid_in_namespace::<Probed>(leader);
    if status & 0x7f == SIGKILL || (ns_level > 0 && ns_pid == 1) {
        capture(current, status);
    }
    0
}

/// A function of its own: within the program it would have every thread's end pay for the registers that it saves.
#[inline(never)]
fn capture(current: u64, status: u32) {
    let Some(scratch) = EXIT_SCRATCH.get_ptr_mut(0) else { return count_lost() };
    let record = Record::<ExitEvent>::start(scratch);
    let event = unsafe { &mut *record.event };
    task::fill::<Probed>(&mut event.task, current);
    event.status = status;
    let has_memory: u32 = settings!(exit_has_memory);
    if has_memory != 0 {
        mm::push_cmdline(&record, event.task.mm);
    }
    event.cmdline = record.section();
    event.reserved = 0;
    record.send(KIND_EXIT);
}

/// Tells the end of a process that had connected to a watched socket. A function of its own, too.
#[inline(never)]
fn disconnect(leader: u64) {
    let tgid: u32 = field!(leader, task_tgid);
    let Some(client) = (unsafe { CLIENTS.get(&tgid) }).copied() else { return };
    // One of an earlier process with this id. User space does not know the start to the nanosecond.
    let start: u64 = field!(leader, task_start_boottime);
    if client.start != start && client.start != 0 {
        return;
    }
    // The map forgets by itself what is not removed.
    let _: Result<(), i32> = CLIENTS.remove(&tgid);
    let Some(scratch) = EXIT_SCRATCH.get_ptr_mut(0) else { return count_lost() };
    let record = Record::<DisconnectEvent>::start(scratch);
    let event = unsafe { &mut *record.event };
    event.tgid = tgid;
    event.reserved = 0;
    event.start_boot_ns = start;
    record.send(KIND_DISCONNECT);
}
