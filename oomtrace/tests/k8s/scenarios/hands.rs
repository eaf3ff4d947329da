//! Kills by a person's or a program's hand, past kubelet or through it.

use std::process::Command;

use oomtrace::model::{Cause, Incident};
use serde_json::json;

use crate::Scenario;
use crate::claims::{self, claim};
use crate::node::node;
use crate::pod::{Pod, container, go, once, with};
use crate::scenarios::{asked_by, is_in, trace};
use crate::support::process::run;

pub const ALL: &[Scenario] = &[
    Scenario::new("hands::kubectl_exec_kill", exec_kill),
    // Clients of containerd that others' requesters would be sought among.
    Scenario::alone("hands::ctr_task_kill", ctr_kill),
    Scenario::alone("hands::cri_remove_container", cri_remove),
    Scenario::alone("hands::cri_stop_container", cri_stop),
    Scenario::new("hands::kill_on_the_node", kill_on_the_node),
    Scenario::new("hands::pod_with_the_hosts_pids", hosts_pids),
    Scenario::new("hands::shared_pid_namespace", shared_pids),
];

fn sleeping(name: &str) -> Pod {
    Pod::create(name, once(&[container("app", "exec sleep 1000")]))
}

fn exec_kill() {
    let mut tracer = trace();
    let pod = Pod::create("exec-kill", once(&[container("app", "sleep 1000 & wait; exec tail -f /dev/null")]));
    pod.init("app");
    let victim = pod.process("sleep");
    pod.exec("app", &["sh", "-c", "kill -9 $(pidof sleep)"]);
    let incident = tracer.incident(victim);
    claims::cause(&incident, Cause::SameContainerKill);
    is_in(&incident, &pod, "app");
    asked_by(&incident, "kubelet");
}

fn ctr_kill() {
    let mut tracer = trace();
    let pod = sleeping("ctr-kill");
    let (id, init) = (pod.id("app"), pod.init("app"));
    run(node().ctr().args(["task", "kill", "--signal", "SIGKILL", &id]));
    let incident = tracer.incident(init);
    claims::cause(&incident, Cause::RuntimeKill);
    is_in(&incident, &pod, "app");
    asked_by(&incident, "ctr");
}

/// What `crictl rm --force` asks containerd for, past kubelet.
fn cri_remove() {
    let mut tracer = trace();
    let pod = sleeping("cri-remove");
    let (id, init) = (pod.id("app"), pod.init("app"));
    cri("RemoveContainer", &string(1, &id));
    let incident = tracer.incident(init);
    claims::cause(&incident, Cause::RuntimeKill);
    is_in(&incident, &pod, "app");
    asked_by(&incident, "curl");
}

/// What `crictl stop --timeout 2` asks it for.
fn cri_stop() {
    let mut tracer = trace();
    let pod = sleeping("cri-stop");
    let (id, init) = (pod.id("app"), pod.init("app"));
    let timeout = [2 << 3, 2];
    cri("StopContainer", &[string(1, &id).as_slice(), &timeout].concat());
    let incident = tracer.incident(init);
    claims::cause(&incident, Cause::RuntimeStopTimeout);
    is_in(&incident, &pod, "app");
    asked_by(&incident, "curl");
}

/// Calls containerd's CRI (gRPC over HTTP/2 on its socket) with a message, and waits for the answer.
fn cri(method: &str, message: &[u8]) {
    let mut body = vec![0];
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), body).unwrap();
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--fail",
        "--http2-prior-knowledge",
        "--output",
        "/dev/null",
        "--unix-socket",
    ]);
    curl.arg(node().socket());
    curl.args(["--header", "content-type: application/grpc", "--header", "te: trailers", "--data-binary"]);
    curl.arg(format!("@{}", file.path().display()));
    run(curl.arg(format!("http://localhost/runtime.v1.RuntimeService/{method}")));
}

/// A string as a field of a message in protobuf's encoding.
fn string(field: u8, text: &str) -> Vec<u8> {
    const LENGTH_DELIMITED: u8 = 2;
    let mut bytes = vec![field << 3 | LENGTH_DELIMITED, u8::try_from(text.len()).unwrap()];
    bytes.extend(text.bytes());
    bytes
}

fn kill_on_the_node() {
    let mut tracer = trace();
    let pod = sleeping("node-kill");
    let init = pod.init("app");
    run(Command::new("sh").args(["-c", &format!("kill -9 {init}")]));
    let incident = tracer.incident(init);
    claims::cause(&incident, Cause::ProcessKill);
    is_in(&incident, &pod, "app");
}

/// The sender's container, by its pod's name and its own.
fn is_from(incident: &Incident, pod: &Pod, name: &str) {
    let expected = format!("{}/{}/{name}", node().namespace, pod.name);
    claims::each(incident, |incident| {
        let sender = Incident { container: incident.sender.container.clone(), ..incident.clone() };
        claim("sender's container", expected.as_str(), crate::scenarios::names(&sender));
    });
}

fn hosts_pids() {
    let mut tracer = trace();
    let pod = sleeping("hosts-pids");
    let init = pod.init("app");
    let script = format!("kill -9 {init}; exec sleep 1000");
    let spec = with(once(&[container("chaos", &script)]), json!({ "hostPID": true }));
    let killer = Pod::create("killer", spec);
    let incident = tracer.incident(init);
    claims::cause(&incident, Cause::ProcessKill);
    is_in(&incident, &pod, "app");
    is_from(&incident, &killer, "chaos");
}

fn shared_pids() {
    let mut tracer = trace();
    let containers = [
        container("app", "exec tail -f /dev/null"),
        container("chaos", "until [ -e /tmp/go ]; do sleep 1; done; kill -9 $(pidof tail); exec sleep 1000"),
    ];
    let pod = Pod::create("shared", with(once(&containers), json!({ "shareProcessNamespace": true })));
    let init = pod.init("app");
    go(pod.init("chaos"));
    let incident = tracer.incident(init);
    claims::cause(&incident, Cause::ProcessKill);
    is_in(&incident, &pod, "app");
    is_from(&incident, &pod, "chaos");
    claims::each(&incident, |incident| {
        claim("is the container's first process", "true", incident.victim.container_init.to_string());
    });
}
