//! What of all that the Kubernetes API says is about the kill.

use crate::judge::judgement::ApiFact;
use crate::judge::kubelet::is_recent;
use crate::kubernetes::said::{EventSaid, PodSaid};
use crate::model::Cause;

/// Events that say why a container ends (pkg/kubelet/events/event.go; the scheduler's, the taint manager's).
const TELLING: [&str; 10] = [
    "Killing",
    "Unhealthy",
    "Evicted",
    "Preempting",
    "Preempted",
    "ExceededGracePeriod",
    "FailedPostStartHook",
    "FailedPreStopHook",
    "NodeShutdown",
    "TaintManagerEviction",
];
/// Of those, so many.
const MOST: usize = 4;

/// What it says of a kill with that cause.
pub fn evidence(said: &PodSaid, cause: Cause) -> Vec<ApiFact> {
    let mut facts = Vec::new();
    let by_kubelet = matches!(
        cause,
        Cause::RuntimeKill
            | Cause::RuntimeStopTimeout
            | Cause::KubeletProbeFailure
            | Cause::KubeletEviction
            | Cause::KubeletPreemption
            | Cause::KubeletDeletion
    );
    if by_kubelet {
        let status = said.reason.clone().map(|reason| ApiFact::Status { reason, message: said.message.clone() });
        facts.extend(status);
        facts.extend(said.disruption.clone().map(ApiFact::Disruption));
        facts
            .extend(said.events.iter().filter(|event| is_telling(event, said)).take(MOST).cloned().map(ApiFact::Event));
        facts.extend(said.deletion.clone().map(ApiFact::Deletion));
        facts.extend(said.owner.clone().map(ApiFact::Owner));
    }
    let is_oom = matches!(cause, Cause::OomContainerLimit | Cause::OomPodLimit | Cause::OomSliceLimit | Cause::OomHost);
    let earlier = said.earlier_oom_before_ms.filter(|_| !is_oom);
    facts.extend(earlier.map(|before_ms| ApiFact::EarlierOomKill { before_ms }));
    facts
}

fn is_telling(event: &EventSaid, said: &PodSaid) -> bool {
    said.is_of_container(event) && TELLING.contains(&event.reason.as_str()) && is_recent(said, event.before_ms)
}
