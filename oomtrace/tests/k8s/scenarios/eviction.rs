//! Pods that kubelet puts out for others' sake.

use oomtrace::model::Cause;
use serde_json::json;

use crate::Scenario;
use crate::pod::{Pod, container, once, wait_slowly, with};
use crate::scenarios::{is_stopped, settled, trace};

pub const ALL: &[Scenario] = &[
    Scenario::new("eviction::by_an_empty_dir", by_an_empty_dir),
    Scenario::alone("eviction::by_node_memory", by_node_memory),
    Scenario::alone("eviction::preemption", preemption),
];

/// In a container: there when what it waits for may happen.
const ASKED: &str = "/tmp/asked";

/// Does `command` once it is asked: before, kubelet might have put the pod out by the time that its first process is looked up.
fn when_asked(command: &str) -> String {
    format!("mkdir -p /tmp; until [ -e {ASKED} ]; do sleep 0.2; done; {command}; exec sleep 1000")
}

fn waits_for_eviction(pod: &Pod) {
    wait_slowly("the pod is evicted", || pod.object().unwrap_or_default()["status"]["reason"] == "Evicted");
}

fn by_an_empty_dir() {
    let mut tracer = trace();
    let mounts = json!({ "volumeMounts": [{ "name": "data", "mountPath": "/data" }] });
    let app = with(container("app", &when_asked("dd if=/dev/zero of=/data/file bs=1M count=8")), mounts);
    let volumes = json!({ "volumes": [{ "name": "data", "emptyDir": { "sizeLimit": "2Mi" } }] });
    let pod = Pod::create("empty-dir", with(once(&[app]), volumes));
    let init = pod.init("app");
    pod.exec("app", &["touch", ASKED]);
    waits_for_eviction(&pod);
    is_stopped(&settled(&mut tracer, init, Cause::KubeletEviction), &pod, "app", Cause::KubeletEviction);
}

/// The pod takes nearly all that pods have, and not more.
fn by_node_memory() {
    let mut tracer = trace();
    let mounts = json!({ "volumeMounts": [{ "name": "memory", "mountPath": "/memory" }] });
    let app = with(container("app", &when_asked("dd if=/dev/zero of=/memory/file bs=1M count=900")), mounts);
    let volumes = json!({ "volumes": [{ "name": "memory", "emptyDir": { "medium": "Memory" } }] });
    let pod = Pod::create("memory", with(once(&[app]), volumes));
    let init = pod.init("app");
    pod.exec("app", &["touch", ASKED]);
    waits_for_eviction(&pod);
    is_stopped(&settled(&mut tracer, init, Cause::KubeletEviction), &pod, "app", Cause::KubeletEviction);
    pod.delete(&["--grace-period=0", "--force"]);
    pod.wait_until_gone();
    // Until then it admits no pod without requests.
    wait_slowly("kubelet sees that memory is free again", || {
        let node = crate::api::get("/api/v1/nodes/oomtrace").unwrap_or_default();
        let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["type"] == "MemoryPressure" && condition["status"] == "False")
    });
}

/// A pod that the node needs takes the room of one that it does not.
fn preemption() {
    let mut tracer = trace();
    let requests = |memory: &str| json!({ "resources": { "requests": { "memory": memory } } });
    let low = Pod::create(
        "low",
        with(
            once(&[with(container("app", "exec sleep 1000"), requests("600Mi"))]),
            json!({ "terminationGracePeriodSeconds": 2 }),
        ),
    );
    let init = low.init("app");
    let spec = once(&[with(container("app", "exec sleep 1000"), requests("500Mi"))]);
    let high = Pod::create("high", with(spec, json!({ "priorityClassName": "system-node-critical" })));
    low.wait_for_event("Preempting", "");
    is_stopped(&settled(&mut tracer, init, Cause::KubeletPreemption), &low, "app", Cause::KubeletPreemption);
    high.id("app");
}
