//! Limits of cgroups above a container, and of units.

use super::{Situation, Source};

pub const ALL: &[Situation] = &[
    Situation::own(
        "parent",
        "The container was killed, far below its own limit",
        "docker run -d --network none --name batch --memory 512m --cgroup-parent apps.slice shop/job:7 sh -c 'tail /dev/zero; sleep 1000'",
        &[("oom_slice_limit", 1)],
        "The container's own limit is 512 MiB: the one that was hit is of the slice that it is in.",
    )
    .after("systemctl set-property --runtime apps.slice MemoryMax=48M MemorySwapMax=0"),
    Situation::own(
        "neighbour",
        "Another process allocated, mine was killed",
        "two cgroups below a parent with a limit: the small one asks for a page, and the large one is killed",
        &[("oom_slice_limit", 2), ("process_kill", 2)],
        "The trigger is not the victim: who asked for the last page is in another cgroup below the same limit.",
    )
    .of(Source::Test("7.3.4/oom.a_parents_limit_hit_by_one_child_kills_in_another.rec")),
    Situation::own(
        "unit",
        "A systemd service is killed and `systemctl status` says oom-kill",
        "systemd-run --unit report.service -p MemoryMax=24M -p MemorySwapMax=0 sh -c 'tail /dev/zero; sleep 1000'",
        &[("oom_unit_limit", 1)],
        "The unit's limit was hit while the host had memory: systemd-oomd had no part in it.",
    ),
    Situation::own(
        "group",
        "All processes of a service died at the same instant",
        "systemd-run --unit index.service -p MemoryMax=32M -p MemorySwapMax=0 -p OOMPolicy=kill sh -c 'sleep 1000 & sleep 1001 & tail /dev/zero'",
        &[("oom_unit_limit", 1)],
        "One incident and its collateral: memory.oom.group has the kernel kill the whole cgroup, nobody sent the other signals.",
    ),
    Situation::own(
        "pod-slice",
        "A container of a pod was killed, below its own limit",
        "systemctl set-property --runtime kubepods-burstable-pod….slice MemoryMax=24M; docker run -d --cgroup-parent kubepods-burstable-pod….slice oomtrace-test:busybox sh -c 'tail /dev/zero; sleep 1000'    # removed by docker rm --force",
        &[("oom_pod_limit", 1), ("runtime_kill", 1)],
        "The limit that was hit is the pod's: raising the container's own changes nothing.",
    )
    .of(Source::Test("7.3.4-systemd/systemd.a_pods_slice_over_its_limit.rec")),
    Situation::own("service-limit", "A unit is killed at its MemoryMax=", "systemd-run -p MemoryMax=24M -p MemorySwapMax=0 sh -c 'tail /dev/zero; sleep 1000'", &[("oom_unit_limit", 1)], "systemctl says oom-kill for the host, too: here it is the unit's MemoryMax=, and the host had memory.").of(Source::Test("7.3.4-systemd/systemd.a_service_over_its_limit.rec")),
    Situation::own("group-kill", "All processes of a cgroup died at the same instant", "a cgroup with memory.oom.group and a limit; one process in it takes too much", &[("oom_slice_limit", 1)], "One incident and its collateral: the kernel kills the whole cgroup, and nobody sent the other signals.").of(Source::Test("7.3.4/oom.a_cgroup_that_is_killed_as_one.rec")),
    Situation::own("limit-lowered", "Somebody lowered a limit, and what ran below it was killed", "echo 2M > memory.max    # of a cgroup that uses more", &[("oom_slice_limit", 1)], "Nothing grew: more was in use than the new limit allows, and whoever wrote it is the trigger.").of(Source::Test("7.3.4/oom.a_limit_lowered_below_what_is_in_use.rec")),
];
