//! Limits above containers': a pod's, that of a class of pods, and that of all of them.

use std::path::PathBuf;

use oomtrace::model::Cause;
use serde_json::{Value, json};

use crate::Scenario;
use crate::claims::{self, claim, short};
use crate::kernel_log::KernelLog;
use crate::node::{node, set_limit};
use crate::pod::{Pod, container, limited, once, with};
use crate::scenarios::oom::{HOG, is_logged};
use crate::scenarios::{is_in, trace};

pub const ALL: &[Scenario] = &[
    Scenario::new("pod_limit::files_in_memory", files),
    Scenario::new("pod_limit::another_containers_victim", another),
    Scenario::alone("pod_limit::of_a_class", of_a_class),
    Scenario::alone("pod_limit::of_all_pods", of_all_pods),
];

/// Writes a file of so many MiB on the volume, which is memory.
fn fill(mebibytes: u32) -> String {
    format!("dd if=/dev/zero of=/shared/file bs=1M count={mebibytes}")
}

/// A pod whose first container fills the volume and ends: what it wrote is the pod's from then on, and no container's.
fn spec(fill_with: u32, limit: &str, containers: &[Value]) -> Value {
    let mounts = json!({ "volumeMounts": [{ "name": "shared", "mountPath": "/shared" }] });
    let init = with(limited("fill", &fill(fill_with), limit), mounts);
    let volumes = json!([{ "name": "shared", "emptyDir": { "medium": "Memory" } }]);
    with(once(containers), json!({ "initContainers": [init], "volumes": volumes }))
}

fn files() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let pod = Pod::create("files", spec(40, "48Mi", &[limited("app", HOG, "48Mi")]));
    let logged = log.oom_kill(&pod.cgroup());
    let incident = tracer.incident(logged.pid);
    assert_eq!(logged.limit_owner.as_deref(), Some(pod.cgroup().as_str()), "by the kernel's log");
    is_logged(&incident, &logged, Cause::OomPodLimit);
    is_in(&incident, &pod, "app");
}

fn another() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    // The large one is there first; what the small one asks for is too much for the pod.
    let large = "(head -c $((24 << 20)) /dev/zero; exec sleep 1000) | tail";
    let small = "sleep 4; (head -c $((12 << 20)) /dev/zero; exec sleep 1000) | tail";
    let containers = [limited("large", large, "32Mi"), limited("small", small, "32Mi")];
    let pod = Pod::create("another", spec(32, "64Mi", &containers));
    let logged = log.oom_kill(&pod.cgroup());
    let incident = tracer.incident(logged.pid);
    assert_eq!(logged.limit_owner.as_deref(), Some(pod.cgroup().as_str()), "by the kernel's log");
    is_logged(&incident, &logged, Cause::OomPodLimit);
    is_in(&incident, &pod, "large");
    let small = format!("{}/{}", pod.cgroup(), node().driver.container(&pod.id("small")));
    claims::each(&incident, |incident| {
        let trigger = incident.trigger.as_ref().and_then(|trigger| trigger.cgroup.clone()).unwrap_or_default();
        claim("trigger's container", short(&small), short(&trigger));
    });
}

/// A limit that is set as it was when this goes out of scope.
struct Limit {
    directory: PathBuf,
    before: u64,
}

impl Limit {
    fn set(directory: PathBuf, bytes: u64) -> Self {
        let before = crate::node::limit(&directory).unwrap_or(u64::MAX);
        set_limit(&directory, &bytes.to_string());
        Self { directory, before }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // No limit is a number that is too large to be written back.
        let value = if self.before > 1 << 60 { "-1".to_owned() } else { self.before.to_string() };
        let value = if self.directory.join("memory.max").exists() && value == "-1" { "max".to_owned() } else { value };
        set_limit(&self.directory, &value);
    }
}

fn of_a_class() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let class = node().driver.class(&node().cgroup, "BestEffort");
    let _limit = Limit::set(node().memory(&class), 48 << 20);
    let pod = Pod::create("class", once(&[container("app", HOG)]));
    let logged = log.oom_kill(&pod.cgroup());
    let incident = tracer.incident(logged.pid);
    assert_eq!(logged.limit_owner, Some(class), "by the kernel's log");
    is_logged(&incident, &logged, Cause::OomSliceLimit);
    is_in(&incident, &pod, "app");
}

/// What kubelet leaves for pods is a limit of their own cgroup (enforceNodeAllocatable).
fn of_all_pods() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    // All at once: of what grows slowly, as on an emulated machine, kubelet's eviction gets hold first.
    let script = "sleep 2; exec dd if=/dev/zero of=/dev/null bs=1100M count=1";
    let pod = Pod::create("all", once(&[container("app", script)]));
    let logged = log.oom_kill(&pod.cgroup());
    let incident = tracer.incident(logged.pid);
    assert_eq!(logged.limit_owner, Some(node().kubepods()), "by the kernel's log");
    is_logged(&incident, &logged, Cause::OomSliceLimit);
    is_in(&incident, &pod, "app");
}
