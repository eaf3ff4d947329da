//! Bytes from the ring buffer (or a recording) to typed events. Bad bytes give an error, never a panic.

use bytes::Buf;
use oomtrace_common::event::{
    self as wire, CGROUP_MADE, CGROUP_RENAMED, CgroupKey, FLAG_CMDLINE_TRUNCATED, FLAG_NO_TASK, FLAG_PRECEDING,
    FLAG_TRUNCATED, OLDEST_WIRE_VERSION, WIRE_VERSION,
};

use crate::event::{
    Ancestor, Arguments, CgroupChange, Claimed, Cmdline, Connect, Constraint, Cpu, Deliver, Disconnect, Disposition,
    Event, Exit, Info, Listener, MarkVictim, MemcgLevel, Namespaces, OomChoice, Outcome, ProcessKey, Signal, Task,
    Unseen,
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

impl From<bytes::TryGetError> for DecodeError {
    fn from(_: bytes::TryGetError) -> Self {
        Self::Truncated
    }
}

/// Decodes one event. `page_size` is the kernel's, in bytes.
///
/// # Errors
/// When the bytes end early, or are of an unknown kind or version.
pub fn decode(mut bytes: &[u8], page_size: u64) -> Result<Event, DecodeError> {
    let at = &mut bytes;
    let header = wire::Header {
        kind: at.try_get_u16_ne()?,
        version: at.try_get_u16_ne()?,
        flags: at.try_get_u32_ne()?,
        boot_ns: at.try_get_u64_ne()?,
    };
    if !(OLDEST_WIRE_VERSION..=WIRE_VERSION).contains(&header.version) {
        return Err(DecodeError::Version(header.version));
    }
    match header.kind {
        wire::KIND_SIGNAL => Ok(Event::Signal(Box::new(signal(at, header)?))),
        wire::KIND_MARK_VICTIM => Ok(Event::MarkVictim(Box::new(mark_victim(at, header, page_size)?))),
        wire::KIND_OOM => Ok(Event::Oom(Box::new(oom(at, header, page_size)?))),
        wire::KIND_EXIT => Ok(Event::Exit(Box::new(exit(at, header)?))),
        wire::KIND_UNSEEN => Ok(Event::Unseen(Box::new(unseen(at, header)?))),
        wire::KIND_DELIVER => Ok(Event::Deliver(deliver(at, header)?)),
        wire::KIND_CGROUP => Ok(Event::Cgroup(cgroup_change(at, header)?)),
        wire::KIND_CONNECT => Ok(Event::Connect(Box::new(connect(at, header)?))),
        wire::KIND_DISCONNECT => Ok(Event::Disconnect(disconnect(at, header)?)),
        other => Err(DecodeError::Kind(other)),
    }
}

fn signal(at: &mut &[u8], header: wire::Header) -> Result<Signal, DecodeError> {
    let number = at.try_get_u32_ne()?;
    let info = at.try_get_u32_ne()?;
    let si_code = at.try_get_i32_ne()?;
    let group = at.try_get_u32_ne()? != 0;
    let result = at.try_get_u32_ne()?;
    let disposition = at.try_get_u32_ne()?;
    let mut victim = task(at)?;
    let mut sender = task(at)?;
    let mut lens = [0_u16; 12];
    for len in &mut lens {
        *len = at.try_get_u16_ne()?;
    }
    let [ancestors, stack, v_cgroup, v_memory, s_cgroup, s_memory, v_exe, s_exe, cmdline, tty, origin, namespaces] =
        lens;
    let mut ancestors = many(&mut section(at, ancestors)?, ancestor)?;
    let mut stack = section(at, stack)?;
    set_paths(&mut victim, section(at, v_cgroup)?, section(at, v_memory)?);
    set_paths(&mut sender, section(at, s_cgroup)?, section(at, s_memory)?);
    victim.exe = path(section(at, v_exe)?);
    sender.exe = path(section(at, s_exe)?);
    let cmdline = section(at, cmdline)?;
    let tty = section(at, tty)?;
    let (claimed, cpu) = match section(at, origin)? {
        [] => (None, None),
        mut section => self::origin(&mut section).map(|(claimed, cpu)| (Some(claimed), Some(cpu)))?,
    };
    set_namespaces(&mut victim, &mut sender, &mut ancestors, section(at, namespaces)?)?;
    Ok(Signal {
        at: header.boot_ns,
        number,
        info: match info {
            wire::INFO_NONE => Info::None,
            wire::INFO_KERNEL => Info::Kernel,
            _ => Info::Real(si_code),
        },
        claimed: claimed.filter(|_| !matches!(info, wire::INFO_NONE | wire::INFO_KERNEL)),
        cpu,
        group,
        outcome: match result {
            wire::RESULT_DELIVERED => Outcome::Delivered,
            wire::RESULT_IGNORED => Outcome::Ignored,
            wire::RESULT_ALREADY_PENDING => Outcome::AlreadyPending,
            other => Outcome::Other(other),
        },
        preceding: header.flags & FLAG_PRECEDING != 0,
        disposition: match disposition {
            wire::DISPOSITION_DEFAULT => Some(Disposition::Default),
            wire::DISPOSITION_IGNORED => Some(Disposition::Ignored),
            wire::DISPOSITION_HANDLED => Some(Disposition::Handled),
            wire::DISPOSITION_BLOCKED => Some(Disposition::Blocked),
            _ => None,
        },
        victim,
        sender,
        ancestors,
        cmdline: Arguments::new(cmdline),
        cmdline_truncated: header.flags & FLAG_CMDLINE_TRUNCATED != 0,
        tty: strings(tty).next(),
        stack: many(&mut stack, |at| Ok(at.try_get_u64_ne()?))?,
        symbols: Vec::new(),
        truncated: header.flags & FLAG_TRUNCATED != 0,
    })
}

fn origin(at: &mut &[u8]) -> Result<(Claimed, Cpu), DecodeError> {
    let (pid, uid) = (at.try_get_u32_ne()?, at.try_get_u32_ne()?);
    let mut limit = || -> Result<Option<u64>, DecodeError> {
        // RLIM_INFINITY
        Ok(Some(at.try_get_u64_ne()?).filter(|limit| *limit != u64::MAX))
    };
    let (limit_s, rttime_limit_us) = (limit()?, limit()?);
    let used_ns = at.try_get_u64_ne()?.saturating_add(at.try_get_u64_ne()?);
    Ok((Claimed { pid, uid }, Cpu { limit_s, rttime_limit_us, used_ns }))
}

fn cgroup_change(at: &mut &[u8], header: wire::Header) -> Result<CgroupChange, DecodeError> {
    let cgroup = cgroup_key(at)?;
    let what = at.try_get_u32_ne()?;
    let len = at.try_get_u16_ne()?;
    let _reserved = at.try_get_u16_ne()?;
    let path = cgroup_path(section(at, len)?, cgroup).filter(|_| matches!(what, CGROUP_MADE | CGROUP_RENAMED));
    Ok(CgroupChange { at: header.boot_ns, cgroup, path })
}

fn connect(at: &mut &[u8], header: wire::Header) -> Result<Connect, DecodeError> {
    let socket = at.try_get_u32_ne()?;
    let facts = at.try_get_u32_ne()?;
    let mut task = task(at)?;
    let mut lens = [0_u16; 8];
    for len in &mut lens {
        *len = at.try_get_u16_ne()?;
    }
    let [ancestors, cgroup, memory_cgroup, exe, cmdline, tty, listening, own] = lens;
    let mut listening = section(at, listening)?;
    let mut own = section(at, own)?;
    task.namespaces = many(&mut own, namespaces)?.pop().map(|(_, namespaces)| namespaces);
    let mut ancestors = section(at, ancestors)?;
    set_paths(&mut task, section(at, cgroup)?, section(at, memory_cgroup)?);
    task.exe = path(section(at, exe)?);
    Ok(Connect {
        at: header.boot_ns,
        socket,
        wrote: facts & wire::CONNECT_WROTE != 0,
        followed: facts & wire::CONNECT_UNFOLLOWED == 0,
        listener: many(&mut listening, listener)?.pop(),
        task,
        ancestors: many(&mut ancestors, ancestor)?,
        cmdline: Arguments::new(section(at, cmdline)?),
        cmdline_truncated: header.flags & FLAG_CMDLINE_TRUNCATED != 0,
        tty: strings(section(at, tty)?).next(),
    })
}

fn listener(at: &mut &[u8]) -> Result<Listener, DecodeError> {
    let pid = at.try_get_u32_ne()?;
    let uid = at.try_get_u32_ne()?;
    let (_pid_level, _user_level) = (at.try_get_u32_ne()?, at.try_get_u32_ne()?);
    let mount = at.try_get_u32_ne()?;
    Ok(Listener { pid, uid, mount: (mount != 0).then_some(mount) })
}

fn disconnect(at: &mut &[u8], header: wire::Header) -> Result<Disconnect, DecodeError> {
    let pid = at.try_get_u32_ne()?;
    let _reserved = at.try_get_u32_ne()?;
    let start = at.try_get_u64_ne()?;
    Ok(Disconnect { at: header.boot_ns, key: ProcessKey { pid, start } })
}

fn ancestor(at: &mut &[u8]) -> Result<Ancestor, DecodeError> {
    let pid = at.try_get_u32_ne()?;
    let uid = at.try_get_u32_ne()?;
    let start = at.try_get_u64_ne()?;
    Ok(Ancestor { key: ProcessKey { pid, start }, uid, comm: comm(at)?, namespaces: None })
}

/// Hands everybody their namespaces, the victim first and then the sender. The ancestors' were read after the ancestors were, and
/// one may have got another parent in between: they are known by their pids.
fn set_namespaces(
    victim: &mut Task,
    sender: &mut Task,
    ancestors: &mut [Ancestor],
    mut section: &[u8],
) -> Result<(), DecodeError> {
    let mut all = many(&mut section, namespaces)?.into_iter();
    let mut of = |task: &Task| all.next().filter(|(pid, _)| *pid == task.key.pid).map(|(_, namespaces)| namespaces);
    victim.namespaces = of(victim);
    sender.namespaces = of(sender);
    for (pid, namespaces) in all {
        if let Some(ancestor) = ancestors.iter_mut().find(|ancestor| ancestor.key.pid == pid) {
            ancestor.namespaces = Some(namespaces);
        }
    }
    Ok(())
}

fn namespaces(at: &mut &[u8]) -> Result<(u32, Namespaces), DecodeError> {
    let pid = at.try_get_u32_ne()?;
    let mount = Some(at.try_get_u32_ne()?).filter(|mount| *mount != 0);
    let user = at.try_get_u32_ne()?;
    let user_level = at.try_get_u32_ne()?;
    let user_owner = at.try_get_u32_ne()?;
    Ok((pid, Namespaces { mount, user, user_level, user_owner }))
}

fn mark_victim(at: &mut &[u8], header: wire::Header, page_size: u64) -> Result<MarkVictim, DecodeError> {
    let mut victim = task(at)?;
    let trigger = task(at)?;
    let mut pages = || -> Result<u64, DecodeError> { Ok(at.try_get_u64_ne()?.saturating_mul(page_size)) };
    let (anon_bytes, file_bytes, shmem_bytes) = (pages()?, pages()?, pages()?);
    let (swap_bytes, total_vm_bytes) = (pages()?, pages()?);
    let page_table_bytes = at.try_get_u64_ne()?;
    let oom_score_adj = at.try_get_i32_ne()?;
    let sharers = at.try_get_u32_ne()?;
    let (levels, cgroup, memory) = (at.try_get_u16_ne()?, at.try_get_u16_ne()?, at.try_get_u16_ne()?);
    let _reserved = at.try_get_u16_ne()?;
    let mut levels = section(at, levels)?;
    set_paths(&mut victim, section(at, cgroup)?, section(at, memory)?);
    Ok(MarkVictim {
        at: header.boot_ns,
        victim_tid: victim.tid,
        victim: (header.flags & FLAG_NO_TASK == 0).then_some(victim),
        trigger,
        anon_bytes,
        file_bytes,
        shmem_bytes,
        swap_bytes,
        page_table_bytes,
        total_vm_bytes,
        oom_score_adj,
        sharers,
        levels: many(&mut levels, |at| level(at, page_size))?,
    })
}

fn oom(at: &mut &[u8], header: wire::Header, page_size: u64) -> Result<OomChoice, DecodeError> {
    let trigger_tid = at.try_get_u32_ne()?;
    let pid = at.try_get_u32_ne()?;
    let start = at.try_get_u64_ne()?;
    let chosen_points = at.try_get_i64_ne()?;
    let _total_pages = at.try_get_u64_ne()?;
    let constraint = at.try_get_u32_ne()?;
    let order = at.try_get_i32_ne()?;
    let gfp = at.try_get_u32_ne()?;
    let len = at.try_get_u16_ne()?;
    let _reserved = at.try_get_u16_ne()?;
    let owner = level(at, page_size)?;
    let path = cgroup_path(section(at, len)?, owner.cgroup);
    Ok(OomChoice {
        at: header.boot_ns,
        trigger_tid,
        chosen: ProcessKey { pid, start },
        chosen_points,
        constraint: match constraint {
            wire::CONSTRAINT_NONE => Constraint::None,
            wire::CONSTRAINT_CPUSET => Constraint::Cpuset,
            wire::CONSTRAINT_MEMORY_POLICY => Constraint::MemoryPolicy,
            wire::CONSTRAINT_MEMCG => Constraint::Memcg,
            other => Constraint::Other(other),
        },
        order,
        gfp,
        owner: (owner.cgroup.id != 0).then_some((owner, path)),
    })
}

fn exit(at: &mut &[u8], header: wire::Header) -> Result<Exit, DecodeError> {
    let task = task(at)?;
    let status = at.try_get_u32_ne()?;
    let len = at.try_get_u16_ne()?;
    let _reserved = at.try_get_u16_ne()?;
    Ok(Exit { at: header.boot_ns, task, status, cmdline: cmdline(section(at, len)?, header.flags) })
}

fn unseen(at: &mut &[u8], header: wire::Header) -> Result<Unseen, DecodeError> {
    let mut task = task(at)?;
    let tracer = ancestor(at)?;
    let status = at.try_get_u32_ne()?;
    let facts = at.try_get_u32_ne()?;
    let mut lens = [0_u16; 4];
    for len in &mut lens {
        *len = at.try_get_u16_ne()?;
    }
    let [cgroup, memory, exe, arguments] = lens;
    set_paths(&mut task, section(at, cgroup)?, section(at, memory)?);
    task.exe = path(section(at, exe)?);
    let cmdline = cmdline(section(at, arguments)?, header.flags);
    Ok(Unseen {
        exit: Exit { at: header.boot_ns, task, status, cmdline },
        lost: facts & wire::UNSEEN_LOST != 0,
        tracer: (facts & wire::UNSEEN_TRACED != 0).then_some(tracer),
        seccomp: facts & wire::UNSEEN_SECCOMP != 0,
    })
}

fn deliver(at: &mut &[u8], header: wire::Header) -> Result<Deliver, DecodeError> {
    let pid = at.try_get_u32_ne()?;
    let len = at.try_get_u16_ne()?;
    let _reserved = at.try_get_u16_ne()?;
    let start = at.try_get_u64_ne()?;
    let key = ProcessKey { pid, start };
    Ok(Deliver { at: header.boot_ns, key, cmdline: cmdline(section(at, len)?, header.flags) })
}

fn cmdline(section: &[u8], flags: u32) -> Option<Cmdline> {
    let truncated = flags & FLAG_CMDLINE_TRUNCATED != 0;
    Arguments::new(section).map(|arguments| Cmdline { arguments, truncated })
}

fn level(at: &mut &[u8], page_size: u64) -> Result<MemcgLevel, DecodeError> {
    let cgroup = cgroup_key(at)?;
    let mut pages = || -> Result<u64, DecodeError> { Ok(at.try_get_u64_ne()?) };
    let (usage, max, watermark) = (pages()?, pages()?, pages()?);
    let (swap_usage, swap_max) = (pages()?, pages()?);
    let oom_group = at.try_get_u32_ne()? != 0;
    let _reserved = at.try_get_u32_ne()?;
    let bytes = |pages: u64| pages.saturating_mul(page_size);
    // PAGE_COUNTER_MAX is LONG_MAX / PAGE_SIZE (include/linux/page_counter.h, 5.4 to 7.3).
    let unlimited = (i64::MAX.unsigned_abs()).checked_div(page_size).unwrap_or(u64::MAX);
    let limit = |max: u64| (max < unlimited).then(|| bytes(max));
    Ok(MemcgLevel {
        cgroup,
        usage_bytes: bytes(usage),
        limit_bytes: limit(max),
        peak_bytes: bytes(watermark),
        swap_usage_bytes: bytes(swap_usage),
        swap_limit_bytes: limit(swap_max),
        oom_group,
    })
}

fn task(at: &mut &[u8]) -> Result<Task, DecodeError> {
    let pid = at.try_get_u32_ne()?;
    let tid = at.try_get_u32_ne()?;
    let ppid = at.try_get_u32_ne()?;
    let uid = at.try_get_u32_ne()?;
    let ns_pid = at.try_get_u32_ne()?;
    let ns_level = at.try_get_u32_ne()?;
    let login_uid = at.try_get_u32_ne()?;
    let session = at.try_get_u32_ne()?;
    let task_flags = at.try_get_u32_ne()?;
    let signal_flags = at.try_get_u32_ne()?;
    let group_exit_code = at.try_get_u32_ne()?;
    let pgid = at.try_get_u32_ne()?;
    let start = at.try_get_u64_ne()?;
    let mm = at.try_get_u64_ne()?;
    let cgroup = cgroup_key(at)?;
    let memory_cgroup = cgroup_key(at)?;
    Ok(Task {
        key: ProcessKey { pid, start },
        tid,
        ppid,
        uid,
        ns_pid,
        ns_level,
        login_uid: (login_uid != u32::MAX).then_some(login_uid),
        session: (session != u32::MAX).then_some(session),
        kernel_thread: task_flags & wire::PF_KTHREAD != 0,
        exiting: task_flags & wire::PF_EXITING != 0,
        group_exit: (signal_flags & wire::SIGNAL_GROUP_EXIT != 0).then_some(group_exit_code),
        pgid: (pgid != 0).then_some(pgid),
        mm,
        cgroup,
        memory_cgroup,
        cgroup_path: None,
        memory_path: None,
        comm: comm(at)?,
        exe: None,
        namespaces: None,
    })
}

/// Sets both paths from their sections. A cgroup's level says how many names its path has, so an empty section is told
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

fn comm(at: &mut &[u8]) -> Result<String, DecodeError> {
    let mut comm = [0; oomtrace_common::limits::COMM_LEN];
    at.try_copy_to_slice(&mut comm)?;
    Ok(strings(&comm).next().unwrap_or_default())
}

fn cgroup_key(at: &mut &[u8]) -> Result<CgroupKey, DecodeError> {
    Ok(CgroupKey { id: at.try_get_u64_ne()?, hierarchy: at.try_get_u32_ne()?, level: at.try_get_u32_ne()? })
}

fn section<'a>(at: &mut &'a [u8], len: u16) -> Result<&'a [u8], DecodeError> {
    let (section, rest) = at.split_at_checked(usize::from(len)).ok_or(DecodeError::Truncated)?;
    *at = rest;
    Ok(section)
}

fn many<T>(at: &mut &[u8], mut one: impl FnMut(&mut &[u8]) -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
    let mut all = Vec::new();
    while !at.is_empty() {
        all.push(one(at)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
