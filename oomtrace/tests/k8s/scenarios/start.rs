//! Containers that do not even start, and a containerd that is not where it usually is.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::Cause;

use crate::Scenario;
use crate::claims::{self, claim};
use crate::k3s::{self, K3s};
use crate::pod::{Pod, limited, once};
use crate::scenarios::oom::SLEEP;
use crate::scenarios::{names, trace};
use crate::support::tracer::Tracer;

pub const ALL: &[Scenario] = &[
    Scenario::new("start::limit_too_small", too_small),
    Scenario::new("start::limit_too_small_for_the_sandbox", too_small_for_the_sandbox),
    Scenario::alone("start::containerd_of_k3s", of_k3s),
];

/// runc's own process does not fit into the container's limit.
fn too_small() {
    let tracer = trace();
    let pod = Pod::create("small", once(&[limited("app", SLEEP, "128Ki"), limited("other", SLEEP, "64Mi")]));
    pod.wait_for_event("Failed", "OOM");
    let ended = tracer.end();
    for incident in crate::support::tracer::incidents(&ended.records) {
        claims::cause(incident, Cause::OomContainerLimit);
    }
    eprintln!("{} {:?}", pod.object().unwrap()["status"], pod.events());
}

/// Not even the sandbox's fits into the pod's, which is the container's.
fn too_small_for_the_sandbox() {
    let tracer = trace();
    let pod = Pod::create("sandbox", once(&[limited("app", SLEEP, "128Ki")]));
    pod.wait_for_event("FailedCreatePodSandBox", "OOM");
    let ended = tracer.end();
    for incident in crate::support::tracer::incidents(&ended.records) {
        claims::cause(incident, Cause::OomContainerLimit);
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
