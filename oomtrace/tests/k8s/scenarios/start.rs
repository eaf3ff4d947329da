//! Containers that do not even start, and a containerd that is not where it usually is.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::Cause;

use crate::Scenario;
use crate::claims::{self, claim};
use crate::k3s::{self, K3s};
use crate::pod::{Pod, limited, once, wait_slowly};
use crate::scenarios::{names, trace};
use crate::support::tracer::Tracer;

pub const ALL: &[Scenario] =
    &[Scenario::new("start::limit_too_small", too_small), Scenario::alone("start::containerd_of_k3s", of_k3s)];

/// runc's own process does not fit into the container's limit.
fn too_small() {
    let tracer = trace();
    let pod = Pod::create("small", once(&[limited("app", "exec sleep 1000", "128Ki")]));
    wait_slowly("kubelet gives up", || {
        let status = pod.status("app").unwrap_or_default();
        let state = &status["state"];
        state["terminated"]["reason"].is_string() || state["waiting"]["message"].is_string()
    });
    let ended = tracer.end();
    for incident in crate::support::tracer::incidents(&ended.records) {
        eprintln!("{}", serde_json::to_string(incident).unwrap());
    }
    eprintln!("{} {:?}", pod.object().unwrap()["status"], pod.events());
}

/// Nobody says where containerd is: k3s has it at a place of its own.
fn of_k3s() {
    let Some(k3s) = K3s::start() else { return };
    let mut tracer = Tracer::start(&[]);
    kill(Pid::from_raw(k3s.init as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.incident(k3s.init);
    claims::cause(&incident, Cause::ProcessKill);
    claim("container", format!("{}/{}/{}", k3s::NAMESPACE, k3s::POD, k3s::CONTAINER), names(&incident));
}
