//! A container's own memory limit.

use super::{Situation, Source};

pub const ALL: &[Situation] = &[
    Situation::own(
        "own-limit",
        "My container exited 137 and Docker says OOMKilled",
        "docker run -d --network none --name web --memory 32m shop/web:1.4 tail /dev/zero",
        &[("oom_container_limit", 1)],
        "`docker kill` gives 137, too: here the kernel itself names the limit that was hit, and whose it is.",
    ),
    Situation::own(
        "child",
        "Requests fail now and then, but the container was never restarted",
        "docker run -d --network none --name api --memory 32m shop/api:2.0 sh -c 'tail /dev/zero; sleep 1000'",
        &[("oom_container_limit", 1)],
        "pid 1 lives on, so Docker shows a running container and no exit code: the victim is a child of it.",
    ),
    Situation::own(
        "tmpfs",
        "It was killed at its limit, but its processes are small",
        "docker run -d --network none --name cache --memory 64m --tmpfs /cache shop/cache:1 sh -c 'dd if=/dev/zero of=/cache/pages bs=1M; sleep 1000'",
        &[("oom_container_limit", 1)],
        "A leak is anonymous memory of the victim's; this is files in memory, which no kill gives back.",
    ),
    Situation::own(
        "python",
        "A worker of my Python service is killed after a while",
        "docker run -d --network none --name worker --memory 48m -v /usr:/usr:ro shop/worker:3 /usr/bin/python3 -c 'import time; kept = []\nwhile True: kept.append(bytearray(1 << 20)); time.sleep(0.01)'",
        &[("oom_container_limit", 1)],
        "The victim's own anonymous memory is the limit nearly whole: it is not its page cache, and no neighbour's.",
    ),
    Situation::own(
        "many-small",
        "None of its processes is large, and one of them was killed all the same",
        "docker run -d --network none --name pool --memory 40m shop/pool:1 sh -c 'for i in 1 2 3 4 5 6 7 8 9; do (head -c 8m /dev/zero; sleep 1000) | tail & sleep 0.1; done; sleep 1000'",
        &[("oom_container_limit", 1)],
        "One large process would be most of the limit by itself; here `besides it` names others of the same size.",
    ),
    Situation::own(
        "removed",
        "The container is gone (`--rm`), and so is what Docker knew of it",
        "docker run --rm --network none --name report --memory 32m shop/job:7 tail /dev/zero",
        &[("oom_container_limit", 1)],
        "`docker inspect` finds no such container; its name and limit are known from before.",
    ),
    Situation::own(
        "compose",
        "A compose service is killed at its limit again after every deployment",
        "docker run -d --network none --name shop-search-1 --memory 32m --label com.docker.compose.project=shop --label com.docker.compose.service=search shop/search:2 tail /dev/zero",
        &[("oom_container_limit", 1)],
        "Labels name project and service: what `docker update` changes is lost when compose makes the container anew.",
    ),
    Situation::own(
        "lowered",
        "Somebody lowered a limit, and the container was killed at once",
        "docker update --memory 16m --memory-swap 16m store",
        &[("oom_container_limit", 1)],
        "Nothing grew: more was in use than the new limit allows, and the one whose call it was is the trigger.",
    )
    .after(
        "docker run -d --network none --name store --memory 64m shop/store:1 sh -c '(head -c 32m /dev/zero; sleep 1000) | tail'; sleep 4",
    ),
    Situation::own(
        "podman",
        "The same with podman",
        "podman run -d --network none --name web --memory 32m localhost/shop/web:1.4 sh -c 'tail /dev/zero; sleep 1000'",
        &[("oom_container_limit", 1)],
        "The limit is the container's own, in a scope of podman's, and the command is podman's.",
    ),
    Situation::own(
        "podman-user",
        "A container of a user, without root",
        "podman run -d --memory 24m localhost/oomtrace-test:busybox sh -c 'tail /dev/zero; sleep 1000'    # as alice; removed by podman rm --force --time 0",
        &[("oom_container_limit", 1), ("runtime_kill", 1)],
        "It is below the user's own service, and belongs to alice: root's podman does not know the container.",
    )
    .of(Source::Test("7.3.4-systemd/podman.a_users_container_over_its_limit.rec")),
    Situation::own(
        "v1",
        "The same on cgroup v1",
        "docker run -d --memory 24m oomtrace-test:busybox sh -c 'tail /dev/zero; sleep 1000'",
        &[("oom_container_limit", 1)],
        "An old node: v1 has no memory.oom.group, and names its files differently; the answer is the same.",
    )
    .of(Source::Test("6.1.192-v1/docker.a_container_over_its_limit.rec")),
    Situation::own("docker-limit", "Exit code 137 at the same figure in every graph of its memory", "docker run -d --memory 24m oomtrace-test:busybox sh -c 'tail /dev/zero; sleep 1000'", &[("oom_container_limit", 1)], "The figure is the container's own limit, and the victim's memory is nearly all of it.").of(Source::Test("7.3.4/docker.a_container_over_its_limit.rec")),
    Situation::own("podman-limit", "A container of podman is killed at its limit", "podman run -d --memory 24m localhost/oomtrace-test:busybox sh -c 'tail /dev/zero; sleep 1000'    # removed by podman rm --force --time 0", &[("oom_container_limit", 1), ("runtime_kill", 1)], "The limit is the container's, in a scope of podman's; the kill after it is a removal by force, asked for by podman itself.").of(Source::Test("7.3.4-systemd/podman.a_container_over_its_limit.rec")),
];
