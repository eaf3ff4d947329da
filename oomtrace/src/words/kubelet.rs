//! Why the kubelet had a container killed, in words.

use crate::judge::judgement::{DeletedBy, Eviction, PodDeletion, Preemption, ProbeFailure, Reason, StopRequest};
use crate::model::{Incident, ProbeAction, ProbeKind};
use crate::text::quote::quote;
use crate::text::{bytes, duration_ms};
use crate::words::phrases::reply;

/// Where nothing is known of the reason.
pub const UNKNOWN: &str = "the kubelet ended it";

/// That, as a clause: `its liveness probe failed (httpGet, 3 of 3 in a row)`. None: the API has said nothing of it.
pub fn clause(reason: &Reason) -> Option<String> {
    Some(match reason {
        Reason::Probe(failure) => probe(failure),
        Reason::Eviction(eviction) => evicted(eviction),
        Reason::Preemption(preemption) => preempted(preemption),
        Reason::Deletion(deletion) => deleted(deletion),
        Reason::PostStart(_) => "its postStart hook failed, and the kubelet stopped it".to_owned(),
        _ => return None,
    })
}

/// The same, and why that took a SIGKILL: what the victim made of the stop signal.
pub fn why(incident: &Incident, reason: &Reason) -> Option<String> {
    let clause = clause(reason)?;
    let hook = match reason {
        Reason::Deletion(PodDeletion { pre_stop: true, .. }) => "; the time of its preStop hook counts as grace",
        _ => "",
    };
    Some(match reason.stop() {
        Some(stop) => format!("{clause}; {}{hook}", not_stopped(stop, incident)),
        None => clause,
    })
}

/// `its stop timed out after 2.0 s: it was sent SIGTERM, and was still running`.
fn not_stopped(stop: &StopRequest, incident: &Incident) -> String {
    let reply = reply(stop, incident.victim.is_pid_1());
    format!("its stop timed out after {}: {reply}", duration_ms(stop.before_ms))
}

/// What a probe is called in a pod's spec, without `Probe`.
pub const fn probe_name(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Liveness => "liveness",
        ProbeKind::Readiness => "readiness",
        ProbeKind::Startup => "startup",
    }
}

/// What a probe does, as a pod's spec has it.
pub const fn probe_field(by: ProbeAction) -> &'static str {
    match by {
        ProbeAction::Exec => "exec",
        ProbeAction::Http => "httpGet",
        ProbeAction::Tcp => "tcpSocket",
        ProbeAction::Grpc => "grpc",
        ProbeAction::Other => "of an unknown kind",
    }
}

/// The kubelet has a container killed when as many probes have failed in a row as the threshold says; its Event counts them all.
fn probe(failure: &ProbeFailure) -> String {
    let ProbeFailure { kind, probe, failures, .. } = failure;
    let by = probe.as_ref().map(|probe| probe_field(probe.by).to_owned());
    let threshold = probe.as_ref().map(|probe| probe.failure_threshold);
    let in_a_row = threshold.map(|threshold| format!("{threshold} of {threshold} in a row"));
    let in_all = failures.filter(|count| threshold.is_none_or(|threshold| *count > threshold));
    let details: Vec<String> =
        [by, in_a_row, in_all.map(|count| format!("{count} in all"))].into_iter().flatten().collect();
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    format!("its {} probe failed{details}", probe_name(*kind))
}

fn evicted(eviction: &Eviction) -> String {
    let Eviction { resource, message, usage, request_bytes, .. } = eviction;
    let Some(resource) = resource else {
        let said = if message.is_empty() {
            String::new()
        } else {
            format!(": {}", quote(message.trim_end_matches(['.', ' '])))
        };
        return format!("its pod was evicted{said}");
    };
    let used: Vec<String> =
        usage.iter().map(|(name, amount)| format!("container {} used {}", quote(name), quote(amount))).collect();
    let requested = match request_bytes {
        // Each has a request of its own.
        _ if resource != "memory" || usage.len() != 1 => String::new(),
        Some(bytes_) => format!(", of a request of {}", bytes(*bytes_)),
        None => ", without a request".to_owned(),
    };
    let used = if used.is_empty() { String::new() } else { format!("; {}{requested}", used.join(", ")) };
    format!("its pod was evicted: the node was low on {}{used}", quote(resource))
}

fn preempted(preemption: &Preemption) -> String {
    let Preemption { for_pod, by_kubelet, .. } = preemption;
    let by = if *by_kubelet { "the kubelet" } else { "the scheduler" };
    match for_pod {
        Some(pod) => format!("its pod was preempted by {by}, for pod {}", quote(pod)),
        None => format!("its pod was preempted by {by}, for one of higher priority"),
    }
}

fn deleted(deletion: &PodDeletion) -> String {
    let force = match (deletion.by, deletion.grace_s, deletion.own_grace_s) {
        // Its image in the API is deleted so each time.
        (DeletedBy::Manifest, ..) => "",
        (_, Some(0), Some(0)) => ", with no grace (its terminationGracePeriodSeconds is 0)",
        (_, Some(0), _) => ", by force",
        _ => "",
    };
    let what = match deletion.by {
        DeletedBy::Request => "its pod was deleted through the API (kubectl delete pod, or another client)",
        DeletedBy::Unknown => "its pod was deleted; whether by its controller or by somebody is not known",
        DeletedBy::EvictionApi { cordoned: true } => "its pod was evicted through the API, as kubectl drain does",
        DeletedBy::EvictionApi { cordoned: false } => "its pod was evicted through the API",
        DeletedBy::Drain => "its pod was deleted, on a node that is cordoned, as kubectl drain does",
        DeletedBy::Rollout => "its pod was replaced by one of a later revision (rollout)",
        DeletedBy::ScaleDown => "its pod's controller wanted fewer pods (scale-down)",
        DeletedBy::Controller => "its pod's controller deleted it (a rollout, or a scale-down)",
        DeletedBy::OwnersDeletion => "what made its pod was deleted",
        DeletedBy::Manifest => "its manifest on the node was removed or changed (a static pod)",
        DeletedBy::Deadline => "its pod was active for longer than its deadline (activeDeadlineSeconds)",
        DeletedBy::Taint => "its node got a taint that its pod does not tolerate",
        DeletedBy::NodeShutdown => "its node shuts down",
        DeletedBy::GarbageCollection => "its pod was removed by the control plane's garbage collection",
    };
    format!("{what}{force}")
}
