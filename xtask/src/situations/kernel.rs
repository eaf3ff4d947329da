//! Ways to be killed that few know.

use super::{Situation, Source};

pub const ALL: &[Situation] = &[
    Situation::own(
        "cpu-limit",
        "A long computation is killed, always after the same processor time",
        "sh -c 'ulimit -t 1; while :; do :; done'",
        &[("rlimit_cpu", 1)],
        "The kernel sent it by itself, for RLIMIT_CPU; an OOM kill would name memory.",
    )
    .of(Source::Test("7.3.4/paths.rlimit_cpu.rec")),
    Situation::own(
        "init-ended",
        "All processes died with the first of their pid namespace",
        "unshare --pid --fork sh -c 'sleep 1000 & exit 3'",
        &[("pid_namespace_exit", 1)],
        "Nobody sent these signals: pid 1 ended by itself, and the kernel sweeps what is left of its pid namespace.",
    )
    .of(Source::Test("7.3.4/host.the_sweep_after_an_init_that_exited_by_itself.rec")),
    Situation::own(
        "cgroup-kill",
        "A whole cgroup vanished",
        "echo 1 > /sys/fs/cgroup/…/cgroup.kill",
        &[("cgroup_kill", 1)],
        "One write killed them all; kill(2) for each would give an incident for each.",
    )
    .of(Source::Test("7.3.4/host.cgroup_kill_is_one_incident.rec")),
    Situation::own(
        "parent-death",
        "It dies whenever the process that started it does",
        "setpriv --pdeathsig KILL sleep 1000 &    # and its parent is killed",
        &[("process_kill", 1), ("parent_exit", 1)],
        "It asked for that itself (PR_SET_PDEATHSIG): only its parent was killed by somebody.",
    )
    .of(Source::Test("7.3.4/host.a_parents_death_is_told_from_a_kill.rec")),
    Situation::own(
        "tracer",
        "It died when a debugger did",
        "a tracer with PTRACE_O_EXITKILL ends",
        &[("ptrace", 1)],
        "The tracer asked the kernel to kill what it traces when it ends itself.",
    )
    .of(Source::Test("7.3.4/paths.a_tracers_exit.rec")),
    Situation::own(
        "bpf",
        "Nobody called kill(2): a program in the kernel sent it",
        "a BPF program calls bpf_send_signal(SIGKILL)",
        &[("bpf_program", 1)],
        "A BPF program sends it in whatever process happens to run: that one is not to blame, and is not named.",
    )
    .of(Source::Test("7.3.4/paths.bpf_send_signal.rec")),
    Situation::own(
        "shared-memory",
        "A second process died with the victim, far from any limit",
        "two processes that share their memory (CLONE_VM), in two cgroups, of which one has a limit",
        &[("oom_slice_limit", 1)],
        "It shares the victim's memory, which could not be freed with it alive: the kernel kills both.",
    )
    .of(Source::Test("7.3.4/oom.a_process_that_shares_the_victims_memory.rec")),
    Situation::own(
        "inferred",
        "The verdict says `likely` on an old or locked-down kernel",
        "tail /dev/zero    # in a cgroup with a limit; without kprobes and fentry",
        &[("oom_slice_limit", 1)],
        "The OOM killer's own record could not be read: whose limit it was is inferred from counters, and said to be.",
    )
    .of(Source::Test("7.3.4/oom.without_the_record_the_limit_is_inferred.rec")),
    Situation::own(
        "init-killed",
        "Somebody killed the first process of a pid namespace",
        "kill -9 PID    # of the namespace's init",
        &[("process_kill", 1)],
        "The others were not sent anything: they are what the kernel swept after the init, in the same incident.",
    )
    .of(Source::Test("7.3.4/host.the_sweep_after_a_killed_init_is_its_collateral.rec")),
    Situation::own(
        "debugger",
        "A debugger ended the program",
        "ptrace(PTRACE_KILL)",
        &[("ptrace", 1)],
        "The tracer did it by a call of its own, while it lived; with PTRACE_O_EXITKILL its end does.",
    )
    .of(Source::Test("7.3.4/paths.ptrace_kill.rec")),
];
