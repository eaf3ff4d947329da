use super::*;
use crate::judge::judge;
use crate::judge::tests::{case, container, in_container, kill};
use crate::model::{Confidence, Container, Login, Process};

fn asked(uid: Option<u32>, user: Option<&str>, login: Option<(&str, &str)>) -> Requester {
    let process =
        Process { pid: 7, comm: "docker".to_owned(), uid, user: user.map(str::to_owned), ..Process::default() };
    let login = login.map(|(user, tty)| Login {
        uid: Some(1000),
        user: Some(user.to_owned()).filter(|user| !user.is_empty()),
        session: None,
        tty: Some(tty.to_owned()).filter(|tty| !tty.is_empty()),
    });
    let confidence = Confidence::Likely;
    Requester { process, ancestors: Vec::new(), container: None, unit: None, login, via: String::new(), confidence }
}

#[test]
fn who_asked_is_named_by_person_terminal_and_container() {
    for (requester, asked_for, expected) in [
        (asked(Some(0), Some("root"), None), Some("docker kill"), "docker kill by root"),
        (asked(Some(1000), None, None), Some("docker rm -f"), "docker rm -f by uid 1000"),
        (asked(None, None, None), Some("docker kill"), "docker kill by somebody"),
        (asked(Some(0), Some("root"), Some(("alice", "pts2"))), Some("docker kill"), "docker kill by alice on pts/2"),
        (asked(Some(0), Some("root"), Some(("", "pts2"))), Some("docker kill"), "docker kill by root on pts/2"),
        (asked(Some(0), None, Some(("", ""))), Some("docker kill"), "docker kill by uid 1000"),
        (asked(Some(0), Some("root"), Some(("alice", "pts2"))), None, "docker[7] by alice on pts/2"),
        // Any program of a service's.
        (asked(Some(0), Some("root"), None), None, "docker[7]"),
    ] {
        assert_eq!(asker(&requester, asked_for), expected);
    }
    let mut inside = asked(Some(0), None, None);
    inside.container = Some(Container { name: Some("watchtower".to_owned()), ..container("b") });
    assert_eq!(asker(&inside, None), "docker[7] in container watchtower");
}

#[test]
fn a_duration_has_its_unit() {
    for (given, expected) in
        [("5", "5 s"), ("5s", "5 s"), ("1.5m", "1.5 min"), ("2h", "2 h"), ("1d", "1 d"), ("0x5", "0x5 s")]
    {
        assert_eq!(span(given), expected);
    }
}

#[test]
fn a_long_command_is_cut_between_its_words() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(shell_words(&words(&["kill", "-9", "a b"])), "kill -9 'a b'");
    let (full, more) = ("x".repeat(75), "x".repeat(76));
    assert_eq!(shell_words(&words(&["kill", &full])), format!("kill {full}"));
    assert_eq!(shell_words(&words(&["kill", &more])), "kill …");
    assert_eq!(shell_words(&words(&["kill", "a", &full])), "kill a …");
    let long = "y".repeat(100);
    assert_eq!(shell_words(&words(&[&long])), format!("{} …", "y".repeat(80)));
    assert_eq!(shell_words(&words(&["kill", "\x1b[31m"])), r"kill $'\033[31m'");
}

#[test]
fn the_sender_is_placed_as_seen_from_the_victim() {
    let plain = || kill("/usr/bin/sh");
    let of_unit = |own: Option<&str>, unit: &str| {
        let mut incident = plain();
        (incident.unit, incident.sender.unit) = (own.map(str::to_owned), Some(unit.to_owned()));
        incident
    };
    let mut parent = plain();
    parent.victim.process.ppid = Some(10);
    let mut same = in_container(plain());
    same.sender.container.clone_from(&same.container);
    let mut parent_in_same = same.clone();
    parent_in_same.victim.process.ppid = Some(10);
    let pod = |uid: &str| Some(Pod { uid: Some(uid.to_owned()), ..Pod::default() });
    let named = |uid: &str| {
        let (namespace, name) = (Some("ops".to_owned()), Some("tool".to_owned()));
        Some(Pod { uid: Some(uid.to_owned()), namespace, name, ..Pod::default() })
    };
    let sidecar = |own: Option<Pod>, other: Option<Pod>| {
        let mut incident = in_container(plain());
        incident.container.as_mut().unwrap().pod = own;
        incident.sender.container = Some(Container { name: Some("agent".to_owned()), pod: other, ..container("b") });
        incident
    };
    let mut unknown = in_container(plain());
    unknown.sender.process.as_mut().unwrap().cgroup = None;
    let mut on_host = plain();
    on_host.sender.container = Some(Container { name: Some("agent".to_owned()), ..container("b") });
    for (incident, expected) in [
        (plain(), "sh[10]"),
        (parent, "its parent sh[10]"),
        (same, "sh[10] in the same container"),
        (parent_in_same, "its parent sh[10] in the same container"),
        (in_container(plain()), "sh[10] from outside its container"),
        (unknown, "sh[10]"),
        (sidecar(None, None), "sh[10] of container agent"),
        (sidecar(pod("a"), pod("a")), "sh[10] of container agent in the same pod"),
        (sidecar(pod("a"), pod("b")), "sh[10] of container b/agent"),
        (sidecar(pod("a"), named("b")), "sh[10] of container ops/tool/agent"),
        (sidecar(pod("a"), named("a")), "sh[10] of container agent in the same pod"),
        (on_host, "sh[10] of container agent"),
        (of_unit(None, "backup.service"), "sh[10] of backup.service"),
        (of_unit(Some("backup.service"), "backup.service"), "sh[10]"),
        (of_unit(None, "session-3.scope"), "sh[10]"),
        (of_unit(None, "user@1000.service"), "sh[10]"),
    ] {
        assert_eq!(who(&incident), expected);
    }
}

#[test]
fn the_person_is_who_ran_sudo_else_who_logged_in_else_whom_it_runs_as() {
    let mut incident = kill("/usr/bin/kill");
    let mut judgement = judge(&case(incident.clone()));
    let own = |incident: &Incident, judgement: &Judgement| user(incident, judgement);
    assert_eq!(own(&incident, &judgement), "uid 0");
    incident.sender.process.as_mut().unwrap().user = Some("root".to_owned());
    assert_eq!(own(&incident, &judgement), "root");
    incident.sender.login = Some(Login { uid: None, user: None, session: None, tty: Some("pts2".to_owned()) });
    assert_eq!(own(&incident, &judgement), "root");
    incident.sender.login.as_mut().unwrap().uid = Some(1000);
    assert_eq!(own(&incident, &judgement), "uid 1000");
    let elevation = |uid, user: Option<&str>| {
        Some(crate::model::Elevation { by: "sudo".to_owned(), uid, user: user.map(str::to_owned) })
    };
    judgement.elevation = elevation(None, None);
    assert_eq!(own(&incident, &judgement), "uid 1000");
    judgement.elevation = elevation(Some(1001), Some("bob"));
    assert_eq!(own(&incident, &judgement), "bob");
    incident.sender.process = None;
    (incident.sender.login, judgement.elevation) = (None, None);
    assert_eq!(own(&incident, &judgement), "somebody");
}
