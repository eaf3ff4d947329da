//! Containers that do not even start, and a containerd that is not where it usually is.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Cause, Incident, Record};

use crate::Scenario;
use crate::cgroup::Driver;
use crate::claims::{self, claim};
use crate::k3s::{self, K3s};
use crate::kernel_log::KernelLog;
use crate::node::node;
use crate::pod::{Pod, limited, once};
use crate::scenarios::oom::{SLEEP, is_logged};
use crate::scenarios::{asked_by, is_in, is_of, names, trace};
use crate::support::tracer::Tracer;

pub const ALL: &[Scenario] = &[
    Scenario::new("start::limit_too_small", too_small),
    Scenario::new("start::limit_too_small_for_the_sandbox", too_small_for_the_sandbox),
    Scenario::alone("start::containerd_of_k3s", of_k3s),
];

/// runc's own process does not fit into the container's limit. With cgroup v1 the limit cannot be set, and runc ends the process itself.
fn too_small() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let pod = Pod::create("small", once(&[limited("app", SLEEP, "128Ki"), limited("other", SLEEP, "64Mi")]));
    // systemd makes the scope with its limit, and the kernel ends the first process there that is too large for it.
    if node().driver == Driver::Systemd {
        let logged = log.oom_kill(&pod.cgroup());
        let incident = tracer.incident(logged.pid);
        is_logged(&incident, &logged, Cause::OomContainerLimit);
        is_in(&incident, &pod, "app");
        did_not_start(&incident);
        return;
    }
    pod.wait_for_event("Failed", "unable to set memory limit");
    let incident = tracer.wait("runc's own process is killed", |record| match record {
        Record::Incident(incident) => is_of(incident, &pod).then(|| incident.clone()),
        _ => None,
    });
    claims::cause(&incident, Cause::RuntimeKill);
    is_in(&incident, &pod, "app");
    asked_by(&incident, "nobody");
    did_not_start(&incident);
}

/// Whoever set the limit, the answer is that the container could not start with it.
fn did_not_start(incident: &Incident) {
    claims::each(incident, |incident| {
        let why = &incident.verdict.as_ref().unwrap().why;
        let is_said = why.contains("did not start") || why.contains("gave up starting");
        claim("the sentence says that it did not start", "true", is_said.to_string());
    });
}

/// Not even the sandbox's fits into the pod's.
fn too_small_for_the_sandbox() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let pod = Pod::create("sandbox", once(&[limited("app", SLEEP, "128Ki")]));
    pod.wait_for_event("FailedCreatePodSandBox", "OOM-killed");
    let logged = log.oom_kill(&pod.cgroup());
    let incident = tracer.incident(logged.pid);
    is_logged(&incident, &logged, Cause::OomPodLimit);
    did_not_start(&incident);
    let expected = format!("{}/{}/?", node().namespace, pod.name);
    claims::each(&incident, |incident| claim("container", expected.as_str(), names(incident)));
}

/// Nobody says where containerd is: k3s has it at a place of its own.
fn of_k3s() {
    let Some(k3s) = K3s::start() else { return };
    let mut tracer = Tracer::start(&[]);
    kill(Pid::from_raw(k3s.init as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.incident(k3s.init);
    claims::cause(&incident, Cause::ProcessKill);
    let expected = format!("{}/{}/{}", k3s::NAMESPACE, k3s::POD, k3s::CONTAINER);
    claims::each(&incident, |incident| claim("container", expected.as_str(), names(incident)));
}
