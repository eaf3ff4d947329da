//! One row a stack: those that bpf_get_stack gave on 5.10 to 7.3, without the innermost functions that all share, and the same below
//! something else.

use super::*;
use crate::correlate::fixture;
use crate::event::{Claimed, Cpu};
use Confidence::{Certain, Likely, Possible};

fn with(stack: &str, info: Info, group: bool) -> Signal {
    let symbols = stack.split_whitespace().map(str::to_owned).collect();
    Signal { symbols, info, group, ..fixture::signal(10, 20) }
}

/// What one signal of each path looks like when nothing interferes.
const PLAIN: &[(&str, Info, bool, SignalPath)] = {
    use SignalPath::*;
    &[
        ("kill_pid_info_type kill_something_info __x64_sys_kill do_syscall_64", Info::Real(0), true, Kill),
        ("kill_pid_info_type kill_something_info.constprop.0 __x64_sys_kill", Info::None, true, Kill),
        ("__kill_pgrp_info kill_something_info __x64_sys_kill do_syscall_64", Info::Real(0), true, Kill),
        ("kill_pid_info __arm64_sys_kill el0_svc el0t_64_sync_handler el0t_64_sync", Info::Real(0), true, Kill),
        ("do_send_specific __x64_sys_tgkill do_syscall_64", Info::Real(-6), false, Tgkill),
        ("do_send_specific __x64_sys_tgkill do_syscall_64", Info::None, false, Tgkill),
        ("do_send_specific __x64_sys_tkill do_syscall_64", Info::Real(-6), false, Tkill),
        ("kill_pid_info_type do_rt_sigqueueinfo __x64_sys_rt_sigqueueinfo", Info::Real(-1), true, RtSigqueueinfo),
        ("do_send_specific __x64_sys_rt_tgsigqueueinfo do_syscall_64", Info::Real(-1), false, RtSigqueueinfo),
        (
            "do_send_specific do_rt_tgsigqueueinfo __ia32_compat_sys_rt_tgsigqueueinfo",
            Info::Real(-1),
            false,
            RtSigqueueinfo,
        ),
        ("kill_pid_info_type do_pidfd_send_signal __x64_sys_pidfd_send_signal", Info::Real(0), true, PidfdSendSignal),
        ("kill_pid_info __x64_sys_pidfd_send_signal do_syscall_64", Info::Real(-1), true, PidfdSendSignal),
        ("do_exit do_group_exit __x64_sys_exit_group", Info::None, true, ParentDeath),
        ("zap_pid_ns_processes do_exit do_group_exit get_signal", Info::Kernel, true, PidNamespaceExit),
        ("exit_ptrace do_exit do_group_exit", Info::Kernel, false, Ptrace),
        ("ptrace_request arch_ptrace __x64_sys_ptrace do_syscall_64", Info::None, false, Ptrace),
        ("do_send_sig_info syscall_trace_enter do_syscall_64", Info::Kernel, false, Ptrace),
        ("__oom_kill_process oom_kill_process out_of_memory mem_cgroup_out_of_memory", Info::Kernel, true, OomKill),
        ("__oom_kill_process.cold oom_kill_process.cold out_of_memory", Info::Kernel, true, OomKill),
        (
            "__oom_kill_process oom_kill_memcg_member mem_cgroup_scan_tasks oom_kill_process",
            Info::Kernel,
            true,
            OomGroup,
        ),
        ("__cgroup_kill cgroup_kill_write kernfs_fop_write_iter", Info::None, false, CgroupKill),
        ("cgroup_post_fork copy_process kernel_clone __do_sys_clone", Info::None, true, CgroupKill),
        (
            "bpf_send_signal_common bpf_prog_1b3c_killer bpf_trace_run2 __x64_sys_kill",
            Info::Kernel,
            true,
            BpfSendSignal,
        ),
        (
            "do_bpf_send_signal irq_work_single irq_work_run_list irq_work_run __sysvec_irq_work",
            Info::Kernel,
            true,
            BpfSendSignal,
        ),
        ("force_sig_info_to_task force_sig_info __do_sys_setuid", Info::Real(0x80), false, ForceSignal),
        ("send_sig_all sysrq_handle_kill __handle_sysrq write_sysrq_trigger", Info::Kernel, true, Sysrq),
        ("pidfs_file_release __fput task_work_run", Info::Kernel, true, PidfdAutokill),
        // 6.18; 6.12; 5.10.
        (
            "posixtimer_send_sigqueue posix_timer_fn __hrtimer_run_queues hrtimer_interrupt",
            Info::Real(-2),
            true,
            PosixTimer,
        ),
        ("send_sigqueue posix_timer_event posix_timer_fn __hrtimer_run_queues", Info::Real(-2), true, PosixTimer),
        ("send_sigqueue cpu_timer_fire posix_cpu_timers_work task_work_run", Info::Real(-2), true, PosixTimer),
        ("do_mq_timedsend __x64_sys_mq_timedsend do_syscall_64", Info::Real(-3), true, MessageQueue),
        ("send_sigio_to_task send_sigio kill_fasync pipe_write vfs_write", Info::Real(1), true, AsyncIo),
        // A signal whose own codes the reasons of a poll would be taken for, as SIGTRAP's.
        ("send_sigio_to_task send_sigio kill_fasync pipe_write vfs_write", Info::Real(-5), true, AsyncIo),
        ("kill_pid_usb_asyncio async_completed usb_hcd_giveback_urb", Info::Real(-4), true, AsyncIo),
        ("send_sigio dnotify_handle_event fsnotify vfs_create", Info::Real(3), true, AsyncIo),
        ("aa_audit aa_audit_file", Info::None, false, OtherKernel),
        ("do_notify_parent exit_notify do_exit do_group_exit", Info::Real(1), true, OtherKernel),
    ]
};

/// Where another process was when something came in between: everything that would be a path of its own.
const BELOW: &[&str] = &[
    "kill_pid_info_type kill_something_info __x64_sys_kill do_syscall_64 entry_SYSCALL_64_after_hwframe",
    "do_send_specific __x64_sys_tgkill do_syscall_64",
    "do_pidfd_send_signal __x64_sys_pidfd_send_signal",
    "do_rt_sigqueueinfo __x64_sys_rt_sigqueueinfo",
    "__cgroup_kill cgroup_kill_write kernfs_fop_write_iter",
    "console_unlock vprintk_emit _printk oom_kill_process out_of_memory mem_cgroup_out_of_memory",
    "__oom_kill_process oom_kill_memcg_member mem_cgroup_scan_tasks oom_kill_process",
    "zap_pid_ns_processes do_exit do_group_exit get_signal",
    "exit_ptrace do_exit",
    "ptrace_request arch_ptrace __x64_sys_ptrace",
    "cgroup_post_fork copy_process kernel_clone",
    "do_exit do_group_exit __x64_sys_exit_group",
    "do_mq_timedsend __x64_sys_mq_timedsend",
    "send_sigio kill_fasync pipe_write",
    "force_sig_info_to_task force_sig",
];

/// How kernels enter an interrupt, an exception or a softirq.
const BETWEEN: &[&str] = &[
    // 6.18, 7.3
    "__hrtimer_run_queues hrtimer_interrupt __sysvec_apic_timer_interrupt sysvec_apic_timer_interrupt asm_sysvec_apic_timer_interrupt",
    // 5.10: on the interrupt stack, and not.
    "asm_call_sysvec_on_stack sysvec_apic_timer_interrupt asm_sysvec_apic_timer_interrupt",
    "asm_call_irq_on_stack do_softirq_own_stack irq_exit_rcu",
    "tcp_v4_rcv __netif_receive_skb process_backlog net_rx_action __softirqentry_text_start",
    // 6.12
    "net_rx_action handle_softirqs do_softirq.part.0 __local_bh_enable_ip __dev_queue_xmit",
    "handle_softirqs __irq_exit_rcu common_interrupt asm_common_interrupt",
    "handle_mm_fault do_user_addr_fault exc_page_fault asm_exc_page_fault",
    "exc_nmi asm_exc_nmi",
    "irq_work_run_list irq_work_run __sysvec_irq_work sysvec_irq_work asm_sysvec_irq_work",
    // Before 5.8.
    "hrtimer_interrupt smp_apic_timer_interrupt apic_timer_interrupt",
    // With FRED.
    "fred_sysvec_apic_timer_interrupt fred_extint fred_entry_from_kernel asm_fred_entrypoint_kernel",
    // arm64: 6.12, 5.10.
    "gic_handle_irq call_on_irq_stack do_interrupt_handler el1_interrupt el1h_64_irq_handler el1h_64_irq",
    "__handle_domain_irq gic_handle_irq el1_irq",
];

#[test]
fn the_stack_decides() {
    for (stack, info, group, path) in PLAIN {
        let signal = with(&format!("__send_signal_locked do_send_sig_info {stack}"), *info, *group);
        assert_eq!(classify(&signal), Path::seen(*path, Certain), "{stack}");
    }
}

#[test]
fn what_was_interrupted_sent_nothing() {
    for (stack, info, group, path) in PLAIN {
        for between in BETWEEN {
            for below in BELOW {
                let signal = with(&format!("{stack} {between} {below}"), *info, *group);
                assert_eq!(classify(&signal), Path::seen(*path, Certain), "{stack} {between} {below}");
                assert!(!is_at_fork(&signal) || stack.starts_with(POST_FORK), "{stack} {between} {below}");
            }
        }
    }
}

#[test]
fn what_no_function_on_the_stack_sends_is_nobodys() {
    for info in [Info::Real(-2), Info::Real(-3), Info::Real(-6), Info::Real(0), Info::Kernel, Info::None] {
        for (below, between) in BELOW.iter().zip(BETWEEN.iter().cycle()) {
            let signal = with(&format!("some_driver_callback {between} {below}"), info, true);
            let confidence = if info == Info::Kernel { Certain } else { Possible };
            assert_eq!(classify(&signal), Path::unseen(SignalPath::OtherKernel, confidence), "{between} {below}");
            assert_eq!(reach(&signal), Reach::One);
        }
    }
}

#[test]
fn a_function_counts_only_with_the_siginfo_that_it_sends() {
    for (stack, info) in [
        ("kill_something_info __x64_sys_kill", Info::Real(-2)),
        ("kill_something_info __x64_sys_kill", Info::Kernel),
        ("do_send_specific __x64_sys_tgkill", Info::Real(0)),
        ("oom_kill_process out_of_memory", Info::Real(-2)),
        ("oom_kill_process out_of_memory", Info::None),
        ("__cgroup_kill cgroup_kill_write", Info::Real(0)),
        ("force_sig_info_to_task force_sig_info", Info::Real(0)),
        ("zap_pid_ns_processes do_exit", Info::Real(-2)),
        ("posix_cpu_timers_work task_work_run", Info::Real(0)),
        ("do_rt_sigqueueinfo __x64_sys_rt_sigqueueinfo", Info::Kernel),
        ("do_mq_timedsend __x64_sys_mq_timedsend", Info::Real(-2)),
        ("do_exit do_group_exit", Info::Real(1)),
    ] {
        let path = classify(&with(stack, info, true));
        assert_eq!((path.path, path.seen_on_stack), (SignalPath::OtherKernel, false), "{stack} {info:?}");
    }
}

/// A process may write what it likes into a siginfo of its own; the stack shows the call that it did it by.
#[test]
fn a_forged_siginfo_is_known_by_its_system_call() {
    for code in [-1, -2, -3, -4, -5, -6, -7, -60, 0, 1, 0x80] {
        for (stack, path) in [
            ("kill_pid_info_type do_rt_sigqueueinfo __x64_sys_rt_sigqueueinfo", SignalPath::RtSigqueueinfo),
            ("do_send_specific do_rt_tgsigqueueinfo __x64_sys_rt_tgsigqueueinfo", SignalPath::RtSigqueueinfo),
            ("kill_pid_info_type do_pidfd_send_signal __x64_sys_pidfd_send_signal", SignalPath::PidfdSendSignal),
        ] {
            let signal = with(stack, Info::Real(code), true);
            assert_eq!(classify(&signal), Path::seen(path, Certain), "{stack} {code}");
            assert!(is_by_process(path, signal.info));
        }
    }
}

#[test]
fn a_tracers_request_is_its_own_and_what_its_end_brings_is_the_kernels() {
    assert!(is_by_process(SignalPath::Ptrace, Info::None));
    assert!(!is_by_process(SignalPath::Ptrace, Info::Kernel));
    assert!(!is_by_process(SignalPath::OomKill, Info::Kernel));
}

#[test]
fn a_limit_of_processor_time_is_known_by_which_one_there_is() {
    use SignalPath::{RlimitCpu, RlimitRttime};
    let used = |cpu: Option<(Option<u64>, Option<u64>, u64)>| {
        let cpu = cpu.map(|(limit_s, rttime_limit_us, used_ns)| Cpu { limit_s, rttime_limit_us, used_ns });
        let path = classify(&Signal { cpu, ..with("posix_cpu_timers_work task_work_run", Info::Kernel, true) });
        assert!(path.seen_on_stack);
        (path.path, path.confidence)
    };
    assert_eq!(used(Some((Some(1), None, 1_000_000_000))), (RlimitCpu, Certain));
    assert_eq!(used(Some((None, Some(500_000), 700_000_000))), (RlimitRttime, Certain));
    // Both: the time used says that it was not that of the process; that it was, it cannot say.
    assert_eq!(used(Some((Some(60), Some(500_000), 700_000_000))), (RlimitRttime, Certain));
    assert_eq!(used(Some((Some(1), Some(500_000), 1_000_000_000))), (RlimitCpu, Likely));
    // Not recorded, or not to be read.
    assert_eq!(used(None), (RlimitCpu, Likely));
    assert_eq!(used(Some((None, None, 0))), (RlimitCpu, Likely));
}

/// Stacks as bpf_get_stack gave them on 6.18.
#[test]
fn one_call_for_many_processes_is_told_from_one_for_one() {
    for (stack, reach_) in [
        ("__send_signal_locked do_send_sig_info kill_pid_info_type kill_something_info __x64_sys_kill", Reach::One),
        ("__send_signal_locked do_send_sig_info __kill_pgrp_info kill_something_info __x64_sys_kill", Reach::Group),
        ("__send_signal_locked do_send_sig_info kill_something_info __x64_sys_kill do_syscall_64", Reach::All),
        ("__send_signal_locked do_send_sig_info do_send_specific __x64_sys_tgkill", Reach::One),
        ("posix_timer_fn hrtimer_interrupt asm_sysvec_apic_timer_interrupt kill_something_info", Reach::One),
        ("", Reach::One),
    ] {
        assert_eq!(reach(&with(stack, Info::Real(0), true)), reach_, "{stack}");
    }
}

#[test]
fn without_a_stack_the_siginfo_says_less_and_is_marked() {
    use SignalPath::*;
    for (info, group, path) in [
        (Info::Real(0), true, Kill),
        (Info::Real(-6), false, Tgkill),
        (Info::Real(-1), true, RtSigqueueinfo),
        (Info::Real(-2), true, PosixTimer),
        (Info::Real(-3), true, MessageQueue),
        (Info::Real(-4), true, AsyncIo),
        (Info::Real(-5), true, AsyncIo),
        (Info::Real(0x80), false, ForceSignal),
        (Info::Real(1), true, OtherKernel),
        (Info::None, false, CgroupKill),
        (Info::None, true, Kill),
        (Info::Kernel, true, OtherKernel),
    ] {
        // A claim proves nothing where anybody may write one.
        for claimed in [None, Some(Claimed { pid: 11, uid: 0 }), Some(Claimed { pid: 10, uid: 5 })] {
            let signal = Signal { claimed, ..with("", info, group) };
            assert_eq!(classify(&signal), Path::unseen(path, Possible), "{info:?} {group} {claimed:?}");
        }
    }
    let mut dying_parent = with("", Info::None, true);
    dying_parent.sender.exiting = true;
    assert_eq!(classify(&dying_parent), Path::unseen(ParentDeath, Possible));
}

#[test]
fn without_a_stack_only_the_senders_own_pid_and_user_prove_it() {
    let claims = |code: i32, pid: u32, uid: u32| {
        let mut signal = with("", Info::Real(code), true);
        signal.claimed = Some(Claimed { pid, uid });
        // A container's process, its pid in there, and a victim in the same namespace.
        (signal.sender.ns_pid, signal.sender.ns_level, signal.victim.ns_level, signal.sender.uid) = (7, 1, 1, 1000);
        signal
    };
    assert_eq!(classify(&claims(0, 7, 1000)).confidence, Certain);
    assert_eq!(classify(&claims(-6, 7, 1000)).confidence, Certain);
    for (code, pid, uid) in [(0, 10, 1000), (0, 7, 0), (0, 0, 1000), (-1, 7, 1000), (-2, 7, 1000), (0x80, 7, 1000)] {
        assert_eq!(classify(&claims(code, pid, uid)).confidence, Possible, "{code} {pid} {uid}");
    }
    // From outside the victim's namespace there is no pid.
    let mut outside = claims(0, 0, 1000);
    outside.sender.ns_level = 0;
    assert_eq!(classify(&outside).confidence, Certain);
    outside.sender.kernel_thread = true;
    assert_eq!(classify(&outside).confidence, Possible);
}

#[test]
fn a_stack_without_any_of_them_is_no_system_call_whatever_the_siginfo_says() {
    for (info, group) in [(Info::None, false), (Info::None, true), (Info::Real(0), true)] {
        let mut signal = with("send_sig some_security_module profile_transition", info, group);
        signal.claimed = Some(Claimed { pid: 10, uid: 0 });
        assert_eq!(classify(&signal), Path::unseen(SignalPath::OtherKernel, Possible), "{info:?}");
    }
}

#[test]
fn a_function_whose_name_only_looks_alike_is_not_a_marker() {
    for symbol in ["my_kill_something_info", "kill_something_information", "sys_killer", "x_sys_kill"] {
        assert!(!classify(&with(symbol, Info::Real(0), true)).seen_on_stack, "{symbol}");
    }
}

#[test]
fn system_calls_are_no_entry_and_what_enters_a_handler_is() {
    for (stack, kept) in [
        ("a __x64_sys_kill do_syscall_64 entry_SYSCALL_64_after_hwframe", 4),
        ("a el0_svc el0t_64_sync_handler el0t_64_sync", 4),
        ("a el0_svc el0_sync_handler el0_sync", 4),
        ("a posix_cpu_timers_work task_work_run irqentry_exit_to_user_mode asm_sysvec_apic_timer_interrupt", 4),
        ("a asm_exc_page_fault b c", 2),
        ("a do_softirq.part.0 b", 2),
        ("", 0),
    ] {
        let symbols: Vec<String> = stack.split_whitespace().map(str::to_owned).collect();
        assert_eq!(own(&symbols).len(), kept, "{stack}");
    }
}
