//! The way a signal took through the kernel, by the functions on the stack and the class of its `siginfo`. A function counts only
//! up to where an interrupt, an exception or a softirq was entered, and only with the `siginfo` that it sends: what runs below an
//! interrupt was interrupted, and did not send anything. The markers are functions that no kernel from 5.4 to 7.3 inlines, unless said.

mod siginfo;
mod stack;

use crate::event::{Info, Signal};
use crate::model::{Confidence, SignalPath};
use siginfo::{Class, names_the_sender};
pub use stack::{is, own};

/// What a signal's path is, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub path: SignalPath,
    /// Certain when the stack shows it, or the siginfo proves it; possible when it is inferred.
    pub confidence: Confidence,
    /// A function on the stack sends such signals.
    pub seen_on_stack: bool,
}

impl Path {
    /// That of an end which no signal explains.
    pub const UNSEEN: Self = Self::unseen(SignalPath::Unseen, Confidence::Possible);

    const fn seen(path: SignalPath, confidence: Confidence) -> Self {
        Self { path, confidence, seen_on_stack: true }
    }

    const fn unseen(path: SignalPath, confidence: Confidence) -> Self {
        Self { path, confidence, seen_on_stack: false }
    }
}

/// A function on the stack, the class of siginfo that it sends, and the path that both mean. The first that holds counts: outer
/// functions of one chain come later.
const MARKERS: &[(&str, Class, SignalPath)] = &[
    ("oom_kill_memcg_member", Class::Kernel, SignalPath::OomGroup),
    ("__oom_kill_process", Class::Kernel, SignalPath::OomKill),
    ("oom_kill_process", Class::Kernel, SignalPath::OomKill),
    // A timer's signal is queued from an interrupt, or for one that counts processor time from its owner's own context
    // (kernel/time/posix-timers.c, posix-cpu-timers.c and alarmtimer.c). `send_sigqueue` has been `posixtimer_send_sigqueue` since 6.13.
    ("send_sigqueue", Class::Timer, SignalPath::PosixTimer),
    ("posixtimer_send_sigqueue", Class::Timer, SignalPath::PosixTimer),
    // ipc/mqueue.c: `__do_notify` is inlined by some compilers, its callers are not.
    ("__do_notify", Class::MessageQueue, SignalPath::MessageQueue),
    ("do_mq_timedsend", Class::MessageQueue, SignalPath::MessageQueue),
    ("sys_mq_timedsend", Class::MessageQueue, SignalPath::MessageQueue),
    // F_SETSIG (fs/fcntl.c), and what a USB device does when it is unplugged or has an answer (kernel/signal.c).
    ("send_sigio", Class::Polled, SignalPath::AsyncIo),
    ("send_sigio_to_task", Class::Polled, SignalPath::AsyncIo),
    ("kill_pid_usb_asyncio", Class::Any, SignalPath::AsyncIo),
    ("__cgroup_kill", Class::None, SignalPath::CgroupKill),
    ("cgroup_kill_write", Class::None, SignalPath::CgroupKill),
    (POST_FORK, Class::None, SignalPath::CgroupKill),
    ("zap_pid_ns_processes", Class::Kernel, SignalPath::PidNamespaceExit),
    ("exit_ptrace", Class::Kernel, SignalPath::Ptrace),
    ("ptrace_request", Class::None, SignalPath::Ptrace),
    ("arch_ptrace", Class::None, SignalPath::Ptrace),
    ("pidfs_file_release", Class::Kernel, SignalPath::PidfdAutokill),
    ("posix_cpu_timers_work", Class::Kernel, SignalPath::RlimitCpu),
    ("run_posix_cpu_timers", Class::Kernel, SignalPath::RlimitCpu),
    ("send_sig_all", Class::Kernel, SignalPath::Sysrq),
    ("sysrq_handle_kill", Class::Kernel, SignalPath::Sysrq),
    ("bpf_send_signal", Class::ByKernel, SignalPath::BpfSendSignal),
    ("bpf_send_signal_thread", Class::ByKernel, SignalPath::BpfSendSignal),
    ("bpf_send_signal_task", Class::ByKernel, SignalPath::BpfSendSignal),
    ("bpf_send_signal_common", Class::ByKernel, SignalPath::BpfSendSignal),
    ("do_bpf_send_signal", Class::ByKernel, SignalPath::BpfSendSignal),
    ("force_sig_info_to_task", Class::Forced, SignalPath::ForceSignal),
    ("do_pidfd_send_signal", Class::FromUser, SignalPath::PidfdSendSignal),
    ("sys_pidfd_send_signal", Class::FromUser, SignalPath::PidfdSendSignal),
    ("do_rt_sigqueueinfo", Class::FromUser, SignalPath::RtSigqueueinfo),
    ("do_rt_tgsigqueueinfo", Class::FromUser, SignalPath::RtSigqueueinfo),
    ("sys_rt_sigqueueinfo", Class::FromUser, SignalPath::RtSigqueueinfo),
    ("sys_rt_tgsigqueueinfo", Class::FromUser, SignalPath::RtSigqueueinfo),
    ("sys_tgkill", Class::Tkill, SignalPath::Tgkill),
    ("sys_tkill", Class::Tkill, SignalPath::Tkill),
    ("kill_something_info", Class::Kill, SignalPath::Kill),
    ("sys_kill", Class::Kill, SignalPath::Kill),
    // What a tracer has a system call's stop go on with is sent by the traced process to itself (include/linux/ptrace.h,
    // `ptrace_report_syscall`, which its callers inline, 5.4 to 7.3).
    ("ptrace_report_syscall", Class::Kernel, SignalPath::Ptrace),
    ("syscall_trace_enter", Class::Kernel, SignalPath::Ptrace),
    ("syscall_exit_work", Class::Kernel, SignalPath::Ptrace),
    ("syscall_slow_exit_work", Class::Kernel, SignalPath::Ptrace),
    // Parts of the kernel that have no path of their own: a security module (security/apparmor/audit.c), the secure attention key
    // (drivers/tty/tty_io.c), memory that failed (mm/memory-failure.c), reboot(2) in a pid namespace (kernel/pid_namespace.c), and
    // a child whose exit signal its parent chose by clone(2) (kernel/signal.c).
    ("aa_audit", Class::None, SignalPath::OtherKernel),
    ("__do_SAK", Class::Kernel, SignalPath::OtherKernel),
    ("kill_procs", Class::Kernel, SignalPath::OtherKernel),
    ("reboot_pid_ns", Class::Kernel, SignalPath::OtherKernel),
    (EXIT_SIGNAL, Class::ChildEnded, SignalPath::OtherKernel),
];

/// Where a child is killed that was forked into a cgroup while that is being killed (kernel/cgroup/cgroup.c, 5.14 to 7.3).
const POST_FORK: &str = "cgroup_post_fork";
/// Where a process that ends signals its parent.
const EXIT_SIGNAL: &str = "do_notify_parent";

/// The victim is such a child: `current` is its parent, not whoever wrote `cgroup.kill`.
#[must_use]
pub fn is_at_fork(signal: &Signal) -> bool {
    signal.info == Info::None && is_on(own(&signal.symbols), POST_FORK)
}

/// A process generates the signals of this path itself, by a system call or a write; else the kernel does.
#[must_use]
pub fn is_by_process(path: SignalPath, info: Info) -> bool {
    use SignalPath::*;
    match path {
        Kill | Tkill | Tgkill | RtSigqueueinfo | PidfdSendSignal | CgroupKill => true,
        // PTRACE_KILL is the tracer's; PTRACE_O_EXITKILL is the kernel's, when the tracer ends.
        Ptrace => info != Info::Kernel,
        OomKill | OomGroup | OomSharedMm | PidNamespaceExit | ParentDeath | PidfdAutokill | RlimitCpu
        | RlimitRttime | PosixTimer | MessageQueue | AsyncIo | Sysrq | BpfSendSignal | ForceSignal | Unseen
        | OtherKernel => false,
    }
}

/// How many processes one kill(2) was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One process, as far as the stack shows.
    One,
    /// A process group: kill(-PGID), kill(0).
    Group,
    /// Every process that the sender may signal: kill(-1).
    All,
}

/// How many processes the kill(2) was for that made `signal`.
#[must_use]
pub fn reach(signal: &Signal) -> Reach {
    if !Class::Kill.is_of(signal.info) {
        return Reach::One;
    }
    let own = own(&signal.symbols);
    if is_on(own, "__kill_pgrp_info") {
        return Reach::Group;
    }
    // For one process kill_something_info goes through kill_pid_info (kill_pid_info_type since 6.9), which is never inlined.
    let above = own.iter().take_while(|symbol| !is(symbol, "kill_something_info"));
    let through_pid =
        above.clone().any(|symbol| symbol.starts_with("kill_pid_info") || symbol.starts_with("kill_proc_info"));
    if is_on(own, "kill_something_info") && above.clone().next().is_some() && !through_pid {
        Reach::All
    } else {
        Reach::One
    }
}

/// The path of `signal`.
#[must_use]
pub fn classify(signal: &Signal) -> Path {
    if signal.symbols.is_empty() {
        return infer(signal);
    }
    let own = own(&signal.symbols);
    let marked = MARKERS.iter().find(|(marker, class, _)| class.is_of(signal.info) && is_on(own, marker));
    if let Some((_, _, path)) = marked {
        return if *path == SignalPath::RlimitCpu { cpu_limit(signal) } else { Path::seen(*path, Confidence::Certain) };
    }
    // The only sender of a NOINFO signal under do_exit is PR_SET_PDEATHSIG (kernel/exit.c, forget_original_parent, which
    // newer kernels inline).
    if signal.info == Info::None && signal.group && is_on(own, "do_exit") {
        return Path::seen(SignalPath::ParentDeath, Confidence::Certain);
    }
    // No system call is on the stack: some other part of the kernel made it. Only the kernel's own siginfo says so for certain.
    let confidence = if signal.info == Info::Kernel { Confidence::Certain } else { Confidence::Possible };
    Path::unseen(SignalPath::OtherKernel, confidence)
}

/// Which of the two limits of processor time it was: one function looks at both, that for threads which run in real time first, and
/// sends the same signal for either (kernel/time/posix-cpu-timers.c, 5.4 to 7.3).
fn cpu_limit(signal: &Signal) -> Path {
    use Confidence::{Certain, Likely};
    use SignalPath::{RlimitCpu, RlimitRttime};
    let Some(cpu) = signal.cpu else { return Path::seen(RlimitCpu, Likely) };
    let is_used_up = |limit_s: u64| cpu.used_ns >= limit_s.saturating_mul(1_000_000_000);
    match (cpu.limit_s, cpu.rttime_limit_us) {
        (Some(_), None) => Path::seen(RlimitCpu, Certain),
        (None, Some(_)) => Path::seen(RlimitRttime, Certain),
        (Some(limit), Some(_)) if is_used_up(limit) => Path::seen(RlimitCpu, Likely),
        (Some(_), Some(_)) => Path::seen(RlimitRttime, Certain),
        // The limits could not be read.
        (None, None) => Path::seen(RlimitCpu, Likely),
    }
}

/// Without a stack: what the siginfo alone says. It is proof only where the kernel wrote the sender into it.
fn infer(signal: &Signal) -> Path {
    let path = match (signal.info, signal.group) {
        (Info::Real(siginfo::SI_USER), _) => SignalPath::Kill,
        (Info::Real(siginfo::SI_TKILL), _) => SignalPath::Tgkill,
        // Anybody may write these there by rt_sigqueueinfo(2), and nobody is accused on a guess.
        (Info::Real(siginfo::SI_TIMER), _) => SignalPath::PosixTimer,
        (Info::Real(siginfo::SI_MESGQ), _) => SignalPath::MessageQueue,
        (Info::Real(siginfo::SI_ASYNCIO | siginfo::SI_SIGIO), _) => SignalPath::AsyncIo,
        (Info::Real(..0), _) => SignalPath::RtSigqueueinfo,
        (Info::Real(siginfo::SI_KERNEL), _) => SignalPath::ForceSignal,
        (Info::Real(_), _) => SignalPath::OtherKernel,
        (Info::None, false) => SignalPath::CgroupKill,
        // A parent's death signal is sent from its do_exit; kill(2) has no siginfo on 7.3 (seen live on 7.3.4, where
        // 7.0.13 still had one).
        (Info::None, true) if signal.sender.exiting => SignalPath::ParentDeath,
        (Info::None, true) => SignalPath::Kill,
        (Info::Kernel, _) => SignalPath::OtherKernel,
    };
    Path::unseen(path, if names_the_sender(signal) { Confidence::Certain } else { Confidence::Possible })
}

fn is_on(stack: &[String], marker: &str) -> bool {
    stack.iter().any(|symbol| is(symbol, marker))
}

#[cfg(test)]
mod tests;
