//! Bytes from the ring buffer (or a recording) to typed events. Bad bytes give an error, never a panic.

use oomtrace_common::event::{
    self as wire, CGROUP_MADE, CGROUP_RENAMED, CgroupKey, FLAG_CMDLINE_TRUNCATED, FLAG_NO_TASK, FLAG_PRECEDING,
    FLAG_SENDER_TRACED, FLAG_TRUNCATED, FLAG_WHOLE_PATHS, OLDEST_WIRE_VERSION, WIRE_VERSION,
};
use zerocopy::FromBytes;

use crate::event::{
    Ancestor, Arguments, CgroupChange, Claimed, Cmdline, Connect, Constraint, Cpu, Deliver, Disconnect, Disposition,
    Event, Exit, Info, Listener, MarkVictim, MemcgLevel, Namespaces, OomChoice, Outcome, ProcessKey, Signal, Task,
    Unseen, UserFrame,
};

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

fn mark_victim(event: &wire::MarkVictimEvent, at: &mut &[u8], page_size: u64) -> Result<MarkVictim, DecodeError> {
    let (header, tail) = (event.header, event.tail);
    let mut victim = task(&event.victim);
    let bytes = |pages: u64| pages.saturating_mul(page_size);
    let levels = many(at, tail.levels)?;
    let user_stack = user_stack(section(at, tail.user_stack)?)?;
    set_paths(&mut victim, section(at, tail.victim_cgroup)?, section(at, tail.victim_memory_cgroup)?);
    Ok(MarkVictim {
        at: header.boot_ns,
        victim_tid: victim.tid,
        victim: (header.flags & FLAG_NO_TASK == 0).then_some(victim),
        trigger: task(&event.trigger),
        anon_bytes: bytes(event.anon_pages),
        file_bytes: bytes(event.file_pages),
        shmem_bytes: bytes(event.shmem_pages),
        swap_bytes: bytes(event.swap_pages),
        page_table_bytes: event.page_table_bytes,
        total_vm_bytes: bytes(event.total_vm_pages),
        oom_score_adj: event.oom_score_adj,
        sharers: event.sharers,
        levels: levels.iter().map(|found| level(found, page_size)).collect(),
        user_stack,
    })
}

/// Addresses, and where the kernel could look that up what is mapped there.
fn user_stack(mut section: &[u8]) -> Result<Vec<UserFrame>, DecodeError> {
    if section.is_empty() {
        return Ok(Vec::new());
    }
    let bytes: u64 = fixed(&mut section)?;
    let bytes = u16::try_from(bytes).map_err(|_| DecodeError::Truncated)?;
    let addresses: Vec<u64> = many(&mut section, bytes)?;
    let rest = u16::try_from(section.len()).map_err(|_| DecodeError::Truncated)?;
    let files: Vec<wire::UserFrame> = many(&mut section, rest)?;
    // Both are of one stack, or the one says nothing about the other.
    let files = if files.len() == addresses.len() { files } else { Vec::new() };
    let build = |frame: &wire::UserFrame| {
        let id = frame.build_id.iter().fold(String::new(), |id, byte| id + &format!("{byte:02x}"));
        (frame.status == wire::USER_FRAME_VALID).then_some((id, frame.offset))
    };
    let frame = |(index, address): (usize, u64)| UserFrame { address, build: files.get(index).and_then(build) };
    // Where frame pointers lead nowhere, the last address is none.
    Ok(addresses.into_iter().take_while(|address| *address != 0).enumerate().map(frame).collect())
}

fn oom(event: &wire::OomEvent, at: &mut &[u8], page_size: u64) -> Result<OomChoice, DecodeError> {
    let owner = level(&event.owner, page_size);
    let path = cgroup_path(section(at, event.owner_path)?, owner.cgroup);
    Ok(OomChoice {
        at: event.header.boot_ns,
        trigger_tid: event.trigger_tid,
        chosen: ProcessKey { pid: event.chosen_tgid, start: event.chosen_start_boot_ns },
        chosen_points: event.chosen_points,
        total_pages: event.total_pages,
        constraint: match event.constraint {
            wire::CONSTRAINT_NONE => Constraint::None,
            wire::CONSTRAINT_CPUSET => Constraint::Cpuset,
            wire::CONSTRAINT_MEMORY_POLICY => Constraint::MemoryPolicy,
            wire::CONSTRAINT_MEMCG => Constraint::Memcg,
            other => Constraint::Other(other),
        },
        order: event.order,
        gfp: event.gfp,
        owner: (owner.cgroup.id != 0).then_some((owner, path)),
    })
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

fn level(found: &wire::MemcgLevel, page_size: u64) -> MemcgLevel {
    let bytes = |pages: u64| pages.saturating_mul(page_size);
    // PAGE_COUNTER_MAX is LONG_MAX / PAGE_SIZE (include/linux/page_counter.h, 5.4 to 7.3).
    let unlimited = (i64::MAX.unsigned_abs()).checked_div(page_size).unwrap_or(u64::MAX);
    let limit = |max: u64| (max < unlimited).then(|| bytes(max));
    MemcgLevel {
        cgroup: found.cgroup,
        usage_bytes: bytes(found.usage),
        limit_bytes: limit(found.max),
        peak_bytes: bytes(found.watermark),
        swap_usage_bytes: bytes(found.swap_usage),
        swap_limit_bytes: limit(found.swap_max),
        oom_group: found.oom_group != 0,
    }
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

/// Sets both paths from their sections. A cgroup's level says how many names its path has, so an empty section is distinguished
/// from an unread one.
fn set_paths(task: &mut Task, default: &[u8], memory: &[u8]) {
    task.cgroup_path = cgroup_path(default, task.cgroup);
    task.memory_path = if task.memory_cgroup.hierarchy == task.cgroup.hierarchy {
        // One hierarchy: the memory cgroup is the cgroup itself or an ancestor of it.
        task.cgroup_path.as_deref().map(|path| prefix(path, task.memory_cgroup.level))
    } else {
        cgroup_path(memory, task.memory_cgroup)
    };
}

/// The first `level` names of `path`.
#[must_use]
pub fn prefix(path: &str, level: u32) -> String {
    let names = path.split('/').filter(|name| !name.is_empty()).take(level as usize);
    let joined: String = names.flat_map(|name| ["/", name]).collect();
    if joined.is_empty() { "/".to_owned() } else { joined }
}

/// None as well when names are missing at its top: whoever may make cgroups may make them so deep that those that are left look
/// like another's path.
fn cgroup_path(names: &[u8], key: CgroupKey) -> Option<String> {
    match path(names) {
        Some(_) if strings(names).count() < key.level as usize => None,
        Some(path) => Some(path),
        // The root of a hierarchy has a path without names; id 0 is a cgroup that could not be read.
        None => (key.id != 0 && key.level == 0).then(|| "/".to_owned()),
    }
}

/// The path of an executable; none as well when names are missing at its top, or did not fit: whoever may make directories may make
/// them so deep that those that are left look like another program's path.
fn exe(names: &[u8], header: wire::Header) -> Option<String> {
    if header.flags & FLAG_WHOLE_PATHS == 0 {
        return path(names);
    }
    path(names.strip_suffix(WHOLE)?)
}

/// What stands behind the names of a whole path.
const WHOLE: &[u8] = b"/\0";

/// A path whose names come last one first; none when there are no names.
fn path(names: &[u8]) -> Option<String> {
    let mut names: Vec<String> = strings(names).collect();
    if names.is_empty() {
        return None;
    }
    names.push(String::new());
    names.reverse();
    Some(names.join("/"))
}

/// NUL-terminated strings, empty ones left out.
fn strings(section: &[u8]) -> impl Iterator<Item = String> {
    section.split(|b| *b == 0).filter(|s| !s.is_empty()).map(lossy)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn comm(bytes: &[u8]) -> String {
    strings(bytes).next().unwrap_or_default()
}

pub mod seen;

#[cfg(test)]
mod tests;
