//! Probes that fail, and what kubelet has killed for them.

use std::process::Command;

use oomtrace::model::{Cause, Incident};
use serde_json::{Value, json};

use crate::Scenario;
use crate::claims::{self, claim};
use crate::node::node;
use crate::pod::{Pod, container, once, with};
use crate::scenarios::{is_in, is_stopped, settled, trace};
use crate::support::process::{comm, patience};

pub const ALL: &[Scenario] = &[
    Scenario::new("probe::liveness_by_exec", by_exec),
    Scenario::new("probe::liveness_by_tcp", by_tcp),
    Scenario::new("probe::liveness_by_http", by_http),
    Scenario::new("probe::startup_by_exec", startup_by_exec),
    Scenario::new("probe::startup_by_tcp", startup_by_tcp),
    Scenario::new("probe::startup_by_http", startup_by_http),
    Scenario::new("probe::exec_times_out", times_out),
];

/// Nobody answers there.
const PORT: u32 = 81;

/// A container that no signal stops, and whose probe fails: kubelet has it stopped, and killed.
fn fails(name: &str, kind: &str, probe: Value) {
    let mut tracer = trace();
    // It must have been seen to run before: emulated machines take their time.
    let delay = (patience().as_secs() / 10).max(2);
    let timing = json!({ "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": delay });
    let app = with(container("app", "exec sleep 1000"), json!({ kind: with(probe, timing) }));
    let pod = Pod::create(name, json!({ "containers": [app], "terminationGracePeriodSeconds": 2 }));
    let init = pod.init("app");
    pod.wait_for_event("Killing", "probe");
    let incident = settled(&mut tracer, init, Cause::KubeletProbeFailure);
    is_stopped(&incident, &pod, "app", Cause::KubeletProbeFailure);
    shows_events(&incident);
}

/// What is advised is executed as it is printed: it shows what the kubelet said of the probe.
fn shows_events(incident: &Incident) {
    let advice = incident.verdict.as_ref().map(|verdict| verdict.advice.as_slice()).unwrap_or_default();
    let commands = advice.iter().filter_map(|advice| advice.command.as_deref());
    let command = commands.into_iter().find(|command| command.contains("get events")).unwrap_or("false");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env("KUBECONFIG", node().directory.join("kubeconfig"));
    shell.env("PATH", format!("{}:{path}", node().programs.display()));
    let said = String::from_utf8_lossy(&shell.output().unwrap().stdout).into_owned();
    claim("what is advised shows the probe's Event", "true", said.contains("Unhealthy").to_string());
}

fn exec() -> Value {
    json!({ "exec": { "command": ["false"] } })
}

fn tcp() -> Value {
    json!({ "tcpSocket": { "port": PORT } })
}

fn http() -> Value {
    json!({ "httpGet": { "path": "/", "port": PORT } })
}

fn by_exec() {
    fails("by-exec", "livenessProbe", exec());
}

fn by_tcp() {
    fails("by-tcp", "livenessProbe", tcp());
}

fn by_http() {
    fails("by-http", "livenessProbe", http());
}

fn startup_by_exec() {
    fails("startup-exec", "startupProbe", exec());
}

fn startup_by_tcp() {
    fails("startup-tcp", "startupProbe", tcp());
}

fn startup_by_http() {
    fails("startup-http", "startupProbe", http());
}

/// The probe's own process is killed, and the container goes on.
fn times_out() {
    let mut tracer = trace();
    let probe = json!({ "exec": { "command": ["sleep", "999"] }, "timeoutSeconds": 1, "periodSeconds": 3 });
    let app = with(container("app", "exec tail -f /dev/null"), json!({ "readinessProbe": probe }));
    let pod = Pod::create("times-out", once(&[app]));
    let init = pod.init("app");
    let victim = pod.process("sleep");
    let incident = tracer.incident(victim);
    claims::cause(&incident, Cause::KubeletProbeFailure);
    is_in(&incident, &pod, "app");
    claims::each(&incident, |incident| {
        claim("is the container's first process", "false", incident.victim.container_init.to_string());
    });
    assert_eq!(comm(init), "tail", "the container goes on");
}
