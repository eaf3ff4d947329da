//! A probe failed.

use crate::judge::judgement::{ProbeFailure, StopRequest};
use crate::judge::kubelet::{CLOCKS_MS, is_recent};
use crate::kubernetes::said::{EventSaid, PodSaid};
use crate::model::{Confidence, ProbeKind};

/// What the kubelet says when it has a container killed for a probe (pkg/kubelet/kuberuntime/kuberuntime_manager.go).
const FAILED: [(&str, &str, ProbeKind); 2] = [
    ("failed liveness probe", "Liveness probe", ProbeKind::Liveness),
    ("failed startup probe", "Startup probe", ProbeKind::Startup),
];

/// The kubelet has both from one clock, that a container started and that its probe failed, to the second (`startedAt`, `lastTimestamp`): what
/// came so much before the start was about the life before.
const ONE_CLOCK_MS: i64 = 1_000;

/// The kubelet puts one Event on a pod every five minutes when there were 25 (client-go/tools/record/events_cache.go): what it says of the
/// container's earlier lives counts for so long.
const EARLIER_MS: i64 = 600_000;

/// The probe that the kubelet has the victim's container killed for: as it says; or possibly, where it has the container of a pod that goes on
/// killed, says nothing else, and a probe failed shortly before, or has had it killed in an earlier life.
pub fn find(said: &PodSaid, stop: Option<&StopRequest>) -> Option<(ProbeFailure, Confidence)> {
    let mut killings = said.events("Killing").filter(|event| is_about(event, said) && is_recent(said, event.before_ms));
    match killings.next() {
        Some(event) => {
            // A pod that was deleted after that is stopped for both; before that, for its deletion alone.
            let deleted = said.deletion.as_ref().and_then(|deletion| deletion.asked_before_ms);
            let is_deleted = deleted.is_some_and(|deleted| deleted > event.before_ms.saturating_add(CLOCKS_MS));
            let (_, unhealthy, kind) = FAILED.iter().find(|(words, ..)| event.message.contains(words))?;
            (!is_deleted).then(|| (failure(said, *kind, unhealthy, stop), Confidence::Likely))
        }
        None if said.deletion.is_none() => {
            let (_, unhealthy, kind) = FAILED.iter().find(|(words, unhealthy, _)| {
                let is_failing = |event: &EventSaid| {
                    is_about(event, said) && is_recent(said, event.before_ms) && event.message.starts_with(unhealthy)
                };
                let had_failed = |event: &EventSaid| {
                    said.is_of_container(event)
                        && (0..=EARLIER_MS).contains(&event.before_ms)
                        && event.message.contains(words)
                };
                said.events("Unhealthy").any(is_failing) || said.events("Killing").next().is_some_and(had_failed)
            })?;
            Some((failure(said, *kind, unhealthy, stop), Confidence::Possible))
        }
        None => None,
    }
}

fn failure(said: &PodSaid, kind: ProbeKind, unhealthy: &str, stop: Option<&StopRequest>) -> ProbeFailure {
    let is_failure = |event: &&EventSaid| said.is_of_container(event) && event.message.starts_with(unhealthy);
    let failed = said.events("Unhealthy").find(is_failure);
    ProbeFailure {
        kind,
        failures: failed.map(|event| event.count),
        said: failed.map(|event| event.message.trim().to_owned()),
        probe: said.probes.iter().find(|probe| probe.kind == kind).cloned(),
        stop: stop.cloned(),
    }
}

/// The Event is about the victim's container, and came after that started.
fn is_about(event: &EventSaid, said: &PodSaid) -> bool {
    let is_since = said.started_before_ms.is_none_or(|started| event.before_ms <= started.saturating_add(ONE_CLOCK_MS));
    said.is_of_container(event) && is_since
}
