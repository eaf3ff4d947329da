//! What runtimes do, and who had them do it.

use super::{Situation, Source};

pub const ALL: &[Situation] = &[
    Situation::own(
        "no-handler",
        "`docker stop` always takes its whole time, then the container exits 137",
        "docker stop -t 2 web",
        &[("runtime_stop_timeout", 1)],
        "SIGTERM was sent and did nothing, since pid 1 has no handler for it: no bug of the runtime's, and no OOM.",
    )
    .after("docker run -d --network none --name web shop/web:1.4 sleep 1000"),
    Situation::own(
        "shell-form",
        "My program handles SIGTERM, but the stop times out all the same",
        "docker stop -t 2 web",
        &[("runtime_stop_timeout", 1)],
        "pid 1 is a shell that waits for the program: SIGTERM goes to the shell, and never reaches the program.",
    )
    .after("docker run -d --network none --name web shop/web:1.4 sh -c 'sleep 1000; echo done'"),
    Situation::own(
        "slow-handler",
        "It handles SIGTERM and is killed nevertheless",
        "docker stop -t 2 orders",
        &[("runtime_stop_timeout", 1)],
        "The handler ran: what it had to do took longer than the time-out, so the time-out is what to change.",
    )
    .after("docker run -d --network none --name orders shop/orders:5 sh -c 'trap \"sleep 20; exit\" TERM; while :; do sleep 0.1; done'; sleep 3"),
    Situation::own(
        "ignored",
        "It ignores SIGTERM",
        "docker stop -t 2 queue",
        &[("runtime_stop_timeout", 1)],
        "Ignored is not the same as unhandled: somebody wrote that, or it was inherited from whoever started it.",
    )
    .after("docker run -d --network none --name queue shop/queue:1 sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'; sleep 3"),
    Situation::own(
        "docker-kill",
        "The container exited 137, and nothing was short of memory",
        "docker kill web",
        &[("runtime_kill", 1)],
        "No stop signal came before, so no time-out was involved: somebody asked for a kill, and is named.",
    )
    .after("docker run -d --network none --name web shop/web:1.4 sleep 1000"),
    Situation::own(
        "rm-force",
        "The container has vanished",
        "docker rm -f web",
        &[("runtime_kill", 1)],
        "A kill leaves the container in `docker ps -a`; the client that is named removed it.",
    )
    .after("docker run -d --network none --name web shop/web:1.4 sleep 1000"),
    Situation::own(
        "socket",
        "Nobody typed anything, and containers are stopped at night",
        "docker run -d --network none --name updater -v /run/docker.sock:/run/docker.sock -v /usr:/usr:ro shop/updater:1 sh -c '/usr/bin/docker stop -t 1 web; sleep 1000'",
        &[("runtime_stop_timeout", 1)],
        "The client of Docker's socket is a process in a container of its own: an updater, and no person.",
    )
    .after("docker run -d --network none --name web shop/web:1.4 sleep 1000"),
    Situation::own(
        "podman-stop",
        "podman stop, without a daemon",
        "podman stop --time 1 oomtrace-test-516-1",
        &[("runtime_stop_timeout", 1)],
        "There is no daemon to ask: podman is the one who asks, and crun its hand.",
    )
    .of(Source::Test("7.3.4-systemd/podman.a_stop_that_runs_into_its_time_out.rec")),
    Situation::own(
        "lxc",
        "A process in an LXC container is killed at its limit",
        "lxc-start -n db -f config; lxc-attach -n db -- tail /dev/zero",
        &[("oom_container_limit", 1), ("runtime_kill", 1)],
        "The limit is the container's own; the later kill is `lxc-stop -k`, which sends no stop signal first.",
    )
    .of(Source::Test("7.3.4-systemd/runtimes.lxc.rec")),
    Situation::own("docker-stop", "docker stop always takes its whole time, then the container exits 137", "docker stop --time 1 oomtrace-test-516-1    # which runs sleep 1000", &[("runtime_stop_timeout", 1)], "SIGTERM was sent and did nothing, since pid 1 has no handler for it: no bug of the runtime's, and no OOM.").of(Source::Test("7.3.4-systemd/requester.docker_stop_that_runs_into_its_time_out.rec")),
    Situation::own("killed-by-docker", "The container exited 137 with memory to spare", "docker kill 91a8848c4951", &[("runtime_kill", 1)], "No stop signal came before, so no time-out was involved: somebody asked for a kill, and is named.").of(Source::Test("7.3.4-systemd/requester.docker_kill_by_an_ids_beginning.rec")),
    Situation::own("users-stop", "A user stops a container, and it is killed", "podman stop --time 1 oomtrace-test-516-3    # as alice", &[("runtime_stop_timeout", 1)], "It is alice's podman that asked, in a scope of hers; root's has nothing to do with it.").of(Source::Test("7.3.4-systemd/podman.a_users_stop_that_runs_into_its_time_out.rec")),
];
