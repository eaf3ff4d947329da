use super::*;
use crate::model::Limits;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn docker(second: i64, code: i64, oom: bool) -> SaidEnd {
    SaidEnd {
        by: "Docker".to_owned(),
        time: Some(format!("{:.9}", at(second))),
        exit_code: Some(code),
        oom_killed: Some(oom),
        ..SaidEnd::default()
    }
}

fn happened(second: i64, what: What) -> Happened {
    Happened { at_ns: i64::try_from(at(second).as_nanosecond()).unwrap(), what }
}

fn die(second: i64) -> Happened {
    happened(second, What::Die { exit_code: Some(137) })
}

fn kill(second: i64, signal: &str) -> Happened {
    happened(second, What::Kill(signal.to_owned()))
}

/// The container, with a limit or without.
fn container(limit: Option<u64>) -> Container {
    Container {
        id: "a".repeat(64),
        name: Some("web".to_owned()),
        limits: Some(Limits { memory_bytes: limit, ..Limits::default() }),
        ..Container::default()
    }
}

#[test]
fn what_follows_from_what_is_left() {
    use Cause::*;
    use Confidence::{Likely, Possible};
    let start = || happened(0, What::Start);
    let (limited, free) = (container(Some(64 << 20)), container(None));
    let stopped_by_hup = Container { stop_signal: Some("SIGHUP".to_owned()), ..container(None) };
    let long_ago = Some(at(-1000));
    for (what, end, container, events, kernel_since, expected) in [
        (
            "a stop that was not obeyed",
            docker(20, 137, false),
            &free,
            vec![start(), kill(10, "15"), kill(20, "9"), die(20)],
            None,
            Some((RuntimeStopTimeout, Likely)),
        ),
        (
            "a stop by another signal",
            docker(20, 137, false),
            &free,
            vec![start(), kill(10, "SIGQUIT"), kill(20, "SIGKILL"), die(20)],
            None,
            Some((RuntimeStopTimeout, Likely)),
        ),
        (
            "docker kill",
            docker(20, 137, false),
            &free,
            vec![start(), kill(20, "9"), die(20)],
            None,
            Some((RuntimeKill, Likely)),
        ),
        // A child was OOM-killed in this life, long before: the mark stays.
        (
            "a kill by hand after a child's OOM kill that the kernel logged",
            docker(20, 137, true),
            &limited,
            vec![start(), happened(5, What::Oom), die(20)],
            long_ago,
            Some((ProcessKill, Possible)),
        ),
        (
            "the same, and nobody has the kernel's log",
            docker(20, 137, true),
            &limited,
            vec![start(), happened(5, What::Oom), die(20)],
            None,
            Some((OomContainerLimit, Possible)),
        ),
        // To have it read its settings anew.
        (
            "docker kill some time after another signal",
            docker(20, 137, false),
            &free,
            vec![start(), kill(10, "HUP"), kill(20, "9"), die(20)],
            None,
            Some((RuntimeKill, Likely)),
        ),
        (
            "a stop by the image's own signal",
            docker(20, 137, false),
            &stopped_by_hup,
            vec![start(), kill(10, "HUP"), kill(20, "9"), die(20)],
            None,
            Some((RuntimeStopTimeout, Likely)),
        ),
        (
            "docker kill that Docker wrote after the end",
            docker(20, 137, false),
            &free,
            vec![start(), die(20), Happened { at_ns: die(20).at_ns + 3_000_000, ..kill(20, "9") }],
            None,
            Some((RuntimeKill, Likely)),
        ),
        (
            "one of the next life's",
            docker(20, 137, false),
            &free,
            vec![start(), die(20), happened(20, What::Start), Happened { at_ns: die(20).at_ns + 9, ..kill(20, "9") }],
            long_ago,
            Some((ProcessKill, Possible)),
        ),
        (
            "times that no clock has",
            docker(20, 137, false),
            &free,
            vec![Happened { at_ns: i64::MIN, ..start() }, die(20), Happened { at_ns: i64::MAX, ..kill(20, "9") }],
            None,
            None,
        ),
        // A kill that the container outlived is not what ended it.
        ("a kill of long before", docker(90, 137, false), &free, vec![start(), kill(20, "9"), die(90)], None, None),
        // Of the life before.
        (
            "an earlier life's kill",
            docker(50, 137, false),
            &free,
            vec![start(), kill(20, "9"), die(20), happened(21, What::Start), die(50)],
            long_ago,
            Some((ProcessKill, Possible)),
        ),
        (
            "an OOM kill at the end",
            docker(20, 137, true),
            &limited,
            vec![start(), happened(20, What::Oom), die(20)],
            None,
            Some((OomContainerLimit, Likely)),
        ),
        (
            "an OOM kill that Docker heard of after the end",
            docker(20, 137, true),
            &limited,
            vec![start(), die(20), happened(20, What::Oom)],
            None,
            Some((OomContainerLimit, Likely)),
        ),
        (
            "an OOM kill, and no events",
            docker(20, 137, true),
            &limited,
            vec![],
            None,
            Some((OomContainerLimit, Possible)),
        ),
        (
            "an OOM kill of long before",
            docker(500, 137, true),
            &limited,
            vec![start(), happened(20, What::Oom), die(500)],
            None,
            Some((OomContainerLimit, Possible)),
        ),
        (
            "an OOM kill without a limit",
            docker(20, 137, true),
            &free,
            vec![start(), happened(20, What::Oom), die(20)],
            None,
            Some((OomHost, Possible)),
        ),
        (
            "docker kill after an OOM kill of a child",
            docker(500, 137, true),
            &limited,
            vec![start(), happened(20, What::Oom), kill(500, "9"), die(500)],
            None,
            Some((RuntimeKill, Likely)),
        ),
        (
            "neither, and all would be known",
            docker(20, 137, false),
            &limited,
            vec![start(), die(20)],
            long_ago,
            Some((ProcessKill, Possible)),
        ),
        (
            "neither, and the kernel's log is not there",
            docker(20, 137, false),
            &limited,
            vec![start(), die(20)],
            None,
            None,
        ),
        (
            "neither, and the kernel's log begins later",
            docker(20, 137, false),
            &limited,
            vec![start(), die(20)],
            Some(at(30)),
            None,
        ),
        ("neither, and Docker knows nothing of that time", docker(20, 137, false), &limited, vec![], long_ago, None),
    ] {
        let around = Around {
            container: Some(container),
            events: &events,
            events_since: long_ago,
            kernel_since,
            ..Around::default()
        };
        let found = judge(&end, &around);
        let verdict = found.verdict.as_ref().map(|verdict| (verdict.cause, verdict.confidence));
        assert_eq!(verdict, expected, "{what}: {found:?}");
        assert!(!found.missing.is_empty(), "{what}");
        if let Some(verdict) = found.verdict {
            assert!(verdict.summary.contains("container web") && !verdict.evidence.is_empty(), "{what}: {verdict:?}");
        } else {
            assert!(unexplained(&end, &around).contains("exit(137)"), "{what}");
        }
    }
}

#[test]
fn systemd_knows_its_own_time_outs() {
    let end = |reason: &str| SaidEnd {
        by: "systemd".to_owned(),
        exit_code: Some(137),
        reason: Some(reason.to_owned()),
        ..SaidEnd::default()
    };
    let around = Around { unit: Some("web.service"), ..Around::default() };
    for (reason, expected) in [
        ("timeout", Some((Cause::ServiceManagerKill, Confidence::Likely))),
        ("oom-kill", Some((Cause::OomUnitLimit, Confidence::Possible))),
        ("signal", None),
    ] {
        let verdict = judge(&end(reason), &around).verdict;
        assert_eq!(verdict.map(|verdict| (verdict.cause, verdict.confidence)), expected, "{reason}");
    }
}

#[test]
fn who_was_there_is_possible_and_no_more() {
    let session = Session {
        user: "a\x1blice".to_owned(),
        tty: "pts/0".to_owned(),
        from: None,
        since: String::new(),
        until: None,
    };
    let events = [happened(0, What::Start), die(20)];
    let around = Around {
        events: &events,
        events_since: Some(at(-10)),
        kernel_since: Some(at(-10)),
        sessions: vec![session],
        ..Around::default()
    };
    let found = judge(&docker(20, 137, false), &around);
    let verdict = found.verdict.unwrap();
    assert_eq!(verdict.confidence, Confidence::Possible);
    let fact = verdict.evidence.iter().find(|fact| fact.source == Source::Logins).unwrap();
    assert!(fact.fact.contains("need not") && !fact.fact.contains('\x1b'), "{fact:?}");
}
