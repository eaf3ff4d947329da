//! The kubelet evicted the pod.

use crate::judge::judgement::{Eviction, StopRequest};
use crate::judge::kubelet::is_recent;
use crate::kubernetes::said::PodSaid;
use crate::model::Confidence;

/// What the kubelet says of a node that is short (pkg/kubelet/eviction/helpers.go, `nodeLowMessageFmt`).
const LOW: &str = "The node was low on resource: ";

/// Containers that are named.
const CONTAINERS: usize = 8;

/// That, as the pod's status or the kubelet's Event has it.
///
/// An Event may be anybody's who may make Events: alone it is possible, until the kubelet has written the status.
pub fn find(said: &PodSaid, stop: Option<&StopRequest>) -> Option<(Eviction, Confidence)> {
    let event = said.events("Evicted").find(|event| is_recent(said, event.before_ms));
    let is_evicted = said.reason.as_deref() == Some("Evicted");
    // The API says otherwise of what ended the pod.
    let is_others = said.disruption.as_ref().is_some_and(|disruption| disruption.reason != "TerminationByKubelet");
    if !is_evicted && (event.is_none() || is_others) {
        return None;
    }
    let message = said.message.as_deref().filter(|_| is_evicted).or(event.map(|event| event.message.as_str()));
    let message = message.unwrap_or_default().trim();
    let annotation = |name| event.and_then(|event| event.annotation(name));
    let named = message.strip_prefix(LOW).and_then(|rest| rest.split(['.', ' ']).next());
    // Of the node's own, which is what the pod itself exceeded has no annotation for.
    let resource = annotation("starved_resource").or(named).filter(|resource| !resource.is_empty());
    let usage = annotation("offending_containers").zip(annotation("offending_containers_usage"));
    let usage = usage.map(|(names, amounts)| {
        names
            .split(',')
            .zip(amounts.split(','))
            .take(CONTAINERS)
            .map(|(name, amount)| (name.to_owned(), amount.to_owned()))
            .collect()
    });
    let found = Eviction {
        resource: resource.map(str::to_owned),
        message: message.to_owned(),
        usage: usage.unwrap_or_default(),
        request_bytes: said.memory_request_bytes,
        stop: stop.cloned(),
    };
    Some((found, if is_evicted { Confidence::Likely } else { Confidence::Possible }))
}
