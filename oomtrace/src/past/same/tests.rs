use super::*;
use crate::model::{Process, Victim};
use crate::past::klog::oom::reports;
use crate::past::klog::record::Record as Line;
use crate::past::klog::saved;
use crate::past::placed::Placed;
use crate::resolve::limits_before::LimitsBefore;
use jiff::tz::TimeZone;

const DAY: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + second).unwrap()
}

/// An OOM kill, as the kernel's log has it, and as an oomtrace saw it.
fn seen() -> (Reconstructed, Incident) {
    let log = include_str!("../klog/oom/logs/6.18-v1.kmsg");
    let line = |line| saved::parse(line, at(0), &TimeZone::UTC).map(|record| Line { at: Some(at(0)), ..record });
    let records: Vec<Line> = log.lines().filter_map(line).collect();
    let placed = Placed { report: reports(&records).reports.remove(0), ..Placed::default() };
    let identity = crate::node::identity::Identity { node: None, boot_id: Some("boot-1".to_owned()) };
    let mut incident = placed.incident(&identity, LimitsBefore::default()).unwrap();
    incident.boot_id = Some("boot-1".to_owned());
    let found =
        Reconstructed { victim: Some(incident.victim.clone()), oom: incident.oom.clone(), ..Reconstructed::default() };
    (found, incident)
}

#[test]
fn a_report_is_of_the_kill_that_was_seen_also_where_its_clock_has_gone_wrong() {
    let (found, incident) = seen();
    let clocks = |slept_ms| Clocks { now: at(10 * DAY), boot_id: Some("boot-1"), slept_ms };
    let mut other_boot = incident.clone();
    other_boot.boot_id = Some("boot-0".to_owned());
    let mut larger = found.clone();
    larger.oom.as_mut().unwrap().victim_memory.as_mut().unwrap().total_vm_bytes += 4096;
    for (found, second, incident, slept_ms, expected) in [
        (&found, Some(2), &incident, 0, true),
        (&larger, Some(2), &incident, 0, true),
        // After ten days it may be off by some 14 minutes, and by as long as the machine slept.
        (&found, Some(600), &incident, 0, true),
        (&found, Some(-600), &incident, 0, true),
        (&found, Some(3 * 3600), &incident, 0, false),
        (&found, Some(3 * 3600), &incident, 4 * 3_600_000, true),
        (&found, Some(-3 * 3600), &incident, 4 * 3_600_000, false),
        // Another kill of that pid.
        (&larger, Some(600), &incident, 0, false),
        (&found, Some(600), &other_boot, 0, false),
        (&found, None, &incident, 0, true),
        (&larger, None, &incident, 0, false),
    ] {
        let found_at = second.map(at);
        assert_eq!(is_same(found, found_at, incident, &clocks(slept_ms)), expected, "{second:?} {slept_ms}");
    }
}

#[test]
fn of_several_victims_another_one_may_be_named_first() {
    let (mut found, mut incident) = seen();
    let own = incident.victim.process.clone();
    let first = Process { pid: 77, comm: "first".to_owned(), ..Process::default() };
    found.victim = Some(Victim { process: first, ..incident.victim.clone() });
    let clocks = Clocks { now: at(DAY), boot_id: Some("boot-1"), slept_ms: 0 };
    assert!(!is_same(&found, Some(at(1)), &incident, &clocks));
    found.collateral = vec![own.clone()];
    assert!(is_same(&found, Some(at(1)), &incident, &clocks));
    found.collateral.clear();
    let other = Process { pid: 77, ..own };
    incident.collateral = vec![crate::model::Collateral { process: other, role: crate::model::Role::OomGroup }];
    assert!(is_same(&found, Some(at(1)), &incident, &clocks));
}

/// On a node that has no time to spare a daemon notices an end many seconds late.
#[test]
fn the_end_of_a_life_is_that_of_the_kill_of_its_first_process_however_late_it_is_said() {
    let container = || Some(Container { id: "a".to_owned(), ..Container::default() });
    let (_, incident) = seen();
    let killed: Timestamp = incident.time.parse().unwrap();
    let after = |seconds: i64| killed.checked_add(jiff::Span::new().seconds(seconds)).unwrap();
    let clocks = Clocks { now: at(DAY), boot_id: None, slept_ms: 0 };
    for (is_init, began, ended, expected) in [
        (true, Some(-60), 40, true),
        (true, None, 40, false),
        (true, None, 9, true),
        // The life after that one.
        (true, Some(5), 40, false),
        (true, Some(-60), -20, false),
        // A child's kill ends no container.
        (false, Some(-60), 40, false),
    ] {
        let started = began.map(|seconds| after(seconds).to_string());
        let end = Some(crate::model::SaidEnd { started, ..crate::model::SaidEnd::default() });
        let found = Reconstructed { container: container(), end, ..Reconstructed::default() };
        let mut incident = Incident { container: container(), ..incident.clone() };
        incident.victim.container_init = is_init;
        assert_eq!(is_same(&found, Some(after(ended)), &incident, &clocks), expected, "{is_init} {began:?} {ended}");
    }
}

#[test]
fn an_end_of_another_container_of_that_name_is_another_one() {
    let container = |id: &str| Some(Container { id: id.to_owned(), ..Container::default() });
    let (_, incident) = seen();
    let clocks = Clocks { now: at(DAY), boot_id: None, slept_ms: 0 };
    for (one, other, expected) in [
        (container("a"), container("a"), true),
        (container("a"), container("b"), false),
        (container(""), container("b"), true),
        // What is in no container, or in another unit, is no trace of the same kill, however near it is.
        (None, container("b"), false),
        (container("a"), None, false),
        (None, None, false),
    ] {
        let found = Reconstructed { container: one, ..Reconstructed::default() };
        let incident = Incident { container: other, ..incident.clone() };
        assert_eq!(is_same(&found, Some(at(1)), &incident, &clocks), expected, "{:?}", found.container);
    }
    for (one, other, expected) in [("a", "a", true), ("a", "b", false)] {
        let found = Reconstructed { unit: Some(one.to_owned()), ..Reconstructed::default() };
        let incident = Incident { unit: Some(other.to_owned()), container: None, ..incident.clone() };
        assert_eq!(is_same(&found, Some(at(1)), &incident, &clocks), expected, "{one} {other}");
    }
}

fn milliseconds_after(from: Timestamp, ms: i64) -> Timestamp {
    from.checked_add(jiff::Span::new().milliseconds(ms)).unwrap()
}

fn ended(container: Option<&Container>, unit: Option<&str>, began: Option<Timestamp>) -> Reconstructed {
    let started = began.map(|began| began.to_string());
    let end = Some(crate::model::SaidEnd { started, ..crate::model::SaidEnd::default() });
    Reconstructed { container: container.cloned(), unit: unit.map(str::to_owned), end, ..Reconstructed::default() }
}

fn exited(at: Timestamp, container: Option<&Container>, unit: Option<&str>, cgroup: Option<&str>) -> Exited {
    serde_json::from_value(serde_json::json!({
        "schema": 1, "id": "exit", "time": at.to_string(), "container_init": true, "code": 137,
        "process": { "pid": 7, "comm": "sh", "cmdline_truncated": false, "cgroup": cgroup },
        "container": container, "unit": unit, "why": "exited with 137 by itself"
    }))
    .unwrap()
}

/// Both as a kill and as an exit that was seen: whether the end is said to be the same.
fn is_one(found: &Reconstructed, after_ms: i64, container: Option<&Container>, place: (Option<&str>, &str)) -> bool {
    let (_, mut incident) = seen();
    incident.victim.container_init = true;
    incident.victim.process.cgroup = Some(place.1.to_owned());
    incident.memory = None;
    let incident = Incident { container: container.cloned(), unit: place.0.map(str::to_owned), ..incident };
    let then: Timestamp = incident.time.parse().unwrap();
    let clocks = Clocks { now: at(DAY), boot_id: None, slept_ms: 0 };
    let end_at = Some(milliseconds_after(then, after_ms));
    let is_kills = is_same(found, end_at, &incident, &clocks);
    assert_eq!(is_its_end(found, end_at, &exited(then, container, place.0, Some(place.1))), is_kills);
    is_kills
}

#[test]
fn the_end_of_the_next_life_is_another_one_however_near_it_is() {
    let (_, incident) = seen();
    let killed: Timestamp = incident.time.parse().unwrap();
    let web = Container { id: "a".to_owned(), confirmed: true, ..Container::default() };
    for (began_ms, ended_ms, expected) in [
        (None, 3_000, true),
        (Some(-60_000), 3_000, true),
        (Some(400), 3_000, false),
        // It had hardly begun, and the daemon wrote that down a moment late, or later than the end.
        (Some(60), 3_000, true),
        (Some(400), 300, true),
    ] {
        let found = ended(Some(&web), None, began_ms.map(|ms| milliseconds_after(killed, ms)));
        assert_eq!(is_one(&found, ended_ms, Some(&web), (None, "/x")), expected, "{began_ms:?} {ended_ms}");
    }
}

#[test]
fn an_end_is_of_what_was_seen_in_that_very_container_or_unit() {
    let id = "6c266caa8d7c".repeat(6).get(..64).unwrap().to_owned();
    let known = Container { id: id.clone(), confirmed: true, ..Container::default() };
    let own = Container { cgroup: format!("/system.slice/docker-{id}.scope"), ..known.clone() };
    let unasked = Container { confirmed: false, ..own.clone() };
    let inner = Container { id: "b".repeat(64), outer: Some(Box::new(own.clone())), ..own.clone() };
    let below = format!("/user.slice/user-7711.slice/user@7711.service/docker-{id}.scope");
    let users = Container { cgroup: below.clone(), user: Some(7711), confirmed: false, ..own.clone() };
    let (_, incident) = seen();
    let killed: Timestamp = incident.time.parse().unwrap();
    let found = ended(Some(&known), None, Some(milliseconds_after(killed, -60_000)));
    for (seen, expected) in [(&own, true), (&unasked, true), (&inner, false), (&users, false)] {
        assert_eq!(is_one(&found, 2_000, Some(seen), (None, &seen.cgroup)), expected, "{seen:?}");
    }
    // A long time after what was killed within it, a daemon has another end.
    let (_, mut within) = self::seen();
    within.victim.container_init = true;
    within.container = Some(inner);
    let clocks = Clocks { now: at(DAY), boot_id: None, slept_ms: 0 };
    assert!(!is_same(&found, Some(milliseconds_after(killed, 40_000)), &within, &clocks));
    let found = ended(None, Some("nginx.service"), None);
    for (cgroup, expected) in [
        ("/system.slice/nginx.service", true),
        ("/user.slice/user-7711.slice/user@7711.service/app.slice/nginx.service", false),
        (format!("/docker/{id}/system.slice/nginx.service").as_str(), false),
    ] {
        assert_eq!(is_one(&found, 2_000, None, (Some("nginx.service"), cgroup)), expected, "{cgroup}");
    }
}

#[test]
fn what_is_swept_with_a_container_was_in_it() {
    let id = "6c266caa8d7c".repeat(6).get(..64).unwrap().to_owned();
    let own = Container { id: id.clone(), cgroup: format!("/docker/{id}"), confirmed: true, ..Container::default() };
    let inner = Container { id: "b".repeat(64), outer: Some(Box::new(own.clone())), ..own.clone() };
    let other = Container { id: "c".repeat(64), ..own.clone() };
    let users = Container { user: Some(7711), confirmed: false, cgroup: "/x".to_owned(), ..own.clone() };
    let (_, mut incident) = seen();
    let then: Timestamp = incident.time.parse().unwrap();
    let verdict = crate::model::Verdict { cause: Cause::PidNamespaceExit, ..incident.verdict.clone().unwrap() };
    incident.verdict = Some(verdict);
    for (swept, expected) in [(&own, true), (&inner, true), (&other, false), (&users, false)] {
        incident.container = Some(swept.clone());
        assert_eq!(is_swept_after(&incident, &exited(then, Some(&own), None, None)), expected, "{swept:?}");
    }
}
