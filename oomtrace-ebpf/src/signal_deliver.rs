//! `signal:signal_deliver`: a thread takes a signal, in its own context. Arguments: `sig`, `info`, `ka`
//! (include/trace/events/signal.h, 5.4 to 7.3). For SIGKILL every thread of the process passes it (kernel/signal.c,
//! `get_signal`), the memory still there: the one place on older kernels where a victim's arguments can be read.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::raw_tracepoint, programs::RawTracePointContext};
use oomtrace_common::{
    counts::ARGUMENTS,
    event::{DeliverEvent, KIND_DELIVER},
};

use crate::{
    globals::{DELIVER_SCRATCH, DELIVERED},
    kernel::{current_task, field, mm},
    record::Record,
    room,
};

const SIGKILL: i32 = 9;

#[raw_tracepoint(tracepoint = "signal_deliver")]
pub fn signal_deliver(ctx: RawTracePointContext) -> i32 {
    // This check runs for every delivered signal on the machine, so it comes first.
    if ctx.arg::<i32>(0) != SIGKILL {
        return 0;
    }
    let current = current_task();
    let leader: u64 = field!(current, task_group_leader);
    let start: u64 = field!(leader, task_start_boottime);
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: the number is copied at once. Should the map have given its place to another process, its start is another one.
    if unsafe { DELIVERED.get(tgid) }.copied() == Some(start) {
        return 0;
    }
    // When the map is full, another thread of the process reports the same delivery again.
    let _: Result<(), i32> = DELIVERED.insert(tgid, start, 0);
    let Some((record, event)) = Record::<DeliverEvent>::start(&DELIVER_SCRATCH, ARGUMENTS) else { return 0 };
    event.tgid = tgid;
    event.start_boot_ns = start;
    mm::push_cmdline(&record, field!(current, task_mm));
    event.cmdline = record.section();
    event.reserved = 0;
    record.send(KIND_DELIVER, room::is_free(room::COMPANIONS));
    0
}
