//! Why the kubelet had a container killed, as the Kubernetes API says it: the kernel sees the same kill by a runtime for all of them.
//!
//! Likely at most: the API does not say which kill an Event or a status is about, so that time and container must fit. Of several
//! explanations the one that ends the whole pod counts first, because a pod that is evicted may have failed a probe as well.

mod deletion;
mod eviction;
mod evidence;
mod probe;

pub use evidence::evidence;

use crate::judge::judgement::{PostStart, Preemption, Reason, StopRequest};
use crate::judge::{Ruling, senders};
use crate::kubernetes::said::{EventSaid, PodSaid};
use crate::model::{Cause, Confidence, Probe, ProbeAction, Requester};

/// Times in the API are whole seconds, and its clocks are others' than this node's.
const CLOCKS_MS: i64 = 5_000;
/// The kubelet does what its Event says within this time, besides the grace.
const ACTS_WITHIN_MS: i64 = 60_000;

/// What the API says of a kill that the kubelet may have asked for; none when it says nothing, or somebody else is known to have asked.
/// `stop`: what the victim got before.
pub fn rule(said: &PodSaid, requester: Option<&Requester>, stop: Option<&StopRequest>) -> Option<Ruling> {
    if requester.is_some_and(|requester| !is_kubelet(requester)) {
        return None;
    }
    let likely = |cause, reason| Ruling { cause, confidence: Confidence::Likely, reason };
    eviction::find(said, stop)
        .map(|(found, confidence)| Ruling { confidence, ..likely(Cause::KubeletEviction, Reason::Eviction(found)) })
        .or_else(|| preemption(said, stop).map(|found| likely(Cause::KubeletPreemption, Reason::Preemption(found))))
        .or_else(|| {
            let (found, confidence) = probe::find(said, stop)?;
            Some(Ruling { confidence, ..likely(Cause::KubeletProbeFailure, Reason::Probe(found)) })
        })
        .or_else(|| deletion::find(said, stop).map(|found| likely(Cause::KubeletDeletion, Reason::Deletion(found))))
        .or_else(|| {
            let cause = if stop.is_some() { Cause::RuntimeStopTimeout } else { Cause::RuntimeKill };
            post_start(said, stop).map(|found| likely(cause, Reason::PostStart(found)))
        })
}

/// It is the kubelet that wanted it, for a reason of its own or of the control plane's.
#[must_use]
pub const fn is_its_own(cause: Cause, reason: &Reason) -> bool {
    let is_caused = matches!(
        cause,
        Cause::KubeletProbeFailure | Cause::KubeletEviction | Cause::KubeletPreemption | Cause::KubeletDeletion
    );
    is_caused || matches!(reason, Reason::PostStart(_))
}

/// The probe whose command a shim ended, where the container has one alone that runs a command.
pub fn commands_probe(said: &PodSaid) -> Option<Probe> {
    let mut all = said.probes.iter().filter(|probe| probe.by == ProbeAction::Exec);
    all.next().filter(|_| all.next().is_none()).cloned()
}

/// Whoever is only possible may be anybody, the kubelet as well.
fn is_kubelet(requester: &Requester) -> bool {
    requester.confidence < Confidence::Likely || is_program(requester)
}

/// By its program it is a kubelet, or it is known to have asked.
#[must_use]
pub fn is_sure_or_kubelet(requester: &Requester) -> bool {
    requester.confidence >= Confidence::Likely || is_program(requester)
}

fn is_program(requester: &Requester) -> bool {
    senders::program_class(&requester.process) == Some(senders::Class::Kubelet)
}

/// The Event is about this end: it came before, by no more than a stop may take.
fn is_recent(said: &PodSaid, before_ms: i64) -> bool {
    let grace = i64::try_from(said.grace_s.unwrap_or_default()).unwrap_or(i64::MAX).saturating_mul(1_000);
    (-CLOCKS_MS..=grace.saturating_add(ACTS_WITHIN_MS)).contains(&before_ms)
}

/// The kubelet stops a container whose postStart hook fails, and says so of that container (pkg/kubelet/kuberuntime/kuberuntime_container.go).
fn post_start(said: &PodSaid, stop: Option<&StopRequest>) -> Option<PostStart> {
    let is_it = |event: &&EventSaid| said.is_of_container(event) && is_recent(said, event.before_ms);
    said.events("FailedPostStartHook").find(is_it).map(|_| PostStart { stop: stop.cloned() })
}

/// The scheduler wanted its room for another pod; or the kubelet did, for one that the node cannot do without.
fn preemption(said: &PodSaid, stop: Option<&StopRequest>) -> Option<Preemption> {
    let by_scheduler = said.disruption.as_ref().is_some_and(|disruption| disruption.reason == "PreemptionByScheduler");
    let event = |reason| said.events(reason).find(|event| is_recent(said, event.before_ms));
    let is_kubelets = said.reason.as_deref() == Some("Preempting");
    let (by_kubelet, event) = match (event("Preempting"), event("Preempted")) {
        (Some(event), _) => (true, Some(event)),
        (None, Some(event)) => (false, Some(event)),
        (None, None) if by_scheduler || is_kubelets => (is_kubelets, None),
        (None, None) => return None,
    };
    let message = event.map(|event| event.message.clone());
    let message = message.or_else(|| said.message.clone());
    let message = message.or_else(|| said.disruption.as_ref().map(|disruption| disruption.message.clone()));
    Some(Preemption {
        for_pod: said.preemptor.clone(),
        by_kubelet,
        message: message.unwrap_or_default(),
        stop: stop.cloned(),
    })
}

#[cfg(test)]
mod tests;
