//! One row a rule: who was connected, and who is said to have asked.

use super::*;
use crate::incident::model::{Container, Preceding};
use crate::verdict::judge::tests::{in_container, kill};

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
fn client(pid: u32, before_ms: u64, arguments: &[&str]) -> Asker {
    let exe = format!("/usr/bin/{}", arguments.first().unwrap_or(&"nobody"));
    Asker {
        process: process(pid, &exe, arguments),
        ancestors: Vec::new(),
        place: None,
        unit: None,
        login: None,
        socket: "/run/docker.sock".to_owned(),
        runtime: Runtime::Docker,
        connected_before_ms: Some(before_ms),
        ended_before_ms: None,
    }
}

/// runc, under its shim, killed a container of Docker's that is called `web`.
fn killed_by_docker(clients: Vec<Asker>) -> Incident {
    let mut incident = in_container(kill("/usr/bin/runc"));
    incident.sender.ancestors = vec![process(5, "/usr/bin/containerd-shim-runc-v2", &[])];
    let labels = [("com.docker.compose.project".to_owned(), "shop".to_owned())].into();
    incident.container = incident.container.map(|container| Container {
        name: Some("web".to_owned()),
        runtime: Some("docker".to_owned()),
        labels: Some(labels),
        ..container
    });
    incident.asking.clients = clients;
    incident.asking.seen = true;
    incident
}

fn found(incident: &Incident) -> Option<(u32, Confidence)> {
    let found = find(incident, incident.container.as_ref())?;
    Some((found.requester.process.pid, found.requester.confidence))
}

const LIKELY: Confidence = Confidence::Likely;
const POSSIBLE: Confidence = Confidence::Possible;

#[test]
fn a_name_counts_more_than_time_and_time_more_than_nothing() {
    let id = "6c266caa8d7c";
    let stop = |pid, before| client(pid, before, &["docker", "stop", "web"]);
    let curl =
        client(7, 20, &["curl", "--unix-socket", "/run/docker.sock", "-X", "POST", "http://d/containers/web/kill"]);
    let portainer = Asker { connected_before_ms: None, ..client(8, 0, &["portainer"]) };
    let python = |pid, before| client(pid, before, &["python3", "stop.py"]);
    for (clients, expected) in [
        (vec![], None),
        (vec![stop(1, 30)], Some((1, LIKELY))),
        // Waiting for its time-out to pass.
        (vec![stop(1, 600_000)], Some((1, LIKELY))),
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
        (vec![portainer.clone()], Some((8, LIKELY))),
        (vec![python(1, 90_000)], Some((1, LIKELY))),
        (vec![Asker { ended_before_ms: Some(500), ..python(1, 600) }], Some((1, POSSIBLE))),
        (vec![Asker { ended_before_ms: Some(500), ..python(1, 600) }, python(2, 700)], Some((2, LIKELY))),
        (vec![Asker { ended_before_ms: Some(5_000), ..python(1, 5_100) }], None),
    ] {
        let shown: Vec<_> = clients.iter().map(|client| client.process.cmdline.clone()).collect();
        assert_eq!(found(&killed_by_docker(clients)), expected, "{shown:?}");
    }
}

#[test]
fn who_came_after_the_stop_signal_did_not_ask_for_it() {
    let stop_signal = Preceding {
        signal: 15,
        name: "SIGTERM".to_owned(),
        time: String::new(),
        before_ms: 10_000,
        disposition: None,
        sender: process(4, "/usr/bin/runc", &["runc", "kill"]),
    };
    let python = |pid, before| client(pid, before, &["python3", "x.py"]);
    let mut incident = killed_by_docker(vec![python(1, 20), python(2, 10_030)]);
    incident.preceding = vec![stop_signal];
    assert_eq!(found(&incident), Some((2, LIKELY)));
    let evidence = find(&incident, incident.container.as_ref()).unwrap().evidence;
    assert_eq!(evidence[0].fact, "python3[2] connected to /run/docker.sock 30 ms before the stop signal");
}

#[test]
fn all_candidates_are_in_the_evidence() {
    let python = |pid| client(pid, 30, &["python3", "x.py"]);
    let incident = killed_by_docker((1..9).map(python).collect());
    let evidence = find(&incident, incident.container.as_ref()).unwrap().evidence;
    let fact = &evidence[1].fact;
    assert!(fact.ends_with("python3[2], python3[3], python3[4], python3[5], python3[6] and 2 more"), "{fact}");
}

#[test]
fn a_runtime_without_a_daemon_was_run_by_somebody() {
    let mut incident = killed_by_docker(vec![]);
    incident.sender.ancestors = vec![
        process(5, "/usr/bin/podman", &["podman", "stop", "web"]),
        process(4, "/usr/bin/bash", &["bash"]),
        process(3, "/usr/sbin/sshd", &["sshd"]),
    ];
    let requester = find(&incident, incident.container.as_ref()).unwrap().requester;
    assert_eq!((requester.process.pid, requester.confidence, requester.ancestors.len()), (5, LIKELY, 2));
    // Its service answers a socket instead.
    incident.sender.ancestors[0].cmdline = Some(["podman", "system", "service"].map(str::to_owned).to_vec());
    assert_eq!(found(&incident), None);
    // A parent that is gone may have been a shim.
    incident.sender.ancestors = vec![Process { pid: 5, comm: "x".to_owned(), ..Process::default() }];
    assert_eq!(found(&incident), None);
}

#[test]
fn a_kubelet_asks_for_its_pods() {
    let standing =
        |pid, name: &str| Asker { runtime: Runtime::Containerd, connected_before_ms: None, ..client(pid, 0, &[name]) };
    let mut incident = killed_by_docker(vec![standing(1, "agent"), standing(2, "kubelet")]);
    if let Some(container) = &mut incident.container {
        container.runtime = Some("containerd".to_owned());
        container.pod = Some(crate::incident::model::Pod::default());
    }
    assert_eq!(found(&incident), Some((2, POSSIBLE)));
}

#[test]
fn only_a_runtimes_kill_was_asked_for_and_a_gap_is_said() {
    let mut by_hand = in_container(kill("/usr/bin/bash"));
    by_hand.asking.clients = vec![client(1, 30, &["docker", "stop", "web"])];
    settle(&mut by_hand);
    assert_eq!((by_hand.requester, by_hand.missing.len()), (None, 0));
    let mut unseen = killed_by_docker(vec![]);
    settle(&mut unseen);
    assert!(unseen.missing[0].starts_with("who asked the runtime"), "{:?}", unseen.missing);
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
    let mut incident = killed_by_docker(vec![
        client(1, 30, &["docker", "exec", "web", "kill", "-9", "7"]),
        client(2, 30, &["docker", "stop", "web"]),
        client(3, 30, &["docker", "exec", "api", "true"]),
    ]);
    incident.sender.container = incident.container.clone();
    incident.sender.process = Some(process(50, "/bin/busybox", &["kill", "-9", "7"]));
    if let Some(container) = &mut incident.container {
        container.init_pid = Some(40);
    }
    let shim = |pid| Process { pid, comm: "containerd-shim".to_owned(), uid: Some(0), ..Process::default() };
    incident.sender.ancestors = vec![shim(5)];
    assert_eq!(found(&incident), Some((1, LIKELY)));
    settle(&mut incident);
    assert!(incident.noted[0].fact.contains("brought in later (exec)"), "{:?}", incident.noted);
    // A child of the container's own init.
    incident.sender.ancestors = vec![process(40, "/bin/sh", &["sh"]), shim(5)];
    assert_eq!(found(&incident), None);
}
