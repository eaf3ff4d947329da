//! Programs that end others on purpose.

use super::{Situation, Source};

pub const ALL: &[Situation] = &[
    Situation::own(
        "gunicorn",
        "A gunicorn worker disappears now and then",
        "docker run -d --network none --name site --tmpfs /tmp -v /usr:/usr:ro -v /etc:/etc:ro -v /tmp/site:/app:ro shop/site:1 sh -c 'cd /app && exec /usr/bin/python3 /usr/bin/gunicorn --timeout 2 --bind unix:/tmp/socket --worker-tmp-dir /tmp hangs:app'",
        &[("same_container_kill", 1)],
        "Its parent in the same container sent it: the master's time-out for a worker that hangs, and no OOM.",
    )
    .after(
        "mkdir -p /tmp/site; printf 'import signal, time\\n\\ndef app(environ, start_response): pass\\n\\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGABRT])\\ntime.sleep(1000)\\n' > /tmp/site/hangs.py",
    ),
    Situation::own(
        "timeout",
        "A nightly job ends with 137 after exactly the same time",
        "timeout -s KILL 2 sleep 1000",
        &[("process_kill", 1)],
        "`timeout` sent it when its time was over: its own command line says how long that is.",
    ),
    Situation::own(
        "timeout-after",
        "The job gets SIGTERM, and SIGKILL some seconds later",
        "timeout -k 1 1 sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'",
        &[("process_kill", 1)],
        "The same sender's SIGTERM came first: `--kill-after`, and not a second killer.",
    ),
    Situation::own(
        "worker-pool",
        "A worker pool ends its own workers",
        "python3 -c 'import multiprocessing, time; worker = multiprocessing.Process(target=time.sleep, args=(1000,)); worker.start(); time.sleep(1); worker.kill(); worker.join()'",
        &[("process_kill", 1)],
        "The sender is the victim's parent, so no other program has anything to do with it.",
    ),
    Situation::own(
        "sidecar",
        "A sidecar killed the main process",
        "docker run -d --network none --name agent --pid container:app shop/agent:1 sh -c 'kill -9 $(pgrep -o sleep); sleep 1000'",
        &[("process_kill", 1)],
        "The two containers share their pids, so the sender is in another container, which is named.",
    )
    .after("docker run -d --network none --name app shop/web:1.4 sh -c 'sleep 1000; sleep 1000'; sleep 2"),
    Situation::own(
        "itself",
        "It killed itself",
        "sh -c 'kill -9 $$'",
        &[("self_kill", 1)],
        "Sender and victim are one process: nobody else is to be looked for.",
    )
    .of(Source::Test("7.3.4/host.a_process_that_kills_itself.rec")),
    Situation::own("pidfd", "The log of system calls has no kill(2)", "pidfd_send_signal(PIDFD, SIGKILL)", &[("process_kill", 1)], "An audit rule for kill, tkill and tgkill does not see this one. Which call it was is `signal.path` in JSON.").of(Source::Test("7.3.4/paths.pidfd_send_signal.rec")),
    Situation::own("thread", "One thread was sent a SIGKILL, and the whole process ended", "tgkill(PID, TID, SIGKILL)", &[("process_kill", 1)], "SIGKILL ends all threads, whichever it was for: the victim is the process.").of(Source::Test("7.3.4/paths.tgkill.rec")),
];
