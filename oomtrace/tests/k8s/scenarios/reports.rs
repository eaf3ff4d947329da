//! What is put on pods as Events, and where the kubelet says something else.

use std::process::Command;

use oomtrace::model::{Cause, Record, Source};
use serde_json::json;

use crate::Scenario;
use crate::claims::{self, claim};
use crate::kernel_log::KernelLog;
use crate::node::node;
use crate::pod::{Pod, container, limited, once, wait_slowly, with};
use crate::scenarios::trace;
use crate::support::process::run;

pub const ALL: &[Scenario] = &[
    Scenario::new("reports::a_child_that_the_kubelet_never_sees", child).of_pods(),
    Scenario::new("reports::like_kills_are_one_event", series).of_pods(),
    Scenario::new("reports::a_counter_that_never_falls", counter),
    Scenario::alone("reports::many_pods_at_once", many).of_pods(),
];

/// Takes memory in a child, and goes on.
const CHILD: &str = "sleep 2; (tail /dev/zero); exec tail -f /dev/null";

fn child() {
    let pod = Pod::create("event-child", once(&[limited("app", CHILD, "32Mi")]));
    pod.wait_for_event("ProcessOOMKilled", "memory limit of 32 MiB");
    let status = pod.status("app").unwrap();
    claim("restarts", "0", status["restartCount"].to_string());
    let mut describe: Command = node().kubectl();
    let text = run(describe.args(["describe", "pod", &pod.name]));
    claim("kubectl describe pod shows it", "true", text.contains("ProcessOOMKilled").to_string());
}

/// A loop of kills: each counts, and there are few Events.
fn series() {
    let script = "sleep 2; while :; do (tail /dev/zero); sleep 2; done";
    let pod = Pod::create("event-series", once(&[limited("app", script, "32Mi")]));
    let fields = format!("involvedObject.name={},reason=ProcessOOMKilled", pod.name);
    let mut all = Vec::new();
    wait_slowly("the kills are counted", || {
        all = node().events_with(&fields);
        all.iter().any(|event| event["series"]["count"].as_u64() >= Some(3))
    });
    // One of each pod that watches.
    claim("Events", "2 at most", if all.len() <= 2 { "2 at most".to_owned() } else { all.len().to_string() });
    let is_on_container = |event: &serde_json::Value| event["involvedObject"]["fieldPath"] == "spec.containers{app}";
    claim("they are on the container", "true", all.iter().all(is_on_container).to_string());
}

/// A child was killed for memory; the init is then killed by hand, and the runtime says OOMKilled of it.
fn counter() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let pod = Pod::create("counter", once(&[limited("app", CHILD, "32Mi")]));
    let logged = log.oom_kill(&pod.cgroup());
    tracer.incident(logged.pid);
    let init = pod.init("app");
    run(Command::new("sh").args(["-c", &format!("sleep 2; kill -9 {init}")]));
    let incident = tracer.incident(init);
    claims::cause(&incident, Cause::ProcessKill);
    let mut reason = String::new();
    wait_slowly("the kubelet says how it ended", || {
        let status = pod.status("app").unwrap_or_default();
        reason = status["state"]["terminated"]["reason"].as_str().unwrap_or_default().to_owned();
        !reason.is_empty()
    });
    if reason != "OOMKilled" {
        // Then there is nothing to say against it.
        claim("the kubelet's reason", "Error", reason);
        return;
    }
    let said = tracer.wait("a contradiction", |record| match record {
        Record::Contradiction(said) if said.incident == incident.id => Some(said.clone()),
        _ => None,
    });
    claim("who is contradicted", claims::name(Source::Kubernetes), claims::name(said.source));
    claim("why", "true", said.fact.contains("earlier kill").to_string());
}

/// Many pods are killed in one moment: each has its Event in the end, and the API server is not flooded.
fn many() {
    const PODS: usize = 30;
    let names: Vec<Pod> =
        (0..PODS).map(|_| Pod::create("many", with(once(&[container("app", "exec sleep 1000")]), json!({})))).collect();
    let inits: Vec<String> = names.iter().map(|pod| pod.init("app").to_string()).collect();
    run(Command::new("kill").arg("-9").args(&inits));
    let mut without = Vec::new();
    wait_slowly("each has its Event", || {
        let all = node().events_with("reason=ContainerKilled");
        let has = |pod: &&Pod| all.iter().any(|event| event["involvedObject"]["name"] == pod.name.as_str());
        without = names.iter().filter(|pod| !has(pod)).map(|pod| pod.name.clone()).collect();
        without.is_empty()
    });
    claim("pods without an Event", "", without.join(" "));
    let watchers = node().pods_with(None, "app.kubernetes.io/name=oomtrace");
    assert!(!watchers.is_empty(), "nobody watches");
    let restarts = |pod: &serde_json::Value| pod["status"]["containerStatuses"][0]["restartCount"].as_u64();
    let all: Option<u64> = watchers.iter().map(restarts).sum();
    claim("restarts of those that watch", "0", all.unwrap_or_default().to_string());
}
