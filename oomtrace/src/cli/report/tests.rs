use clap::Parser as _;
use oomtrace::store::{Bounds, Entry, Writer};
use serde_json::{Value, json};

use super::*;

fn kill(number: u32) -> Value {
    let at = Timestamp::now() - Span::new().minutes(60 - i64::from(number));
    json!({
        "type": "incident", "schema": 1, "id": format!("{number:08x}-test"), "time": format!("{at:.9}"),
        "victim": { "pid": 1000 + number, "comm": "java", "cmdline_truncated": false, "container_init": true },
        "collateral": [], "sender": { "kind": "kernel", "ancestors": [] },
        "signal": { "number": 9, "name": "SIGKILL", "group": true, "kernel_stack": [] },
        "preceding": [], "attribution": "full", "missing": []
    })
}

fn asked(arguments: &[&str]) -> options::Report {
    let words = ["oomtrace", "report"].iter().chain(arguments);
    match options::Cli::try_parse_from(words).map(|cli| cli.verb) {
        Ok(Some(options::Verb::Report(options))) => options,
        other => panic!("{other:?}"),
    }
}

/// What a report says of a history of three of which so many are damaged.
fn notes(damaged: u32) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept/history.db");
    let one = |number: u32| {
        let mut kill = kill(number);
        // None is like another.
        kill["victim"]["comm"] = json!(format!("java-{number}"));
        Entry::Incident(Box::new(serde_json::from_value(kill).unwrap()))
    };
    let all: Vec<Entry> = (1..=3).map(one).collect();
    Writer::open(&path, Bounds::DEFAULT).unwrap().append(&all).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("UPDATE record SET json = '{' WHERE seq <= ?1", [damaged]).unwrap();
    let selection = Selection { last: Some(MAX_INCIDENTS), ..Selection::default() };
    kept(&path, None, &selection).unwrap().report().notes
}

#[test]
fn what_cannot_be_read_is_not_what_is_too_much() {
    assert!(notes(0).is_empty());
    assert_eq!(notes(1), ["1 incident cannot be read: it is damaged, or a newer oomtrace has written it"]);
    assert_eq!(notes(2), ["2 incidents cannot be read: they are damaged, or a newer oomtrace has written them"]);
    let lines = |text: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{}\n{text}", kill(1))).unwrap();
        read(file.path(), None, &asked(&[])).unwrap().unwrap().report().notes
    };
    assert_eq!(lines("x\n"), ["1 line could not be read"]);
    assert_eq!(lines("x\ny\n"), ["2 lines could not be read"]);
    let dropped = |dropped| Found { dropped, ..Found::default() }.report().notes.concat();
    assert!(dropped(1).starts_with("1 earlier one is left out"), "{}", dropped(1));
    assert!(dropped(2).starts_with("2 earlier ones are left out"), "{}", dropped(2));
}

/// Three of web in a row, one of api among them, and one of web an hour before.
fn several() -> Vec<Value> {
    let named = |number: u32, minute: u32, name: &str| {
        let mut incident = kill(number);
        incident["time"] = json!(format!("{:.9}", Timestamp::now() - Span::new().minutes(90 - i64::from(minute))));
        incident["container"] = json!({ "id": "a".repeat(64), "name": name, "runtime": "docker", "cgroup": "/x" });
        incident["verdict"] = json!({
            "cause": "oom_container_limit", "confidence": "certain", "summary": "x", "why": "ran into its own limit", "evidence": [], "advice": []
        });
        incident
    };
    vec![named(1, 0, "web"), named(2, 60, "web"), named(3, 61, "api"), named(4, 62, "web"), named(5, 70, "web")]
}

/// What a report has of the same, from lines or from a history: how many each section stands for, and what else is said.
fn reported(from_lines: bool, arguments: &[&str]) -> (Vec<(String, u64)>, String) {
    let (dir, options) = (tempfile::tempdir().unwrap(), asked(arguments));
    let found = if from_lines {
        let path = dir.path().join("kills.jsonl");
        std::fs::write(&path, several().iter().map(|kill| format!("{kill}\n")).collect::<String>()).unwrap();
        read(&path, None, &options).unwrap().unwrap()
    } else {
        let path = dir.path().join("kept/history.db");
        let entry = |kill| Entry::Incident(Box::new(serde_json::from_value(kill).unwrap()));
        let all: Vec<Entry> = several().into_iter().map(entry).collect();
        Writer::open(&path, Bounds::DEFAULT).unwrap().append(&all).unwrap();
        kept(&path, None, &selection(&options, &Zoned::now()).unwrap()).unwrap()
    };
    let report = found.report();
    let count = |incident: &Incident| report.folded.get(&incident.id).map_or(1, oomtrace::words::folded::Folded::count);
    let sections = report.incidents.iter().map(|incident| (incident.id[7..8].to_owned(), count(incident))).collect();
    (sections, report.markdown(&Look { zone: jiff::tz::TimeZone::UTC }))
}

#[test]
fn like_kills_are_one_section_and_all_of_them_where_these_are_asked_for() {
    for from_lines in [true, false] {
        let (sections, page) = reported(from_lines, &[]);
        assert_eq!(sections, [("5".to_owned(), 3), ("3".to_owned(), 1), ("1".to_owned(), 1)], "{from_lines}");
        assert!(page.starts_with("# 5 kills\n") && page.contains("**×3 from "), "{page}");
        assert!(page.contains("2 kills are counted with a later one like them") && !page.contains("--all"), "{page}");
        let (sections, page) = reported(from_lines, &["--all"]);
        assert_eq!(sections.len(), 5, "{from_lines}");
        assert!(!page.contains('×') && !page.contains("are counted"), "{page}");
    }
}

#[test]
fn a_report_has_the_filters_of_the_history() {
    for from_lines in [true, false] {
        let of = |arguments: &[&str]| reported(from_lines, arguments).0.len();
        assert_eq!(of(&["--container", "api"]), 1, "{from_lines}");
        assert_eq!((of(&["--cause", "oom"]), of(&["--cause", "self_kill"])), (3, 0), "{from_lines}");
        assert_eq!(of(&["--container", "w*", "--comm", "java", "--all"]), 4, "{from_lines}");
    }
    assert!(asked(&["00000001", "--container", "web"]).conflict().is_some());
    assert!(asked(&["00000001"]).conflict().is_none());
}

#[test]
fn a_correction_is_applied_as_the_history_applies_it() {
    let container = json!({ "id": "a", "name": "web", "runtime": "docker", "cgroup": "/x" });
    let mut incident = kill(1);
    incident["container"] = container.clone();
    let correction = json!({
        "type": "correction", "incident": incident["id"], "time": incident["time"], "container": null, "missing": ["x"],
        "verdict": { "cause": "kubelet_eviction", "confidence": "likely", "summary": "x", "why": "x", "evidence": [], "advice": [] }
    });
    let mut found = Found::default();
    for record in [incident, correction] {
        found.take(serde_json::from_value(record).unwrap());
    }
    found.settle();
    let [found] = found.incidents.as_slice() else { panic!("one") };
    assert_eq!((found.missing.as_slice(), found.container.is_some()), (["x".to_owned()].as_slice(), true));
}

/// What a report of these lines has: each section's id and cause.
fn of_lines(lines: &[Value], arguments: &[&str]) -> Vec<(String, String)> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let report = read(file.path(), None, &asked(arguments)).unwrap().unwrap().report();
    let cause = |incident: &Incident| incident.verdict.as_ref().unwrap().cause.name();
    report.incidents.iter().map(|incident| (incident.id[7..8].to_owned(), cause(incident))).collect()
}

#[test]
fn an_incident_that_stands_twice_counts_once() {
    let twice: Vec<Value> = several().into_iter().chain(several()).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), twice.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let page = |arguments: &[&str]| {
        let report = read(file.path(), None, &asked(arguments)).unwrap().unwrap().report();
        report.markdown(&Look { zone: jiff::tz::TimeZone::UTC })
    };
    assert!(page(&[]).starts_with("# 5 kills\n"), "{}", page(&[]));
    assert!(page(&["--all"]).starts_with("# 5 kills\n"), "{}", page(&["--all"]));
}

#[test]
fn a_cause_is_asked_for_as_it_was_corrected() {
    let verdict = |cause: &str| json!({ "cause": cause, "confidence": "likely", "summary": "x", "why": "x", "evidence": [], "advice": [] });
    let correction = |number: u32, cause: &str| {
        let kill = kill(number);
        json!({
            "type": "correction", "incident": kill["id"], "time": kill["time"], "container": null, "missing": [], "verdict": verdict(cause)
        })
    };
    let lines = |later: u32| {
        let of = |number: u32| {
            let mut kill = kill(number);
            (kill["verdict"], kill["victim"]["comm"]) = (verdict("runtime_kill"), json!(format!("java-{number}")));
            kill
        };
        let mut lines: Vec<Value> = (1..=3).map(of).collect();
        lines.extend((10..10 + later).map(of));
        lines.extend([correction(1, "kubelet_probe_failure"), correction(3, "kubelet_eviction")]);
        lines
    };
    let one = |number: &str, cause: &str| (number.to_owned(), cause.to_owned());
    assert_eq!(of_lines(&lines(0), &["--cause", "runtime_kill"]), [one("2", "runtime_kill")]);
    assert_eq!(
        of_lines(&lines(0), &["--cause", "kubelet"]),
        [one("3", "kubelet_eviction"), one("1", "kubelet_probe_failure")]
    );
    // After so many that it had been taken already.
    let late = of_lines(&lines(499), &["--cause", "runtime_kill", "--comm", "java-[1-3]"]);
    assert_eq!(late, [one("2", "runtime_kill")]);
}

/// Kills of one thing, each of which is corrected after `later` more: how many each section stands for, the latest first, and the notes.
fn corrected(kills: u32, later: u32) -> (Vec<(String, u64)>, Vec<String>) {
    let mut found = Found { folds: true, ..Found::default() };
    let verdict = |cause: &str| json!({ "cause": cause, "confidence": "likely", "summary": "x", "why": "x", "evidence": [], "advice": [] });
    let at = |number: u32| format!("2026-11-20T00:{:02}:{:02}Z", number / 60, number % 60);
    for number in 0..kills + later {
        let mut records = Vec::new();
        if number < kills {
            let mut incident = kill(number);
            (incident["time"], incident["verdict"]) = (json!(at(number)), verdict("runtime_kill"));
            records.push(incident);
        }
        if let Some(number) = number.checked_sub(later) {
            let id = kill(number)["id"].clone();
            records.push(json!({
                "type": "correction", "incident": id, "time": at(number), "container": null, "missing": [], "verdict": verdict("kubelet_probe_failure")
            }));
        }
        for record in records {
            found.take(serde_json::from_value(record).unwrap());
        }
    }
    found.settle();
    let report = found.report();
    let of = |incident: &Incident| {
        (
            incident.verdict.as_ref().unwrap().cause.name(),
            report.folded.get(&incident.id).map_or(1, |folded| folded.count()),
        )
    };
    (report.incidents.iter().map(of).collect(), report.notes)
}

#[test]
fn like_kills_are_those_that_are_alike_when_all_was_read() {
    let all_of = |count| (vec![("kubelet_probe_failure".to_owned(), count)], Vec::<String>::new());
    for later in [0, 1, 5, 30] {
        assert_eq!(corrected(12, later), all_of(12), "{later}");
    }
    // More than are kept apart.
    assert_eq!(corrected(1_200, 1), all_of(1_200));
    let (sections, notes) = corrected(1_200, 1_200);
    assert_eq!(sections.iter().map(|(_, count)| count).sum::<u64>(), 1_200);
    // Of the last 500 alone it is known which they are.
    assert_eq!(sections[0], ("kubelet_probe_failure".to_owned(), 500), "{sections:?}");
    assert_eq!(notes, ["1 section is of several kills, and a correction of one of them came too late to be shown"]);
}

#[test]
fn what_cannot_be_read_is_not_counted_with_what_can() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept/history.db");
    let judged = |n: u32| {
        let mut incident = kill(n);
        incident["verdict"] = json!({
            "cause": "runtime_kill", "confidence": "likely", "summary": "x", "why": "x", "evidence": [], "advice": []
        });
        serde_json::from_value(incident).unwrap()
    };
    let all: Vec<Entry> = (1..=3).map(|n| Entry::Incident(Box::new(judged(n)))).collect();
    Writer::open(&path, Bounds::DEFAULT).unwrap().append(&all).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let selection = Selection { last: Some(MAX_INCIDENTS), ..Selection::default() };
    for (damaged, shown) in [(0_u32, vec![3]), (1, vec![2]), (3, vec![])] {
        db.execute("UPDATE record SET json = '{' WHERE seq > 3 - ?1", [damaged]).unwrap();
        let report = kept(&path, None, &selection).unwrap().report();
        let counts: Vec<u64> = report.incidents.iter().map(|incident| report.folded[&incident.id].count()).collect();
        assert_eq!(counts, shown, "{damaged}");
        assert_eq!(report.notes.len(), usize::from(damaged > 0), "{:?}", report.notes);
    }
}
