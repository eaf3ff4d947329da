//! One row a rule: who was connected, and who is said to have asked.

use super::*;
use crate::judge::judge;
use crate::judge::judgement::requester::{Moment, When};
use crate::judge::senders::file_name;
use crate::judge::tests::{case, in_container, kill};
use crate::kubernetes::said::{Deletion, PodSaid};
use crate::model::{Container, Pod, Preceding, Runtime};
use crate::resolve::case::{Contact, RuntimeClient};

fn process(pid: u32, exe: &str, arguments: &[&str]) -> Process {
    Process {
        pid,
        comm: file_name(exe).to_owned(),
        exe: Some(exe.to_owned()),
        cmdline: Some(arguments.iter().map(|argument| (*argument).to_owned()).collect()),
        uid: Some(0),
        ..Process::default()
    }
}

/// A client on Docker's socket that connected so long before the kill and has not ended.
pub fn client(pid: u32, before_ms: u64, arguments: &[&str]) -> RuntimeClient {
    let exe = format!("/usr/bin/{}", arguments.first().unwrap_or(&"nobody"));
    RuntimeClient {
        process: process(pid, &exe, arguments),
        ancestors: Vec::new(),
        place: None,
        unit: None,
        login: None,
        socket: "/run/docker.sock".to_owned(),
        runtime: Runtime::Docker,
        owner: Some(0),
        verified: true,
        contacts: vec![Contact { before_ms, wrote: false }],
        more: false,
        stood: false,
        ended_before_ms: None,
        followed: true,
    }
}

/// It was there before oomtrace was.
fn stood(client: RuntimeClient) -> RuntimeClient {
    RuntimeClient { contacts: Vec::new(), stood: true, ..client }
}

/// It runs in the container `runner`, with what it likes at `/usr/bin`.
fn in_runner(client: RuntimeClient) -> RuntimeClient {
    let cgroup = format!("/docker/{}", "b".repeat(64));
    let place = crate::placement::Placement::parse(&cgroup).container;
    let process = Process { cgroup: Some(cgroup), ..client.process.clone() };
    RuntimeClient { process, place, ..client }
}

/// A user of the machine's runs it, who may use Docker's socket.
fn of_user(client: RuntimeClient) -> RuntimeClient {
    RuntimeClient { process: Process { uid: Some(1000), ..client.process.clone() }, ..client }
}

/// runc, under its shim, killed a container of Docker's that is called `web`.
fn killed_by_docker(clients: Vec<RuntimeClient>) -> Case {
    let mut case = case(in_container(kill("/usr/bin/runc")));
    case.incident.sender.ancestors = vec![process(5, "/usr/bin/containerd-shim-runc-v2", &[])];
    let labels = [("com.docker.compose.project".to_owned(), "shop".to_owned())].into();
    case.incident.container = case.incident.container.take().map(|container| Container {
        name: Some("web".to_owned()),
        runtime: Some(Runtime::Docker),
        labels: Some(labels),
        ..container
    });
    case.clients.clients = clients;
    case.clients.seen = true;
    case
}

fn found(case: &Case) -> Option<(u32, Confidence)> {
    let found = find(case)?;
    Some((found.requester.process.pid, found.requester.confidence))
}

const LIKELY: Confidence = Confidence::Likely;
const POSSIBLE: Confidence = Confidence::Possible;

#[test]
fn a_name_counts_among_those_who_came_then_and_time_before_it() {
    let id = "6c266caa8d7c";
    let stop = |pid, before| client(pid, before, &["docker", "stop", "web"]);
    let curl =
        client(7, 20, &["curl", "--unix-socket", "/run/docker.sock", "-X", "POST", "http://d/containers/web/kill"]);
    let portainer = stood(client(8, 0, &["portainer"]));
    let up = |pid, before| client(pid, before, &["docker-compose", "-p", "shop", "up"]);
    let python = |pid, before| client(pid, before, &["python3", "stop.py"]);
    for (clients, expected) in [
        (vec![], None),
        (vec![stop(1, 30)], Some((1, LIKELY))),
        (vec![stop(1, 30), portainer.clone()], Some((1, LIKELY))),
        (vec![stop(1, 30), stop(2, 40)], Some((1, POSSIBLE))),
        (vec![client(1, 30, &["docker", "rm", "-f", id])], Some((1, LIKELY))),
        (vec![client(1, 30, &["docker", "compose", "-p", "shop", "down"])], Some((1, LIKELY))),
        (vec![client(1, 30, &["docker", "compose", "down"])], Some((1, LIKELY))),
        (vec![client(1, 30, &["docker", "compose", "-f", "x.yaml", "stop", "-t", "1"])], Some((1, LIKELY))),
        (vec![client(1, 30, &["docker", "compose", "-f", "x.yaml", "stop", "api"])], None),
        (vec![client(1, 30, &["docker", "compose", "logs", "web"])], None),
        (vec![curl.clone()], Some((7, LIKELY))),
        // What asks for something else, or for another container, did not ask for this.
        (vec![client(1, 30, &["docker", "stop", "api"])], None),
        (vec![client(1, 30, &["docker", "logs", "-f", "web"])], None),
        (vec![client(1, 30, &["docker", "run", "--name", "web", "nginx"])], None),
        (vec![client(1, 30, &["curl", "--unix-socket", "/run/docker.sock", "http://d/containers/json"])], None),
        (vec![client(1, 30, &["docker", "exec", "web", "kill", "-9", "7"])], None),
        (vec![client(1, 30, &["docker", "-H", "unix:///x", "container", "stop", "-t", "1", "web"])], Some((1, LIKELY))),
        (vec![client(1, 30, &["oomtrace"])], None),
        (vec![client(1, 30, &["dockerd"])], None),
        // Nothing says what these ask for.
        (vec![python(1, 30)], Some((1, LIKELY))),
        (vec![python(1, 30), python(2, 40)], Some((1, POSSIBLE))),
        (vec![python(1, 30), portainer.clone()], Some((1, POSSIBLE))),
        (vec![python(1, 900)], Some((1, LIKELY))),
        // What asks for a list every few seconds is as near by chance.
        (vec![python(1, 1_900)], Some((1, POSSIBLE))),
        (vec![python(1, 20_000)], Some((1, POSSIBLE))),
        // It did not come for this: it is named, as there is no other, and that is all.
        (vec![portainer.clone()], Some((8, POSSIBLE))),
        (vec![python(1, 90_000)], Some((1, POSSIBLE))),
        (vec![stop(1, 600_000)], Some((1, POSSIBLE))),
        // An idle `up` in somebody's terminal is no match for who came just before.
        (vec![up(1, 90_000), python(2, 5)], Some((2, POSSIBLE))),
        (vec![up(1, 90_000)], Some((1, POSSIBLE))),
        (vec![up(1, 500)], Some((1, LIKELY))),
        (vec![up(1, 500), python(2, 5)], Some((1, POSSIBLE))),
        (vec![stop(1, 30), python(2, 5)], Some((1, LIKELY))),
        (vec![in_runner(stop(1, 30)), python(2, 5)], Some((1, POSSIBLE))),
        (vec![stop(1, 30), python(2, 5_000)], Some((1, LIKELY))),
        // Having asked, it need not wait; nor has it asked when it had gone long before.
        (vec![RuntimeClient { ended_before_ms: Some(500), ..python(1, 600) }], Some((1, POSSIBLE))),
        (vec![RuntimeClient { ended_before_ms: Some(500), ..python(1, 600) }, python(2, 700)], Some((2, POSSIBLE))),
        (vec![RuntimeClient { ended_before_ms: Some(500), ..python(1, 600) }, python(2, 30)], Some((2, POSSIBLE))),
        (vec![RuntimeClient { ended_before_ms: Some(500), ..python(1, 600) }, portainer.clone()], Some((1, POSSIBLE))),
        (vec![RuntimeClient { ended_before_ms: Some(5_000), ..python(1, 5_100) }], None),
        (vec![RuntimeClient { ended_before_ms: Some(17_000), ..stop(1, 17_100) }, python(2, 5)], Some((2, LIKELY))),
        // Its end may have been missed, or the socket be another's.
        (vec![RuntimeClient { followed: false, ..stop(1, 30) }], Some((1, POSSIBLE))),
        (vec![RuntimeClient { verified: false, ..stop(1, 30) }], Some((1, POSSIBLE))),
    ] {
        let shown: Vec<_> = clients.iter().map(|client| client.process.cmdline.clone()).collect();
        assert_eq!(found(&killed_by_docker(clients)), expected, "{shown:?}");
    }
}

#[test]
fn a_command_line_does_not_put_a_client_out_of_suspicion() {
    let portainer = stood(client(8, 0, &["portainer"]));
    let up = client(1, 500, &["docker-compose", "-p", "shop", "up"]);
    let liar = || in_runner(client(2, 5, &["docker", "ps"]));
    let script = || client(2, 5, &["python3", "x.py", "http://d/containers/json"]);
    for (clients, expected) in [
        (vec![portainer.clone(), liar()], Some((8, POSSIBLE))),
        (vec![client(1, 20, &["python3", "x.py"]), liar()], Some((1, POSSIBLE))),
        (vec![client(1, 20, &["python3", "x.py"]), script()], Some((1, POSSIBLE))),
        (vec![up.clone(), liar()], Some((1, POSSIBLE))),
        // What the host's root runs does what its command line says.
        (vec![up.clone(), client(2, 5, &["docker", "ps"])], Some((1, LIKELY))),
        // A user may run the very program, and have it do something else.
        (vec![up, of_user(client(2, 5, &["docker", "ps"]))], Some((1, POSSIBLE))),
        (vec![client(1, 30, &["docker", "stop", "web"]), liar()], Some((1, LIKELY))),
        (vec![of_user(client(1, 30, &["docker", "stop", "web"])), liar()], Some((1, POSSIBLE))),
        (vec![of_user(client(1, 30, &["docker", "stop", "web"]))], Some((1, LIKELY))),
        // Another signal than SIGKILL is something else.
        (vec![client(1, 30, &["docker", "kill", "-s", "USR1", "web"]), script()], None),
        (vec![client(1, 30, &["docker", "kill", "--signal=HUP", "web"])], None),
        (vec![client(1, 30, &["docker", "kill", "-s", "KILL", "web"])], Some((1, LIKELY))),
        (vec![client(1, 30, &["docker", "kill", "--signal", "9", "web"])], Some((1, LIKELY))),
        (vec![of_user(client(1, 30, &["docker", "kill", "-sUSR1", "web"])), client(2, 5, &["x"])], Some((2, POSSIBLE))),
        (vec![liar()], None),
    ] {
        let case = killed_by_docker(clients);
        assert_eq!(found(&case), expected, "{:?}", case.clients.clients);
    }
}

#[test]
fn only_the_hosts_root_is_a_part_of_the_runtime() {
    let shim = |uid| {
        let mut client = client(1, 30, &["containerd-shim-runc-v2"]);
        client.process.uid = Some(uid);
        client
    };
    assert_eq!(found(&killed_by_docker(vec![shim(0)])), None);
    assert_eq!(found(&killed_by_docker(vec![shim(1000)])), Some((1, LIKELY)));
    assert_eq!(found(&killed_by_docker(vec![in_runner(shim(0))])), Some((1, LIKELY)));
    assert_eq!(found(&killed_by_docker(vec![in_runner(client(1, 30, &["oomtrace"]))])), Some((1, LIKELY)));
    // Beside anybody else it is not named first, however near it came.
    let beside = vec![in_runner(client(1, 30, &["oomtrace"])), client(2, 1500, &["curl"])];
    assert_eq!(found(&killed_by_docker(beside)), Some((2, POSSIBLE)));
    // Its name is what it calls itself.
    let mut named = client(1, 30, &["python3", "x.py"]);
    named.process.comm = "containerd-shim".to_owned();
    assert_eq!(found(&killed_by_docker(vec![named])), Some((1, LIKELY)));
}

#[test]
fn the_latest_contact_before_the_request_is_what_counts() {
    let at = |contacts: &[u64]| RuntimeClient {
        contacts: contacts.iter().map(|before_ms| Contact { before_ms: *before_ms, wrote: false }).collect(),
        ..client(1, 0, &["python3", "x.py"])
    };
    let other = in_runner(client(2, 300, &["docker", "stop", "web"]));
    // A connection from long before does not hide the one that it asked over.
    assert_eq!(found(&killed_by_docker(vec![at(&[5, 90_000]), other.clone()])), Some((2, POSSIBLE)));
    assert_eq!(found(&killed_by_docker(vec![at(&[90_000]), other.clone()])), Some((2, LIKELY)));
    // So many that the one before is forgotten.
    let mut case = killed_by_docker(vec![RuntimeClient { more: true, ..at(&[5, 6, 7]) }, other]);
    case.incident.preceding = vec![stop_signal(200)];
    assert_eq!(found(&case), Some((2, POSSIBLE)));
}

#[test]
fn who_may_have_been_missed_makes_everybody_possible() {
    let with = |gaps: &[(u64, u64)], stopped: Option<u64>| {
        let mut case = killed_by_docker(vec![client(1, 10_030, &["docker", "stop", "web"])]);
        case.incident.preceding = stopped.map(stop_signal).into_iter().collect();
        case.clients.gaps = gaps.to_vec();
        let unseen = find(&case).and_then(|found| found.unseen);
        (found(&case), unseen == Some(RequesterUnseen::Crowded))
    };
    assert_eq!(with(&[], Some(10_000)), (Some((1, LIKELY)), false));
    assert_eq!(with(&[(20_000, 15_000)], Some(10_000)), (Some((1, LIKELY)), false));
    assert_eq!(with(&[(20_000, 11_000)], Some(10_000)), (Some((1, POSSIBLE)), true));
    assert_eq!(with(&[(90_000, 80_000), (5_000, 5_000)], Some(10_000)), (Some((1, POSSIBLE)), true));
    assert_eq!(with(&[(3_600_000, 0)], Some(10_000)), (Some((1, POSSIBLE)), true));
}

#[test]
fn a_client_counts_for_the_runtime_that_owns_the_container() {
    let of = |runtime, socket: &str, owner| RuntimeClient {
        runtime,
        socket: socket.to_owned(),
        owner: Some(owner),
        ..client(1, 30, &["python3", "x.py"])
    };
    let docker = of(Runtime::Docker, "/run/docker.sock", 0);
    let containerd = of(Runtime::Containerd, "/run/containerd/containerd.sock", 0);
    let dockers = of(Runtime::Containerd, "/run/docker/containerd/containerd.sock", 0);
    let podman = |owner| of(Runtime::Podman, "/run/user/*/podman/podman.sock", owner);
    let users = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-x.scope";
    for (runtime, cgroup, client, counts) in [
        ("docker", "/docker/x", &docker, true),
        ("docker", "/docker/x", &containerd, true),
        ("docker", "/docker/x", &dockers, true),
        ("docker", "/docker/x", &podman(0), false),
        ("containerd", "/default/x", &containerd, true),
        ("containerd", "/default/x", &dockers, false),
        ("containerd", "/default/x", &docker, false),
        ("podman", "/machine.slice/libpod-x.scope", &podman(0), true),
        ("podman", "/machine.slice/libpod-x.scope", &podman(1000), false),
        ("podman", users, &podman(1000), true),
        ("podman", users, &podman(1001), false),
        ("podman", users, &podman(0), false),
    ] {
        let mut case = killed_by_docker(vec![client.clone()]);
        if let Some(container) = &mut case.incident.container {
            container.runtime = serde_json::from_value(runtime.into()).ok();
            container.cgroup = cgroup.to_owned();
        }
        assert_eq!(found(&case).is_some(), counts, "{runtime} {cgroup} {} {:?}", client.socket, client.owner);
    }
    // Its own runtime is inside the container around it.
    let mut nested = killed_by_docker(vec![docker]);
    if let Some(container) = &mut nested.incident.container {
        container.outer = Some(Box::new(container.clone()));
    }
    assert_eq!(found(&nested), None);
}

/// The pids of those that came as well, how many more there are, and whether they may have asked.
fn others(case: &Case) -> (Vec<u32>, usize, bool) {
    let found_by = find(case).unwrap().found_by;
    let Some(FoundBy::Others { named, more, may_have_asked }) = found_by.get(1) else { panic!("{found_by:?}") };
    (named.iter().map(|process| process.pid).collect(), *more, *may_have_asked)
}

fn stop_signal(before_ms: u64) -> Preceding {
    Preceding {
        signal: 15,
        name: "SIGTERM".to_owned(),
        time: String::new(),
        before_ms,
        disposition: None,
        sender: process(4, "/usr/bin/runc", &["runc", "kill"]),
    }
}

#[test]
fn who_came_after_the_stop_signal_did_not_ask_for_it() {
    let python = |pid, before| client(pid, before, &["python3", "x.py"]);
    let of = |clients: Vec<RuntimeClient>| {
        let mut case = killed_by_docker(clients);
        case.incident.preceding = vec![stop_signal(10_000)];
        case
    };
    let case = of(vec![python(1, 5_000), python(2, 10_030)]);
    assert_eq!(found(&case), Some((2, LIKELY)));
    let FoundBy::Came(came) = &find(&case).unwrap().found_by[0] else { panic!("it came") };
    let when = When::Before { ms: 30, what: Moment::StopSignal, wrote: false };
    assert_eq!((came.process.pid, came.when, came.names_container), (2, when, false));
    // But who came just before the kill may have asked for that, before the stop's own time was up.
    let stop = client(2, 10_030, &["docker", "stop", "-t", "300", "web"]);
    let case = of(vec![python(1, 20), stop]);
    assert_eq!(found(&case), Some((2, POSSIBLE)));
    assert_eq!(others(&case), (vec![1], 0, true));
}

#[test]
fn all_candidates_are_in_the_evidence() {
    let python = |pid| client(pid, 30, &["python3", "x.py"]);
    let case = killed_by_docker((1..9).map(python).collect());
    assert_eq!(others(&case), (vec![2, 3, 4, 5, 6], 2, true));
}

#[test]
fn a_runtime_without_a_daemon_was_run_by_somebody() {
    let mut case = killed_by_docker(vec![]);
    case.incident.sender.ancestors = vec![
        process(5, "/usr/bin/podman", &["podman", "stop", "web"]),
        process(4, "/usr/bin/bash", &["bash"]),
        process(3, "/usr/sbin/sshd", &["sshd"]),
    ];
    let requester = find(&case).unwrap().requester;
    assert_eq!((requester.process.pid, requester.confidence, requester.ancestors.len()), (5, LIKELY, 2));
    // Its service answers a socket instead.
    case.incident.sender.ancestors[0].cmdline = Some(["podman", "system", "service"].map(str::to_owned).to_vec());
    assert_eq!(found(&case), None);
    // A parent that is gone may have been a shim.
    case.incident.sender.ancestors = vec![Process { pid: 5, comm: "x".to_owned(), ..Process::default() }];
    assert_eq!(found(&case), None);
}

#[test]
fn a_kubelet_asks_for_its_pods() {
    let standing = |pid, name: &str| RuntimeClient {
        runtime: Runtime::Containerd,
        socket: "/run/containerd/containerd.sock".to_owned(),
        ..stood(client(pid, 0, &[name]))
    };
    let mut case = killed_by_docker(vec![standing(1, "agent"), standing(2, "kubelet")]);
    if let Some(container) = &mut case.incident.container {
        container.runtime = Some(Runtime::Containerd);
        container.pod = Some(crate::model::Pod::default());
    }
    assert_eq!(found(&case), Some((2, POSSIBLE)));
    case.clients.clients.remove(0);
    assert_eq!(found(&case), Some((2, LIKELY)));
    case.clients.clients = vec![in_runner(case.clients.clients.remove(0))];
    assert_eq!(found(&case), Some((2, POSSIBLE)));
}

#[test]
fn who_only_may_have_asked_is_unseen_where_the_api_says_that_it_was_the_kubelet() {
    let kubelet =
        RuntimeClient { contacts: vec![Contact { before_ms: 10, wrote: true }], ..client(1, 10, &["kubelet"]) };
    let mut case = killed_by_docker(vec![kubelet, client(2, 50, &["python3"])]);
    case.incident.container.as_mut().unwrap().pod = Some(Pod::default());
    assert_eq!(judge(&case).requester.map(|requester| requester.process.pid), Some(2));
    let deletion = Deletion { asked_before_ms: Some(1_000), grace_s: Some(0), is_gone: false };
    case.pod = Some(PodSaid { deletion: Some(deletion), ..PodSaid::default() });
    let judgement = judge(&case);
    assert_eq!(judgement.cause, crate::model::Cause::KubeletDeletion);
    assert_eq!((judgement.requester, judgement.requester_unseen), (None, Some(RequesterUnseen::Nobody)));
}

/// Root's Docker has none of the containers that a user has, or that only look so.
#[test]
fn a_users_container_is_ended_by_no_client_of_roots_docker() {
    let mut case = killed_by_docker(vec![client(1, 30, &["python3"])]);
    let app = "/user.slice/user-1000.slice/user@1000.service/app.slice";
    case.incident.container.as_mut().unwrap().cgroup = format!("{app}/docker-{}.scope", "a".repeat(64));
    assert_eq!(found(&case), None);
    case.clients.clients = vec![RuntimeClient { owner: Some(1000), ..case.clients.clients.remove(0) }];
    assert_eq!(found(&case), Some((1, LIKELY)));
}

/// The kubelet writes to its runtime all the time.
#[test]
fn who_connected_for_just_this_comes_before_a_kubelet_that_always_writes() {
    let client = |pid, program: &str, before_ms, wrote| RuntimeClient {
        contacts: vec![Contact { before_ms, wrote }],
        ..client(pid, before_ms, &[program])
    };
    for (kubelet, python, expected) in [
        ((10, true), (50, false), 2),
        ((10, true), (100, false), 2),
        ((10, true), (101, false), 1),
        ((10, true), (50, true), 1),
        ((10, false), (50, false), 1),
    ] {
        let clients = vec![client(1, "kubelet", kubelet.0, kubelet.1), client(2, "python3", python.0, python.1)];
        let mut case = killed_by_docker(clients);
        case.incident.container.as_mut().unwrap().pod = Some(Pod::default());
        assert_eq!(found(&case), Some((expected, POSSIBLE)), "{kubelet:?} {python:?}");
    }
}

#[test]
fn only_a_runtimes_kill_was_asked_for_and_a_gap_is_said() {
    let mut by_hand = case(in_container(kill("/usr/bin/bash")));
    by_hand.clients.clients = vec![client(1, 30, &["docker", "stop", "web"])];
    let judgement = judge(&by_hand);
    assert_eq!((judgement.requester, judgement.requester_unseen), (None, None));
    let unseen = judge(&killed_by_docker(vec![]));
    assert_eq!(unseen.requester_unseen, Some(RequesterUnseen::Nobody));
}

/// The compose of before 2021 is a script.
#[test]
fn a_scripts_command_line_begins_behind_the_script() {
    let script = |arguments: &[&str]| {
        let mut client = client(1, 30, &["python3"]);
        let cmdline = [&["python3", "-u", "/usr/bin/docker-compose"], arguments].concat();
        client.process = process(1, "/usr/bin/python3.11", &cmdline);
        found(&killed_by_docker(vec![client]))
    };
    assert_eq!(script(&["-p", "shop", "down"]), Some((1, LIKELY)));
    assert_eq!(script(&["logs", "web"]), None);
}

#[test]
fn what_docker_exec_brought_in_was_asked_for_by_its_client() {
    let mut case = killed_by_docker(vec![
        client(1, 30, &["docker", "exec", "web", "kill", "-9", "7"]),
        client(2, 30, &["docker", "stop", "web"]),
        client(3, 30, &["docker", "exec", "api", "true"]),
    ]);
    case.incident.sender.container = case.incident.container.clone();
    case.incident.sender.process = Some(process(50, "/bin/busybox", &["kill", "-9", "7"]));
    if let Some(container) = &mut case.incident.container {
        container.init_pid = Some(40);
    }
    let shim = |pid| Process { pid, comm: "containerd-shim".to_owned(), uid: Some(0), ..Process::default() };
    case.incident.sender.ancestors = vec![shim(5)];
    assert_eq!(found(&case), Some((1, LIKELY)));
    let judged = judge(&case);
    assert_eq!(judged.requester_came_before_ms, Some(30));
    assert_eq!(judged.found_by[0], FoundBy::Exec);
    // A child of the container's own init.
    case.incident.sender.ancestors = vec![process(40, "/bin/sh", &["sh"]), shim(5)];
    assert_eq!(found(&case), None);
}

#[test]
fn what_brought_a_process_into_its_container_is_the_hosts_runtime() {
    let runner = format!("/docker/{}", "b".repeat(64));
    let gone = |comm: &str, uid| Process { pid: 5, comm: comm.to_owned(), uid: Some(uid), ..Process::default() };
    let shim = || process(5, "/usr/bin/containerd-shim-runc-v2", &[]);
    for (what, parent, expected) in [
        ("a shim", shim(), true),
        ("conmon", process(5, "/usr/bin/conmon", &[]), true),
        ("what is called so in a container", Process { cgroup: Some(runner), ..shim() }, false),
        ("a shell", process(5, "/bin/sh", &[]), false),
        ("a runtime that has no children", process(5, "/usr/sbin/runc", &[]), false),
        ("a shim that is gone", gone("containerd-shim", 0), true),
        ("conmon that is gone", gone("conmon", 0), true),
        ("somebody who called himself so", gone("conmon", 1000), false),
        ("somebody who called himself so, too", gone("containerd-shim", 1000), false),
        ("another that is gone", gone("sh", 0), false),
    ] {
        let mut incident = in_container(kill("/bin/busybox"));
        incident.container.as_mut().unwrap().init_pid = Some(3);
        incident.sender.container.clone_from(&incident.container);
        incident.sender.ancestors = vec![parent];
        assert_eq!(is_by_exec(&incident), expected, "{what}");
    }
}

#[test]
fn what_was_brought_in_is_known_by_its_number_where_the_first_process_is_gone() {
    for (within, is_in_pod, expected) in
        [(Some(1), false, false), (Some(42), false, true), (None, false, false), (Some(7), true, false)]
    {
        let mut incident = in_container(kill("/bin/busybox"));
        let container = incident.container.as_mut().unwrap();
        (container.init_pid, container.pod) = (None, is_in_pod.then(Pod::default));
        incident.sender.container.clone_from(&incident.container);
        incident.sender.process.as_mut().unwrap().pid_in_namespace = within;
        incident.sender.ancestors = vec![process(5, "/usr/bin/containerd-shim-runc-v2", &[])];
        assert_eq!(is_by_exec(&incident), expected, "{within:?} {is_in_pod}");
    }
}

#[test]
fn that_nobody_was_seen_to_ask_is_said_of_a_runtimes_kill_where_it_would_have_been() {
    let unseen = |exe: &str, seen, nested: bool| {
        let mut case = case(in_container(kill(exe)));
        case.clients.seen = seen;
        let container = case.incident.container.as_mut().unwrap();
        container.outer = nested.then(|| Box::new(crate::judge::tests::container("outer")));
        judge(&case).requester_unseen
    };
    assert_eq!(unseen("/usr/sbin/runc", true, false), Some(RequesterUnseen::Nobody));
    assert_eq!(unseen("/usr/sbin/runc", true, true), Some(RequesterUnseen::Nested));
    assert_eq!(unseen("/usr/sbin/runc", false, false), None);
    assert_eq!(unseen("/usr/bin/bash", true, false), None);
}

#[test]
fn how_whoever_ran_a_runtime_asked_is_said() {
    let via = |ancestors: Vec<Process>| {
        let mut case = killed_by_docker(vec![]);
        case.incident.sender.ancestors = ancestors;
        find(&case).map(|found| (found.via, found.found_by))
    };
    let bash = || process(4, "/usr/bin/bash", &["bash"]);
    let podman = || process(5, "/usr/bin/podman", &["podman", "stop", "web"]);
    let runc = killed_by_docker(vec![]).incident.sender.process.unwrap();
    let run = |process: Process| vec![FoundBy::RunBy { process: Box::new(process), parent: Box::new(bash()) }];
    assert_eq!(via(vec![bash()]), Some((Via::Itself, run(runc.clone()))));
    assert_eq!(via(vec![podman(), bash()]), Some((Via::Ran(Box::new(runc)), run(podman()))));
    // A daemon does as others ask, whoever started it.
    assert_eq!(via(vec![process(5, "/usr/bin/dockerd", &[]), bash()]), None);
}
