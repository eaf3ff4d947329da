//! `sched:sched_process_exit`: each thread passes it in `do_exit`; the last one of a process is recognised by
//! `signal.live == 0` (decremented before, kernel/exit.c, 5.4 to 7.3). Argument: the task, which is `current`.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use oomtrace_common::{
    counts::{DISCONNECTIONS, EXITS},
    event::{
        Ancestor, DisconnectEvent, ExitEvent, KIND_DISCONNECT, KIND_EXIT, KIND_UNSEEN, SIGNAL_GROUP_EXIT,
        UNSEEN_EXITED, UNSEEN_LOST, UNSEEN_PENDING, UNSEEN_SECCOMP, UNSEEN_TRACED, UnseenEvent,
    },
    settings::{KILL, signal_bit},
};

use crate::{
    globals::{CLIENTS, DYING, EXIT_SCRATCH, settings},
    kernel::{Probed, cgroup, current_task, field, mm, path, task},
    record::Record,
    room,
};

const SIGKILL: u32 = 9;
/// exit(137): what a shell says of a child that a SIGKILL ended, and a runtime of a container.
const EXITED_AS_KILLED: u32 = (128 + SIGKILL) << 8;
/// include/uapi/linux/seccomp.h; a process that breaks the strict mode's rules is ended without a signal.
const SECCOMP_MODE_STRICT: u32 = 1;
/// include/linux/seccomp.h: it broke a rule, and runs no more (5.16).
const SECCOMP_MODE_DEAD: u32 = 3;

#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn sched_process_exit(_ctx: RawTracePointContext) -> i32 {
    let current = current_task();
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
    // Reported are SIGKILL and the signals that the user asked for.
    let report: u64 = settings!(report);
    if signal_bit(status & 0x7f) & report != 0 || (ns_level > 0 && ns_pid == 1) {
        capture(current, status);
    }
    0
}

/// A function of its own: inlined, it would make every thread's end pay for the registers that it saves.
#[inline(never)]
fn capture(current: u64, status: u32) {
    if status & 0x7f == SIGKILL {
        let facts = unseen(current);
        if facts != SEEN {
            return capture_unseen(current, status, facts);
        }
    }
    // Only an init's exit comes here.
    if status == EXITED_AS_KILLED {
        return capture_unseen(current, status, UNSEEN_EXITED);
    }
    let Some((record, event)) = Record::<ExitEvent>::start(&EXIT_SCRATCH, EXITS) else { return };
    task::fill::<Probed>(&mut event.task, current);
    event.status = status;
    let has_memory: u32 = settings!(exit_has_memory);
    if has_memory != 0 {
        mm::push_cmdline(&record, event.task.mm);
    }
    event.cmdline = record.section();
    event.reserved = 0;
    record.send(KIND_EXIT, room::is_free_for(current, record.bytes(), room::REST));
}

/// No `UNSEEN_` bits: the SIGKILL that ends the process is recorded.
const SEEN: u32 = u32::MAX;

/// The `UNSEEN_` bits for a process that ends by a SIGKILL which is not recorded; [`SEEN`] when it is recorded.
#[inline(always)]
fn unseen(current: u64) -> u32 {
    let tgid: u32 = field!(current, task_tgid);
    let leader: u64 = field!(current, task_group_leader);
    let start: u64 = field!(leader, task_start_boottime);
    let mut facts = 0;
    // SAFETY: the entry is copied at once. Should the map have given its place to another process, its start is another one.
    if let Some(dying) = unsafe { DYING.get(tgid) }.copied()
        && dying.start == start
    {
        // A failed removal does no harm: the map evicts old entries.
        let _: Result<(), i32> = DYING.remove(tgid);
        if dying.recorded != 0 {
            return SEEN;
        }
        facts = UNSEEN_LOST;
    }
    // A SIGKILL for the process as a whole mostly stays where it is: its threads are ended without it (kernel/signal.c, `get_signal`,
    // 5.4 to 7.3). This one is from before oomtrace was loaded, which user space knows by its time, or the kernel ran no program for it:
    // for one timer's signal in some hundred 6.18 does not (seen live).
    let signal: u64 = field!(current, task_signal);
    let pending: u64 = field!(signal, signal_shared_pending);
    if pending & KILL != 0 {
        facts |= UNSEEN_PENDING;
    }
    let ptrace: u32 = field!(current, task_ptrace);
    if ptrace != 0 {
        facts |= UNSEEN_TRACED;
    }
    let seccomp: u32 = field!(current, task_seccomp_mode);
    if seccomp == SECCOMP_MODE_STRICT || seccomp == SECCOMP_MODE_DEAD {
        facts |= UNSEEN_SECCOMP;
    }
    facts
}

/// Records the end of a process whose SIGKILL is not recorded, or that looks as if it had one. A function of its own, as it runs rarely.
#[inline(never)]
fn capture_unseen(current: u64, status: u32, facts: u32) {
    let Some((record, event)) = Record::<UnseenEvent>::start(&EXIT_SCRATCH, EXITS) else { return };
    task::fill::<Probed>(&mut event.task, current);
    event.status = status;
    event.facts = facts;
    event.tracer = Ancestor::default();
    if facts & UNSEEN_TRACED != 0 {
        // While a process is traced, its tracer is its parent (kernel/ptrace.c, `__ptrace_link`, 5.4 to 7.3).
        task::fill_ancestor(&mut event.tracer, field!(current, task_parent));
    }
    (event.tail.cgroup, event.tail.memory_cgroup) = cgroup::push_paths::<Probed, _>(&record, current);
    let has_memory: u32 = settings!(exit_has_memory);
    if has_memory != 0 {
        path::push_exe(&record, event.task.mm);
        event.tail.exe = record.section();
        mm::push_cmdline(&record, event.task.mm);
        event.tail.cmdline = record.section();
    } else {
        (event.tail.exe, event.tail.cmdline) = (0, 0);
    }
    record.send(KIND_UNSEEN, room::is_free_for(current, record.bytes(), room::REST));
}

/// Reports the end of a process that had connected to a watched socket. A function of its own, too.
#[inline(never)]
fn disconnect(leader: u64) {
    let tgid: u32 = field!(leader, task_tgid);
    // SAFETY: likewise.
    let Some(client) = (unsafe { CLIENTS.get(tgid) }).copied() else { return };
    // One of an earlier process with this id. User space does not know the start to the nanosecond.
    let start: u64 = field!(leader, task_start_boottime);
    if client.start != start && client.start != 0 {
        return;
    }
    // A failed removal does no harm: it can only fail for an entry that is not there.
    let _: Result<(), i32> = CLIENTS.remove(tgid);
    let Some((record, event)) = Record::<DisconnectEvent>::start(&EXIT_SCRATCH, DISCONNECTIONS) else { return };
    event.tgid = tgid;
    event.reserved = 0;
    event.start_boot_ns = start;
    record.send(KIND_DISCONNECT, room::is_free(room::ENDS));
}
