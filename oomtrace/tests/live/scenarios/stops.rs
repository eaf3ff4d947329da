//! What is advised for a stop that timed out, done exactly as it says: the next stop needs no SIGKILL.

use std::fs;

use oomtrace::model::{Cause, Confidence, Incident};

use crate::Scenario;
use crate::support::docker::{Container, docker};
use crate::support::needs::Need::{self, Docker, Tracing};
use crate::support::process::{run, wait_until};
use crate::support::tracer::{Tracer, incidents};
use crate::support::truth;

const NEEDS: &[Need] = &[Tracing, Docker];

pub const ALL: &[Scenario] = &[
    Scenario { name: "stops::another_init", needs: NEEDS, run: another_init },
    Scenario { name: "stops::a_trap", needs: NEEDS, run: trap },
];

/// The last command is none that the shell becomes.
const SHELL: &str = "sleep 1000; true";

/// What is advised when the stop of a shell timed out.
fn advised(tracer: &mut Tracer) -> String {
    let container = Container::run(&[], SHELL);
    run(docker().args(["stop", "--time", "1", &container.name]));
    let incident = tracer.incident_in(&container.name);
    let verdict = truth::is(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    verdict.advice.first().unwrap().action.clone()
}

/// It ends by the stop signal, and nothing in it is killed but what the kernel sweeps behind its first process.
fn assert_stops(tracer: Tracer, container: &Container) {
    run(docker().args(["stop", "--time", "60", &container.name]));
    assert_eq!(container.exit_code(), "143", "128 + SIGTERM");
    let ended = tracer.end();
    let of_this = |incident: &&Incident| {
        incident.routine.is_none() && incident.container.as_ref().is_some_and(|found| found.id == container.id)
    };
    truth::is_none(incidents(&ended.records).filter(of_this));
}

fn another_init() {
    let mut tracer = Tracer::start(&[]);
    let action = advised(&mut tracer);
    let option = action.strip_prefix("start it with docker run ").and_then(|rest| rest.split(';').next()).unwrap();
    let container = Container::run(&[option], SHELL);
    assert_stops(tracer, &container);
}

fn trap() {
    let mut tracer = Tracer::start(&[]);
    let action = advised(&mut tracer);
    let script = action.rsplit_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap();
    let container = Container::run(&[], &script.replace("COMMAND", "sleep 1000"));
    let init = container.init();
    wait_until("the trap is set", || has_handler(init));
    assert_stops(tracer, &container);
}

/// Of SIGTERM.
fn has_handler(pid: u32) -> bool {
    const SIGTERM: u64 = 1 << (15 - 1);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & SIGTERM != 0)
}
