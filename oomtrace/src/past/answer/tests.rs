use super::*;
use crate::container::runtime::docker::life::What;
use crate::model::{Cause, Confidence, Source};
use crate::past::journal::Said;
use crate::past::klog::oom::reports;
use crate::past::klog::record::Record as Line;
use crate::past::klog::saved;
use jiff::tz::TimeZone;

const ID: &str = "49adca1e87ff1b4ec0c361d1b99eb80440072e2f4876e815094fd1e520e15e5f";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + second).unwrap()
}

fn text(second: i64) -> String {
    format!("{:.9}", at(second))
}

fn container() -> Container {
    let cgroup = format!("/oomtrace-test-1589-49/docker-{ID}.scope");
    Container { id: ID.to_owned(), name: Some("web".to_owned()), cgroup, confirmed: true, ..Container::default() }
}

fn subject(is_running: bool) -> Subject {
    Subject {
        container: Some(container()),
        is_running: Some(is_running),
        running_since: is_running.then(|| at(500)),
        ..Subject::new(TargetKind::Container, "web".to_owned())
    }
}

/// The kernel's report of an OOM kill in the container then.
fn report(second: i64) -> Placed {
    let log = include_str!("../klog/oom/logs/6.18-v1.kmsg");
    let line = |line| saved::parse(line, at(0), &TimeZone::UTC).map(|record| Line { at: Some(at(second)), ..record });
    let records: Vec<Line> = log.lines().filter_map(line).collect();
    Placed { report: reports(&records).reports.remove(0), container: Some(container()), ..Placed::default() }
}

fn end(second: i64, code: i64, oom: bool) -> Ended {
    let end = SaidEnd {
        by: "Docker".to_owned(),
        time: Some(text(second)),
        started: Some(text(second - 100)),
        exit_code: Some(code),
        oom_killed: Some(oom),
        reason: None,
    };
    Ended { end, container: Some(container()), ..Ended::default() }
}

fn asked(subject: Option<&Subject>, traces: Traces) -> Why {
    let identity = Identity { node: Some("node-1".to_owned()), boot_id: Some("abc-1".to_owned()) };
    answer(Some("web"), subject, traces, &identity, at(10_000))
}

#[test]
fn a_report_and_the_end_that_it_made_are_one() {
    let traces = Traces { kills: vec![report(0)], ends: vec![end(1, 137, true)], ..Traces::default() };
    let why = asked(Some(&subject(false)), traces);
    let found = why.reconstructed.unwrap();
    let verdict = found.verdict.unwrap();
    assert_eq!(
        (why.answer, verdict.cause, verdict.confidence),
        (Answer::Killed, Cause::OomContainerLimit, Confidence::Certain)
    );
    assert_eq!((found.time, found.end.unwrap().exit_code), (Some(text(0)), Some(137)));
    assert!(why.earlier.is_empty() && verdict.evidence.iter().any(|fact| fact.source == Source::Runtime));
    assert!(found.missing.iter().any(|missing| missing.contains("grew")), "{:?}", found.missing);
}

#[test]
fn a_report_of_before_is_not_taken_for_the_last_end() {
    // Killed long before, and then ended by itself: the last end is the answer, and the kill came before.
    let traces = Traces { kills: vec![report(0)], ends: vec![end(3600, 0, false)], ..Traces::default() };
    let why = asked(Some(&subject(false)), traces);
    assert_eq!((why.answer, why.earlier.len()), (Answer::Ended, 1));
    assert!(why.summary.contains("not killed by SIGKILL"), "{}", why.summary);
    assert_eq!(why.earlier[0].cause, Some(Cause::OomContainerLimit));
    assert_eq!(why.earlier[0].limit_bytes, Some(24 << 20));
    // As is an unexplained one: the old report explains nothing.
    let traces = Traces { kills: vec![report(0)], ends: vec![end(3600, 137, false)], ..Traces::default() };
    let why = asked(Some(&subject(false)), traces);
    assert_eq!((why.answer, why.earlier.len()), (Answer::Unexplained, 1));
    assert!(why.summary.contains("exit(137)") && why.reconstructed.unwrap().verdict.is_none(), "{}", why.summary);
}

#[test]
fn several_are_counted_and_the_remedy_knows_of_them() {
    let traces = Traces { kills: vec![report(0), report(1000), report(2000)], ..Traces::default() };
    let why = asked(Some(&subject(true)), traces);
    assert_eq!((why.answer, why.earlier.len()), (Answer::Killed, 2));
    let times: Vec<_> = why.earlier.iter().map(|kill| kill.time.clone().unwrap()).collect();
    assert_eq!(times, [text(1000), text(0)]);
    let advice = &why.reconstructed.unwrap().verdict.unwrap().advice;
    assert!(advice.iter().any(|advice| advice.why.contains("not enough 3 times")), "{advice:?}");
}

#[test]
fn counters_alone_are_no_kill() {
    let traces = Traces { oom_count: Some(3), ..Traces::default() };
    let why = asked(Some(&subject(true)), traces);
    assert_eq!((why.answer, why.reconstructed.is_none()), (Answer::Alive, true));
    assert!(why.summary.contains("counts 3 OOM kills since it was made"), "{}", why.summary);
    let why = asked(Some(&subject(false)), Traces::default());
    assert_eq!(why.answer, Answer::Nothing);
    let why = asked(None, Traces::default());
    assert_eq!((why.answer, why.target), (Answer::Nothing, None));
}

#[test]
fn what_was_watched_outweighs_what_is_put_together() {
    let identity = Identity { node: None, boot_id: Some("abc-1".to_owned()) };
    let mut watched = report(0).incident(&identity, crate::resolve::limits_before::LimitsBefore::default()).unwrap();
    watched.id = "watched".to_owned();
    // The kernel's log has the same kill, a second off.
    let traces = Traces {
        kills: vec![report(1)],
        ends: vec![end(2, 137, true)],
        watched: vec![watched.clone()],
        ..Traces::default()
    };
    let why = asked(Some(&subject(false)), traces);
    assert_eq!((why.answer, why.earlier.len()), (Answer::Watched, 0));
    assert_eq!(why.incident.unwrap().id, "watched");
    // A later one that was not watched is the answer, and that one came before.
    let traces = Traces { kills: vec![report(1), report(900)], watched: vec![watched], ..Traces::default() };
    let why = asked(Some(&subject(false)), traces);
    assert_eq!((why.answer, why.earlier.len()), (Answer::Killed, 1));
    assert_eq!(why.earlier[0].incident.as_deref(), Some("watched"));
}

fn exited(second: i64, id: &str) -> Exited {
    let json = serde_json::json!({
        "schema": 1, "id": format!("{second}-exit"), "time": text(second), "container_init": true, "code": 137,
        "process": { "pid": 7, "comm": "sh", "cmdline_truncated": false },
        "container": { "id": id, "name": "web", "cgroup": "/x", "confirmed": true },
        "why": "exited with 137 by itself: no SIGKILL ended it; its child tail[9881] was OOM-killed 2.0 s before",
        "after": { "incident": "watched", "pid": 9881, "comm": "tail", "is_child": true, "is_oom": true, "before_ms": 2000 }
    });
    serde_json::from_value(json).unwrap()
}

#[test]
fn an_exit_with_137_that_was_watched_is_the_answer_with_the_kill_that_it_followed() {
    let identity = Identity { node: None, boot_id: Some("abc-1".to_owned()) };
    let mut watched = report(0).incident(&identity, crate::resolve::limits_before::LimitsBefore::default()).unwrap();
    watched.id = "watched".to_owned();
    // The kernel swept what was left.
    let mut swept = Incident { id: "swept".to_owned(), time: text(2), ..watched.clone() };
    swept.verdict.as_mut().unwrap().cause = Cause::PidNamespaceExit;
    let traces = || Traces {
        kills: vec![report(0)],
        ends: vec![end(3, 137, true)],
        watched: vec![swept.clone(), watched.clone()],
        exits: vec![exited(2, ID)],
        ..Traces::default()
    };
    let why = asked(Some(&subject(false)), traces());
    assert_eq!(
        (why.answer, why.reconstructed.is_none(), why.earlier.len()),
        (Answer::Ended, true, 0),
        "{:?}",
        why.earlier
    );
    assert_eq!((why.exit, why.is_of_another), (Some(exited(2, ID)), Some(false)));
    assert_eq!(why.incident.unwrap().id, "watched");
    assert!(
        why.summary
            .starts_with("container web exited with 137 by itself: no SIGKILL ended it; its child tail[9881] was")
    );
    // The child's kill was not kept: the kernel's log has it, and it came before.
    let why = asked(Some(&subject(false)), Traces { watched: Vec::new(), ..traces() });
    assert_eq!((why.answer, why.incident.is_none(), why.earlier.len()), (Answer::Ended, true, 1));
    // What came later is the answer.
    let later = Traces { kills: vec![report(900)], ends: vec![end(903, 137, true)], ..traces() };
    let why = asked(Some(&subject(false)), later);
    assert_eq!((why.answer, why.exit), (Answer::Killed, None));
    // It had ended by then: somebody's cgroup was called after it.
    let why = asked(Some(&subject(false)), Traces { kills: vec![report(900)], ..traces() });
    assert_eq!((why.answer, why.exit), (Answer::Ended, Some(exited(2, ID))));
}

#[test]
fn what_an_earlier_container_of_that_name_ended_by_is_said_to_be_that_ones() {
    let traces = || Traces { exits: vec![exited(2, &"b".repeat(64))], ..Traces::default() };
    let why = asked(Some(&subject(true)), traces());
    assert_eq!((why.answer, why.is_of_another), (Answer::Ended, Some(true)));
    // The one that is there now ended by itself right after, as its runtime says.
    let why = asked(Some(&subject(false)), Traces { ends: vec![end(3, 0, false)], ..traces() });
    assert_eq!((why.answer, why.exit, why.is_of_another), (Answer::Ended, None, Some(false)));
    assert!(why.summary.contains("not killed by SIGKILL"), "{}", why.summary);
    assert_eq!(asked(Some(&subject(true)), Traces::default()).is_of_another, None);
}

#[test]
fn another_containers_end_is_not_joined() {
    let mut other = end(1, 137, true);
    other.container.as_mut().unwrap().id = "b".repeat(64);
    let traces = Traces { kills: vec![report(0)], ends: vec![other], ..Traces::default() };
    let why = asked(Some(&subject(false)), traces);
    assert_eq!(why.earlier.len(), 1);
}

#[test]
fn docker_events_are_of_the_life_that_ended() {
    let happened = |second: i64, what| Happened { at_ns: i64::try_from(at(second).as_nanosecond()).unwrap(), what };
    let events = vec![
        happened(0, What::Start),
        happened(10, What::Kill("15".to_owned())),
        happened(20, What::Kill("9".to_owned())),
        happened(20, What::Die { exit_code: Some(137) }),
    ];
    let ends = vec![Ended { events: events.into(), ..end(20, 137, false) }];
    let traces = Traces { ends, events_since: Some(at(-10)), ..Traces::default() };
    let why = asked(Some(&subject(false)), traces);
    let verdict = why.reconstructed.unwrap().verdict.unwrap();
    assert_eq!((why.answer, verdict.cause), (Answer::Killed, Cause::RuntimeStopTimeout));
    assert!(verdict.why.contains("10.0 s later"), "{}", verdict.why);
}

#[test]
fn an_oom_kill_of_nobody_knows_whom_leaves_open_whether_it_was_one() {
    let happened = |second: i64, what| Happened { at_ns: i64::try_from(at(second).as_nanosecond()).unwrap(), what };
    let events = vec![happened(0, What::Start), happened(20, What::Die { exit_code: Some(137) })];
    let (other, own) = (format!("/docker/{}", "b".repeat(64)), format!("/custom/{ID}"));
    for (second, path, is_open) in
        [(20, None, true), (20, Some(&own), true), (20, Some(&other), false), (-60, None, false)]
    {
        let traces = Traces {
            ends: vec![Ended { events: events.clone().into(), ..end(20, 137, false) }],
            events_since: Some(at(-100)),
            kernel_since: Some(at(-100)),
            reported: vec![(Some(at(second)), path.cloned())],
            ..Traces::default()
        };
        let why = asked(Some(&subject(false)), traces);
        let answer = if is_open { Answer::Unexplained } else { Answer::Killed };
        assert_eq!(why.answer, answer, "{second} {path:?}: {}", why.summary);
    }
}

#[test]
fn dockers_own_kill_is_not_the_oom_kill_of_a_child_right_before() {
    let happened = |second: i64, what| Happened { at_ns: i64::try_from(at(second).as_nanosecond()).unwrap(), what };
    let events = |asked: Option<i64>| {
        let mut events =
            vec![happened(-5, What::Start), happened(0, What::Oom), happened(9, What::Die { exit_code: Some(137) })];
        events.extend(asked.map(|second| happened(second, What::Kill("9".to_owned()))));
        events.sort_by_key(|happened| happened.at_ns);
        events
    };
    let traces = |is_asked| Traces {
        kills: vec![report(0)],
        ends: vec![Ended { events: events(is_asked).into(), ..end(9, 137, true) }],
        events_since: Some(at(-10)),
        ..Traces::default()
    };
    // What was written after the end, the kernel's own word outweighs.
    for (is_asked, cause, earlier) in
        [(Some(8), Cause::RuntimeKill, 1), (None, Cause::OomContainerLimit, 0), (Some(10), Cause::OomContainerLimit, 0)]
    {
        let why = asked(Some(&subject(false)), traces(is_asked));
        let verdict = why.reconstructed.unwrap().verdict.unwrap();
        assert_eq!((verdict.cause, why.earlier.len()), (cause, earlier), "{}", verdict.why);
    }
}

#[test]
fn systemds_journal_says_what_a_unit_ended_by() {
    let unit = Subject {
        kind: TargetKind::Unit,
        name: "web.service".to_owned(),
        container: None,
        unit: Some("web.service".to_owned()),
        ..subject(false)
    };
    let name = || "web.service".to_owned();
    let entry = |second, said| Entry { at: at(second), said };
    let exit = || Said::UnitProcessExit { unit: name(), code: "killed".to_owned(), status: "9".to_owned() };
    let result = |result: &str| Said::UnitResult { unit: name(), result: result.to_owned() };
    for (entries, answer, cause) in [
        (vec![entry(0, exit()), entry(1, result("signal"))], Answer::Unexplained, None),
        (vec![entry(0, exit()), entry(1, result("timeout"))], Answer::Killed, Some(Cause::ServiceManagerKill)),
        (vec![entry(0, exit()), entry(1, result("oom-kill"))], Answer::Killed, Some(Cause::OomUnitLimit)),
        (
            vec![entry(0, Said::UnitOutOfMemory { unit: name() }), entry(0, exit()), entry(1, result("signal"))],
            Answer::Killed,
            Some(Cause::OomUnitLimit),
        ),
        (
            vec![
                entry(0, Said::UnitOomdKill { unit: name(), processes: Some(3) }),
                entry(0, exit()),
                entry(1, result("oom-kill")),
            ],
            Answer::Killed,
            Some(Cause::UserspaceOomKiller),
        ),
        (vec![entry(0, Said::UnitOutOfMemory { unit: "other.service".to_owned() })], Answer::Nothing, None),
    ] {
        let said = format!("{entries:?}");
        let why = asked(Some(&unit), Traces { entries, ..Traces::default() });
        let found = why.reconstructed.and_then(|found| found.verdict).map(|verdict| verdict.cause);
        assert_eq!((why.answer, found), (answer, cause), "{said}");
        assert!(why.earlier.is_empty(), "{said}: {:?}", why.earlier);
    }
}

#[test]
fn a_container_that_ended_by_itself_after_a_childs_oom_kill_is_said_to() {
    for (second, code, after) in [
        (2, 1, Some("; the container was not killed, and ended with exit code 1, 2.0 s after that")),
        (2, 137, None),
        (60, 1, None),
    ] {
        let traces = Traces { kills: vec![report(0)], ends: vec![end(second, code, true)], ..Traces::default() };
        let found = asked(Some(&subject(false)), traces).reconstructed.unwrap();
        let why = found.verdict.map(|verdict| verdict.why).unwrap_or_default();
        assert_eq!(after.is_some(), why.contains("was not killed, and ended"), "{why}");
        assert!(after.is_none_or(|after| why.ends_with(after)), "{why}");
        let is_open = found.missing.iter().any(|missing| missing.contains("first process"));
        assert!(!(is_open && after.is_some()), "{:?}", found.missing);
    }
}

#[test]
fn without_a_target_the_last_kill_is_whoevers_it_was() {
    let other = |second, by: &str| {
        let mut ended = end(second, 137, false);
        ended.end.by = by.to_owned();
        let container = ended.container.as_mut().unwrap();
        (container.id, container.name) = ("b".repeat(64), Some("api".to_owned()));
        ended
    };
    let name = |why: &Why| why.reconstructed.as_ref().unwrap().container.as_ref().unwrap().name.clone().unwrap();
    // Docker's kill is later than the kernel's, and that one's own end is none of its own.
    let ends = vec![end(1, 137, true), other(5, "Docker")];
    let why = asked(None, Traces { kills: vec![report(0)], ends: ends.clone(), ..Traces::default() });
    assert_eq!(
        (name(&why).as_str(), why.earlier.len(), why.earlier[0].cause),
        ("api", 1, Some(Cause::OomContainerLimit))
    );
    let why = asked(None, Traces { kills: vec![report(30)], ends, ..Traces::default() });
    assert_eq!((name(&why).as_str(), why.earlier.len()), ("web", 2));
    // A unit's end is not the container's that was killed right before.
    let exit = |unit: &str, status: &str| {
        let (unit, code, status) = (unit.to_owned(), "killed".to_owned(), status.to_owned());
        Entry { at: at(3), said: Said::UnitProcessExit { unit, code, status } }
    };
    let entries = vec![exit("job.service", "9"), exit("other.service", "15")];
    let why = asked(None, Traces { kills: vec![report(0)], entries, ..Traces::default() });
    let found = why.reconstructed.unwrap();
    assert_eq!((found.unit.as_deref(), why.answer, why.earlier.len()), (Some("job.service"), Answer::Unexplained, 1));
}

#[test]
fn without_a_target_a_routine_kill_is_no_other_traces_kill() {
    let identity = Identity { node: None, boot_id: Some("abc-1".to_owned()) };
    let mut routine = report(0).incident(&identity, crate::resolve::limits_before::LimitsBefore::default()).unwrap();
    routine.id = "routine".to_owned();
    routine.routine = Some(crate::model::Routine::Sweep);
    let traces = Traces { ends: vec![end(1, 137, false)], watched: vec![routine], ..Traces::default() };
    assert_eq!(asked(None, traces.clone()).answer, Answer::Nothing);
    assert_eq!(asked(Some(&subject(false)), traces).answer, Answer::Watched);
    let traces = Traces { ends: vec![end(2, 137, false)], exits: vec![exited(1, ID)], ..Traces::default() };
    assert_eq!(asked(None, traces.clone()).answer, Answer::Nothing);
    assert_eq!(asked(Some(&subject(false)), traces).answer, Answer::Ended);
}

#[test]
fn what_systemd_counts_is_put_to_the_kernels_report_of_all_that_a_unit_holds() {
    let out = |unit: &str| Entry { at: at(1), said: Said::UnitOutOfMemory { unit: unit.to_owned() } };
    let placed = |path: &str| {
        let mut placed = report(0);
        placed.report.cgroup = Some(path.to_owned());
        placed
    };
    let (scope, users) = (format!("docker-{ID}.scope"), "/user.slice/user-1000.slice/user@1000.service");
    for (path, unit) in [
        (format!("/system.slice/{scope}"), scope.as_str()),
        (format!("/system.slice/web.service/libpod-payload-{ID}"), "web.service"),
        (format!("{users}/app.slice/job.scope"), "user@1000.service"),
    ] {
        // One before, that of the same unit as well: the nearest is meant.
        let mut before = placed(&path);
        before.report.at = Some(at(-8));
        let why =
            asked(None, Traces { kills: vec![before, placed(&path)], entries: vec![out(unit)], ..Traces::default() });
        let verdict = why.reconstructed.unwrap().verdict.unwrap();
        assert_eq!((verdict.confidence, why.earlier.len()), (Confidence::Certain, 1), "{path}: {}", verdict.why);
        assert!(verdict.evidence.iter().any(|fact| fact.source == Source::Systemd), "{path}");
    }
    // The kernel left out where it was.
    let mut short = report(0);
    (short.report.cgroup, short.container) = (None, None);
    let why = asked(None, Traces { kills: vec![short], entries: vec![out("job.service")], ..Traces::default() });
    assert_eq!((why.earlier.len(), why.reconstructed.unwrap().victim.is_some()), (0, true));
    // Of another unit.
    let why = asked(None, Traces { kills: vec![report(0)], entries: vec![out("job.service")], ..Traces::default() });
    assert_eq!((why.reconstructed.unwrap().unit.as_deref(), why.earlier.len()), (Some("job.service"), 1));
    // Nobody else says anything of it.
    let why = asked(None, Traces { entries: vec![out(&scope)], ..Traces::default() });
    let found = why.reconstructed.unwrap();
    let (cause, confidence) = found.verdict.map(|verdict| (verdict.cause, verdict.confidence)).unwrap();
    assert_eq!((cause, confidence), (Cause::OomContainerLimit, Confidence::Possible));
    assert_eq!((found.container.unwrap().id.as_str(), found.unit), (ID, None));
}

#[test]
fn a_container_that_systemd_oomd_killed_is_said_to_be() {
    let entries = |id: &str| {
        vec![Entry { at: at(1), said: Said::UnitOomdKill { unit: format!("docker-{id}.scope"), processes: Some(3) } }]
    };
    let its = subject(false);
    for subject in [None, Some(&its)] {
        let traces = |id: &str| Traces { ends: vec![end(2, 137, false)], entries: entries(id), ..Traces::default() };
        let why = asked(subject, traces(ID));
        assert_eq!((why.answer, why.earlier.len()), (Answer::Killed, 0), "{}", why.summary);
        assert_eq!(why.summary, "systemd-oomd killed container web, before the kernel had to.");
        let found = why.reconstructed.unwrap();
        assert_eq!(
            (found.verdict.unwrap().cause, found.end.unwrap().exit_code),
            (Cause::UserspaceOomKiller, Some(137))
        );
        // Another's is none of its own.
        let why = asked(subject, traces(&"b".repeat(64)));
        assert_eq!(why.earlier.len(), usize::from(subject.is_none()), "{}", why.summary);
    }
}

#[test]
fn an_end_of_the_next_life_is_not_the_kill_of_the_one_before() {
    let ends = vec![end(0, 137, true), end(6, 1, false)];
    let why = asked(Some(&subject(false)), Traces { kills: vec![report(0)], ends, ..Traces::default() });
    assert_eq!((why.answer, why.earlier.len()), (Answer::Ended, 1), "{}", why.summary);
}

#[test]
fn ends_that_follow_fast_are_lives_of_their_own() {
    let ends: Vec<Ended> = [0, 2, 3, 5].map(|second| end(second, 137, false)).into();
    let why = asked(Some(&subject(false)), Traces { ends, ..Traces::default() });
    assert_eq!((why.reconstructed.unwrap().time, why.earlier.len()), (Some(text(5)), 3));
}

#[test]
fn a_container_that_runs_on_lost_another_process_than_its_first() {
    let of = |is_running: bool, running_since: i64| {
        let subject = Subject { running_since: Some(at(running_since)), ..subject(is_running) };
        let traces = Traces { kills: vec![report(2000)], ..Traces::default() };
        let found = asked(Some(&subject), traces).reconstructed.unwrap();
        let is_unseen = found.missing.iter().any(|missing| missing.contains("first process"));
        (found.verdict.unwrap().why.ends_with("; the container was not killed, and runs on"), is_unseen)
    };
    assert_eq!(of(true, 500), (true, false));
    // It was started again since, or does not run.
    assert_eq!(of(true, 2001), (false, true));
    assert_eq!(of(false, 500), (false, true));
    // It was started a moment before the kill, and its runtime has no end of it.
    let found = |ends| {
        let subject = Subject { running_since: Some(at(1999)), restarts: Some(0), ..subject(true) };
        let traces = Traces { kills: vec![report(2000)], ends, ..Traces::default() };
        asked(Some(&subject), traces).reconstructed.unwrap().verdict.unwrap().why
    };
    assert!(found(Vec::new()).ends_with("runs on"));
    assert!(!found(vec![end(1990, 0, false)]).ends_with("runs on"));
}

#[test]
fn of_a_container_of_which_nothing_ever_ran_its_runtimes_words_are_the_answer() {
    let said = |error: &str| {
        let unstarted = Some(Unstarted { error: error.to_owned(), exit_code: 127 });
        let found = asked(Some(&Subject { unstarted, ..subject(false) }), Traces::default());
        assert_eq!(found.answer, Answer::Nothing);
        found.summary
    };
    assert_eq!(said(""), "container web was made, and nobody has started it");
    let error = "exec: \"nginxx\": executable file not found in $PATH\u{1b}";
    let expected = "container web did not start, and nothing of it ever ran (exit code 127): Docker says ";
    let rest = said(error).strip_prefix(expected).unwrap().to_owned();
    assert!(rest.contains("nginxx") && !rest.contains('\u{1b}'), "{rest}");
}

#[test]
fn a_container_that_was_removed_is_said_to_be() {
    let traces =
        |removed: &str| Traces { kills: vec![report(0)], removed: vec![removed.to_owned()], ..Traces::default() };
    assert_eq!(asked(Some(&subject(false)), traces(ID)).is_removed, Some(true));
    assert_eq!(asked(Some(&subject(false)), traces("other")).is_removed, None);
}

#[test]
fn a_process_that_was_killed_runs_no_more_whoever_has_its_number() {
    let subject = Subject { kind: TargetKind::Process, pid: Some(7), container: None, ..subject(true) };
    let of = |kills| asked(Some(&subject), Traces { kills, ..Traces::default() }).target.unwrap().is_running;
    assert_eq!(of(vec![report(2000)]), None);
    assert_eq!(of(Vec::new()), Some(true));
}
