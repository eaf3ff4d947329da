//! Connections that make an innocent look like the one who asked.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};

use oomtrace::model::{Cause, Confidence, Incident, Requester};

use crate::Scenario;
use crate::scenarios::requester::nameless_request;
use crate::support::client::{Client, Part};
use crate::support::docker::{Container, docker, socket};
use crate::support::needs::Need::{self, Alone, Busybox, Connections, Curl, Docker, MachineRoot, Tracing};
use crate::support::process::{Owned, run, wait_until};
use crate::support::tracer::Tracer;
use crate::support::truth;

const NEEDS: &[Need] = &[Alone, Tracing, Busybox, Docker, Connections];
const CURL_NEEDS: &[Need] = &[Alone, Tracing, MachineRoot, Busybox, Docker, Connections, Curl];

pub const ALL: &[Scenario] = &[
    Scenario { name: "hostile::requests::a_container_binds_the_runtimes_path", needs: CURL_NEEDS, run: pretender },
    Scenario {
        name: "hostile::requests::one_with_the_hosts_pids_binds_it",
        needs: CURL_NEEDS,
        run: pretender_with_pids,
    },
    Scenario { name: "hostile::requests::a_flood_on_the_runtimes_own_socket", needs: NEEDS, run: flood },
    Scenario { name: "hostile::requests::an_idle_client_with_the_name", needs: CURL_NEEDS, run: idle },
    Scenario { name: "hostile::requests::a_connection_before_the_real_one", needs: NEEDS, run: second },
    Scenario { name: "hostile::requests::a_client_called_as_a_shim", needs: NEEDS, run: shim },
    Scenario { name: "hostile::requests::a_program_called_as_a_shim", needs: NEEDS, run: shim_program },
    Scenario { name: "hostile::requests::a_client_that_was_done_before", needs: CURL_NEEDS, run: done },
    Scenario { name: "hostile::requests::a_connection_handed_over", needs: NEEDS, run: handed_over },
];

fn requester(incident: &Incident) -> &Requester {
    incident.requester.as_ref().unwrap_or_else(|| panic!("nobody: {incident:#?}"))
}

/// `pid` asked; anybody else may be named as possible, but no more.
fn assert_no_innocent(incident: &Incident, pid: u32) {
    let Some(requester) = &incident.requester else { return };
    assert!(
        requester.process.pid == pid || requester.confidence == Confidence::Possible,
        "{pid} asked, and it is said of {:?}: {:#?}",
        requester.process,
        incident.verdict
    );
}

fn facts(incident: &Incident) -> String {
    incident.verdict.iter().flat_map(|v| &v.evidence).map(|e| format!("{}\n", e.fact)).collect()
}

/// A container that plays a part with this very test binary; its first process has no capability.
fn container(part: Part, options: &[&str]) -> Container {
    let me = format!("{}:/client:ro", std::env::current_exe().unwrap().display());
    let mut all = vec!["--cap-drop", "ALL", "-v", &me];
    all.extend(["-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro"]);
    let variables = part.environment(std::path::Path::new("/signs"), "").map(|(name, value)| format!("{name}={value}"));
    all.extend(variables.iter().flat_map(|variable| ["-e", variable]));
    all.extend(options);
    let container = Container::run(&all, "exec /client");
    container.wait_for_output("connected");
    container
}

/// The flood is on its own socket, which is nothing to Docker: nobody else is less sure for it.
fn pretend(options: &[&str]) {
    let mut tracer = Tracer::start(&[]);
    let victim = Container::run(&[], "exec sleep 1000");
    let init = victim.init();
    let _pretender = container(Part::Pretends, options);
    let (mut curl, _folder) = nameless_request(&format!("/containers/{}/kill", victim.id));
    let mut client = Owned::spawn(&mut curl);
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_eq!(requester(&incident).process.pid, client.pid(), "{}", facts(&incident));
    assert_eq!(requester(&incident).confidence, Confidence::Likely, "{} {:?}", facts(&incident), incident.missing);
    client.wait();
}

fn pretender() {
    pretend(&[]);
}

/// Its root is the host's, and its pids are.
fn pretender_with_pids() {
    pretend(&["--pid", "host"]);
}

/// A CI runner gone mad.
fn flood() {
    let mut tracer = Tracer::start(&[]);
    let victim = Container::run(&[], "exec sleep 1000");
    let init = victim.init();
    let mount = format!("{}:{}", socket().unwrap().display(), socket().unwrap().display());
    let flood = container(Part::Floods, &["-v", &mount]);
    let mut client = Owned::spawn(docker().args(["kill", &victim.name]).stdout(Stdio::null()));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_no_innocent(&incident, client.pid());
    drop(flood);
    client.wait();
}

/// It waits with the container's name on its command line, as an `up` in somebody's terminal, while another one asks.
fn idle() {
    let mut tracer = Tracer::start(&[]);
    let victim = Container::run(&[], "exec sleep 1000");
    let init = victim.init();
    let idle = Client::start(Part::Holds, &["docker-compose", "up", &victim.name], "");
    let (mut curl, _folder) = nameless_request(&format!("/containers/{}/kill", victim.id));
    let mut client = Owned::spawn(&mut curl);
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_no_innocent(&incident, client.pid());
    let all = format!("{} {:?}", facts(&incident), requester(&incident).process);
    for pid in [idle.process.pid(), client.pid()] {
        let is_named = all.contains(&format!("[{pid}]")) || requester(&incident).process.pid == pid;
        assert!(is_named, "{pid} is not among those who may have asked: {all}");
    }
    client.wait();
}

/// Its first connection is older than somebody else's, and it asks over a second one.
fn second() {
    let mut tracer = Tracer::start(&[]);
    let victim = Container::run(&[], "exec sleep 1000");
    let init = victim.init();
    let mut asker = Client::start(Part::AsksOverASecond, &["agent"], &format!("/containers/{}/kill", victim.id));
    let other = Client::start(Part::Holds, &["agent"], "");
    asker.go();
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    // A process is recorded once a second: which of the two came last is not known, so neither is more than possible.
    assert_eq!(requester(&incident).confidence, Confidence::Possible);
    let all = format!("{} [{}]", facts(&incident), requester(&incident).process.pid);
    for pid in [asker.process.pid(), other.process.pid()] {
        assert!(all.contains(&format!("[{pid}]")), "{pid} is not among those who may have asked: {all}");
    }
    assert!(asker.process.wait().success());
}

/// By its name it would be a part of the runtime.
fn shim() {
    let mut tracer = Tracer::start(&[]);
    let victim = Container::run(&[], "exec sleep 1000");
    let init = victim.init();
    let command_line = ["/usr/bin/containerd-shim-runc-v2", "-namespace", "moby"];
    let mut asker = Client::start(Part::AsksAsAShim, &command_line, &format!("/containers/{}/kill", victim.id));
    asker.go();
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_eq!(requester(&incident).process.pid, asker.process.pid(), "{}", facts(&incident));
    assert!(asker.process.wait().success());
}

/// By its executable's name it would be, but a user runs it who may use Docker's socket.
fn shim_program() {
    let mut tracer = Tracer::start(&[]);
    let victim = Container::run(&[], "exec sleep 1000");
    let init = victim.init();
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("containerd-shim-runc-v2");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(directory.path().join("go"), "").unwrap();
    let group = fs::metadata(socket().unwrap()).unwrap().gid();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", &group.to_string(), "--clear-groups"]).arg(&program);
    command.envs(Part::AsksAsAShim.environment(directory.path(), &format!("/containers/{}/kill", victim.id)));
    let mut asker = Owned::spawn(command.stdout(Stdio::null()));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_eq!(requester(&incident).process.pid, asker.pid(), "{}", facts(&incident));
    assert!(asker.wait().success());
}

/// It stopped the container, which was started again, and is gone, whatever came to the socket since.
fn done() {
    let mut tracer = Tracer::start(&[]);
    let victim = Container::run(&[], "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done");
    victim.init();
    let mut stop = Owned::spawn(docker().args(["stop", "--time", "20", &victim.name]).stdout(Stdio::null()));
    assert!(stop.wait().success());
    let mount = format!("{}:{}", socket().unwrap().display(), socket().unwrap().display());
    drop(container(Part::Floods, &["-v", &mount]));
    run(docker().args(["start", &victim.name]));
    let init = victim.init();
    let (mut curl, _folder) = nameless_request(&format!("/containers/{}/kill", victim.id));
    let mut client = Owned::spawn(&mut curl);
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_no_innocent(&incident, client.pid());
    client.wait();
}

/// Who connected is gone; its child asks. Who has a connection from before is none the more suspect.
fn handed_over() {
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    let bystander = Client::start(Part::Holds, &["agent"], "");
    // Only the tracepoint shows who writes.
    let mut tracer = Tracer::start(&["--without", "kprobe", "--without", "fentry"]);
    if !tracer.ready.attached.iter().any(|hook| hook == "unix_connect") {
        return;
    }
    tracer.wait_until_settled();
    let mut parent = Client::start(Part::HandsOver, &["agent"], &format!("/containers/{}/kill", container.id));
    let child: u32 = parent.sign("connected").parse().unwrap();
    wait_until("the parent has ended", || parent.process.wait().success());
    parent.go();
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_eq!(requester(&incident).process.pid, child, "{}", facts(&incident));
    assert_eq!(requester(&incident).confidence, Confidence::Possible);
    assert!(facts(&incident).contains("wrote to"), "{}", facts(&incident));
    drop(bystander);
}
