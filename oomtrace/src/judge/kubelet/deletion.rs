//! The pod was deleted, or its time was up.

use crate::judge::judgement::{DeletedBy, PodDeletion, StopRequest};
use crate::judge::kubelet::{CLOCKS_MS, is_recent};
use crate::kubernetes::said::{Change, Deletion, EventSaid, OwnerSaid, PodSaid};

/// A controller acts upon what is wanted of it within this time, its pods' stops included.
const CHANGED_WITHIN_MS: i64 = 300_000;

/// That, and who or what wanted it, as far as the API says.
pub fn find(said: &PodSaid, stop: Option<&StopRequest>) -> Option<PodDeletion> {
    let by = by_its_end(said).or_else(|| said.deletion.as_ref().filter(|d| is_before(d)).map(|_| wanted_by(said)))?;
    let deletion = said.deletion.as_ref();
    Some(PodDeletion {
        by,
        asked_before_ms: deletion.and_then(|deletion| deletion.asked_before_ms).and_then(|ms| u64::try_from(ms).ok()),
        grace_s: deletion.and_then(|deletion| deletion.grace_s),
        own_grace_s: said.grace_s,
        pre_stop: said.pre_stop,
        message: said.message.clone().or_else(|| said.disruption.as_ref().map(|d| d.message.clone())),
        stop: stop.cloned(),
    })
}

/// It had been asked for when the victim was killed.
fn is_before(deletion: &Deletion) -> bool {
    deletion.asked_before_ms.is_none_or(|before_ms| before_ms >= -CLOCKS_MS)
}

/// The kubelet ended the pod by itself, and says why.
fn by_its_end(said: &PodSaid) -> Option<DeletedBy> {
    let message = said.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let is_by_kubelet = said.disruption.as_ref().is_some_and(|disruption| disruption.reason == "TerminationByKubelet");
    match said.reason.as_deref() {
        Some("DeadlineExceeded") => Some(DeletedBy::Deadline),
        // Which of these it is depends on the kubelet's version (pkg/kubelet/nodeshutdown).
        Some("Terminated" | "NodeShutdown" | "Shutdown") => Some(DeletedBy::NodeShutdown),
        _ if is_by_kubelet && message.contains("shutdown") => Some(DeletedBy::NodeShutdown),
        _ => None,
    }
}

/// Who wanted the pod deleted.
fn wanted_by(said: &PodSaid) -> DeletedBy {
    // What the API deletes of it is an image, and ends nothing.
    if said.is_static {
        return DeletedBy::Manifest;
    }
    let asked_ms = said.deletion.as_ref().and_then(|deletion| deletion.asked_before_ms);
    let is_its = |event: &EventSaid| event.evicts_for_taint(asked_ms) && is_recent(said, event.before_ms);
    let is_tainted = || said.events.iter().any(is_its);
    match said.disruption.as_ref().map(|disruption| disruption.reason.as_str()) {
        Some("DeletionByTaintManager") => return DeletedBy::Taint,
        Some("EvictionByEvictionAPI") => return DeletedBy::EvictionApi { cordoned: said.cordoned == Some(true) },
        Some("DeletionByPodGC") => return DeletedBy::GarbageCollection,
        _ if is_tainted() => return DeletedBy::Taint,
        _ => {}
    }
    let Some(owner) = &said.owner else {
        return match (said.cordoned, said.is_owner_unknown) {
            (Some(true), _) => DeletedBy::Drain,
            (_, true) => DeletedBy::Unknown,
            (_, false) => DeletedBy::Request,
        };
    };
    match owner {
        OwnerSaid { deadline: true, .. } => DeletedBy::Deadline,
        OwnerSaid { is_deleted: true, .. } => DeletedBy::OwnersDeletion,
        OwnerSaid { deleted_it: true, is_outdated: Some(true), .. } => DeletedBy::Rollout,
        // With the strategy Recreate there is no later revision until all of the one before are gone.
        OwnerSaid { deleted_it: true, is_outdated: Some(false), .. } => match recent_change(owner) {
            Some(Change::Template) => DeletedBy::Rollout,
            Some(Change::Any) => DeletedBy::Controller,
            Some(Change::Replicas) | None => DeletedBy::ScaleDown,
        },
        OwnerSaid { deleted_it: true, .. } => DeletedBy::Controller,
        // Its controller did not do it, so that somebody deleted the pod itself.
        _ if said.cordoned == Some(true) => DeletedBy::Drain,
        OwnerSaid { is_outdated: Some(true), .. } => DeletedBy::Rollout,
        _ => DeletedBy::Request,
    }
}

/// What somebody changed of it last, where that was not long before.
fn recent_change(owner: &OwnerSaid) -> Option<Change> {
    let (_, before_ms) = owner.changed_by.as_ref()?;
    owner.change.filter(|_| (-CLOCKS_MS..=CHANGED_WITHIN_MS).contains(before_ms))
}
