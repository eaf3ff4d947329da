//! What memory did before a kill, and what is said in time.

use std::process::Command;

use oomtrace::model::{Confidence, CourseKind, Incident, LimitLevel, Record, TimelinePoint, Warning, WarningKind};

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::docker::{Container, docker};
use crate::support::growth::{BLOCK, KEEP};
use crate::support::needs::Need::{Docker, MemoryCgroup, Tracing};
use crate::support::process::{Owned, run, wait_until};
use crate::support::tracer::Tracer;

const MIB: u64 = 1 << 20;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "curves::a_cgroup_that_climbs_has_its_curve",
        needs: &[Tracing, MemoryCgroup],
        run: climb_of_cgroup,
    },
    Scenario { name: "curves::a_container_that_climbs_has_its_curve", needs: &[Tracing, Docker], run: climb },
    Scenario {
        name: "curves::a_limit_changed_in_place_is_in_the_series",
        needs: &[Tracing, Docker],
        run: changed_limit,
    },
    Scenario {
        name: "curves::a_warning_comes_before_the_kill_and_none_for_page_cache",
        needs: &[Tracing, Docker],
        run: warned,
    },
    Scenario { name: "curves::without_curves_there_are_none", needs: &[Tracing, Docker], run: without },
];

/// Waits for a signal, which takes no memory of the container's.
const WAIT: &str = "trap 'go=1' USR1; wait_for_go() { while [ -z \"$go\" ]; do sleep 0.1; done; }";

fn let_go(container: &Container) {
    run(docker().args(["kill", "--signal", "USR1", &container.name]));
}

fn timeline(incident: &Incident) -> Vec<TimelinePoint> {
    incident.memory.as_ref().unwrap().timeline.clone().unwrap_or_else(|| panic!("no timeline: {incident:#?}"))
}

/// Without a runtime, by the name alone: on every kernel and kind of hierarchy.
fn climb_of_cgroup() {
    let mut tracer = Tracer::start(&[]);
    let parent = Cgroup::with_memory_limit(256 * MIB);
    let own = parent.child_with_memory_limit(&format!("docker-{:064x}.scope", std::process::id()), 32 * MIB);
    let script = format!("echo $$ > {}; {BLOCK}; while :; do {KEEP}; sleep 0.2; done", own.procs().display());
    let mut victim = Owned::spawn(Command::new("sh").args(["-c", &script]));
    victim.wait();
    has_curve(&tracer.incident(victim.pid()));
}

/// A MiB each 200 ms, to a limit of 32 MiB.
fn climb() {
    let mut tracer = Tracer::start(&[]);
    let script = format!("{BLOCK}; while :; do {KEEP}; sleep 0.2; done");
    let container = Container::run(&["--memory", "32m", "--memory-swap", "32m"], &script);
    let incident = tracer.incident_in(&container.name);
    has_curve(&incident);
    // It never had enough, or climbed: a few seconds do not say which.
    let course = incident.memory.unwrap().course.unwrap();
    assert!(matches!(course.kind, CourseKind::TooSmall | CourseKind::Climbing), "{course:#?}");
    assert!(course.confidence < Confidence::Certain, "{course:#?}");
}

fn has_curve(incident: &Incident) {
    let memory = incident.memory.as_ref().unwrap();
    let owner = incident.oom.as_ref().unwrap().limit_owner.as_ref().unwrap();
    assert_eq!(memory.timeline_of.as_deref(), Some(owner.path.as_str()));
    let points = timeline(incident);
    // The kernel's own record comes last.
    let last = points.last().unwrap();
    assert_eq!((last.before_ms, Some(last.usage_bytes), last.limit_bytes), (0, owner.usage_bytes, owner.limit_bytes));
    assert!(points.len() >= 4, "{points:#?}");
    assert!(points.windows(2).all(|pair| pair[0].before_ms > pair[1].before_ms), "{points:#?}");
    assert!(points.windows(2).all(|pair| pair[0].peak_bytes <= pair[1].peak_bytes), "{points:#?}");
    assert!(points[0].usage_bytes < 16 * MIB && points[0].before_ms >= 3000, "{points:#?}");
    assert!(points.iter().rev().skip(1).all(|point| point.anon_bytes.is_some() && point.file_bytes.is_some()));
}

fn changed_limit() {
    let mut tracer = Tracer::start(&[]);
    let script = format!(
        "{WAIT}; {BLOCK}; while [ $i -lt 12 ]; do {KEEP}; sleep 0.25; done; echo ready; wait_for_go; \
         while :; do {KEEP}; sleep 0.1; done"
    );
    let container = Container::run(&["--memory", "64m", "--memory-swap", "64m"], &script);
    container.wait_for_output("ready");
    run(docker().args(["update", "--memory", "40m", "--memory-swap", "40m", &container.name]));
    let_go(&container);
    let limits: Vec<_> =
        timeline(&tracer.incident_in(&container.name)).iter().filter_map(|point| point.limit_bytes).collect();
    let mut steps = limits.clone();
    steps.dedup();
    assert_eq!(steps, [64 * MIB, 40 * MIB], "{limits:?}");
}

fn warnings_of(record: &Record, name: &str) -> Option<Warning> {
    match record {
        Record::Warning(warning) if warning.container.as_ref()?.name.as_deref() == Some(name) => Some(warning.clone()),
        _ => None,
    }
}

fn usage(container: &Container) -> u64 {
    let listed = Command::new(crate::support::tracer::binary())
        .args(["ps", "--json", "--docker-socket"])
        .arg(crate::support::docker::socket().unwrap())
        .output()
        .unwrap();
    let lines = String::from_utf8(listed.stdout).unwrap();
    let of = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    of.into_iter()
        .find(|listed| listed["container"]["id"] == container.id.as_str())
        .and_then(|listed| listed["memory"]["usage_bytes"].as_u64())
        .unwrap_or_default()
}

fn warned() {
    let mut tracer = Tracer::start(&["--warn-near", "2s"]);
    // Full of cache that the kernel drops when it must.
    let reads = "busybox dd if=/dev/zero of=/f bs=1M count=96; while :; do busybox dd if=/f of=/dev/null bs=1M; sleep 0.1; done";
    let cached = Container::run(&["--memory", "32m", "--memory-swap", "32m"], reads);
    wait_until("the cache fills the limit", || usage(&cached) > 31 * MIB);
    // 96 % and more of 128 MiB, until it is asked to go on.
    let script = format!(
        "{WAIT}; {BLOCK}; while [ $i -lt 122 ]; do {KEEP}; sleep 0.02; done; wait_for_go; while :; do {KEEP}; done"
    );
    let container = Container::run(&["--memory", "128m", "--memory-swap", "128m"], &script);
    let warning = tracer.wait("a warning", |record| warnings_of(record, &container.name));
    assert_eq!(
        (warning.kind, warning.level, warning.limit_bytes),
        (WarningKind::NearLimit, LimitLevel::Container, 128 * MIB)
    );
    assert!(warning.held_bytes * 100 >= 95 * warning.limit_bytes && warning.near_for_ms >= Some(2000), "{warning:#?}");
    let_go(&container);
    let incident = tracer.incident_in(&container.name);
    assert!(incident.time > warning.time);
    let ended = tracer.end();
    let of = |name: &str| ended.records.iter().filter_map(|record| warnings_of(record, name)).count();
    assert_eq!((of(&container.name), of(&cached.name)), (1, 0), "{:#?}", ended.records);
}

fn without() {
    let mut tracer = Tracer::start(&["--no-curves"]);
    let container = Container::run(&["--memory", "24m", "--memory-swap", "24m"], "exec tail /dev/zero");
    let incident = tracer.incident_in(&container.name);
    let memory = incident.memory.unwrap();
    assert_eq!((memory.timeline, memory.timeline_of, memory.course), (None, None, None));
}
