//! Which client may have asked, by when it came and went, and whose client it is.

use super::*;
use crate::judge::requester::tests;
use crate::judge::tests::{case, container, in_container, kill, process, stop_signal};
use crate::model::Namespaces;

const ASKED: u64 = 10_000;

fn client(exe: &str, contacts: &[u64]) -> RuntimeClient {
    let contacts = contacts.iter().map(|before_ms| Contact { before_ms: *before_ms, wrote: false }).collect();
    let process = Process { cgroup: None, ..process(1, exe) };
    RuntimeClient { process, contacts, ..tests::client(1, 0, &[]) }
}

fn python(contacts: &[u64]) -> RuntimeClient {
    client("/usr/bin/python3", contacts)
}

/// The runtime was asked by a stop, `before_ms` before the kill.
fn by_stop(before_ms: u64) -> Asked {
    Asked { before_ms, what: Moment::StopSignal, was_stopped: true }
}

const BY_KILL: Asked = Asked { before_ms: 0, what: Moment::Kill, was_stopped: false };

#[test]
fn who_came_shortly_before_is_near_and_who_had_gone_did_not_ask() {
    let stood = |client| RuntimeClient { stood: true, ..client };
    let more = |client| RuntimeClient { more: true, ..client };
    let ended = |before_ms, client| RuntimeClient { ended_before_ms: Some(before_ms), ..client };
    // Whether it is near, came after the stop signal, waits, and when it came.
    for (what, client, asked, expected) in [
        ("just then", python(&[ASKED]), by_stop(ASKED), Some((true, false, true, Some(ASKED)))),
        ("near", python(&[ASKED + NEAR_MS]), by_stop(ASKED), Some((true, false, true, Some(ASKED + NEAR_MS)))),
        (
            "before",
            python(&[ASKED + NEAR_MS + 1]),
            by_stop(ASKED),
            Some((false, false, true, Some(ASKED + NEAR_MS + 1))),
        ),
        ("after the stop signal, not before the kill", python(&[NEAR_MS + 1]), by_stop(ASKED), None),
        ("before the kill", python(&[NEAR_MS]), by_stop(ASKED), Some((true, true, true, Some(NEAR_MS)))),
        ("the latest of several", python(&[5, ASKED + 9_000]), by_stop(ASKED), Some((true, true, true, Some(5)))),
        ("for the stop, and again", python(&[5, ASKED + 5]), by_stop(ASKED), Some((true, true, true, Some(ASKED + 5)))),
        ("for a stop just before the kill", python(&[500]), by_stop(500), Some((true, false, true, Some(500)))),
        ("no stop, and after the kill's request", python(&[5]), BY_KILL, Some((true, false, true, Some(5)))),
        ("long before the kill", python(&[60_000]), BY_KILL, Some((false, false, true, Some(60_000)))),
        ("connected before all", stood(python(&[])), by_stop(ASKED), Some((false, false, true, None))),
        ("never", python(&[]), by_stop(ASKED), None),
        (
            "so often that the earlier times are not known",
            more(python(&[5_000])),
            by_stop(ASKED),
            Some((true, false, true, None)),
        ),
        (
            "often, and once long before",
            more(python(&[5_000, 90_000])),
            by_stop(ASKED),
            Some((false, false, true, Some(90_000))),
        ),
        ("not more than once, and too late", python(&[5_000]), by_stop(ASKED), None),
        (
            "ended when it was asked for",
            ended(ASKED, python(&[ASKED])),
            by_stop(ASKED),
            Some((true, false, true, Some(ASKED))),
        ),
        (
            "ended before",
            ended(ASKED + 1, python(&[ASKED + 2])),
            by_stop(ASKED),
            Some((true, false, false, Some(ASKED + 2))),
        ),
        (
            "ended not long before",
            ended(ASKED + ENDED_MS, python(&[ASKED + ENDED_MS])),
            by_stop(ASKED),
            Some((true, false, false, Some(ASKED + ENDED_MS))),
        ),
        ("ended long before", ended(ASKED + ENDED_MS + 1, python(&[ASKED + ENDED_MS + 1])), by_stop(ASKED), None),
    ] {
        let got = candidate(&client, Asks::Unknown, asked);
        let got = got.map(|c| (c.near, c.after_stop, c.waits, c.contact.map(|contact| contact.before_ms)));
        assert_eq!(got, expected, "{what}");
    }
}

#[test]
fn nobody_is_likely_beside_whom_another_may_have_asked() {
    use Asks::{Other, Perhaps, This, Unknown};
    let asked = Asked { before_ms: 60_000, what: Moment::StopSignal, was_stopped: true };
    let docker = client("/usr/bin/docker", &[60_000]);
    let mut own = docker.clone();
    own.process.uid = Some(1000);
    let kubelet = client("/usr/bin/kubelet", &[60_000]);
    let of = |client, asks, near| {
        let contact = Some(Contact { before_ms: 60_000, wrote: false });
        Candidate { client, asks, contact, near, after_stop: false, waits: true }
    };
    let late = |asks| Candidate { after_stop: true, ..of(&own, asks, true) };
    for (what, first, others, of_pod, expected) in [
        ("root's client", of(&docker, This, true), vec![of(&own, Unknown, true), of(&own, Perhaps, true)], false, true),
        ("beside another that asks for this", of(&docker, This, true), vec![of(&own, This, true)], false, false),
        (
            "beside one that had come for this long before",
            of(&docker, This, true),
            vec![of(&own, This, false)],
            false,
            true,
        ),
        ("beside one that came after the stop signal", of(&docker, This, true), vec![late(Unknown)], false, false),
        ("come long before", of(&docker, This, false), vec![], false, false),
        ("anybody's client", of(&own, This, true), vec![of(&own, Unknown, false)], false, true),
        ("beside one that says otherwise", of(&own, This, true), vec![of(&own, Other, true)], false, false),
        ("beside one that does not say", of(&own, This, true), vec![of(&own, Unknown, true)], false, false),
        ("anybody's, come long before", of(&own, This, false), vec![], false, false),
        ("one that may ask for this", of(&own, Perhaps, true), vec![of(&own, Unknown, false)], false, true),
        ("beside one that asks for something else", of(&own, Perhaps, true), vec![of(&own, Other, true)], false, false),
        ("one that may, come long before", of(&own, Perhaps, false), vec![], false, false),
        ("the only one", of(&own, Unknown, true), vec![], false, true),
        ("the only one near", of(&own, Unknown, true), vec![of(&own, Unknown, false)], false, false),
        ("the only one, long before", of(&own, Unknown, false), vec![], false, false),
        ("a kubelet for its pod", of(&kubelet, Unknown, false), vec![], true, true),
        ("a kubelet for no pod", of(&kubelet, Unknown, false), vec![], false, false),
        ("another for a pod", of(&own, Unknown, false), vec![], true, false),
        ("a kubelet among others", of(&kubelet, Unknown, true), vec![of(&own, Unknown, false)], true, false),
    ] {
        let others: Vec<&Candidate<'_>> = others.iter().collect();
        assert_eq!(is_alone(&first, &others, asked, of_pod), expected, "{what}");
    }
    // The only one may have come some time before, who does not say what for.
    let at = |before_ms| Candidate { contact: Some(Contact { before_ms, wrote: false }), ..of(&own, Unknown, true) };
    let is_alone = |first: &Candidate<'_>| is_alone(first, &[], asked, false);
    assert!(is_alone(&at(60_000 + ALONE_MS)) && !is_alone(&at(60_000 + ALONE_MS + 1)));
    assert!(!is_alone(&Candidate { contact: None, ..of(&own, Unknown, true) }));
    // Whoever asks waits for the answer, on the runtime's own socket, and stays until it is seen to go.
    assert!(!is_alone(&Candidate { waits: false, ..of(&own, This, true) }));
    let unfollowed = RuntimeClient { followed: false, ..own.clone() };
    assert!(!is_alone(&of(&unfollowed, This, true)));
    let unverified = RuntimeClient { verified: false, ..own.clone() };
    assert!(!is_alone(&of(&unverified, This, true)));
}

#[test]
fn a_gap_counts_up_to_shortly_before_it_was_asked_for() {
    for (to, expected) in [(0, true), (ASKED, true), (ASKED + NEAR_MS, true), (ASKED + NEAR_MS + 1, false)] {
        assert_eq!(missed(&[(90_000, to)], by_stop(ASKED)), expected, "{to}");
    }
    assert!(!missed(&[], by_stop(ASKED)));
}

#[test]
fn how_a_client_came_is_known_with_what_it_names() {
    let stood = |contacts: &[u64]| RuntimeClient { stood: true, ..python(contacts) };
    let wrote = |before_ms| RuntimeClient { contacts: vec![Contact { before_ms, wrote: true }], ..python(&[]) };
    let more = RuntimeClient { more: true, ..python(&[5]) };
    let before = |what, wrote| When::Before { ms: 30, what, wrote };
    for (client, asks, when, is_named) in [
        (python(&[ASKED + 30]), Asks::Unknown, before(Moment::StopSignal, false), false),
        (python(&[30]), Asks::Unknown, before(Moment::Kill, false), false),
        (wrote(30), Asks::Unknown, before(Moment::Kill, true), false),
        (stood(&[30]), Asks::Unknown, before(Moment::Kill, false), false),
        (stood(&[]), Asks::Unknown, When::NotSeen, false),
        (more, Asks::Unknown, When::AgainAndAgain, false),
        (python(&[30]), Asks::This, before(Moment::Kill, false), true),
        (stood(&[]), Asks::Perhaps, When::NotSeen, true),
    ] {
        let candidate = candidate(&client, asks, by_stop(ASKED)).unwrap();
        let expected = Came {
            process: client.process.clone(),
            socket: "/run/docker.sock".to_owned(),
            when,
            stood: client.stood,
            names_container: is_named,
        };
        assert_eq!(came(&candidate, by_stop(ASKED)), expected);
    }
}

#[test]
fn only_the_hosts_root_is_the_runtime_oomtrace_a_kubelet_or_a_client_to_believe() {
    let of = |exe: &str, change: &dyn Fn(&mut RuntimeClient)| {
        let mut client = client(exe, &[]);
        change(&mut client);
        (is_runtimes(&client), is_kubelet(&client), is_believed(&client))
    };
    let host = Namespaces { mount: Some(1), on_host: Some(true), user_level: 0, user_owner: 0 };
    for (what, change, is_hosts) in [
        ("root", &(|_: &mut RuntimeClient| {}) as &dyn Fn(&mut RuntimeClient), true),
        ("of a user that is not known", &|c| c.process.uid = None, true),
        ("a user's", &|c| c.process.uid = Some(1000), false),
        ("in the host's mounts", &|c| c.process.namespaces = Some(host), true),
        ("in mounts of its own", &|c| c.process.namespaces = Some(Namespaces { on_host: Some(false), ..host }), false),
        ("a user namespace's root", &|c| c.process.namespaces = Some(Namespaces { user_level: 1, ..host }), false),
        (
            "in a container",
            &|c| c.place = crate::placement::Placement::parse(&format!("/docker/{}", "b".repeat(64))).container,
            false,
        ),
    ] {
        assert_eq!(of("/usr/bin/dockerd", change), (is_hosts, false, false), "dockerd, {what}");
        assert_eq!(of("/usr/bin/oomtrace", change), (is_hosts, false, false), "oomtrace, {what}");
        assert_eq!(of("/usr/bin/kubelet", change), (false, is_hosts, false), "kubelet, {what}");
        assert_eq!(of("/usr/bin/docker", change), (false, false, is_hosts), "docker, {what}");
        assert_eq!(of("/usr/bin/ctr", change), (false, false, is_hosts), "ctr, {what}");
        assert_eq!(of("/usr/bin/python3", change), (false, false, false), "python3, {what}");
    }
}

/// When it was asked for is when the first thing came of it.
#[test]
fn a_stop_was_asked_for_before_its_signal_and_a_command_before_its_start() {
    let of = |incident: &Incident, request| {
        let Asked { before_ms, what, was_stopped } = Asked::of(incident, request);
        (before_ms, what, was_stopped)
    };
    let mut killed = in_container(kill("/usr/sbin/runc"));
    assert_eq!(of(&killed, Request::End), (0, Moment::Kill, false));
    let first = stop_signal("/usr/sbin/runc");
    killed.preceding = vec![first.clone(), crate::model::Preceding { before_ms: 5, ..first }];
    assert_eq!(of(&killed, Request::End), (10_012, Moment::StopSignal, true));
    assert_eq!(of(&killed, Request::Exec), (0, Moment::Kill, false));

    let mut brought_in = in_container(kill("/bin/busybox"));
    brought_in.time = "2026-01-01T00:00:10.5Z".to_owned();
    brought_in.container.as_mut().unwrap().init_pid = Some(3);
    brought_in.sender.container.clone_from(&brought_in.container);
    brought_in.sender.ancestors = vec![process(5, "/usr/bin/containerd-shim-runc-v2")];
    assert_eq!(of(&brought_in, Request::Exec), (0, Moment::Kill, false));
    brought_in.sender.process.as_mut().unwrap().started = Some("2026-01-01T00:00:08Z".to_owned());
    assert_eq!(of(&brought_in, Request::Exec), (2_500, Moment::Exec, false));
    assert_eq!(of(&brought_in, Request::End), (0, Moment::Kill, false));
    // A clock that was set back in between says nothing.
    brought_in.sender.process.as_mut().unwrap().started = Some("2026-01-01T00:00:11Z".to_owned());
    assert_eq!(of(&brought_in, Request::Exec), (0, Moment::Kill, false));
}

#[test]
fn so_many_others_are_named_and_how_many_more_there_are() {
    let others = |count: u32| {
        let mut case = case(in_container(kill("/usr/sbin/runc")));
        case.clients.clients = (0..=count)
            .map(|pid| RuntimeClient { process: Process { pid: pid + 1, ..python(&[]).process }, ..python(&[5]) })
            .collect();
        let found_by = by_connection(&case, Request::End).unwrap().found_by;
        assert!(matches!(&found_by[0], FoundBy::Came(came) if came.process.pid == 1), "{found_by:?}");
        found_by.get(1).map(|others| match others {
            FoundBy::Others { named, more, may_have_asked: true } => {
                (named.iter().map(|process| process.pid).collect::<Vec<_>>(), *more)
            }
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(others(0), None);
    assert_eq!(others(5), Some((vec![2, 3, 4, 5, 6], 0)));
    assert_eq!(others(7), Some((vec![2, 3, 4, 5, 6], 2)));
}

#[test]
fn a_kubelet_is_named_first_for_a_pods_container_only() {
    let first = |pod: bool| {
        let mut case = case(in_container(kill("/usr/sbin/runc")));
        case.incident.container = Some(container("x"));
        case.incident.container.as_mut().unwrap().pod = pod.then(crate::model::Pod::default);
        let stood = |exe: &str| RuntimeClient { stood: true, ..client(exe, &[]) };
        case.clients.clients = vec![stood("/usr/bin/python3"), stood("/usr/bin/kubelet")];
        by_connection(&case, Request::End).and_then(|found| found.requester.process.exe)
    };
    assert_eq!(first(true).as_deref(), Some("/usr/bin/kubelet"));
    assert_eq!(first(false).as_deref(), Some("/usr/bin/python3"));
}

/// A node may have several containerds: k3s has its own, and Docker starts one.
#[test]
fn a_container_is_reached_by_the_socket_of_the_very_containerd_that_has_it() {
    let k3s = "/run/k3s/containerd/containerd.sock";
    for (own, socket, expected) in [
        (Some(k3s), k3s, true),
        (Some(k3s), "/var/run/k3s/containerd/containerd.sock", true),
        (Some(k3s), "/run/containerd/containerd.sock", false),
        (None, k3s, true),
        (None, "/run/containerd/containerd.sock", true),
        (None, "/run/docker/containerd/containerd.sock", false),
    ] {
        let container =
            Container { runtime: Some(Runtime::Containerd), runtime_socket: own.map(str::to_owned), ..container("x") };
        let client = RuntimeClient { runtime: Runtime::Containerd, socket: socket.to_owned(), ..python(&[5]) };
        assert_eq!(reaches(&client, Some(&container)), expected, "{own:?} {socket}");
    }
}
