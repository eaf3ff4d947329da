//! What to do about a pod's container, in Kubernetes' terms: fields of its manifest, and commands for `kubectl`.

use crate::judge::judgement::{DeletedBy, Eviction, PodDeletion, Preemption, ProbeFailure, Reason};
use crate::model::{Advice, Container, Disposition, Incident, Pod, Probe, ProbeKind, Qos};
use crate::text::quote::quote;
use crate::words::advice::{advice, is_plain, stop};
use crate::words::kubelet::probe_name;

/// Since this minor version a container's resources are changed in place by default (`InPlacePodVerticalScaling`).
const RESIZES: u32 = 33;
/// Kinds that make pods from a template at `spec.template`, as kubectl names them.
const TEMPLATED: [(&str, &str); 5] = [
    ("Deployment", "deployment"),
    ("StatefulSet", "statefulset"),
    ("DaemonSet", "daemonset"),
    ("ReplicaSet", "replicaset"),
    ("ReplicationController", "replicationcontroller"),
];

/// For a kill that the Kubernetes API has explained; none where it has not.
pub fn by_kubelet(incident: &Incident, reason: &Reason) -> Option<Vec<Advice>> {
    let pod = incident.container.as_ref().and_then(|container| container.pod.as_ref());
    let mut all = match reason {
        Reason::Probe(failure) => vec![probe(incident, failure)],
        Reason::Eviction(eviction) => vec![evicted(incident, eviction)],
        Reason::Preemption(preemption) => vec![preempted(preemption)],
        Reason::Deletion(deletion) => deleted(deletion),
        Reason::PostStart(_) => vec![advice(
            "mend lifecycle.postStart of the container's spec: its Event FailedPostStartHook says how it failed",
            "a container whose postStart hook fails is stopped, and started again by its restart policy",
        )],
        _ => return None,
    };
    // A kill after a stop signal is two things to mend.
    if reason.stop().is_some() && !matches!(reason, Reason::Eviction(_)) {
        all.extend(grace(incident, reason));
    }
    all.extend(pod.and_then(events));
    Some(all)
}

/// What Kubernetes itself says of the pod.
fn events(pod: &Pod) -> Option<Advice> {
    let (namespace, name) = names(pod)?;
    Some(Advice {
        action: "see what Kubernetes says of the pod".to_owned(),
        why: "Events are kept for an hour".to_owned(),
        command: Some(format!("kubectl -n {namespace} get events --field-selector involvedObject.name={name}")),
    })
}

/// Namespace and name, where both are safe to paste.
pub fn names(pod: &Pod) -> Option<(&str, &str)> {
    Some((pod.namespace.as_deref().filter(|name| is_plain(name))?, pod.name.as_deref().filter(|name| is_plain(name))?))
}

/// What makes the pod, as kubectl names it: `deployment/web`.
fn template(pod: &Pod) -> Option<String> {
    let owner = pod.owner.as_ref().filter(|owner| is_plain(&owner.name))?;
    let (_, kind) = TEMPLATED.iter().find(|(kind, _)| *kind == owner.kind)?;
    Some(format!("{kind}/{}", owner.name))
}

/// Has the field of the pod's template changed by what makes the pod.
fn patch(pod: &Pod, spec: &str) -> Option<String> {
    let namespace = pod.namespace.as_deref().filter(|name| is_plain(name))?;
    Some(format!(
        "kubectl -n {namespace} patch {} -p '{{\"spec\":{{\"template\":{{\"spec\":{spec}}}}}}}'",
        template(pod)?
    ))
}

/// Gives a container another memory limit: what makes its pod, or the pod itself, where that can be changed.
pub fn set_memory(container: &Container, mib: u64, server_minor: Option<u32>) -> Option<String> {
    let pod = container.pod.as_ref()?;
    let name = container.name.as_deref().filter(|name| is_plain(name))?;
    let (namespace, pod_name) = names(pod)?;
    // Both are the same in a Guaranteed pod, and its class cannot change.
    let is_guaranteed = pod.qos == Some(Qos::Guaranteed);
    // The Jobs of a CronJob are made anew each time.
    let cron = || {
        let owner = pod.owner.as_ref().filter(|owner| owner.kind == "CronJob" && is_plain(&owner.name))?;
        Some(format!("cronjob/{}", owner.name))
    };
    if let Some(template) = template(pod).or_else(cron) {
        let requests = if is_guaranteed { format!(" --requests=memory={mib}Mi") } else { String::new() };
        return Some(format!(
            "kubectl -n {namespace} set resources {template} -c {name} --limits=memory={mib}Mi{requests}"
        ));
    }
    let is_alone = pod.owner.is_none() && server_minor.is_some_and(|minor| minor >= RESIZES);
    let requests = if is_guaranteed { format!(",\"requests\":{{\"memory\":\"{mib}Mi\"}}") } else { String::new() };
    is_alone.then(|| {
        format!(
            "kubectl -n {namespace} patch pod {pod_name} --subresource resize -p '{{\"spec\":{{\"containers\":[{{\"name\":\"{name}\",\
             \"resources\":{{\"limits\":{{\"memory\":\"{mib}Mi\"}}{requests}}}}}]}}}}'"
        )
    })
}

/// What a larger limit in what makes the pod does not do by itself.
pub fn limits_catch(container: &Container) -> String {
    let Some(pod) = &container.pod else { return String::new() };
    match pod.owner.as_ref().map(|owner| owner.kind.as_str()) {
        // It waits for each pod before it goes on to the next (OrderedReady, pkg/controller/statefulset).
        Some("StatefulSet") => {
            let named = pod.namespace.as_deref().zip(pod.name.as_deref());
            let plain = named.filter(|(namespace, name)| is_plain(namespace) && is_plain(name));
            let delete = plain.map(|(namespace, name)| format!(": kubectl -n {namespace} delete pod {name}"));
            format!(
                " (a pod that never gets Ready keeps the old one until it is deleted{})",
                delete.unwrap_or_default()
            )
        }
        Some("Job") => {
            " (a Job's pods have the template that it was made with: delete it, and make it anew)".to_owned()
        }
        _ => String::new(),
    }
}

/// The kubelet has the whole container killed with the one process that the kernel chose (memory.oom.group, 1.28 on).
pub fn whole_group(incident: &Incident) -> Option<Advice> {
    let container = incident.container.as_ref().filter(|container| container.pod.is_some())?;
    let oom = incident.oom.as_ref()?;
    let is_own = oom.group_cgroup.as_ref().is_some_and(|path| container.owns(path));
    (oom.group == Some(true) && is_own && !incident.collateral.is_empty()).then(|| {
        advice(
            "where one process of the container may die without the others: singleProcessOOMKill: true in the kubelet's configuration (1.32)",
            "the kubelet sets memory.oom.group, by which the kernel kills all of a container's processes",
        )
    })
}

/// What to change depends on how the probe failed.
fn probe(incident: &Incident, failure: &ProbeFailure) -> Advice {
    let ProbeFailure { kind, probe, said, .. } = failure;
    let field = format!("{}Probe", probe_name(*kind));
    let said_lower = said.as_deref().unwrap_or_default().to_ascii_lowercase();
    let pod = incident.container.as_ref().and_then(|container| container.pod.as_ref());
    let name =
        incident.container.as_ref().and_then(|container| container.name.as_deref()).filter(|name| is_plain(name));
    let change = |what: &str, value: u32| {
        let spec = format!("{{\"containers\":[{{\"name\":\"{}\",\"{field}\":{{\"{what}\":{value}}}}}]}}", name?);
        patch(pod?, &spec)
    };
    let now = |get: fn(&Probe) -> u32| probe.as_ref().map(get);
    let shown = |value: Option<u32>| value.map(|value| format!(" (now {value})")).unwrap_or_default();
    let is_slow = ["timed out", "timeout", "deadline exceeded"].iter().any(|word| said_lower.contains(word));
    if is_slow {
        let seconds = now(|probe| probe.timeout_s);
        return Advice {
            action: format!("raise {field}.timeoutSeconds{}, or make what it asks answer sooner", shown(seconds)),
            why: "the probe got no answer in its time".to_owned(),
            command: seconds.and_then(|seconds| change("timeoutSeconds", seconds.saturating_mul(5).max(5))),
        };
    }
    let threshold = now(|probe| probe.failure_threshold);
    if *kind == ProbeKind::Startup {
        return Advice {
            action: format!(
                "give it longer to start: raise {field}.failureThreshold{}, or find out why it does not start",
                shown(threshold)
            ),
            why: "a startup probe allows failureThreshold times periodSeconds".to_owned(),
            command: threshold.and_then(|threshold| change("failureThreshold", threshold.saturating_mul(3))),
        };
    }
    if said_lower.contains("connection refused") {
        return Advice {
            action: format!(
                "find out why nothing listens where {field} asks; where it only starts slowly, give it a startupProbe"
            ),
            why: "nothing answered at the probe's port".to_owned(),
            command: None,
        };
    }
    Advice {
        action: format!(
            "find out why it fails {field}; to bear more failures, raise {field}.failureThreshold{}",
            shown(threshold)
        ),
        why: "so many failures in a row, each after periodSeconds, are taken for a hang".to_owned(),
        command: threshold.and_then(|threshold| change("failureThreshold", threshold.saturating_mul(3))),
    }
}

fn evicted(incident: &Incident, eviction: &Eviction) -> Advice {
    let name = incident.container.as_ref().and_then(|container| container.name.as_deref());
    let container = name.map(|name| format!(" of container {}", quote(name))).unwrap_or_default();
    match eviction.resource.as_deref() {
        Some("memory") => advice(
            &format!(
                "raise resources.requests.memory{container} to what it uses, or its priorityClassName; or give the node's pods less"
            ),
            "the kubelet evicts pods that use more than they request first, the lowest priority first",
        ),
        Some("pids") => advice(
            "find out what forks on the node; the kubelet's podPidsLimit keeps one pod from taking them all",
            "the node was short of process ids",
        ),
        Some("inodes") => advice(
            "find out what makes so many files on the node: logs, emptyDir, the containers' own files",
            "the node was short of inodes, for which a pod can ask nothing",
        ),
        Some(_) => advice(
            &format!(
                "raise resources.requests.ephemeral-storage{container}, or write less: logs, emptyDir, the container's own files"
            ),
            "the kubelet evicts pods that use more than they request first",
        ),
        None => advice(
            &format!(
                "raise the limit that the pod ran into (emptyDir.sizeLimit, or resources.limits.ephemeral-storage{container}), or write less"
            ),
            "the pod used more than its own limit, whatever the node had left",
        ),
    }
}

fn preempted(preemption: &Preemption) -> Advice {
    let why = if preemption.by_kubelet {
        "the kubelet makes room for pods that the node cannot do without, whatever a PodDisruptionBudget says"
    } else {
        "the scheduler takes room from pods of lower priority; a PodDisruptionBudget is heeded where it can be"
    };
    advice("give the pod a higher priorityClassName, or the cluster more room", why)
}

fn deleted(deletion: &PodDeletion) -> Vec<Advice> {
    match deletion.by {
        DeletedBy::EvictionApi { .. } | DeletedBy::Drain => vec![advice(
            "a PodDisruptionBudget says how many may be gone at a time, where the eviction API is asked, as kubectl drain does",
            "it was asked to go for maintenance; that is no fault of its own",
        )],
        DeletedBy::Rollout => vec![advice(
            "maxUnavailable of the rollout says how many may be gone at a time",
            "it was asked to go for a new version; that is no fault of its own",
        )],
        DeletedBy::Deadline => {
            vec![advice("raise activeDeadlineSeconds, or find out what took so long", "its time was up")]
        }
        DeletedBy::Taint => vec![advice(
            "look at the node's taints and its readiness; or let the pod tolerate them",
            "kubectl describe node shows them",
        )],
        _ => Vec::new(),
    }
}

/// It was asked to stop, and had not.
fn grace(incident: &Incident, reason: &Reason) -> Option<Advice> {
    let stop_request = reason.stop()?;
    let mut found = stop::time_out(incident, &Reason::StopTimeout(stop_request.clone()));
    let pod = incident.container.as_ref().and_then(|container| container.pod.as_ref())?;
    let takes_it = matches!(stop_request.disposition, Some(Disposition::Handled | Disposition::Blocked));
    if let Some(grace_s) = pod.grace_s.filter(|_| takes_it) {
        let longer = grace_s.saturating_mul(2).max(30);
        found.command = patch(pod, &format!("{{\"terminationGracePeriodSeconds\":{longer}}}"));
    }
    Some(found)
}

#[cfg(test)]
mod tests;
