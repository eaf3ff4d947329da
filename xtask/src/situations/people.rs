//! Kills by hand.

use super::{Situation, Source};

pub const ALL: &[Situation] = &[
    Situation::own(
        "by-hand",
        "A process of mine died, and a colleague was logged in",
        "script -qfec \"su --login alice --command 'kill -9 $(pgrep -f \"^sh /tmp/importer\")'\" /dev/null",
        &[("process_kill", 1)],
        "Not the kernel and no runtime: user, terminal and the shells above it are named.",
    )
    .after("printf 'sleep 1000\\n' > /tmp/importer.sh; setsid -f setpriv --reuid 1000 --regid 1000 --clear-groups sh /tmp/importer.sh > /dev/null; sleep 1"),
    Situation::own(
        "from-outside",
        "My container exited 137, and neither Docker nor the OOM killer did it",
        "kill -9 $(docker inspect --format '{{.State.Pid}}' web)",
        &[("process_kill", 1)],
        "The sender is outside of every container: a shell on the host, past the runtime.",
    )
    .after("docker run -d --network none --name web shop/web:1.4 sleep 1000"),
    Situation::own(
        "exec",
        "Somebody killed a process in the container from within",
        "docker exec api kill -9 7",
        &[("same_container_kill", 1)],
        "The sender is in the container, but its parent is the runtime: it was brought in by `docker exec`, and who asked is named.",
    )
    .after("docker run -d --network none --name api shop/api:2.0 sh -c 'sleep 1000 & sleep 1001 & sleep 1002 & wait'; sleep 3"),
    Situation::own(
        "process-group",
        "Several processes died at once",
        "kill -9 -- -GROUP",
        &[("process_kill", 1)],
        "One call for a whole process group: one sender, one instant, and no limit of memory.",
    )
    .of(Source::Test("7.3.4/host.a_process_group_killed_by_one_call.rec")),
    Situation::own(
        "users-service",
        "A service of a user was killed",
        "kill -9 PID    # of a service of alice's own systemd, by root",
        &[("process_kill", 1)],
        "systemd would be named if it had done it: here the sender is another process, of another user.",
    )
    .of(Source::Test("7.3.4-systemd/systemd.a_users_own_service.rec")),
    Situation::own("past-the-runtime", "It exited 137, and neither its runtime nor the OOM killer did it", "kill -9 PID    # of a container's pid 1, on the host", &[("process_kill", 1)], "The sender is outside of every container: a process on the host, past the runtime.").of(Source::Test("7.3.4-systemd/runtimes.runc_that_was_there_before.rec")),
    Situation::own("docker-exec", "A process in the container was killed from within, by nobody who lives there", "docker exec oomtrace-test-516-4 kill -9 7    # and then docker rm --force", &[("same_container_kill", 1), ("runtime_kill", 1)], "The sender is in the container, but its parent is the shim: it was brought in, and who asked is named.").of(Source::Test("7.3.4-systemd/requester.docker_exec.rec")),
    Situation::own("session", "A process of a log-in died", "kill -9 PID    # in alice's session, by root", &[("process_kill", 1)], "The session goes on: systemd-logind ends all of it at once, and would be the sender.").of(Source::Test("7.3.4-systemd/systemd.a_session.rec")),
    Situation::own("scope", "A process in a scope died", "systemd-run --scope sleep 1000    # and then kill -9 PID", &[("process_kill", 1)], "A scope has no ExecStop= and no watchdog: what is named as the sender is what did it.").of(Source::Test("7.3.4-systemd/systemd.a_scope.rec")),
];
