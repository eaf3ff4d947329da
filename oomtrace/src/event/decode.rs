//! Bytes from the ring buffer (or a recording) to typed events. Bad bytes give an error, never a panic.

use oomtrace_common::event::{
    self as wire, CGROUP_MADE, CGROUP_RENAMED, FLAG_CMDLINE_TRUNCATED, FLAG_PRECEDING, FLAG_SENDER_TRACED,
    FLAG_TRUNCATED, OLDEST_WIRE_VERSION, WIRE_VERSION,
};
use zerocopy::FromBytes;

use crate::event::{
    Ancestor, Arguments, CgroupChange, Claimed, Cmdline, Connect, Cpu, Deliver, Disconnect, Disposition, Event, Exit,
    Info, Listener, Namespaces, Outcome, ProcessKey, Signal, Task, Unseen,
};
use oom::{mark_victim, oom};
pub use paths::prefix;
use paths::{cgroup_path, comm, exe, set_paths, strings};

mod oom;
mod paths;
pub mod seen;

/// Why bytes are not an event.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("the event ends early")]
    Truncated,
    #[error("unknown kind of event {0}")]
    Kind(u16),
    #[error("wire version {0}, this oomtrace reads {WIRE_VERSION}")]
    Version(u16),
}

/// Decodes one event. `page_size` is the kernel's, in bytes.
///
/// # Errors
/// When the bytes end early, or are of an unknown kind or version.
pub fn decode(mut bytes: &[u8], page_size: u64) -> Result<Event, DecodeError> {
    let (header, _) = wire::Header::read_from_prefix(bytes).map_err(|_| DecodeError::Truncated)?;
    if !(OLDEST_WIRE_VERSION..=WIRE_VERSION).contains(&header.version) {
        return Err(DecodeError::Version(header.version));
    }
    let at = &mut bytes;
    match header.kind {
        wire::KIND_SIGNAL => Ok(Event::Signal(Box::new(signal(&fixed(at)?, at)?))),
        wire::KIND_MARK_VICTIM => Ok(Event::MarkVictim(Box::new(mark_victim(&fixed(at)?, at, page_size)?))),
        wire::KIND_OOM => Ok(Event::Oom(Box::new(oom(&fixed(at)?, at, page_size)?))),
        wire::KIND_EXIT => Ok(Event::Exit(Box::new(exit(&fixed(at)?, at)?))),
        wire::KIND_UNSEEN => {
            let event: wire::UnseenEvent = fixed(at)?;
            let unseen = unseen(&event, at)?;
            let has_exited = event.facts & wire::UNSEEN_EXITED != 0;
            Ok(if has_exited { Event::ExitedAsKilled(Box::new(unseen.exit)) } else { Event::Unseen(Box::new(unseen)) })
        }
        wire::KIND_DELIVER => Ok(Event::Deliver(deliver(&fixed(at)?, at)?)),
        wire::KIND_CGROUP => Ok(Event::Cgroup(cgroup_change(&fixed(at)?, at)?)),
        wire::KIND_CONNECT => Ok(Event::Connect(Box::new(connect(&fixed(at)?, at)?))),
        wire::KIND_DISCONNECT => Ok(Event::Disconnect(disconnect(&fixed(at)?))),
        other => Err(DecodeError::Kind(other)),
    }
}

/// The next `T`, with its bytes taken off.
fn fixed<T: FromBytes>(at: &mut &[u8]) -> Result<T, DecodeError> {
    let (value, rest) = T::read_from_prefix(at).map_err(|_| DecodeError::Truncated)?;
    *at = rest;
    Ok(value)
}

/// The next section, with its bytes taken off.
fn section<'a>(at: &mut &'a [u8], len: u16) -> Result<&'a [u8], DecodeError> {
    let (section, rest) = at.split_at_checked(usize::from(len)).ok_or(DecodeError::Truncated)?;
    *at = rest;
    Ok(section)
}

/// The next section, which is `T`s one after the other.
fn many<T: FromBytes>(at: &mut &[u8], len: u16) -> Result<Vec<T>, DecodeError> {
    let mut section = section(at, len)?;
    let mut all = Vec::new();
    while !section.is_empty() {
        all.push(fixed(&mut section)?);
    }
    Ok(all)
}

fn signal(event: &wire::SignalEvent, at: &mut &[u8]) -> Result<Signal, DecodeError> {
    let (header, tail) = (event.header, event.tail);
    let mut victim = task(&event.victim);
    let mut sender = task(&event.sender);
    let mut ancestors = many(at, tail.ancestors)?.iter().map(ancestor).collect::<Vec<_>>();
    let stack = many(at, tail.stack)?;
    set_paths(&mut victim, section(at, tail.victim_cgroup)?, section(at, tail.victim_memory_cgroup)?);
    set_paths(&mut sender, section(at, tail.sender_cgroup)?, section(at, tail.sender_memory_cgroup)?);
    victim.exe = exe(section(at, tail.victim_exe)?, header);
    sender.exe = exe(section(at, tail.sender_exe)?, header);
    let cmdline = section(at, tail.sender_cmdline)?;
    let tty = section(at, tail.sender_tty)?;
    let origin = many::<wire::Origin>(at, tail.origin)?.pop();
    set_namespaces(&mut victim, &mut sender, &mut ancestors, &many(at, tail.namespaces)?);
    Ok(Signal {
        at: header.boot_ns,
        number: event.signal,
        info: info(event.info, event.si_code),
        claimed: origin
            .filter(|_| !matches!(event.info, wire::INFO_NONE | wire::INFO_KERNEL))
            .map(|origin| Claimed { pid: origin.si_pid, uid: origin.si_uid }),
        cpu: origin.as_ref().map(cpu),
        group: event.group != 0,
        outcome: outcome(event.result),
        preceding: header.flags & FLAG_PRECEDING != 0,
        sender_traced: header.flags & FLAG_SENDER_TRACED != 0,
        disposition: disposition(event.disposition),
        victim,
        sender,
        ancestors,
        cmdline: Arguments::new(cmdline),
        cmdline_truncated: header.flags & FLAG_CMDLINE_TRUNCATED != 0,
        tty: strings(tty).next(),
        stack,
        symbols: Vec::new(),
        frames: Vec::new(),
        truncated: header.flags & FLAG_TRUNCATED != 0,
    })
}

const fn info(info: u32, si_code: i32) -> Info {
    match info {
        wire::INFO_NONE => Info::None,
        wire::INFO_KERNEL => Info::Kernel,
        _ => Info::Real(si_code),
    }
}

const fn outcome(result: u32) -> Outcome {
    match result {
        wire::RESULT_DELIVERED => Outcome::Delivered,
        wire::RESULT_IGNORED => Outcome::Ignored,
        wire::RESULT_ALREADY_PENDING => Outcome::AlreadyPending,
        other => Outcome::Other(other),
    }
}

const fn disposition(disposition: u32) -> Option<Disposition> {
    match disposition {
        wire::DISPOSITION_DEFAULT => Some(Disposition::Default),
        wire::DISPOSITION_IGNORED => Some(Disposition::Ignored),
        wire::DISPOSITION_HANDLED => Some(Disposition::Handled),
        wire::DISPOSITION_BLOCKED => Some(Disposition::Blocked),
        _ => None,
    }
}

fn cpu(origin: &wire::Origin) -> Cpu {
    // RLIM_INFINITY
    let limit = |limit: u64| (limit != u64::MAX).then_some(limit);
    let [user, system] = origin.cpu_used;
    Cpu {
        limit_s: limit(origin.cpu_limit),
        rttime_limit_us: limit(origin.rttime_limit),
        used_ns: user.saturating_add(system),
    }
}

fn cgroup_change(event: &wire::CgroupEvent, at: &mut &[u8]) -> Result<CgroupChange, DecodeError> {
    let is_there = matches!(event.what, CGROUP_MADE | CGROUP_RENAMED);
    let path = cgroup_path(section(at, event.path)?, event.cgroup).filter(|_| is_there);
    Ok(CgroupChange { at: event.header.boot_ns, cgroup: event.cgroup, path })
}

fn connect(event: &wire::ConnectEvent, at: &mut &[u8]) -> Result<Connect, DecodeError> {
    let (header, tail) = (event.header, event.tail);
    let mut task = task(&event.task);
    // They come before all others.
    let listener = many(at, tail.listener)?.pop();
    task.namespaces = many(at, tail.namespaces)?.last().map(namespaces);
    let ancestors = many(at, tail.ancestors)?;
    set_paths(&mut task, section(at, tail.cgroup)?, section(at, tail.memory_cgroup)?);
    task.exe = exe(section(at, tail.exe)?, header);
    Ok(Connect {
        at: header.boot_ns,
        socket: event.socket,
        wrote: event.facts & wire::CONNECT_WROTE != 0,
        followed: event.facts & wire::CONNECT_UNFOLLOWED == 0,
        listener: listener.as_ref().map(self::listener),
        task,
        ancestors: ancestors.iter().map(ancestor).collect(),
        cmdline: Arguments::new(section(at, tail.cmdline)?),
        cmdline_truncated: header.flags & FLAG_CMDLINE_TRUNCATED != 0,
        tty: strings(section(at, tail.tty)?).next(),
    })
}

fn listener(found: &wire::Listener) -> Listener {
    Listener { pid: found.tgid, uid: found.uid, mount: (found.mount != 0).then_some(found.mount) }
}

const fn disconnect(event: &wire::DisconnectEvent) -> Disconnect {
    let key = ProcessKey { pid: event.tgid, start: event.start_boot_ns };
    Disconnect { at: event.header.boot_ns, key }
}

fn ancestor(found: &wire::Ancestor) -> Ancestor {
    let key = ProcessKey { pid: found.tgid, start: found.start_boot_ns };
    Ancestor { key, uid: found.uid, comm: comm(&found.comm), namespaces: None }
}

/// Hands everybody their namespaces, the victim first and then the sender. The ancestors' were read after the ancestors were, and
/// one may have got another parent in between: they are known by their pids.
fn set_namespaces(victim: &mut Task, sender: &mut Task, ancestors: &mut [Ancestor], all: &[wire::Namespaces]) {
    let mut all = all.iter();
    let mut of = |task: &Task| all.next().filter(|found| found.tgid == task.key.pid).map(namespaces);
    victim.namespaces = of(victim);
    sender.namespaces = of(sender);
    for found in all {
        if let Some(ancestor) = ancestors.iter_mut().find(|ancestor| ancestor.key.pid == found.tgid) {
            ancestor.namespaces = Some(namespaces(found));
        }
    }
}

fn namespaces(found: &wire::Namespaces) -> Namespaces {
    let wire::Namespaces { mount, user, user_level, user_owner, .. } = *found;
    Namespaces { mount: (mount != 0).then_some(mount), user, user_level, user_owner }
}

fn exit(event: &wire::ExitEvent, at: &mut &[u8]) -> Result<Exit, DecodeError> {
    let wire::Header { boot_ns, flags, .. } = event.header;
    let cmdline = cmdline(section(at, event.cmdline)?, flags);
    Ok(Exit { at: boot_ns, task: task(&event.task), status: event.status, cmdline })
}

fn unseen(event: &wire::UnseenEvent, at: &mut &[u8]) -> Result<Unseen, DecodeError> {
    let (wire::Header { boot_ns, flags, .. }, tail) = (event.header, event.tail);
    let mut task = task(&event.task);
    set_paths(&mut task, section(at, tail.cgroup)?, section(at, tail.memory_cgroup)?);
    task.exe = exe(section(at, tail.exe)?, event.header);
    let cmdline = cmdline(section(at, tail.cmdline)?, flags);
    Ok(Unseen {
        exit: Exit { at: boot_ns, task, status: event.status, cmdline },
        lost: event.facts & wire::UNSEEN_LOST != 0,
        tracer: (event.facts & wire::UNSEEN_TRACED != 0).then(|| ancestor(&event.tracer)),
        seccomp: event.facts & wire::UNSEEN_SECCOMP != 0,
        pending: event.facts & wire::UNSEEN_PENDING != 0,
    })
}

fn deliver(event: &wire::DeliverEvent, at: &mut &[u8]) -> Result<Deliver, DecodeError> {
    let key = ProcessKey { pid: event.tgid, start: event.start_boot_ns };
    let wire::Header { boot_ns, flags, .. } = event.header;
    Ok(Deliver { at: boot_ns, key, cmdline: cmdline(section(at, event.cmdline)?, flags) })
}

fn cmdline(section: &[u8], flags: u32) -> Option<Cmdline> {
    let truncated = flags & FLAG_CMDLINE_TRUNCATED != 0;
    Arguments::new(section).map(|arguments| Cmdline { arguments, truncated })
}

fn task(found: &wire::TaskInfo) -> Task {
    Task {
        key: ProcessKey { pid: found.tgid, start: found.start_boot_ns },
        tid: found.tid,
        ppid: found.ppid,
        uid: found.uid,
        ns_pid: found.ns_pid,
        ns_level: found.ns_level,
        login_uid: (found.loginuid != u32::MAX).then_some(found.loginuid),
        session: (found.sessionid != u32::MAX).then_some(found.sessionid),
        kernel_thread: found.task_flags & wire::PF_KTHREAD != 0,
        exiting: found.task_flags & wire::PF_EXITING != 0,
        group_exit: (found.signal_flags & wire::SIGNAL_GROUP_EXIT != 0).then_some(found.group_exit_code),
        pgid: (found.pgid != 0).then_some(found.pgid),
        mm: found.mm,
        cgroup: found.cgroup,
        memory_cgroup: found.memory_cgroup,
        cgroup_path: None,
        memory_path: None,
        comm: comm(&found.comm),
        exe: None,
        namespaces: None,
    }
}

#[cfg(test)]
mod tests;
