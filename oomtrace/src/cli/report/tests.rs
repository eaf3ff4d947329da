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

/// What a report says of a history of three of which so many are damaged.
fn notes(damaged: u32) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept/history.db");
    let all: Vec<Entry> =
        (1..=3).map(|number| Entry::Incident(Box::new(serde_json::from_value(kill(number)).unwrap()))).collect();
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
        read(file.path(), None, false).unwrap().unwrap().report().notes
    };
    assert_eq!(lines("x\n"), ["1 line could not be read"]);
    assert_eq!(lines("x\ny\n"), ["2 lines could not be read"]);
    let dropped = |dropped| Found { dropped, ..Found::default() }.report().notes.concat();
    assert!(dropped(1).starts_with("1 earlier one is left out"), "{}", dropped(1));
    assert!(dropped(2).starts_with("2 earlier ones are left out"), "{}", dropped(2));
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
        found.take(serde_json::from_value(record).unwrap(), None, false);
    }
    let [found] = found.incidents.as_slice() else { panic!("one") };
    assert_eq!((found.missing.as_slice(), found.container.is_some()), (["x".to_owned()].as_slice(), true));
}
