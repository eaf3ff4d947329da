//! What systemd does to its units.

use super::{Situation, Source};

pub const ALL: &[Situation] = &[
    Situation::own(
        "unit-stop",
        "`systemctl stop` hangs, and the service ends with result timeout",
        "systemctl stop mailer.service",
        &[("service_manager_kill", 1)],
        "SIGTERM came TimeoutStopSec= earlier, from systemd, too: a time-out, not a kill by hand.",
    )
    .after("systemd-run --unit mailer.service -p TimeoutStopSec=2s sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'; sleep 1"),
    Situation::own(
        "unit-kill",
        "A service died by SIGKILL and systemd says that it sent it",
        "systemctl kill --signal KILL exporter.service",
        &[("service_manager_kill", 1)],
        "No stop signal came before, and no time-out was running: somebody had systemd do it.",
    )
    .after("systemd-run --unit exporter.service sleep 1000; sleep 1"),
    Situation::own(
        "oomd",
        "systemd-oomd killed a service while there was free memory",
        "systemd-run -p MemoryHigh=16M -p ManagedOOMMemoryPressure=kill -p ManagedOOMMemoryPressureLimit=1% sh -c 'head -c 64M /dev/zero | tail; sleep 1000'",
        &[("userspace_oom_killer", 1)],
        "It is pressure that it acts on, and its SIGKILLs are ordinary ones: the kernel's OOM killer has no part in it.",
    )
    .of(Source::Test("7.3.4-systemd/systemd.oomd_kills_a_service_under_pressure.rec")),
    Situation::own("stop-timeout", "systemctl stop hangs, and the result is timeout", "systemd-run -p TimeoutStopSec=1s sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'    # and then systemctl stop", &[("service_manager_kill", 1)], "SIGTERM came TimeoutStopSec= earlier, from systemd, too: a time-out, and not a kill by hand.").of(Source::Test("7.3.4-systemd/systemd.a_stop_that_runs_into_its_time_out.rec")),
];
