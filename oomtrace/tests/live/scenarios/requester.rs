//! Who asked the runtime: real clients of a real dockerd's socket.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use oomtrace::model::{Cause, Confidence, Incident, Record, Requester};
use oomtrace::probe::hook::Hook;
use tempfile::TempDir;

use crate::Scenario;
use crate::support::containerd::Containerd;
use crate::support::docker::{Container, IMAGE, docker, socket};
use crate::support::needs::Need::{
    self, Alone, Busybox, Compose, Connections, Containerd as ContainerdNeeded, Curl, Docker, Fentry, MachineRoot,
    Tracing,
};
use crate::support::needs::attached;
use crate::support::process::{Owned, children, run, wait_until};
use crate::support::tracer::Tracer;
use crate::support::truth;

const NEEDS: &[Need] = &[Alone, Tracing, Busybox, Docker, Connections];
const PROBE_NEEDS: &[Need] = &[Alone, Tracing, Busybox, Docker, Connections, Fentry];
const CURL_NEEDS: &[Need] = &[Alone, Tracing, MachineRoot, Busybox, Docker, Connections, Curl];
const COMPOSE_NEEDS: &[Need] = &[Alone, Tracing, Busybox, Docker, Connections, Compose];
const CTR_NEEDS: &[Need] = &[Alone, Tracing, Busybox, ContainerdNeeded, Connections];

pub const ALL: &[Scenario] = &[
    Scenario { name: "requester::docker_stop_that_runs_into_its_time_out", needs: NEEDS, run: docker_stop },
    Scenario { name: "requester::docker_kill_by_an_ids_beginning", needs: NEEDS, run: docker_kill },
    Scenario { name: "requester::docker_kill_without_kprobes", needs: PROBE_NEEDS, run: without_kprobes },
    Scenario { name: "requester::a_request_by_curl", needs: CURL_NEEDS, run: curl },
    Scenario { name: "requester::a_client_that_names_nothing", needs: CURL_NEEDS, run: nameless },
    Scenario { name: "requester::two_clients_that_name_nothing", needs: CURL_NEEDS, run: two },
    Scenario { name: "requester::a_client_that_was_there_before", needs: NEEDS, run: standing },
    Scenario { name: "requester::a_container_with_the_socket_mounted", needs: NEEDS, run: mounted },
    Scenario { name: "requester::docker_compose_down", needs: COMPOSE_NEEDS, run: compose },
    Scenario { name: "requester::docker_exec", needs: NEEDS, run: exec },
    Scenario { name: "requester::a_client_that_was_given_a_password", needs: NEEDS, run: password },
    Scenario { name: "requester::ctr_on_containerds_socket", needs: CTR_NEEDS, run: ctr },
];

fn requester(incident: &Incident) -> &Requester {
    incident.requester.as_ref().unwrap_or_else(|| panic!("nobody: {incident:#?}"))
}

fn assert_asked(incident: &Incident, pid: u32, confidence: Confidence) {
    let requester = requester(incident);
    assert_eq!((requester.process.pid, requester.confidence), (pid, confidence), "{}", facts(incident));
    assert_eq!(requester.via, socket().unwrap().display().to_string());
}

fn facts(incident: &Incident) -> String {
    incident.verdict.iter().flat_map(|v| &v.evidence).map(|e| format!("{}\n", e.fact)).collect()
}

fn docker_stop() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    let mut client = Owned::spawn(docker().args(["stop", "--time", "1", &container.name]).stdout(Stdio::null()));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    assert_asked(&incident, client.pid(), Confidence::Likely);
    let requester = requester(&incident);
    assert_eq!(requester.ancestors[0].pid, std::process::id());
    assert_eq!(requester.process.cmdline.as_ref().unwrap().last(), Some(&container.name));
    assert!(facts(&incident).contains("before the stop signal, and its command line names the container"));
    assert!(facts(&incident).contains("Docker's events: signal 15 was sent to the container"));
    client.wait();
}

fn docker_kill() {
    docker_kill_seen_by(Tracer::start(&[]));
}

/// By fentry, where there is that.
fn without_kprobes() {
    docker_kill_seen_by(Tracer::start(&["--without", "kprobe"]));
}

fn docker_kill_seen_by(mut tracer: Tracer) {
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    let mut client = Owned::spawn(docker().args(["kill", &container.id[..12]]).stdout(Stdio::null()));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_asked(&incident, client.pid(), Confidence::Likely);
    client.wait();
}

/// A request on Docker's socket.
fn request(path: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--output", "/dev/null", "--unix-socket"]).arg(socket().unwrap());
    curl.args(["--request", "POST"]).arg(format!("http://docker{path}"));
    curl
}

/// The same with everything in a file, so that the command line names nothing; and the file.
pub fn nameless_request(path: &str) -> (Command, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("curlrc");
    let socket = socket().unwrap();
    let method = if path.ends_with("/events") { "GET" } else { "POST" };
    let text = format!(
        "silent\noutput = \"/dev/null\"\nunix-socket = {socket:?}\nrequest = {method}\nurl = \"http://docker{path}\"\n"
    );
    fs::write(&config, text).unwrap();
    let mut curl = Command::new("curl");
    curl.arg("--config").arg(config);
    (curl, directory)
}

fn curl() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    let mut client = Owned::spawn(&mut request(&format!("/containers/{}/kill", container.name)));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_asked(&incident, client.pid(), Confidence::Likely);
    client.wait();
}

fn nameless() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    let (mut curl, _folder) = nameless_request(&format!("/containers/{}/stop?t=1", container.id));
    let mut client = Owned::spawn(&mut curl);
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    assert_asked(&incident, client.pid(), Confidence::Likely);
    client.wait();
}

fn two() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    let (mut curl, _folder) = nameless_request("/events");
    let listener = Owned::spawn(&mut curl);
    let inodes = || fs::read_dir(format!("/proc/{}/fd", listener.pid())).unwrap().flatten();
    wait_until("the listener is connected", || {
        inodes().any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:")))
    });
    let (mut curl, _folder) = nameless_request(&format!("/containers/{}/kill", container.id));
    let mut client = Owned::spawn(&mut curl);
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_asked(&incident, client.pid(), Confidence::Possible);
    let other = format!("connected as well, so any of them may have asked: curl[{}]", listener.pid());
    assert!(facts(&incident).contains(&other), "{}", facts(&incident));
    client.wait();
}

/// Connected before oomtrace is, as a kubelet, and asks over that connection.
fn standing() {
    use std::io::{Read as _, Write as _};
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    let mut connection = UnixStream::connect(socket().unwrap()).unwrap();
    let mut tracer = Tracer::start(&[]);
    let kill = format!("POST /containers/{}/kill HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n", container.id);
    tracer.wait_until_settled();
    connection.write_all(kill.as_bytes()).unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 204");
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    let facts = facts(&incident);
    assert!(facts.contains("before oomtrace started"), "{facts}");
    // Where functions are hooked, connections are seen, and not what is written over one: it may have asked at any time, or never.
    let hooks_functions = attached().contains(&Hook::OomKillProcess);
    let confidence = if hooks_functions { Confidence::Possible } else { Confidence::Likely };
    assert_asked(&incident, std::process::id(), confidence);
}

/// As a CI runner has it, at a path of its own choice.
fn mounted() {
    let mut tracer = Tracer::start(&[]);
    let victim = Container::run(&[], "exec sleep 1000");
    let init = victim.init();
    let socket = format!("{}:/run/elsewhere.sock", socket().unwrap().display());
    let options = ["-v", &socket, "-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro"];
    let command = format!("/usr/bin/docker --host unix:///run/elsewhere.sock kill {}; sleep 1000", victim.name);
    let runner = Container::run(&options, &command);
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    let requester = requester(&incident);
    let container = requester.container.as_ref().unwrap();
    assert_eq!((&container.id, container.name.as_ref()), (&runner.id, Some(&runner.name)));
    assert_eq!((requester.process.comm.as_str(), requester.confidence), ("docker", Confidence::Likely));
}

/// Names no container: it ends all that have the project's label.
fn compose() {
    let mut tracer = Tracer::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    // It makes the image.
    drop(Container::run(&[], "true"));
    let service = format!("image: {IMAGE}, command: sleep 1000, network_mode: none, stop_grace_period: 1s");
    let file = format!("version: \"3\"\nservices:\n  web: {{ {service} }}\n");
    fs::write(directory.path().join("docker-compose.yml"), file).unwrap();
    let project = format!("oomtrace-test-{}", std::process::id());
    let compose = |arguments: &[&str]| {
        let mut compose = Command::new("docker-compose");
        compose.current_dir(directory.path()).env("DOCKER_HOST", format!("unix://{}", socket().unwrap().display()));
        compose.env("COMPOSE_PROJECT_NAME", &project).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
        compose
    };
    run(&mut compose(&["up", "--detach"]));
    let label = format!("label=com.docker.compose.project={project}");
    let id = run(docker().args(["ps", "--no-trunc", "--quiet", "--filter", &label]));
    let init: u32 = run(docker().args(["inspect", "--format", "{{.State.Pid}}", &id])).parse().unwrap();
    let mut client = Owned::spawn(&mut compose(&["down"]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    // The one that started the project may have ended so shortly before that it may have asked as well.
    assert_eq!(requester(&incident).process.pid, client.pid(), "{}", facts(&incident));
    assert!(requester(&incident).confidence != Confidence::Certain);
    let labels = incident.container.unwrap().labels.unwrap();
    assert_eq!(labels["com.docker.compose.service"], "web");
    client.wait();
}

/// The killer is inside, and was brought in from outside.
/// Whatever its command line says is masked, in what is said and in what is recorded, and it is found by it all the same.
fn password() {
    for (options, is_shown) in [(&[][..], true), (&["--no-cmdline"], false)] {
        let mut tracer = Tracer::start(options);
        let container = Container::run(&[], "sleep 1000 & echo ready; wait");
        container.wait_for_output("ready");
        let init = container.init();
        let kill = "exec kill -9 $(cat /proc/1/task/1/children)";
        let mut client =
            Owned::spawn(docker().args(["exec", "-e", "PGPASSWORD=hunter22", &container.name, "sh", "-c", kill]));
        let incident = tracer.wait("its end", |record| match record {
            Record::Incident(incident) if incident.victim.process.ppid == Some(init) => Some(incident.clone()),
            _ => None,
        });
        client.wait();
        let asked = requester(&incident);
        assert_eq!(asked.process.pid, client.pid(), "{}", facts(&incident));
        assert!(asked.process.exe.is_some(), "{asked:?}");
        let arguments = asked.process.cmdline.as_deref().unwrap_or_default().join(" ");
        assert_eq!(arguments.contains("PGPASSWORD=REDACTED"), is_shown, "{arguments}");
        let recording = tracer.recording();
        let lines = tracer.lines().join("\n");
        tracer.signal(Signal::SIGINT);
        tracer.ended();
        let recorded = fs::read(recording).unwrap();
        let has = |bytes: &[u8]| bytes.windows("hunter2".len()).any(|part| part == b"hunter2");
        assert!(!has(lines.as_bytes()) && !has(&recorded), "a secret is left");
    }
}

fn exec() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "sleep 1001 & sleep 1000");
    container.init();
    wait_until("its child is there", || !children(container.init()).is_empty());
    let victim = children(container.init())[0];
    let inside = std::fs::read_to_string(format!("/proc/{victim}/status")).unwrap();
    let inside = inside.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
    let inside = inside.split_whitespace().last().unwrap();
    // As from a shell that somebody has opened: what Docker was asked for is older than the kill by more than the moment that a kill takes.
    let command = format!("sleep 3; kill -9 {inside}");
    let mut client = Owned::spawn(docker().args(["exec", &container.name, "sh", "-c", &command]));
    let incident = tracer.incident(victim);
    truth::is(&incident, Cause::SameContainerKill, Confidence::Certain);
    assert_asked(&incident, client.pid(), Confidence::Likely);
    let said = format!("Docker's events: docker exec ran in it: sh -c {command}");
    assert!(facts(&incident).contains(&said), "{}", facts(&incident));
    client.wait();
}

fn ctr() {
    let containerd = Containerd::start();
    let mut tracer = Tracer::start(&["--containerd-state", containerd.state().to_str().unwrap()]);
    let id = Containerd::name();
    let container = containerd.run(&id, None, &[], "exec sleep 1000");
    let mut client = Owned::spawn(containerd.ctr().args(["task", "kill", "--signal", "SIGKILL", &id]));
    let incident = tracer.incident(container.init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    let requester = requester(&incident);
    assert_eq!((requester.process.pid, requester.confidence), (client.pid(), Confidence::Likely));
    run(containerd.ctr().arg("version"));
    client.wait();
}
