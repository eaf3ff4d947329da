//! `task_struct`, its credentials, its pids and its signal state.

use oomtrace_common::{
    event::{
        Ancestor, DISPOSITION_BLOCKED, DISPOSITION_DEFAULT, DISPOSITION_HANDLED, DISPOSITION_IGNORED,
        DISPOSITION_UNKNOWN, Namespaces, TaskInfo,
    },
    layout::ABSENT,
    limits::{COMM_LEN, MAX_ANCESTORS},
    settings::signal_bit,
};

use super::{KernelRead, Probed, cgroup, field};
use crate::{globals::layout, record::Record};

/// Fills in `out` for the process that `task` is a thread of.
#[inline(always)]
pub fn fill<R: KernelRead>(out: &mut TaskInfo, task: u64) {
    let leader: u64 = field!(R: task, task_group_leader);
    let signal: u64 = field!(R: task, task_signal);
    let cred: u64 = field!(R: task, task_cred);
    let parent: u64 = field!(R: leader, task_real_parent);
    let css_set: u64 = field!(R: task, task_cgroups);
    let (ns_pid, ns_level) = pid_in_namespace::<R>(leader);
    out.tgid = field!(R: task, task_tgid);
    out.tid = field!(R: task, task_pid);
    out.ppid = field!(R: parent, task_tgid);
    out.uid = field!(R: cred, cred_uid);
    out.ns_pid = ns_pid;
    out.ns_level = ns_level;
    out.loginuid = read_or::<R>(task, layout!(task_loginuid), u32::MAX);
    out.sessionid = read_or::<R>(task, layout!(task_sessionid), u32::MAX);
    out.task_flags = field!(R: task, task_flags);
    out.signal_flags = field!(R: signal, signal_flags);
    out.group_exit_code = field!(R: signal, signal_group_exit_code);
    out.pgid = 0;
    out.start_boot_ns = field!(R: leader, task_start_boottime);
    out.mm = field!(R: task, task_mm);
    out.cgroup = cgroup::key::<R>(cgroup::default_of::<R>(css_set));
    out.memory_cgroup = cgroup::key::<R>(cgroup::memory_of::<R>(css_set));
    comm::<R>(&mut out.comm, leader);
}

/// Copies a task's name, NUL-terminated; zeros when it cannot be read.
#[inline(always)]
fn comm<R: KernelRead>(out: &mut [u8; COMM_LEN], task: u64) {
    let name: [u64; COMM_LEN / 8] = field!(R: task, task_comm);
    // SAFETY: it is a reference to as many bytes.
    unsafe { core::ptr::from_mut(out).cast::<[u64; COMM_LEN / 8]>().write_unaligned(name) };
}

#[inline(always)]
fn read_or<R: KernelRead>(base: u64, offset: u32, absent: u32) -> u32 {
    if offset == ABSENT { absent } else { R::read(base, offset) }
}

/// The process's id in its innermost pid namespace, and that namespace's depth.
#[inline(always)]
pub fn pid_in_namespace<R: KernelRead>(leader: u64) -> (u32, u32) {
    let pid: u64 = field!(R: leader, task_thread_pid);
    let level: u32 = field!(R: pid, pid_level);
    // MAX_PID_NS_LEVEL is 32 (include/linux/pid_namespace.h, 5.4 to 7.3).
    if level > 32 || layout!(pid_numbers) == ABSENT {
        return (0, 0);
    }
    // The mask shows the verifier that this is no large number: 6.1 does not follow a multiplication.
    let before = (u64::from(level) * u64::from(layout!(upid_size))) & 0xfff;
    let upid = pid + u64::from(layout!(pid_numbers)) + before;
    // The index is known at run time only, so the verifier has no type for this address: it is read by the helper.
    (field!(upid, upid_nr), level)
}

/// The id of the task's process group in the initial pid namespace; 0 when this kernel's layout is not known.
#[inline(always)]
pub fn process_group<R: KernelRead>(task: u64) -> u32 {
    if layout!(signal_pgrp) == ABSENT || layout!(pid_numbers) == ABSENT {
        return 0;
    }
    let signal: u64 = field!(R: task, task_signal);
    let pid: u64 = field!(R: signal, signal_pgrp);
    // numbers[0] is the initial namespace's.
    field!(pid + u64::from(layout!(pid_numbers)), upid_nr)
}

/// What the process has set up for `signal`, one of the `DISPOSITION_` constants. The siglock is held at
/// signal_generate, so it does not change meanwhile.
#[inline(always)]
pub fn disposition<R: KernelRead>(task: u64, signal: u32) -> u32 {
    if layout!(sighand_action) == ABSENT
        || layout!(k_sigaction_handler) == ABSENT
        || layout!(k_sigaction_size) == ABSENT
    {
        return DISPOSITION_UNKNOWN;
    }
    let blocked: u64 = field!(R: task, task_blocked);
    if blocked & signal_bit(signal) != 0 {
        return DISPOSITION_BLOCKED;
    }
    let sighand: u64 = field!(R: task, task_sighand);
    let index = u64::from(signal.wrapping_sub(1) & 63);
    let action = sighand + u64::from(layout!(sighand_action)) + index * u64::from(layout!(k_sigaction_size));
    // SIG_DFL is 0, SIG_IGN is 1 (include/uapi/asm-generic/signal-defs.h).
    match field!(action, k_sigaction_handler) {
        0_u64 => DISPOSITION_DEFAULT,
        1 => DISPOSITION_IGNORED,
        _ => DISPOSITION_HANDLED,
    }
}

/// Appends an [`Ancestor`] for each parent of `task`, nearest first, up to the first process of the machine; `each` is given each
/// parent's leader.
#[inline(always)]
pub fn push_ancestors<R: KernelRead, T>(record: &Record<T>, task: u64, each: impl Fn(u64)) {
    let mut current: u64 = field!(R: task, task_group_leader);
    for _ in 0..MAX_ANCESTORS {
        let parent: u64 = field!(R: current, task_real_parent);
        let leader: u64 = field!(R: parent, task_group_leader);
        let tgid: u32 = field!(R: leader, task_tgid);
        // Above init there is only the idle task, 0.
        if tgid == 0 {
            return;
        }
        let Some(end) = record.end() else { return };
        // SAFETY: `end` has room for a section, and any bytes are an ancestor. It is aligned: before it lie the fixed part and either
        // nothing, or a `Listener` and `Namespaces`, 40 bytes, of which a kernel's layout has both or neither.
        let ancestor: &mut Ancestor = unsafe { &mut *end.cast() };
        let cred: u64 = field!(R: leader, task_cred);
        ancestor.tgid = tgid;
        ancestor.uid = field!(R: cred, cred_uid);
        ancestor.start_boot_ns = field!(R: leader, task_start_boottime);
        comm::<R>(&mut ancestor.comm, leader);
        record.grow(size_of::<Ancestor>() as u64);
        each(leader);
        current = leader;
    }
    record.truncate();
}

/// Keeps the [`Namespaces`] of one task for a later section; nothing where this kernel's layout is not known.
#[inline(always)]
pub fn keep_namespaces<R: KernelRead, T>(record: &Record<T>, task: u64) {
    if layout!(mnt_ns_inum) == ABSENT || layout!(user_ns_inum) == ABSENT {
        return;
    }
    let Some(kept) = record.keep::<Namespaces>() else { return };
    let nsproxy: u64 = field!(R: task, task_nsproxy);
    let mount: u64 = field!(R: nsproxy, nsproxy_mnt_ns);
    let cred: u64 = field!(R: task, task_cred);
    let user: u64 = field!(R: cred, cred_user_ns);
    // SAFETY: what is kept is room for one, aligned as long as nothing else is kept beside it, and any bytes are one.
    let kept = unsafe { &mut *kept };
    kept.tgid = field!(R: task, task_tgid);
    kept.mount = field!(R: mount, mnt_ns_inum);
    kept.user = field!(R: user, user_ns_inum);
    kept.user_level = field!(R: user, user_ns_level);
    kept.user_owner = field!(R: user, user_ns_owner);
}

/// Fills in `out` for the process of `task`.
#[inline(always)]
pub fn fill_ancestor(out: &mut Ancestor, task: u64) {
    let leader: u64 = field!(task, task_group_leader);
    let cred: u64 = field!(leader, task_cred);
    out.tgid = field!(leader, task_tgid);
    out.uid = field!(cred, cred_uid);
    out.start_boot_ns = field!(leader, task_start_boottime);
    comm::<Probed>(&mut out.comm, leader);
}

/// Appends the name of the controlling terminal.
#[inline(always)]
pub fn push_tty<R: KernelRead, T>(record: &Record<T>, task: u64) {
    let signal: u64 = field!(R: task, task_signal);
    let tty: u64 = field!(R: signal, signal_tty);
    if tty != 0 && layout!(tty_name) != ABSENT {
        record.push_kernel_str(tty + u64::from(layout!(tty_name)));
    }
}
