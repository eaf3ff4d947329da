//! The way a signal took through the kernel, from its `siginfo` class, whether it went to a group, and the functions on
//! the stack. The markers are functions that no kernel from 5.4 to 7.3 inlines, unless said.

use super::model::SignalPath;
use crate::probe::event::{Info, Signal};

/// What a signal's path is, and whether the stack showed it (else it is inferred from the siginfo alone).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub path: SignalPath,
    pub seen_on_stack: bool,
}

/// A marker and the path it means. The first that is on the stack counts: outer markers of one chain come later.
/// A name that ends in `*` is a prefix: the compiler splits functions (`oom_kill_process.cold`), and system calls have
/// an architecture's prefix.
const MARKERS: &[(&str, SignalPath)] = &[
    ("oom_kill_memcg_member", SignalPath::OomGroup),
    ("__oom_kill_process", SignalPath::OomKill),
    ("oom_kill_process", SignalPath::OomKill),
    ("__cgroup_kill", SignalPath::CgroupKill),
    ("cgroup_kill_write", SignalPath::CgroupKill),
    (POST_FORK, SignalPath::CgroupKill),
    ("zap_pid_ns_processes", SignalPath::PidNamespaceExit),
    ("exit_ptrace", SignalPath::Ptrace),
    ("ptrace_request", SignalPath::Ptrace),
    ("arch_ptrace", SignalPath::Ptrace),
    ("pidfs_file_release", SignalPath::PidfdAutokill),
    ("posix_cpu_timers_work", SignalPath::RlimitCpu),
    ("run_posix_cpu_timers", SignalPath::RlimitCpu),
    ("send_sig_all", SignalPath::Sysrq),
    ("sysrq_handle_kill", SignalPath::Sysrq),
    ("bpf_send_signal", SignalPath::BpfSendSignal),
    ("do_bpf_send_signal", SignalPath::BpfSendSignal),
    ("force_sig_info_to_task", SignalPath::ForceSignal),
    ("do_pidfd_send_signal", SignalPath::PidfdSendSignal),
    ("sys_pidfd_send_signal", SignalPath::PidfdSendSignal),
    ("do_rt_sigqueueinfo", SignalPath::RtSigqueueinfo),
    ("do_rt_tgsigqueueinfo", SignalPath::RtSigqueueinfo),
    ("sys_tgkill", SignalPath::Tgkill),
    ("sys_tkill", SignalPath::Tkill),
    ("kill_something_info", SignalPath::Kill),
    ("sys_kill", SignalPath::Kill),
];

/// Where a child is killed that was forked into a cgroup while that is being killed (kernel/cgroup/cgroup.c, 5.14 to 7.3).
const POST_FORK: &str = "cgroup_post_fork";

/// The victim is such a child: `current` is its parent, not whoever wrote `cgroup.kill`.
#[must_use]
pub fn is_at_fork(signal: &Signal) -> bool {
    signal.symbols.iter().any(|symbol| is(symbol, POST_FORK))
}

/// A process generates the signals of this path itself, by a system call or a write; else the kernel does.
#[must_use]
pub fn is_by_process(path: SignalPath, info: Info) -> bool {
    use SignalPath::*;
    match path {
        Kill | Tkill | Tgkill | RtSigqueueinfo | PidfdSendSignal | CgroupKill => true,
        // PTRACE_KILL is the tracer's; PTRACE_O_EXITKILL is the kernel's, when the tracer ends.
        Ptrace => info != Info::Kernel,
        OomKill | OomGroup | OomSharedMm | PidNamespaceExit | ParentDeath | PidfdAutokill | RlimitCpu | Sysrq
        | BpfSendSignal | ForceSignal | OtherKernel => false,
    }
}

/// How many processes one kill(2) was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One process, as far as the stack tells.
    One,
    /// A process group: kill(-PGID), kill(0).
    Group,
    /// Every process that the sender may signal: kill(-1).
    All,
}

/// How many processes the kill(2) was for that made `signal`.
#[must_use]
pub fn reach(signal: &Signal) -> Reach {
    let on_stack = |wanted: &str| signal.symbols.iter().any(|symbol| is(symbol, wanted));
    if on_stack("__kill_pgrp_info") {
        return Reach::Group;
    }
    // For one process kill_something_info goes through kill_pid_info (kill_pid_info_type since 6.9), which is never inlined.
    let above = signal.symbols.iter().take_while(|symbol| !is(symbol, "kill_something_info"));
    let through_pid =
        above.clone().any(|symbol| symbol.starts_with("kill_pid_info") || symbol.starts_with("kill_proc_info"));
    if on_stack("kill_something_info") && above.clone().next().is_some() && !through_pid {
        Reach::All
    } else {
        Reach::One
    }
}

/// The path of `signal`.
#[must_use]
pub fn classify(signal: &Signal) -> Path {
    let on_stack = |marker: &str| signal.symbols.iter().any(|symbol| is(symbol, marker));
    if let Some((_, path)) = MARKERS.iter().find(|(marker, _)| on_stack(marker)) {
        return Path { path: *path, seen_on_stack: true };
    }
    // The only sender of a NOINFO signal under do_exit is PR_SET_PDEATHSIG (kernel/exit.c, forget_original_parent, which
    // newer kernels inline).
    if on_stack("do_exit") && signal.info == Info::None && signal.group {
        return Path { path: SignalPath::ParentDeath, seen_on_stack: true };
    }
    // No system call is on the stack: some other part of the kernel made it, whatever its siginfo looks like. A security
    // module's kill has that of cgroup.kill (security/apparmor/audit.c, aa_audit).
    let path = if signal.symbols.is_empty() { infer(signal) } else { SignalPath::OtherKernel };
    Path { path, seen_on_stack: false }
}

/// Without a stack: what the siginfo class alone says.
fn infer(signal: &Signal) -> SignalPath {
    // si_code: SI_USER 0, SI_QUEUE -1, SI_TKILL -6, SI_KERNEL 0x80 (include/uapi/asm-generic/siginfo.h).
    match (signal.info, signal.group) {
        (Info::Real(0), _) => SignalPath::Kill,
        (Info::Real(-6), _) => SignalPath::Tgkill,
        (Info::Real(code), _) if code < 0 => SignalPath::RtSigqueueinfo,
        (Info::Real(_), _) => SignalPath::ForceSignal,
        (Info::None, false) => SignalPath::CgroupKill,
        // A parent's death signal is sent from its do_exit; kill(2) has no siginfo on 7.3 (seen live on 7.3.4, where
        // 7.0.13 still had one).
        (Info::None, true) if signal.sender.exiting => SignalPath::ParentDeath,
        (Info::None, true) => SignalPath::Kill,
        (Info::Kernel, _) => SignalPath::OtherKernel,
    }
}

/// `symbol` is the function `marker`, or a part of it that the compiler split off; for a system call, with the
/// architecture's prefix (`__x64_sys_kill`, `__se_sys_kill`).
pub fn is(symbol: &str, marker: &str) -> bool {
    let base = symbol.split_once('.').map_or(symbol, |(base, _)| base);
    base == marker || (marker.starts_with("sys_") && base.starts_with("__") && base.ends_with(&format!("_{marker}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::correlate::fixture;

    /// Stacks as bpf_get_stack gave them on 6.18 and 7.3, without the two innermost functions that all share.
    #[test]
    fn the_stack_decides() {
        use SignalPath::*;
        for (stack, info, group, path) in [
            ("kill_pid_info_type kill_something_info __x64_sys_kill do_syscall_64", Info::Real(0), true, Kill),
            ("__kill_pgrp_info kill_something_info __x64_sys_kill do_syscall_64", Info::Real(0), true, Kill),
            ("kill_pid_info_type kill_something_info.constprop.0 __x64_sys_kill", Info::None, true, Kill),
            ("do_send_specific __x64_sys_tgkill do_syscall_64", Info::Real(-6), false, Tgkill),
            ("do_send_specific __x64_sys_tkill do_syscall_64", Info::Real(-6), false, Tkill),
            ("kill_pid_info_type do_rt_sigqueueinfo __x64_sys_rt_sigqueueinfo", Info::Real(-1), true, RtSigqueueinfo),
            (
                "kill_pid_info_type do_pidfd_send_signal __x64_sys_pidfd_send_signal",
                Info::Real(0),
                true,
                PidfdSendSignal,
            ),
            ("do_exit do_group_exit __x64_sys_exit_group", Info::None, true, ParentDeath),
            ("zap_pid_ns_processes do_exit do_group_exit get_signal", Info::Kernel, true, PidNamespaceExit),
            ("exit_ptrace do_exit do_group_exit", Info::Kernel, false, Ptrace),
            ("posix_cpu_timers_work task_work_run irqentry_exit_to_user_mode", Info::Kernel, true, RlimitCpu),
            ("__oom_kill_process oom_kill_process out_of_memory mem_cgroup_out_of_memory", Info::Kernel, true, OomKill),
            (
                "__oom_kill_process oom_kill_memcg_member mem_cgroup_scan_tasks oom_kill_process",
                Info::Kernel,
                true,
                OomGroup,
            ),
            ("oom_kill_process.cold out_of_memory", Info::Kernel, true, OomKill),
            ("__cgroup_kill cgroup_kill_write kernfs_fop_write_iter", Info::None, false, CgroupKill),
            ("cgroup_post_fork copy_process kernel_clone __do_sys_clone", Info::None, true, CgroupKill),
        ] {
            let mut signal = fixture::signal(10, 20);
            signal.symbols = stack.split(' ').map(str::to_owned).collect();
            signal.info = info;
            signal.group = group;
            assert_eq!(classify(&signal), Path { path, seen_on_stack: true }, "{stack}");
        }
    }

    /// Stacks as bpf_get_stack gave them on 6.18.
    #[test]
    fn one_call_for_many_processes_is_told_from_one_for_one() {
        for (stack, reach_) in [
            ("__send_signal_locked do_send_sig_info kill_pid_info_type kill_something_info __x64_sys_kill", Reach::One),
            ("__send_signal_locked do_send_sig_info __kill_pgrp_info kill_something_info __x64_sys_kill", Reach::Group),
            ("__send_signal_locked do_send_sig_info kill_something_info __x64_sys_kill do_syscall_64", Reach::All),
            ("__send_signal_locked do_send_sig_info do_send_specific __x64_sys_tgkill", Reach::One),
            ("", Reach::One),
        ] {
            let mut signal = fixture::signal(10, 20);
            signal.symbols = stack.split_whitespace().map(str::to_owned).collect();
            assert_eq!(reach(&signal), reach_, "{stack}");
        }
    }

    #[test]
    fn without_a_stack_the_siginfo_says_less_and_is_marked() {
        use SignalPath::*;
        for (info, group, path) in [
            (Info::Real(0), true, Kill),
            (Info::Real(-6), false, Tgkill),
            (Info::Real(-1), true, RtSigqueueinfo),
            (Info::Real(0x80), false, ForceSignal),
            (Info::None, false, CgroupKill),
            (Info::None, true, Kill),
            (Info::Kernel, true, OtherKernel),
        ] {
            let mut signal = fixture::signal(10, 20);
            (signal.info, signal.group) = (info, group);
            assert_eq!(classify(&signal), Path { path, seen_on_stack: false }, "{info:?} {group}");
        }
        let mut dying_parent = fixture::signal(10, 20);
        (dying_parent.info, dying_parent.sender.exiting) = (Info::None, true);
        assert_eq!(classify(&dying_parent), Path { path: ParentDeath, seen_on_stack: false });
    }

    #[test]
    fn a_stack_without_any_of_them_is_no_system_call_whatever_the_siginfo_says() {
        for (info, group) in [(Info::None, false), (Info::None, true), (Info::Real(0), true), (Info::Kernel, true)] {
            let mut signal = fixture::signal(20, 20);
            (signal.info, signal.group) = (info, group);
            signal.symbols = ["send_sig", "aa_audit", "profile_transition"].map(str::to_owned).to_vec();
            assert_eq!(classify(&signal), Path { path: SignalPath::OtherKernel, seen_on_stack: false }, "{info:?}");
        }
    }

    #[test]
    fn a_function_whose_name_only_looks_alike_is_not_a_marker() {
        for symbol in ["my_kill_something_info", "kill_something_information", "sys_killer", "x_sys_kill"] {
            let mut signal = fixture::signal(10, 20);
            signal.symbols = vec![symbol.to_owned()];
            assert!(!classify(&signal).seen_on_stack, "{symbol}");
        }
    }
}
