use jiff::{SignedDuration, Timestamp};
use oomtrace::past::target::Asked;
use oomtrace::store::{Bounds, Entry, Writer};
use serde_json::{Value, json};

use super::*;

fn kill(number: u32, victim: u32, container: &Value, unit: Option<&str>) -> Entry {
    let at = Timestamp::now() - SignedDuration::from_hours(10) + SignedDuration::from_secs(number.into());
    let value = json!({
        "schema": 1, "id": format!("{number:08}-test"), "time": format!("{at:.9}"), "container": container, "unit": unit,
        "victim": { "pid": victim, "comm": "java", "cmdline_truncated": false, "container_init": true },
        "collateral": [], "sender": { "kind": "kernel", "ancestors": [] },
        "signal": { "number": 9, "name": "SIGKILL", "group": true, "kernel_stack": [] },
        "preceding": [], "attribution": "full", "missing": []
    });
    Entry::Incident(Box::new(serde_json::from_value(value).unwrap()))
}

fn container(id: char, name: &str, pod: &Value) -> Value {
    json!({ "id": id.to_string().repeat(64), "name": name, "runtime": "containerd", "confirmed": true, "cgroup": "/x", "pod": pod })
}

fn kept(all: &[Entry]) -> (tempfile::TempDir, Watched) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept/history.db");
    Writer::open(&path, Bounds::DEFAULT).unwrap().append(all).unwrap();
    (dir, Watched::open(Ok(path)))
}

/// With more later kills of another unit than are looked through.
fn watched() -> (tempfile::TempDir, Watched) {
    let pod = json!({ "namespace": "shop", "name": "db-0", "uid": "u-1" });
    let mut all = vec![
        kill(1, 11, &container('a', "web", &Value::Null), None),
        kill(2, 12, &Value::Null, Some("web.service")),
        kill(3, 13, &container('b', "app", &pod), None),
        kill(4, 14, &Value::Null, Some("x.scope")),
    ];
    all.extend((0..=2_000).map(|number| kill(10 + number, 1_000, &Value::Null, Some("loud.service"))));
    // As long as its runtime has not answered.
    all.push(kill(9_999, 15, &container('c', "app", &json!({ "uid": "u-1" })), None));
    kept(&all)
}

#[test]
fn kills_are_found_however_many_others_came_later_and_by_what_the_word_may_mean() {
    let (_dir, watched) = watched();
    for (word, unit, id, pod) in [
        ("container:web", None, Some('a'), None),
        ("unit:web", Some("web.service"), None, None),
        // The later one.
        ("web", Some("web.service"), None, None),
        ("web.service", Some("web.service"), None, None),
        ("aaaa", None, Some('a'), None),
        ("AAAA", None, Some('a'), None),
        ("aaa", None, None, None),
        ("x.scope", Some("x.scope"), None, None),
        // A pod is its containers.
        ("pod:db-0", None, None, Some("shop/db-0")),
        ("shop/db-0", None, None, Some("shop/db-0")),
        ("shop/db-0/app", None, Some('b'), None),
        ("pod:u-1", None, None, Some("u-1")),
        ("pod:web", None, None, None),
        ("w*", None, None, None),
    ] {
        let found = watched.whom(&Asked::of(word));
        let found_id = found.as_ref().and_then(|whom| whom.container.as_ref()?.id.chars().next());
        let found_pod = found.as_ref().filter(|whom| whom.kind == TargetKind::Pod);
        let uid = found_pod.and_then(|whom| whom.pod_uid.clone());
        assert_eq!(uid.as_deref(), pod.map(|_| "u-1"), "{word}");
        let found_pod = found_pod.map(|whom| whom.name.clone());
        let found_unit = found.as_ref().and_then(|whom| whom.unit.clone());
        let expected = (unit.map(str::to_owned), id, pod.map(str::to_owned));
        assert_eq!((found_unit, found_id, found_pod), expected, "{word}");
    }
}

#[test]
fn a_pod_that_is_gone_has_the_kills_of_all_its_containers_and_no_other_pods() {
    let owner = json!({ "kind": "StatefulSet", "name": "db" });
    let pod = |name: &str| json!({ "namespace": "shop", "name": name, "uid": format!("u-{name}"), "owner": owner });
    let (_dir, watched) = kept(&[
        kill(1, 11, &container('a', "app", &pod("db-0")), None),
        kill(2, 12, &container('b', "sidecar", &pod("db-0")), None),
        kill(3, 13, &container('c', "app", &pod("db-1")), None),
    ]);
    let whom = watched.whom(&Asked::of("pod:db-0")).unwrap();
    let found: Vec<String> = watched.of(Some(&whom)).into_iter().map(|incident| incident.id).collect();
    assert_eq!(found, ["00000002-test", "00000001-test"]);
}

#[test]
fn what_came_before_an_incident_is_found_however_many_came_after_it() {
    let web = container('a', "web", &Value::Null);
    let all: Vec<Entry> = (0..150).map(|number| kill(number, 1_000 + number, &web, None)).collect();
    let (_dir, watched) = kept(&all);
    let found: Vec<String> = watched.incident("00000002").unwrap().into_iter().map(|incident| incident.id).collect();
    assert_eq!(found, ["00000002-test", "00000001-test", "00000000-test"]);
}

#[test]
fn what_cannot_be_read_is_counted_once_and_said() {
    let web = container('a', "web", &Value::Null);
    let (dir, watched) = kept(&[kill(1, 11, &web, None), kill(2, 12, &web, None), kill(3, 13, &web, None)]);
    assert!(!watched.looked().is_missing);
    let db = rusqlite::Connection::open(dir.path().join("kept/history.db")).unwrap();
    db.execute_batch("UPDATE record SET json = '{' WHERE seq IN (SELECT seq FROM incident WHERE id < '00000003')")
        .unwrap();
    for _ in 0..2 {
        assert_eq!(watched.of(None).len(), 1);
    }
    let looked = watched.looked();
    assert!(looked.is_missing && looked.is_read, "{looked:?}");
    assert!(looked.said.contains("; 2 incidents cannot be read"), "{}", looked.said);
}

#[test]
fn a_pods_kills_are_found_by_its_name_and_by_its_uid_alone() {
    let (_dir, watched) = watched();
    let whom = |kind, name: &str| Whom {
        kind,
        name: name.to_owned(),
        container: None,
        pod_uid: None,
        unit: None,
        pid: None,
        is_there: None,
        is_removed: false,
    };
    let pod = whom(TargetKind::Pod, "shop/db-0");
    let unit = whom(TargetKind::Unit, "web.service");
    let process = whom(TargetKind::Process, "14");
    for (whom, expected) in [
        (Whom { pod_uid: Some("u-1".to_owned()), ..pod.clone() }, &["00009999-test", "00000003-test"][..]),
        (pod, &["00000003-test"]),
        (Whom { unit: Some("web.service".to_owned()), ..unit }, &["00000002-test"]),
        (Whom { pid: Some(14), ..process }, &["00000004-test"]),
    ] {
        let found: Vec<String> = watched.of(Some(&whom)).into_iter().map(|incident| incident.id).collect();
        assert_eq!(found, expected, "{whom:?}");
    }
}

#[test]
fn a_victim_is_known_by_its_name_alone_where_a_command_can_have_it() {
    let (_dir, watched) = kept(&[kill(1, 11, &Value::Null, Some("web.service"))]);
    for (word, is_victim) in [("java", true), ("jav", false), ("*", false), ("java; x", false), ("--comm", false)] {
        assert_eq!(watched.has_victim(word), is_victim, "{word}");
    }
}

const USERS: &str = "/user.slice/user-7711.slice/user@7711.service";

fn with_id(id: char, name: Option<&str>, cgroup: &str, confirmed: bool, user: Option<u32>) -> Value {
    let id = id.to_string().repeat(64);
    json!({ "id": id, "name": name, "runtime": "docker", "confirmed": confirmed, "cgroup": cgroup, "user": user })
}

fn ids(found: Vec<Incident>) -> Vec<String> {
    found.into_iter().map(|incident| incident.id).collect()
}

#[test]
fn a_container_has_no_kill_of_another_one_that_is_called_after_it() {
    let id = "a".repeat(64);
    let own = format!("/system.slice/docker-{id}.scope");
    let (_dir, watched) = kept(&[
        kill(1, 11, &with_id('a', Some("web-old"), &own, true, None), None),
        kill(2, 12, &with_id('a', Some("web"), &own, true, None), None),
        // As long as its runtime has not answered.
        kill(3, 13, &with_id('a', None, &own, false, None), None),
        kill(4, 14, &with_id('a', None, &format!("{USERS}/docker-{id}.scope"), false, Some(7711)), None),
        kill(5, 15, &with_id('a', Some("web"), "/x", true, Some(7711)), None),
        kill(6, 16, &with_id('a', None, &format!("/system.slice/ci.service/docker-{id}.scope"), false, None), None),
    ]);
    let removed: Container = serde_json::from_value(with_id('a', Some("web"), "", true, None)).unwrap();
    let of = |container: Container| ids(watched.of(Some(&Whom::container(container, Some(false)))));
    assert_eq!(of(removed.clone()), ["00000003-test", "00000002-test", "00000001-test"]);
    let there = Container { cgroup: own, ..removed.clone() };
    assert_eq!(of(there), ["00000003-test", "00000002-test", "00000001-test"]);
    assert_eq!(of(Container { user: Some(7711), ..removed }), ["00000005-test", "00000004-test"]);
}

#[test]
fn whoever_is_gone_is_the_machines_rather_than_one_that_is_called_after_it() {
    let id = "a".repeat(64);
    let users = with_id('a', None, &format!("{USERS}/docker-{id}.scope"), false, Some(7711));
    let anybodys = with_id('a', None, &format!("/system.slice/ci.service/docker-{id}.scope"), false, None);
    let web = with_id('a', Some("web"), &format!("/system.slice/docker-{id}.scope"), true, None);
    let mut of_unit = kill(9, 19, &Value::Null, Some("web.service"));
    if let Entry::Incident(incident) = &mut of_unit {
        incident.victim.process.cgroup = Some(format!("{USERS}/app.slice/web.service"));
    }
    for later in [users, anybodys] {
        let (_dir, watched) = kept(&[kill(1, 11, &web, None), kill(2, 12, &later, None), of_unit.clone()]);
        for word in ["web", "aaaa", "container:web", &id] {
            let whom = watched.whom(&Asked::of(word)).unwrap();
            let name = whom.container.as_ref().and_then(|container| container.name.clone());
            assert_eq!((name.as_deref(), whom.unit.clone()), (Some("web"), None), "{word} {later}");
            assert_eq!(ids(watched.of(Some(&whom))), ["00000001-test"], "{word} {later}");
        }
    }
}
