//! What the Kubernetes API says of a kill, in its own words.

use crate::judge::judgement::ApiFact;
use crate::kubernetes::said::{Deletion, EventSaid, OwnerSaid};
use crate::model::{Evidence, Source};
use crate::text::duration_ms;
use crate::text::quote::quote;

/// The facts, each in a sentence.
pub fn evidence(facts: &[ApiFact]) -> impl Iterator<Item = Evidence> {
    facts.iter().flat_map(said).map(|fact| Evidence { fact, source: Source::Kubernetes })
}

fn said(fact: &ApiFact) -> Vec<String> {
    match fact {
        ApiFact::Status { reason, message } => {
            let message = message.as_deref().map(|message| format!(": {}", quote(message.trim()))).unwrap_or_default();
            vec![format!("the pod's status: {}{message}", quote(reason))]
        }
        ApiFact::Disruption(found) => {
            let (reason, message) = (quote(&found.reason), quote(&found.message));
            vec![format!("the pod's condition DisruptionTarget: {reason}: {message}")]
        }
        ApiFact::Event(found) => vec![event(found)],
        ApiFact::Deletion(found) => vec![deletion(found)],
        ApiFact::Owner(found) => owner(found),
        ApiFact::EarlierOomKill { before_ms } => vec![format!(
            "the pod's last state OOMKilled is of the container before this one, which ended {}: not of this kill",
            when(*before_ms)
        )],
    }
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

fn deletion(deletion: &Deletion) -> String {
    let grace = match deletion.grace_s {
        Some(0) => " with no grace".to_owned(),
        Some(grace) => format!(" with a grace of {grace} s"),
        None => String::new(),
    };
    match deletion.asked_before_ms {
        Some(before_ms) => format!("the pod was deleted{grace}, {}", when(before_ms)),
        None => format!("the pod was deleted{grace}: the API has it no more"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::said::Disruption;

    #[test]
    fn facts_are_in_the_apis_own_words() {
        let event = |count, before_ms| EventSaid {
            reason: "Unhealthy".to_owned(),
            message: "u".to_owned(),
            count,
            before_ms,
            ..EventSaid::default()
        };
        let owner = OwnerSaid {
            kind: "ReplicaSet".to_owned(),
            name: "web-5d4".to_owned(),
            top: Some(("Deployment".to_owned(), "web".to_owned())),
            is_deleted: true,
            is_outdated: Some(true),
            deleted_it: true,
            deadline: true,
            changed_by: Some(("kubectl-rollout".to_owned(), 31_000)),
            change: None,
        };
        let deletion = |asked_before_ms, grace_s| {
            ApiFact::Deletion(Deletion { asked_before_ms, grace_s, is_gone: asked_before_ms.is_none() })
        };
        let facts = [
            ApiFact::Status { reason: "Evicted".to_owned(), message: Some("low".to_owned()) },
            ApiFact::Disruption(Disruption { reason: "TerminationByKubelet".to_owned(), message: "d".to_owned() }),
            ApiFact::Event(event(3, 500)),
            ApiFact::Event(event(1, -2_000)),
            deletion(Some(2_000), Some(30)),
            deletion(None, Some(0)),
            ApiFact::Owner(owner),
            ApiFact::EarlierOomKill { before_ms: 60_000 },
        ];
        let said: Vec<String> = evidence(&facts).map(|evidence| evidence.fact).collect();
        assert_eq!(
            said,
            [
                "the pod's status: Evicted: low",
                "the pod's condition DisruptionTarget: TerminationByKubelet: d",
                "Event Unhealthy (×3), at the kill, to the second: u",
                "Event Unhealthy, 2.0 s after: u",
                "the pod was deleted with a grace of 30 s, 2.0 s before",
                "the pod was deleted with no grace: the API has it no more",
                "the controller of ReplicaSet web-5d4 says that it deleted this pod",
                "Deployment web is at a later revision than this pod",
                "Deployment web is deleted as well",
                "ReplicaSet web-5d4 was active for longer than its deadline",
                "Deployment web was last changed by kubectl-rollout, 31.0 s before",
                "the pod's last state OOMKilled is of the container before this one, which ended 1 min 0 s before: not of this kill",
            ]
        );
    }
}
