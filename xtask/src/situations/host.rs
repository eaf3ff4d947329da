//! The machine's own memory.

use super::{Situation, Source};

pub const ALL: &[Situation] = &[
    Situation::own(
        "host",
        "A container was killed, but it has no limit at all",
        "docker run -d --oom-score-adj 1000 oomtrace-test:busybox sh -c 'exec dd if=/dev/zero of=/dev/null bs=1181317k'",
        &[("oom_host", 1)],
        "No memory cgroup's limit was hit: the machine ran out, and the kernel chose this one by its points.",
    )
    .of(Source::Test("7.3.4-systemd/machine.it_runs_out_and_the_victim_is_in_a_container.rec")),
    Situation::own(
        "innocent",
        "My container is small, and was killed when somebody else used up the node",
        "choom -n -900 -- dd if=/dev/zero of=/dev/null bs=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) * 78 / 100))k",
        &[("oom_host", 1)],
        "Trigger and victim differ, and `besides it` names the one that has the memory.",
    )
    .after(
        "docker run -d --network none --name cart --oom-score-adj 1000 shop/store:1 sh -c '(head -c 200m /dev/zero; sleep 1000) | tail'; sleep 8",
    ),
    Situation::own(
        "earlyoom",
        "It died by SIGKILL with memory left, and dmesg says nothing of an OOM",
        "sh -c 'echo 1000 > /proc/self/oom_score_adj; head -c 500M /dev/zero | tail' > /dev/null",
        &[("userspace_oom_killer", 1)],
        "The kernel's OOM killer was never asked: earlyoom sends an ordinary SIGKILL, and is named as the sender.",
    )
    .after("setsid -f earlyoom -r 0 -m 50,50 -s 100,100 > /dev/null 2>&1; sleep 1"),
    Situation::own(
        "cpuset",
        "The OOM killer came, and free memory was plenty",
        "echo 1 > /sys/fs/cgroup/of-one-node/cpuset.mems; echo $$ > /sys/fs/cgroup/of-one-node/cgroup.procs; tail /dev/zero",
        &[("oom_constrained", 1)],
        "Only the memory nodes that its cpuset allows ran out: other nodes had room, and no limit was hit.",
    )
    .of(Source::Test("7.3.4/machine.a_cpusets_nodes_run_out.rec")),
    Situation::own(
        "sysrq",
        "Somebody asked the kernel for an OOM kill",
        "echo f > /proc/sysrq-trigger",
        &[("oom_host", 1)],
        "Memory was not short: SysRq asked for it. The kernel does so in a worker of its own, so whoever asked is not named.",
    )
    .of(Source::Test("7.3.4/machine.somebody_asks_for_an_oom_kill_by_sysrq.rec")),
    Situation::own(
        "hog",
        "The node froze for a while, and then one process was gone",
        "sh -c 'echo 1000 > /proc/self/oom_score_adj; exec dd if=/dev/zero of=/dev/null bs=1181317k'",
        &[("oom_host", 1)],
        "It is in no container and in no unit with a limit, so there is none to raise: it is too large for the machine.",
    )
    .of(Source::Test("7.3.4/machine.it_runs_out_of_memory.rec")),
    Situation::own(
        "mempolicy",
        "A process that is bound to one memory node was killed",
        "set_mempolicy(MPOL_BIND, node 1), and then more memory than the node has",
        &[("oom_constrained", 1)],
        "As with a cpuset, other nodes had room; but it is the process itself that bound its memory, by numactl or a call.",
    )
    .of(Source::Test("7.3.4/machine.a_memory_policys_nodes_run_out.rec")),
];
