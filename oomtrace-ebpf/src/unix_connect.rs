//! A process connects to a Unix socket that is watched: a container runtime's. Which socket it is, is read off the one
//! that listens, by the path that it was bound to: a client may reach it by any path, as through a mount in a container.
//!
//! A path proves nothing by itself: in a mount namespace of its own, any process can bind a socket to `/run/docker.sock`. The
//! kernel keeps the credentials of the listener, which must be the socket's owner, in the machine's own pid namespace. Other
//! sockets are ignored here, before anything is recorded.
//!
//! Three hooks, all in the context of the process that connects, or writes:
//! - `security_unix_stream_connect(sock, other, newsk)`, by a kprobe or by fentry: `unix_stream_connect` calls it with the
//!   listening socket (net/unix/af_unix.c, 5.4 to 7.3; needs CONFIG_SECURITY_NETWORK);
//! - the tracepoint `sock:sk_data_ready` (6.3), which fires when a listening socket gets a connection and when any socket gets
//!   data. So it also shows a process that writes over a connection which another process made, or on which it was silent for long. It
//!   adds a little to the cost of every received packet, so it is the last choice.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_kernel_str,
    macros::{fentry, kprobe, raw_tracepoint},
    programs::{FEntryContext, ProbeContext, RawTracePointContext},
};
use oomtrace_common::{
    client::{Client, SocketPath},
    counts::CONNECTIONS,
    event::{CONNECT_UNFOLLOWED, CONNECT_WROTE, ConnectEvent, KIND_CONNECT, Listener},
    layout::ABSENT,
};

use crate::{
    count,
    globals::{CLIENTS, CONNECT_SCRATCH, SOCKETS, layout},
    kernel::{Probed, boot_ns, cgroup, current_task, field, mm, path, task},
    limit,
    record::Record,
    room,
};

/// `AF_UNIX` (include/linux/socket.h).
const AF_UNIX: u16 = 1;
/// `TCP_LISTEN` (include/net/tcp_states.h), which Unix sockets use too.
const LISTEN: u8 = 10;
/// `TCP_ESTABLISHED`, which Unix sockets use too.
const ESTABLISHED: u8 = 1;
/// After a burst, a client that keeps connecting is recorded once in this time, in nanoseconds, which is also how exactly the time of
/// its last connection is known.
const CONNECTS_ONCE_IN: u64 = 20_000_000;
const AT_ONCE: u64 = 8;
/// A client that writes is recorded again only after this time: a daemon that writes all the time must not keep waking the reader.
const SILENCE: u64 = 600_000_000_000;

#[kprobe]
pub fn security_unix_stream_connect(ctx: ProbeContext) -> u32 {
    capture(ctx.arg(1).unwrap_or(0), 0);
    0
}

#[fentry(function = "security_unix_stream_connect")]
pub fn security_unix_stream_connect_fentry(ctx: FEntryContext) -> i32 {
    capture(ctx.arg(1), 0);
    0
}

#[raw_tracepoint(tracepoint = "sk_data_ready")]
pub fn sk_data_ready(ctx: RawTracePointContext) -> i32 {
    let socket: u64 = ctx.arg(0);
    // These checks run for every packet on the machine, so they come first.
    let (family, state) = family_and_state(socket);
    if family != AF_UNIX {
        return 0;
    }
    match state {
        LISTEN => capture(socket, 0),
        ESTABLISHED => capture(socket, CONNECT_WROTE),
        _ => {}
    }
    0
}

/// Family and state, by one read where they lie together (`struct sock_common`, include/net/sock.h, 5.4 to 7.3).
#[inline(always)]
fn family_and_state(socket: u64) -> (u16, u8) {
    if layout!(sock_state) == layout!(sock_family).wrapping_add(2) {
        let both: u32 = field!(socket, sock_family);
        (both as u16, (both >> 16) as u8)
    } else {
        (field!(socket, sock_family), field!(socket, sock_state))
    }
}

/// Records `current` as a client of a runtime, if `socket` is the runtime's: the one that listens, or with [`CONNECT_WROTE`] the
/// runtime's end of a connection. A function of its own: inlined, it would make every packet pay for the registers that it
/// saves.
#[inline(never)]
fn capture(socket: u64, facts: u32) {
    let address: u64 = field!(socket, unix_sock_addr);
    if address == 0 || layout!(unix_address_path) == ABSENT {
        return;
    }
    let mut path: SocketPath = [0; 108];
    let from = address + u64::from(layout!(unix_address_path));
    let size = size_of::<SocketPath>() as u32;
    // SAFETY: `path` has `size` bytes; the helper checks the address that it reads from.
    if unsafe { bpf_probe_read_kernel_str(path.as_mut_ptr().cast(), size, from as *const _) } <= 1 {
        return;
    }
    // SAFETY: the entry is copied at once; user space adds to this map, and takes nothing out.
    #[expect(clippy::needless_borrows_for_generic_args, reason = "by value the path is copied, and a stack is small")]
    let Some(watched) = (unsafe { SOCKETS.get(&path) }).copied() else { return };
    let current = current_task();
    let tgid: u32 = field!(current, task_tgid);
    let leader: u64 = field!(current, task_group_leader);
    let start: u64 = field!(leader, task_start_boottime);
    let now = boot_ns();
    let mut due = now.saturating_sub(AT_ONCE * CONNECTS_ONCE_IN);
    // SAFETY: two numbers are read. Should the map have given their place to another process, its start is another one, or its
    // connections are recorded once more or less.
    if let Some(known) = unsafe { CLIENTS.get(tgid) }
        && known.start == start
    {
        let is_told = if facts & CONNECT_WROTE != 0 { now < known.told + SILENCE } else { now < known.told };
        if is_told {
            return;
        }
        if known.told > due {
            due = known.told;
        }
    }
    let listener = listener(socket, facts);
    if !is_owners(&listener, watched.owner) {
        return;
    }
    if !limit::allows_connection(current) {
        return count::limited(CONNECTIONS);
    }
    // When the map is full, the process's end will not be recorded; a flag in the event says so.
    let followed = CLIENTS.insert(tgid, Client { start, told: due + CONNECTS_ONCE_IN }, 0).is_ok();
    let facts = if followed { facts } else { facts | CONNECT_UNFOLLOWED };
    send(current, watched.number, facts, &listener);
}

/// The listening process, from the credentials in the socket: the accepting end holds those of the client, the other end the
/// listener's (`unix_stream_connect`: `init_peercred`, `copy_peercred`).
#[inline(always)]
fn listener(socket: u64, facts: u32) -> Listener {
    let noted = if facts & CONNECT_WROTE != 0 { field!(socket, unix_sock_peer) } else { socket };
    let pid: u64 = field!(noted, sock_peer_pid);
    let cred: u64 = field!(noted, sock_peer_cred);
    let user_ns: u64 = field!(cred, cred_user_ns);
    // container_of(vfsmount, struct mount, mnt)
    let vfsmount: u64 = field!(socket, unix_sock_mnt);
    let mount = vfsmount.wrapping_sub(u64::from(layout!(mount_mnt)));
    let mount_ns: u64 = field!(mount, mount_mnt_ns);
    // numbers[0] is the initial namespace's.
    let first = pid + u64::from(layout!(pid_numbers));
    Listener {
        tgid: if pid == 0 || layout!(pid_numbers) == ABSENT { 0 } else { field!(first, upid_nr) },
        // Without credentials there is no user, least of all root.
        uid: if cred == 0 { u32::MAX } else { field!(cred, cred_uid) },
        pid_level: field!(pid, pid_level),
        user_level: field!(user_ns, user_ns_level),
        mount: field!(mount_ns, mnt_ns_inum),
    }
}

/// Whether `owner` or root listens, outside of any container that has a pid namespace of its own. True where this kernel's layout
/// is not known; user space made the layout, so it knows that this was not checked.
#[inline(always)]
fn is_owners(listener: &Listener, owner: u32) -> bool {
    if !knows_listeners() {
        return true;
    }
    let is_root = listener.uid == 0 && listener.user_level == 0;
    let is_owner = owner != 0 && listener.uid == owner;
    listener.pid_level == 0 && (is_root || is_owner)
}

#[inline(always)]
fn knows_listeners() -> bool {
    layout!(sock_peer_pid) != ABSENT
        && layout!(sock_peer_cred) != ABSENT
        && layout!(unix_sock_peer) != ABSENT
        && layout!(cred_user_ns) != ABSENT
        && layout!(user_ns_level) != ABSENT
}

#[inline(always)]
fn send(current: u64, socket: u32, facts: u32, listener: &Listener) {
    let Some((record, event)) = Record::<ConnectEvent>::start(&CONNECT_SCRATCH, CONNECTIONS) else { return };
    event.socket = socket;
    event.facts = facts;
    task::fill::<Probed>(&mut event.task, current);
    // Comes first, so that long names in the sections behind it cannot push it out of the event.
    if knows_listeners()
        && let Some(end) = record.end()
    {
        // SAFETY: `end` has room for a section.
        unsafe { end.cast::<Listener>().write_unaligned(*listener) };
        record.grow(size_of::<Listener>() as u64);
    }
    event.tail.listener = record.section();
    task::keep_namespaces::<Probed, _>(&record, current);
    record.push_kept();
    event.tail.namespaces = record.section();
    task::push_ancestors::<Probed, _>(&record, current, |_| ());
    event.tail.ancestors = record.section();
    (event.tail.cgroup, event.tail.memory_cgroup) = cgroup::push_paths::<Probed, _>(&record, current);
    path::push_exe(&record, event.task.mm);
    event.tail.exe = record.section();
    mm::push_cmdline(&record, event.task.mm);
    event.tail.cmdline = record.section();
    task::push_tty::<Probed, _>(&record, current);
    event.tail.tty = record.section();
    record.send(KIND_CONNECT, room::is_free(room::OTHERS));
}
