//! Containers that run into their own limits.

use std::time::Duration;

use oomtrace::model::{Cause, Incident};
use serde_json::json;

use crate::Scenario;
use crate::cgroup::Driver;
use crate::claims::{self, claim, short};
use crate::kernel_log::{KernelLog, OomKill};
use crate::node::node;
use crate::pod::{Pod, container, limited, once, wait_slowly, with};
use crate::scenarios::{is_in, trace};
use crate::support::process::wait_until;

pub const ALL: &[Scenario] = &[
    Scenario::new("oom::guaranteed", guaranteed),
    Scenario::new("oom::burstable", burstable),
    Scenario::new("oom::one_of_two_containers", one_of_two),
    Scenario::new("oom::init_container", init_container),
    Scenario::new("oom::sidecar", sidecar),
    Scenario::new("oom::static_pod", static_pod),
    Scenario::new("oom::crash_loop", crash_loop),
    Scenario::new("oom::deleted_at_once", deleted_at_once),
    Scenario::new("oom::child_of_a_living_init", child),
    Scenario::new("oom::child_whose_status_the_init_passes_on", passed_on),
];

/// Takes memory until it is killed. The API must have seen it run before.
pub const HOG: &str = "sleep 2; exec tail /dev/zero";
pub const SLEEP: &str = "exec sleep 1000";

/// The incident is the OOM kill that the kernel logged. A pod with one container has that one's limit, and fills up first for its sandbox's
/// memory: the kernel says whose limit it was.
pub fn is_logged(incident: &Incident, logged: &OomKill, cause: Cause) {
    let owner_is_pod = logged.limit_owner.as_deref().is_some_and(|path| node().driver.is_pods(path));
    let is_pods = cause == Cause::OomContainerLimit && owner_is_pod;
    claims::cause(incident, if is_pods { Cause::OomPodLimit } else { cause });
    let limit = logged.limit_owner.as_deref().and_then(|path| crate::node::limit(&node().memory(path)));
    claims::each(incident, |incident| {
        let owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
        claim(
            "limit's owner",
            short(logged.limit_owner.as_deref().unwrap_or("the machine")),
            short(owner.map_or("unknown", |owner| owner.path.as_str())),
        );
        // Gone with its cgroup, it is not there to be compared.
        if let Some(limit) = limit {
            let got = owner.and_then(|owner| owner.limit_bytes).map_or("unknown".to_owned(), |bytes| bytes.to_string());
            claim("limit", limit.to_string(), got);
        }
    });
}

/// The OOM kill of a pod's container, which has a limit of its own.
fn kill_in(pod: &Pod, log: &mut KernelLog, tracer: &mut crate::support::tracer::Tracer, name: &str) -> Incident {
    let logged = log.oom_kill(&pod.cgroup());
    let incident = tracer.incident(logged.pid);
    is_logged(&incident, &logged, Cause::OomContainerLimit);
    is_in(&incident, pod, name);
    incident
}

fn single(name: &str, resources: serde_json::Value) {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let pod = Pod::create(name, once(&[with(container("app", HOG), json!({ "resources": resources }))]));
    let incident = kill_in(&pod, &mut log, &mut tracer, "app");
    let object = pod.object().unwrap();
    let expected = object["status"]["qosClass"].as_str().unwrap();
    claims::each(&incident, |incident| {
        let qos = incident.container.as_ref().and_then(|c| c.pod.as_ref()).and_then(|pod| pod.qos);
        claim("class", expected, qos.map_or("unknown".to_owned(), claims::name));
    });
    let mut reason = String::new();
    wait_slowly("kubelet says how it ended", || {
        let status = pod.status("app").unwrap_or_default();
        reason = status["state"]["terminated"]["reason"].as_str().unwrap_or_default().to_owned();
        !reason.is_empty()
    });
    // With cgroup v2 containerd hears of it by a change of memory.events, and may do so only after it has reported the end.
    if node().driver == Driver::Cgroupfs || reason != "Error" {
        claim("kubelet's reason", "OOMKilled", reason);
    }
}

fn guaranteed() {
    let amounts = json!({ "memory": "32Mi", "cpu": "50m" });
    single("guaranteed", json!({ "limits": amounts, "requests": amounts }));
}

fn burstable() {
    single("burstable", json!({ "limits": { "memory": "32Mi" } }));
}

fn one_of_two() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let pod = Pod::create("two", once(&[limited("hungry", HOG, "24Mi"), limited("quiet", SLEEP, "64Mi")]));
    kill_in(&pod, &mut log, &mut tracer, "hungry");
}

fn init_container() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let spec = once(&[limited("app", SLEEP, "64Mi")]);
    let pod = Pod::create("init", with(spec, json!({ "initContainers": [limited("migrate", HOG, "24Mi")] })));
    kill_in(&pod, &mut log, &mut tracer, "migrate");
}

fn sidecar() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let containers = [limited("app", SLEEP, "64Mi"), limited("proxy", HOG, "24Mi")];
    let pod = Pod::create("sidecar", json!({ "containers": containers }));
    kill_in(&pod, &mut log, &mut tracer, "proxy");
    let app = pod.status("app").unwrap();
    claim("the app's restarts", "0", app["restartCount"].to_string());
}

fn static_pod() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let pod = Pod::create_static("static", once(&[limited("app", "sleep 4; exec tail /dev/zero", "32Mi")]));
    kill_in(&pod, &mut log, &mut tracer, "app");
}

fn crash_loop() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let pod = Pod::create("loop", json!({ "containers": [limited("app", HOG, "32Mi")] }));
    for _ in 0..2 {
        let logged = log.oom_kill_within(&pod.cgroup(), Duration::from_secs(120)).unwrap();
        let incident = tracer.incident(logged.pid);
        is_logged(&incident, &logged, Cause::OomContainerLimit);
        is_in(&incident, &pod, "app");
    }
    wait_slowly("kubelet backs off", || {
        let status = pod.status("app").unwrap_or_default();
        status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    });
}

fn deleted_at_once() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let pod = Pod::create("deleted", once(&[limited("app", HOG, "32Mi")]));
    let logged = log.oom_kill(&pod.cgroup());
    pod.delete(&["--grace-period=0", "--force"]);
    pod.wait_until_gone();
    let incident = tracer.incident(logged.pid);
    is_logged(&incident, &logged, Cause::OomContainerLimit);
    is_in(&incident, &pod, "app");
}

fn child() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let pod = Pod::create("child", once(&[limited("app", "sleep 2; tail /dev/zero; exec sleep 1000", "32Mi")]));
    let init = pod.init("app");
    let incident = kill_in(&pod, &mut log, &mut tracer, "app");
    claims::each(&incident, |incident| {
        claim("is the container's first process", "false", incident.victim.container_init.to_string());
    });
    // The container goes on.
    wait_until("pid 1 goes on", || crate::support::process::comm(init) == "sleep");
    claim(
        "the container's first process",
        init.to_string(),
        incident.container.unwrap().init_pid.unwrap_or(0).to_string(),
    );
}

/// The container ends by itself, with the status that its child had.
fn passed_on() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let spec = once(&[limited("app", "sleep 2; tail /dev/zero; exit $?", "32Mi"), limited("quiet", SLEEP, "32Mi")]);
    let pod = Pod::create("passed-on", spec);
    let incident = kill_in(&pod, &mut log, &mut tracer, "app");
    claims::each(&incident, |incident| {
        claim("is the container's first process", "false", incident.victim.container_init.to_string());
    });
    let mut code = None;
    wait_slowly("kubelet says how it ended", || {
        let status = pod.status("app").unwrap_or_default();
        code = status["state"]["terminated"]["exitCode"].as_u64();
        code.is_some()
    });
    let got = incident.victim.container_exit.and_then(|exit| exit.code);
    claim(
        "the container's exit code",
        code.unwrap().to_string(),
        got.map_or("unknown".to_owned(), |code| code.to_string()),
    );
}
