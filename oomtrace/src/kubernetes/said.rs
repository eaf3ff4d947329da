//! What the Kubernetes API says of a victim's pod, as the judge needs it: plain data, with times relative to the kill.

use serde::{Deserialize, Serialize};

use crate::model::Probe;

/// What the API says of the victim's pod, at the time of the verdict or some seconds later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodSaid {
    pub namespace: String,
    pub name: String,
    /// The victim's container, by its name in the pod.
    pub container: Option<String>,
    /// `status.reason`: `Evicted`, `DeadlineExceeded`, `Preempting`, `Terminated`, `NodeShutdown` …
    pub reason: Option<String>,
    /// `status.message`.
    pub message: Option<String>,
    /// The condition `DisruptionTarget`, where it is true.
    pub disruption: Option<Disruption>,
    pub deletion: Option<Deletion>,
    /// How long the kubelet waits by the pod's spec, in seconds.
    pub grace_s: Option<u64>,
    /// The victim's container has a preStop hook.
    pub pre_stop: bool,
    /// Probes of the victim's container.
    pub probes: Vec<Probe>,
    /// Of the victim's container.
    pub memory_request_bytes: Option<u64>,
    /// When the victim's container started, in milliseconds before the kill, to the second.
    pub started_before_ms: Option<i64>,
    /// Events on the pod, the latest first.
    pub events: Vec<EventSaid>,
    pub owner: Option<OwnerSaid>,
    /// Something made the pod, of which the API said nothing, or not in time.
    #[serde(default)]
    pub is_owner_unknown: bool,
    /// The node took no new pods when the pod's deletion was asked for. None: it is not known, or not since when.
    pub cordoned: Option<bool>,
    /// The node's own, by a manifest there: what the API has is an image of it.
    #[serde(default)]
    pub is_static: bool,
    /// The pod that this one had to go for: `namespace/name`.
    pub preemptor: Option<String>,
    /// The end of the container before, where the kubelet says OOMKilled of it, in milliseconds before the kill.
    pub earlier_oom_before_ms: Option<i64>,
    /// The API server's minor version: 35 of 1.35.
    pub server_minor: Option<u32>,
}

/// The condition `DisruptionTarget` (1.26 on).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disruption {
    /// `PreemptionByScheduler`, `DeletionByTaintManager`, `EvictionByEvictionAPI`, `DeletionByPodGC`, `TerminationByKubelet`.
    pub reason: String,
    pub message: String,
}

/// That the pod is being deleted, or is gone from the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When it was asked for, in milliseconds before the kill, to the second: `deletionTimestamp` is that and the grace.
    pub asked_before_ms: Option<i64>,
    /// The grace that it was given, in seconds.
    pub grace_s: Option<u64>,
    /// The API has it no more.
    pub is_gone: bool,
}

/// An Event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSaid {
    pub reason: String,
    pub message: String,
    /// How often it came.
    pub count: u32,
    /// When it came last, in milliseconds before the kill, to the second; below zero: after it.
    pub before_ms: i64,
    /// The container that it is about.
    pub container: Option<String>,
    /// What it is about besides: `namespace/name` of a pod.
    pub related: Option<String>,
    /// `starved_resource`, `offending_containers`, `offending_containers_usage` of an eviction.
    #[serde(default)]
    pub annotations: Vec<(String, String)>,
}

/// What is known of the pod's owner where the pod was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerSaid {
    /// Kind and name of the controller of the pod: `ReplicaSet`, `web-5d4`.
    pub kind: String,
    pub name: String,
    /// Kind and name of what controls that.
    pub top: Option<(String, String)>,
    /// It is being deleted, or is gone.
    pub is_deleted: bool,
    /// The pod is of an earlier revision than the one that is wanted now. Null: nothing says so.
    pub is_outdated: Option<bool>,
    /// Its controller says that it deleted this very pod.
    pub deleted_it: bool,
    /// Its controller says that its time was up (a Job's `DeadlineExceeded`).
    pub deadline: bool,
    /// Who changed what it wants last, and how long before the kill that was, in milliseconds: `kubectl-rollout`.
    pub changed_by: Option<(String, i64)>,
    /// What of it may have changed then.
    #[serde(default)]
    pub change: Option<Change>,
}

/// What whoever changed a controller has set of it, then or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    Replicas,
    Template,
    /// Either of them, or both.
    Any,
}

/// The reason of Events of the controller that ends pods for their node's taints.
pub const TAINT_EVICTION: &str = "TaintManagerEviction";

impl EventSaid {
    /// It is of when the pod's deletion was asked for, so long before the kill.
    #[must_use]
    pub fn is_near(&self, asked_ms: Option<i64>) -> bool {
        const NEAR_MS: i64 = 30_000;
        asked_ms.is_none_or(|asked_ms| self.before_ms.saturating_sub(asked_ms).abs() <= NEAR_MS)
    }

    /// It says that the pod is deleted for a taint, and not that it is not after all, for which the reason is the same (pkg/controller/
    /// tainteviction/taint_eviction.go).
    #[must_use]
    pub fn evicts_for_taint(&self, asked_ms: Option<i64>) -> bool {
        self.reason == TAINT_EVICTION && self.message.starts_with("Marking for deletion") && self.is_near(asked_ms)
    }

    /// What it was annotated with.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl PodSaid {
    /// With what was said at the kill already: a pod that has ended is removed by its kubelet without a grace, which was nobody's wish.
    #[must_use]
    pub fn after(mut self, before: Option<&Self>) -> Self {
        let first = before.and_then(|before| before.deletion.clone());
        let is_removal = |deletion: &Deletion| deletion.grace_s == Some(0);
        self.deletion = match (first, self.deletion) {
            (Some(first), _) => Some(first),
            (None, Some(later)) if is_removal(&later) => Some(Deletion { grace_s: None, ..later }),
            (None, later) => later,
        };
        self
    }

    /// Whatever others wrote freely.
    pub fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let events = self.events.iter_mut().flat_map(|event| {
            std::iter::once(&mut event.message).chain(event.annotations.iter_mut().map(|(_, value)| value))
        });
        let disruption = self.disruption.as_mut().map(|disruption| &mut disruption.message);
        self.message.iter_mut().chain(disruption).chain(events)
    }

    /// The Event is about the victim's container, in this life or an earlier one, as far as either is known.
    #[must_use]
    pub fn is_of_container(&self, event: &EventSaid) -> bool {
        event.container.is_none() || self.container.is_none() || event.container == self.container
    }

    /// Events with that reason, the latest first.
    pub fn events(&self, reason: &str) -> impl Iterator<Item = &EventSaid> {
        self.events.iter().filter(move |event| event.reason == reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_the_kubelet_removes_was_not_deleted_by_force() {
        let said = |grace_s: Option<Option<u64>>| PodSaid {
            deletion: grace_s.map(|grace_s| Deletion { asked_before_ms: Some(1), grace_s, is_gone: false }),
            ..PodSaid::default()
        };
        for (before, after, expected) in [
            (Some(Some(3)), Some(Some(0)), Some(Some(3))),
            (Some(Some(0)), Some(Some(0)), Some(Some(0))),
            (None, Some(Some(0)), Some(None)),
            (None, Some(Some(30)), Some(Some(30))),
            (None, None, None),
            (Some(Some(3)), None, Some(Some(3))),
        ] {
            let known = said(after).after(Some(&said(before))).deletion.map(|deletion| deletion.grace_s);
            assert_eq!(known, expected, "{before:?} {after:?}");
        }
        assert_eq!(said(Some(Some(30))).after(None), said(Some(Some(30))));
    }

    #[test]
    fn an_eviction_for_a_taint_is_of_this_time_and_was_not_called_off() {
        for (message, before_ms, expected) in [
            ("Marking for deletion Pod shop/web-0", 11_000, true),
            ("Cancelling deletion of Pod shop/web-0", 11_000, false),
            ("Marking for deletion Pod shop/web-0", 90_000, false),
        ] {
            let (reason, message) = (TAINT_EVICTION.to_owned(), message.to_owned());
            let event = EventSaid { reason, message, before_ms, ..EventSaid::default() };
            assert_eq!(event.evicts_for_taint(Some(12_000)), expected, "{event:?}");
        }
    }
}
