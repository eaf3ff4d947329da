//! Pods that are deleted.

use std::time::Duration;

use oomtrace::model::{Cause, Record, Routine};
use serde_json::json;

use crate::Scenario;
use crate::claims::{self, claim};
use crate::node::node;
use crate::pod::{Pod, container, once, with};
use crate::scenarios::{incidents_of, is_by_kubelet, is_of, is_stopped, settled, settled_as, trace};
use crate::support::process::{Owned, wait_until};

pub const ALL: &[Scenario] = &[
    Scenario::new("deletion::with_grace", with_grace),
    Scenario::new("deletion::by_force", by_force),
    Scenario::new("deletion::of_a_static_pods_manifest", manifest),
    Scenario::new("deletion::clean", clean),
    Scenario::new("deletion::pre_stop_longer_than_grace", pre_stop),
    Scenario::new("deletion::what_is_left_in_a_cgroup", left_in_a_cgroup),
    Scenario::new("deletion::of_a_container_whose_hook_failed", post_start),
];

/// No signal stops it: pid 1 has no handler.
const STUBBORN: &str = "exec sleep 1000";

fn with_grace() {
    let mut tracer = trace();
    let pod =
        Pod::create("grace", with(once(&[container("app", STUBBORN)]), json!({ "terminationGracePeriodSeconds": 3 })));
    let init = pod.init("app");
    pod.delete(&[]);
    is_stopped(&settled(&mut tracer, init, Cause::KubeletDeletion), &pod, "app", Cause::KubeletDeletion);
}

fn by_force() {
    let mut tracer = trace();
    let pod = Pod::create("force", once(&[container("app", STUBBORN)]));
    let init = pod.init("app");
    pod.delete(&["--grace-period=0", "--force"]);
    is_stopped(&settled(&mut tracer, init, Cause::KubeletDeletion), &pod, "app", Cause::KubeletDeletion);
}

fn manifest() {
    let mut tracer = trace();
    let spec = with(once(&[container("app", STUBBORN)]), json!({ "terminationGracePeriodSeconds": 3 }));
    let pod = Pod::create_static("manifest", spec);
    let init = pod.init("app");
    pod.remove_manifest();
    let incident = settled_as(&mut tracer, init, &claims::says("its manifest on the node"));
    is_stopped(&incident, &pod, "app", Cause::KubeletDeletion);
    claims::why(&incident, "its manifest on the node");
}

/// It ends by itself when it is asked to, and leaves nobody behind: the end of its sandbox is all that there is.
fn clean() {
    let mut tracer = trace();
    let script = "trap 'kill $!; wait; exit 0' TERM; sleep 1000 & wait";
    let pod = Pod::create("clean", once(&[container("app", script)]));
    pod.init("app");
    pod.delete(&[]);
    let sandbox = tracer.wait("the end of the pod's sandbox", |record| match record {
        Record::Incident(incident) => {
            let of = incident.container.as_ref()?.pod.as_ref()?;
            (of.sandbox && of.uid.as_deref() == Some(pod.uid.as_str())).then(|| incident.clone())
        }
        _ => None,
    });
    claims::cause(&sandbox, Cause::RuntimeKill);
    claims::routine(&sandbox, Some(Routine::Sandbox));
    pod.wait_until_gone();
    std::thread::sleep(Duration::from_millis(500));
    let ended = tracer.end();
    let others: Vec<String> = incidents_of(&ended.records, &pod).map(|i| i.victim.process.comm.clone()).collect();
    claim("other victims", "", others.join(" "));
}

fn pre_stop() {
    let mut tracer = trace();
    let hook = json!({ "lifecycle": { "preStop": { "exec": { "command": ["sleep", "1000"] } } } });
    let app = with(container("app", "exec tail -f /dev/null"), hook);
    let pod = Pod::create("pre-stop", with(once(&[app]), json!({ "terminationGracePeriodSeconds": 3 })));
    let init = pod.init("app");
    pod.delete(&[]);
    is_stopped(&settled(&mut tracer, init, Cause::KubeletDeletion), &pod, "app", Cause::KubeletDeletion);
}

/// kubelet stops it right after its start, and the pod stays.
fn post_start() {
    let mut tracer = trace();
    let hook = json!({ "lifecycle": { "postStart": { "exec": { "command": ["sh", "-c", "sleep 1; exit 1"] } } } });
    let app = with(container("app", STUBBORN), hook);
    let pod = Pod::create("post-start", with(once(&[app]), json!({ "terminationGracePeriodSeconds": 3 })));
    let incident = tracer.wait("the container's end", |record| match record {
        Record::Incident(incident) if incident.victim.container_init && is_of(incident, &pod) => Some(incident.clone()),
        _ => None,
    });
    let incident = settled_as(&mut tracer, incident.victim.process.pid, &claims::says("its postStart hook failed"));
    is_stopped(&incident, &pod, "app", Cause::RuntimeStopTimeout);
    claims::why(&incident, "its postStart hook failed");
}

/// The cgroup of a pod that kubelet does not know: it ends what is in it, by its own hand, and removes it.
fn left_in_a_cgroup() {
    let mut tracer = trace();
    let uid = format!("5f0a9c1e-7d3b-4c55-9e0a-{:012x}", std::process::id());
    let path = node().driver.pod(&node().cgroup, "BestEffort", &uid);
    let directory = node().memory(&path);
    std::fs::create_dir(&directory).unwrap();
    let left = Owned::sleeper();
    std::fs::write(directory.join("cgroup.procs"), left.pid().to_string()).unwrap();
    let incident = tracer.incident(left.pid());
    claims::cause(&incident, Cause::KubeletDeletion);
    is_by_kubelet(&incident);
    wait_until("kubelet removes the cgroup", || !directory.exists());
}
