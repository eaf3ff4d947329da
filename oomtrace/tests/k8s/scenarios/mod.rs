//! The scenarios, by theme.

mod controllers;
mod deletion;
mod eviction;
mod hands;
mod manifests;
mod oom;
mod outage;
mod pod_limit;
mod probe;
mod reboot;
mod reports;
mod restarts;
mod start;

use oomtrace::model::{Cause, Incident, Record};

use crate::Scenario;
use crate::claims::{self, claim, corrected_within};
use crate::node::node;
use crate::pod::Pod;
use crate::support::process::patience;
use crate::support::tracer::Tracer;

pub fn all() -> Vec<Scenario> {
    [
        manifests::ALL,
        oom::ALL,
        pod_limit::ALL,
        probe::ALL,
        deletion::ALL,
        controllers::ALL,
        eviction::ALL,
        hands::ALL,
        restarts::ALL,
        reboot::ALL,
        outage::ALL,
        reports::ALL,
        start::ALL,
    ]
    .concat()
}

/// oomtrace, as it is run on a node whose containerd is elsewhere; where a distribution has it, it is found without being named.
fn trace() -> Tracer {
    if node().containerd.starts_with("/run/k3s") {
        Tracer::start(&[])
    } else {
        Tracer::start(&["--containerd-state", node().containerd.to_str().unwrap()])
    }
}

/// The incident whose victim is `pid`, with what becomes known of it afterwards: that is waited for where it has another cause.
fn settled(tracer: &mut Tracer, pid: u32, cause: Cause) -> Incident {
    settled_as(tracer, pid, &claims::has_cause(cause))
}

/// Seconds after which a pod's time is over: it must have been seen to run before, and emulated machines take their time.
fn deadline() -> u64 {
    (patience().as_secs() / 10).max(5)
}

/// The same, where it is not as wanted.
fn settled_as(tracer: &mut Tracer, pid: u32, is_settled: &dyn Fn(&Incident) -> bool) -> Incident {
    let mut incident = tracer.incident(pid);
    if !is_settled(&incident) {
        let id = incident.id.clone();
        let corrected = tracer.wait_within("a correction", corrected_within(), |record| match record {
            Record::Correction(correction) if correction.incident == id => Some(correction.clone()),
            _ => None,
        });
        if let Some(correction) = corrected {
            incident.correct(correction);
        }
    }
    incident
}

/// The incident is in that container of the pod, by all the names that it has.
fn is_in(incident: &Incident, pod: &Pod, container: &str) {
    let expected = format!("{}/{}/{container}", node().namespace, pod.name);
    claims::each(incident, |incident| claim("container", expected.as_str(), names(incident)));
}

/// Namespace, pod and container, as far as oomtrace knows them.
fn names(incident: &Incident) -> String {
    let Some(container) = &incident.container else { return "no container".to_owned() };
    let pod = container.pod.as_ref();
    let names = [
        pod.and_then(|pod| pod.namespace.as_deref()),
        pod.and_then(|pod| pod.name.as_deref()),
        container.name.as_deref(),
    ];
    names.map(|name| name.unwrap_or("?")).join("/")
}

/// The program that asked the runtime for it, as oomtrace knows.
fn asked_by(incident: &Incident, program: &str) {
    claims::each(incident, |incident| claim("requester", program, requester(incident)));
}

/// By its executable's name.
fn requester(incident: &Incident) -> &str {
    let exe = incident.requester.as_ref().and_then(|requester| requester.process.exe.as_deref());
    exe.map_or("nobody", |exe| exe.rsplit('/').next().unwrap_or(exe))
}

/// Incidents in the pod so far, but for the ends of its sandbox.
fn incidents_of<'a>(records: &'a [Record], pod: &'a Pod) -> impl Iterator<Item = &'a Incident> {
    crate::support::tracer::incidents(records).filter(|incident| is_of(incident, pod))
}

/// The victim is in the pod, and not its sandbox.
fn is_of(incident: &Incident, pod: &Pod) -> bool {
    let of = incident.container.as_ref().and_then(|container| container.pod.as_ref());
    of.is_some_and(|of| of.uid.as_deref() == Some(pod.uid.as_str()) && !of.sandbox)
}

/// What is claimed of a container's first process that kubelet has the runtime end; or ends by its own hand, when by chance it removes
/// the cgroup of a pod that is over before the grace is.
fn is_stopped(incident: &Incident, pod: &Pod, container: &str, cause: Cause) {
    claims::cause(incident, cause);
    claims::routine(incident, None);
    is_in(incident, pod, container);
    if is_by_containerd(incident) {
        // Where that takes long, kubelet removes the cgroup meanwhile, and may be the first to kill what is in it.
        claims::each(incident, |incident| {
            let by = Some(sender(incident)).filter(|sender| *sender == "kubelet");
            claim("requester, or sender", "kubelet", by.unwrap_or_else(|| requester(incident)));
        });
    } else {
        is_by_kubelet(incident);
    }
}

fn sender(incident: &Incident) -> &str {
    incident.sender.process.as_ref().map_or("nobody", |process| process.comm.as_str())
}

/// containerd logs that it was asked to have the victim's container killed.
fn is_by_containerd(incident: &Incident) -> bool {
    let id = incident.victim.process.cgroup.as_deref().map(|path| node().driver.id(path)).unwrap_or_default();
    node().log("containerd").contains(&format!(r#"Kill container \"{id}\""#))
}

fn is_by_kubelet(incident: &Incident) {
    claims::each(incident, |incident| claim("sender", "kubelet", sender(incident)));
}
