//! A process connects to a Unix socket that is watched: a container runtime's. Which socket it is, is read off the one
//! that listens, by the path that it was bound to: a client may reach it by any path, as through a mount in a container.
//!
//! Three ways in, in the context of whoever connects:
//! - `security_unix_stream_connect(sock, other, newsk)`, by a kprobe or by fentry: `unix_stream_connect` calls it with the
//!   listening socket (net/unix/af_unix.c, 5.4 to 7.3; needs CONFIG_SECURITY_NETWORK);
//! - the tracepoint `sock:sk_data_ready` (6.3), which tells the listening socket of a new connection, and any socket of
//!   data. It costs every packet that is received a little, so it comes last.

use aya_ebpf::{
    helpers::generated::{bpf_get_current_task, bpf_ktime_get_boot_ns, bpf_probe_read_kernel_str},
    macros::{fentry, kprobe, raw_tracepoint},
    programs::{FEntryContext, ProbeContext, RawTracePointContext},
};
use oomtrace_common::{
    counts::CONNECTIONS,
    event::{ConnectEvent, KIND_CONNECT, SocketPath},
    layout::ABSENT,
};

use crate::{
    count,
    globals::{CLIENTS, CONNECT_SCRATCH, Client, SOCKETS, layout},
    kernel::{Probed, cgroup, field, mm, path, task},
    limit,
    record::Record,
    room,
};

/// `AF_UNIX` (include/linux/socket.h).
const AF_UNIX: u16 = 1;
/// `TCP_LISTEN` (include/net/tcp_states.h), which Unix sockets use too.
const LISTEN: u8 = 10;
/// A client that connects more often is told once in this time, in nanoseconds.
const TOLD_ONCE_IN: u64 = 1_000_000_000;

#[kprobe]
pub fn security_unix_stream_connect(ctx: ProbeContext) -> u32 {
    capture(ctx.arg(1).unwrap_or(0));
    0
}

#[fentry(function = "security_unix_stream_connect")]
pub fn security_unix_stream_connect_fentry(ctx: FEntryContext) -> i32 {
    capture(ctx.arg(1));
    0
}

#[raw_tracepoint(tracepoint = "sk_data_ready")]
pub fn sk_data_ready(ctx: RawTracePointContext) -> i32 {
    let socket: u64 = ctx.arg(0);
    // These lines decide what every packet on the machine costs.
    let state: u8 = field!(socket, sock_state);
    if state != LISTEN {
        return 0;
    }
    let family: u16 = field!(socket, sock_family);
    if family == AF_UNIX {
        capture(socket);
    }
    0
}

/// Records `current` as a client of the listening socket, if that is one of those watched. A function of its own: within the
/// program it would have every packet pay for the registers that it saves.
#[inline(never)]
fn capture(listening: u64) {
    let address: u64 = field!(listening, unix_sock_addr);
    if address == 0 || layout!(unix_address_path) == ABSENT {
        return;
    }
    let mut path: SocketPath = [0; 108];
    let from = address + u64::from(layout!(unix_address_path));
    let size = size_of::<SocketPath>() as u32;
    if unsafe { bpf_probe_read_kernel_str(path.as_mut_ptr().cast(), size, from as *const _) } <= 1 {
        return;
    }
    let Some(socket) = (unsafe { SOCKETS.get(&path) }).copied() else { return };
    let current = unsafe { bpf_get_current_task() };
    let tgid: u32 = field!(current, task_tgid);
    let leader: u64 = field!(current, task_group_leader);
    let start: u64 = field!(leader, task_start_boottime);
    let now = unsafe { bpf_ktime_get_boot_ns() };
    if let Some(known) = unsafe { CLIENTS.get(&tgid) }
        && known.start == start
        && now.wrapping_sub(known.told) < TOLD_ONCE_IN
    {
        return;
    }
    if !limit::allows_connection(current) {
        return count::limited(CONNECTIONS);
    }
    // A full map only means that one that connects often is told more often, or its end not at all.
    let _: Result<(), i32> = CLIENTS.insert(tgid, Client { start, told: now }, 0);
    send(current, socket);
}

#[inline(always)]
fn send(current: u64, socket: u32) {
    let Some(scratch) = CONNECT_SCRATCH.get_ptr_mut(0) else { return count::lost(CONNECTIONS) };
    let record = Record::<ConnectEvent>::start(scratch);
    let event = unsafe { &mut *record.event };
    event.socket = socket;
    event.reserved = 0;
    task::fill::<Probed>(&mut event.task, current);
    task::push_ancestors::<Probed, _>(&record, current);
    event.tail.ancestors = record.section();
    (event.tail.cgroup, event.tail.memory_cgroup) = cgroup::push_paths::<Probed, _>(&record, current);
    path::push_exe(&record, event.task.mm);
    event.tail.exe = record.section();
    mm::push_cmdline(&record, event.task.mm);
    event.tail.cmdline = record.section();
    task::push_tty::<Probed, _>(&record, current);
    event.tail.tty = record.section();
    event.tail.reserved = [0; 2];
    record.send(KIND_CONNECT, CONNECTIONS, room::is_free(room::OTHERS));
}
