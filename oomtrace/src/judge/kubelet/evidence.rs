//! What the Kubernetes API says, in its own words.

use crate::judge::kubelet::is_recent;
use crate::kubernetes::said::{EventSaid, OwnerSaid, PodSaid};
use crate::model::{Cause, Evidence, Source};
use crate::text::duration_ms;
use crate::text::quote::quote;

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
pub fn evidence(said: &PodSaid, cause: Cause) -> Vec<Evidence> {
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
        facts.extend(status(said));
        facts.extend(said.disruption.as_ref().map(|disruption| {
            format!(
                "the pod's condition DisruptionTarget: {}: {}",
                quote(&disruption.reason),
                quote(&disruption.message)
            )
        }));
        facts.extend(said.events.iter().filter(|event| is_telling(event, said)).take(MOST).map(event));
        facts.extend(deletion(said));
        facts.extend(said.owner.iter().flat_map(owner));
    }
    let is_oom = matches!(cause, Cause::OomContainerLimit | Cause::OomPodLimit | Cause::OomSliceLimit | Cause::OomHost);
    if let Some(before_ms) = said.earlier_oom_before_ms.filter(|_| !is_oom) {
        facts.push(format!(
            "the pod's last state OOMKilled is of the container before this one, which ended {}: not of this kill",
            when(before_ms)
        ));
    }
    facts.into_iter().map(|fact| Evidence { fact, source: Source::Kubernetes }).collect()
}

fn status(said: &PodSaid) -> Option<String> {
    let reason = said.reason.as_ref()?;
    let message = said.message.as_deref().map(|message| format!(": {}", quote(message.trim()))).unwrap_or_default();
    Some(format!("the pod's status: {}{message}", quote(reason)))
}

fn is_telling(event: &EventSaid, said: &PodSaid) -> bool {
    said.is_of_container(event) && TELLING.contains(&event.reason.as_str()) && is_recent(said, event.before_ms)
}

fn event(event: &EventSaid) -> String {
    let times = if event.count > 1 { format!(" (×{})", event.count) } else { String::new() };
    let related = event.related.as_deref().map(|pod| format!(", for {}", quote(pod))).unwrap_or_default();
    let annotations: Vec<String> =
        event.annotations.iter().map(|(key, value)| format!(", {key} {}", quote(value))).collect();
    format!(
        "Event {}{times}, {}: {}{related}{}",
        quote(&event.reason),
        when(event.before_ms),
        quote(event.message.trim()),
        annotations.concat()
    )
}

fn deletion(said: &PodSaid) -> Option<String> {
    let deletion = said.deletion.as_ref()?;
    let grace = match deletion.grace_s {
        Some(0) => " by force (no grace)".to_owned(),
        Some(grace) => format!(" with a grace of {grace} s"),
        None => String::new(),
    };
    Some(match deletion.asked_before_ms {
        Some(before_ms) => format!("the pod was deleted{grace}, {}", when(before_ms)),
        None => format!("the pod was deleted{grace}: the API has it no more"),
    })
}

fn owner(owner: &OwnerSaid) -> Vec<String> {
    let name = format!("{} {}", quote(&owner.kind), quote(&owner.name));
    let top = owner.top.as_ref().map(|(kind, name)| format!("{} {}", quote(kind), quote(name)));
    let mut facts = Vec::new();
    if owner.deleted_it {
        facts.push(format!("the controller of {name} says that it deleted this pod"));
    }
    if owner.is_outdated == Some(true) {
        let whose = top.clone().unwrap_or_else(|| name.clone());
        facts.push(format!("{whose} is at a later revision than this pod"));
    }
    if owner.is_deleted {
        facts.push(format!("{} is deleted as well", top.clone().unwrap_or_else(|| name.clone())));
    }
    if owner.deadline {
        facts.push(format!("{name} was active for longer than its deadline"));
    }
    if let Some((by, before_ms)) = &owner.changed_by {
        facts.push(format!("{} was last changed by {}, {}", top.unwrap_or(name), quote(by), when(*before_ms)));
    }
    facts
}

/// `4.0 s before`, `1.0 s after`: the API's times are whole seconds.
fn when(before_ms: i64) -> String {
    match before_ms {
        -999..=999 => "at the kill, to the second".to_owned(),
        1_000.. => format!("{} before", duration_ms(before_ms.unsigned_abs())),
        _ => format!("{} after", duration_ms(before_ms.unsigned_abs())),
    }
}
