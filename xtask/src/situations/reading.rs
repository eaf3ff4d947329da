//! What is routine, what repeats, and what is said later.

use super::{Situation, Source};

pub const ALL: &[Situation] = &[
    Situation::own(
        "routine",
        "What is left after a container's clean end (`--all`)",
        "docker run --rm --network none --name migrate shop/job:7 sh -c 'sleep 1000 & sleep 1; exit 0'",
        &[("pid_namespace_exit", 1)],
        "pid 1 ended with 0: nobody needs to be woken for what the kernel sweeps, and without `--all` it is only counted.",
    )
    .all(),
    Situation::own(
        "loop",
        "A container is restarted again and again",
        "docker run -d --network none --name flaky --restart always --memory 32m shop/web:1.4 tail /dev/zero",
        &[("oom_container_limit", 4)],
        "The same limit each time: one block, and a line that counts; the JSON has every incident.",
    ),
    Situation::own(
        "storm",
        "A thousand like kills in a minute",
        "bash -c 'for i in $(seq 1000); do sleep 1000 & done; kill -9 $(jobs -p)' 2> /dev/null",
        &[("process_kill", 1000)],
        "One block and one count, however many there are.",
    ),
    Situation::own(
        "brief",
        "A line for each (`--brief`)",
        "docker stop -t 1 web; docker kill api; docker run --rm --network none --name job --memory 32m shop/job:7 tail /dev/zero; timeout -s KILL 1 sleep 1000",
        &[("runtime_stop_timeout", 1), ("runtime_kill", 1), ("oom_container_limit", 1), ("process_kill", 1)],
        "For a log, or a screen that many share.",
    )
    .after("docker run -d --network none --name web shop/web:1.4 sleep 1000; docker run -d --network none --name api shop/api:2.0 sleep 1000")
    .brief(),
    Situation::own(
        "contradiction",
        "Docker says OOMKilled, and oomtrace says it was killed by hand",
        "docker run -d --network none --name api --memory 32m shop/api:2.0 sh -c 'tail /dev/zero; sleep 1000'; sleep 4; docker kill api",
        &[("oom_container_limit", 1), ("runtime_kill", 1)],
        "An OOM kill of a child sets Docker's flag, and it stays set: the later end of pid 1 is another matter.",
    )
    .with("contradiction"),
    Situation::own("two-lines", "A line for each", "docker exec oomtrace-test-516-4 kill -9 7; docker rm --force oomtrace-test-516-4    # shown with --brief", &[("same_container_kill", 1), ("runtime_kill", 1)], "For a log, or a screen that many share: why, who died, who sent it and who asked.").of(Source::Test("7.3.4-systemd/requester.docker_exec.rec")).brief(),
    Situation::own("says-otherwise", "Docker says OOMKilled, and oomtrace says otherwise (--brief)", "docker run -d --cgroup-parent kubepods-burstable-pod….slice oomtrace-test:busybox sh -c 'tail /dev/zero; sleep 1000'    # and then docker rm --force", &[("oom_pod_limit", 1), ("runtime_kill", 1)], "An OOM kill of a child sets Docker's flag, and it stays set: the later end of pid 1 is another matter.").of(Source::Test("7.3.4-systemd/systemd.a_pods_slice_over_its_limit.rec")).brief(),
];
