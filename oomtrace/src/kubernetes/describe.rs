//! A pod object in the contract's words, and in the judge's.

use jiff::Timestamp;

use crate::kubernetes::object::{Amounts, ContainerStatus, OwnerReference, PodObject, ProbeSpec, Terminated, bare_id};
use crate::kubernetes::quantity;
use crate::kubernetes::said::{Deletion, Disruption, PodSaid};
use crate::model::{LastState, Pod, PodOwner, PodResources, Probe, ProbeAction, ProbeKind, Qos};

/// Adds what the API says of the pod, and of its container of that name with that id.
pub fn describe(object: &PodObject, container: Option<&str>, id: &str, pod: &mut Pod) {
    pod.name.get_or_insert_with(|| object.metadata.name.clone());
    pod.namespace.get_or_insert_with(|| object.metadata.namespace.clone());
    // The API is surer than a cgroup's path.
    pod.qos = qos(object).or(pod.qos);
    pod.owner = owner(object);
    pod.grace_s = object.spec.termination_grace_period_seconds.and_then(|grace| u64::try_from(grace).ok());
    let Some(name) = container else { return };
    if let Some(spec) = object.container(name) {
        pod.image.clone_from(&spec.image);
        pod.requests = resources(&spec.resources.requests);
        pod.limits = resources(&spec.resources.limits);
        pod.probes = probes(object, name);
    }
    if let Some(status) = object.status_of(name) {
        pod.restart_count = Some(status.restart_count);
        pod.last_state = ended_before(status, id).map(|ended| LastState {
            reason: ended.reason.clone(),
            exit_code: ended.exit_code,
            finished_at: ended.finished_at.clone(),
            container_id: ended.id().map(str::to_owned),
        });
    }
}

/// What makes the pod, as far as the pod itself says: a ReplicaSet whose name ends with the hash of the pod's template was made by a
/// Deployment, which has the rest of the name (pkg/controller/deployment/sync.go).
fn owner(object: &PodObject) -> Option<PodOwner> {
    let controller = object.controller()?;
    let hash = object.metadata.labels.template_hash.as_ref().filter(|_| controller.kind == "ReplicaSet");
    let deployment = hash.and_then(|hash| controller.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
    Some(owned_by(controller, deployment.map(|name| ("Deployment".to_owned(), name.to_owned()))))
}

/// What makes a pod: its controller, or that which controls this, by kind and name.
#[must_use]
pub fn owned_by(controller: &OwnerReference, top: Option<(String, String)>) -> PodOwner {
    match top {
        Some((kind, name)) => {
            PodOwner { kind, name, through: Some(format!("{}/{}", controller.kind, controller.name)) }
        }
        None => PodOwner { kind: controller.kind.clone(), name: controller.name.clone(), through: None },
    }
}

/// What the judge needs of it; Events, owner and node come from elsewhere. `at`: when the kill was.
#[must_use]
pub fn said(object: &PodObject, container: Option<&str>, id: &str, at: Timestamp) -> PodSaid {
    let before = |time: Option<&str>| before_ms(time, at);
    let spec = container.and_then(|name| object.container(name));
    let status = container.and_then(|name| object.status_of(name));
    let grace = object.metadata.deletion_grace_period_seconds;
    let disruption = object.status.conditions.iter().find(|c| c.r#type == "DisruptionTarget" && c.status == "True");
    PodSaid {
        namespace: object.metadata.namespace.clone(),
        name: object.metadata.name.clone(),
        container: container.map(str::to_owned),
        reason: object.status.reason.clone(),
        message: object.status.message.clone(),
        disruption: disruption.map(|condition| Disruption {
            reason: condition.reason.clone().unwrap_or_default(),
            message: condition.message.clone().unwrap_or_default(),
        }),
        deletion: deletion_asked_ms(object, at).map(|asked_before_ms| Deletion {
            asked_before_ms: Some(asked_before_ms),
            grace_s: grace.and_then(|grace| u64::try_from(grace).ok()),
            is_gone: false,
        }),
        grace_s: object.spec.termination_grace_period_seconds.and_then(|grace| u64::try_from(grace).ok()),
        is_static: object.metadata.annotations.mirror.is_some(),
        pre_stop: spec.and_then(|spec| spec.lifecycle.as_ref()).is_some_and(|lifecycle| lifecycle.pre_stop.is_some()),
        probes: container.map(|name| probes(object, name)).unwrap_or_default(),
        memory_request_bytes: spec.and_then(|spec| quantity::bytes(spec.resources.requests.memory.as_ref()?)),
        started_before_ms: status.and_then(|status| before(started(status, id))),
        earlier_oom_before_ms: status
            .and_then(|status| ended_before(status, id))
            .filter(|ended| ended.reason.as_deref() == Some("OOMKilled"))
            .and_then(|ended| before(ended.finished_at.as_deref())),
        ..PodSaid::default()
    }
}

/// How long before the kill the pod's deletion was asked for, in milliseconds, to the second: its timestamp is when the grace is over.
#[must_use]
pub fn deletion_asked_ms(object: &PodObject, kill: Timestamp) -> Option<i64> {
    let ends = before_ms(object.metadata.deletion_timestamp.as_deref(), kill)?;
    let grace = object.metadata.deletion_grace_period_seconds.unwrap_or_default();
    Some(ends.saturating_add(grace.saturating_mul(1000)))
}

/// How the kubelet says that the container with that id ended; none while it does not say.
#[must_use]
pub fn end_of(object: &PodObject, container: &str, id: &str) -> Option<Terminated> {
    object.status_of(container)?.ends().find(|ended| ended.id() == Some(id)).cloned()
}

/// The end of a container that was there before the one with that id.
fn ended_before<'a>(status: &'a ContainerStatus, id: &str) -> Option<&'a Terminated> {
    status.ends().find(|ended| ended.id().is_some_and(|its| its != id))
}

/// When the container with that id started.
fn started<'a>(status: &'a ContainerStatus, id: &str) -> Option<&'a str> {
    let is_running = status.container_id.as_deref().map(bare_id) == Some(id);
    let running = status.state.running.as_ref().filter(|_| is_running);
    let ended = || status.ends().find(|ended| ended.id() == Some(id))?.started_at.as_deref();
    running.and_then(|running| running.started_at.as_deref()).or_else(ended)
}

/// Milliseconds from a time to the kill; below zero: it came after.
#[must_use]
pub fn before_ms(time: Option<&str>, kill: Timestamp) -> Option<i64> {
    let time: Timestamp = time?.parse().ok()?;
    i64::try_from(kill.duration_since(time).as_millis()).ok()
}

fn qos(object: &PodObject) -> Option<Qos> {
    match object.status.qos_class.as_deref()? {
        "Guaranteed" => Some(Qos::Guaranteed),
        "Burstable" => Some(Qos::Burstable),
        "BestEffort" => Some(Qos::BestEffort),
        _ => None,
    }
}

fn resources(all: &Amounts) -> Option<PodResources> {
    let found = PodResources {
        memory_bytes: all.memory.as_deref().and_then(quantity::bytes),
        cpu_millis: all.cpu.as_deref().and_then(quantity::millis),
        ephemeral_storage_bytes: all.ephemeral_storage.as_deref().and_then(quantity::bytes),
    };
    (found != PodResources::default()).then_some(found)
}

fn probes(object: &PodObject, container: &str) -> Vec<Probe> {
    let Some(spec) = object.container(container) else { return Vec::new() };
    let all = [
        (ProbeKind::Liveness, &spec.liveness_probe),
        (ProbeKind::Readiness, &spec.readiness_probe),
        (ProbeKind::Startup, &spec.startup_probe),
    ];
    all.into_iter().filter_map(|(kind, probe)| Some(as_probe(kind, probe.as_ref()?))).collect()
}

/// What is not said is as the API documents it (core/v1, Probe).
fn as_probe(kind: ProbeKind, probe: &ProbeSpec) -> Probe {
    let by = match probe {
        ProbeSpec { exec: Some(_), .. } => ProbeAction::Exec,
        ProbeSpec { http_get: Some(_), .. } => ProbeAction::Http,
        ProbeSpec { tcp_socket: Some(_), .. } => ProbeAction::Tcp,
        ProbeSpec { grpc: Some(_), .. } => ProbeAction::Grpc,
        _ => ProbeAction::Other,
    };
    Probe {
        kind,
        by,
        initial_delay_s: probe.initial_delay_seconds.unwrap_or(0),
        period_s: probe.period_seconds.unwrap_or(10),
        timeout_s: probe.timeout_seconds.unwrap_or(1),
        failure_threshold: probe.failure_threshold.unwrap_or(3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object() -> PodObject {
        let object = json!({
            "metadata": {
                "name": "web-5d4-x", "namespace": "shop", "uid": "u-1",
                "deletionTimestamp": "2026-11-26T10:00:30Z", "deletionGracePeriodSeconds": 30,
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4", "uid": "r-1", "controller": true }],
                "managedFields": [{ "manager": "kubelet" }],
            },
            "spec": {
                "terminationGracePeriodSeconds": 30,
                "containers": [{
                    "name": "app", "image": "app:1",
                    "resources": { "requests": { "memory": "64Mi", "cpu": "100m" }, "limits": { "memory": "128Mi" } },
                    "livenessProbe": { "httpGet": { "port": 80 }, "failureThreshold": 5 },
                    "lifecycle": { "preStop": { "exec": { "command": ["sleep", "5"] } } },
                }],
            },
            "status": {
                "qosClass": "Burstable",
                "conditions": [{ "type": "Ready", "status": "True" }, { "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "m" }],
                "containerStatuses": [{
                    "name": "app", "containerID": "containerd://c2", "restartCount": 3,
                    "state": { "running": { "startedAt": "2026-11-26T09:00:00Z" } },
                    "lastState": { "terminated": { "reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-26T08:59:00Z", "containerID": "containerd://c1" } },
                }],
            },
        });
        let object: PodObject = serde_json::from_value(object).unwrap();
        object.trimmed()
    }

    #[test]
    fn a_pod_is_described_as_the_api_has_it() {
        let mut pod = Pod::default();
        describe(&object(), Some("app"), "c2", &mut pod);
        assert_eq!(
            (pod.name.as_deref(), pod.namespace.as_deref(), pod.qos),
            (Some("web-5d4-x"), Some("shop"), Some(Qos::Burstable))
        );
        assert_eq!(pod.owner.unwrap().name, "web-5d4");
        assert_eq!(
            pod.requests.unwrap(),
            PodResources { memory_bytes: Some(64 << 20), cpu_millis: Some(100), ephemeral_storage_bytes: None }
        );
        assert_eq!((pod.restart_count, pod.grace_s, pod.image.as_deref()), (Some(3), Some(30), Some("app:1")));
        assert_eq!(pod.last_state.unwrap().container_id.as_deref(), Some("c1"));
        let [probe] = &pod.probes[..] else { panic!("{:?}", pod.probes) };
        assert_eq!((probe.by, probe.failure_threshold, probe.period_s, probe.timeout_s), (ProbeAction::Http, 5, 10, 1));
    }

    #[test]
    fn a_replica_set_with_the_templates_hash_was_made_by_a_deployment() {
        let named = |hash: Option<&str>, kind: &str| {
            let mut object = object();
            object.metadata.labels.template_hash = hash.map(str::to_owned);
            object.metadata.owner_references[0].kind = kind.to_owned();
            owner(&object).map(|owner| format!("{}/{} {:?}", owner.kind, owner.name, owner.through))
        };
        for (hash, kind, expected) in [
            (Some("5d4"), "ReplicaSet", "Deployment/web Some(\"ReplicaSet/web-5d4\")"),
            (Some("other"), "ReplicaSet", "ReplicaSet/web-5d4 None"),
            (None, "ReplicaSet", "ReplicaSet/web-5d4 None"),
            (Some("5d4"), "StatefulSet", "StatefulSet/web-5d4 None"),
        ] {
            assert_eq!(named(hash, kind).as_deref(), Some(expected), "{hash:?} {kind}");
        }
    }

    #[test]
    fn times_are_relative_to_the_kill() {
        let at = "2026-11-26T10:00:02Z".parse().unwrap();
        let said = said(&object(), Some("app"), "c2", at);
        let deletion = said.deletion.unwrap();
        assert_eq!((deletion.asked_before_ms, deletion.grace_s), (Some(2000), Some(30)));
        assert_eq!((said.started_before_ms, said.earlier_oom_before_ms), (Some(3_602_000), Some(3_662_000)));
        assert!(said.pre_stop && said.disruption.is_some());
        // The end is of another container's then.
        let of_first = super::said(&object(), Some("app"), "c1", at);
        assert_eq!((of_first.earlier_oom_before_ms, of_first.started_before_ms), (None, None));
    }

    #[test]
    fn an_end_is_that_containers_alone() {
        let object = object();
        assert_eq!(end_of(&object, "app", "c1").unwrap().reason.as_deref(), Some("OOMKilled"));
        assert_eq!(end_of(&object, "app", "c2"), None);
        assert_eq!(end_of(&object, "other", "c1"), None);
    }
}
