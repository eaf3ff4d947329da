//! Pods that are ended by whoever made them, or for another one's sake: what the control plane wanted.

use std::process::Command;

use oomtrace::model::Cause;
use serde_json::{Value, json};

use crate::Scenario;
use crate::claims;
use crate::node::node;
use crate::pod::{Pod, container, create, once, wait_slowly, with};
use crate::scenarios::{deadline, is_stopped, settled, settled_as, trace};
use crate::support::process::run;

pub const ALL: &[Scenario] = &[
    Scenario::new("controllers::rollout", rollout),
    Scenario::new("controllers::rollout_of_all_at_once", recreate),
    Scenario::new("controllers::scale_down", scale_down),
    Scenario::new("controllers::the_owners_deletion", owners_deletion),
    Scenario::new("controllers::a_pod_of_a_deployment_is_deleted", of_a_deployment),
    Scenario::new("controllers::daemon_set_rollout", daemon_set),
    Scenario::new("controllers::stateful_set_rollout", stateful_set),
    Scenario::new("controllers::a_jobs_deadline", jobs_deadline),
    Scenario::alone("controllers::drain", drain),
    Scenario::alone("controllers::a_taint", taint),
    Scenario::alone("controllers::preemption_by_the_scheduler", preemption),
];

const CAUSE: Cause = Cause::KubeletDeletion;

/// An object that makes pods; it is deleted when it goes out of scope.
struct Made {
    kind: &'static str,
    name: String,
}

impl Made {
    /// Of a container that no signal stops.
    fn create(kind: &'static str, version: &str, name: &str, more: Value) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let spec = json!({
            "containers": [container("app", "exec sleep 1000")],
            "terminationGracePeriodSeconds": 2,
            "automountServiceAccountToken": false,
        });
        let template = json!({ "metadata": { "labels": { "app": name } }, "spec": with(spec, more["pod"].clone()) });
        let mut own = json!({ "template": template });
        if kind != "Job" {
            own = with(own, json!({ "selector": { "matchLabels": { "app": name } } }));
        }
        let own = with(own, more["own"].clone());
        create(&json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name }, "spec": own }));
        Self { kind, name }
    }

    fn deployment(name: &str) -> Self {
        Self::create("Deployment", "apps/v1", name, json!({ "pod": {}, "own": { "replicas": 1 } }))
    }

    fn path(&self) -> String {
        format!("{}/{}", self.kind.to_lowercase(), self.name)
    }

    fn kubectl(&self, before: &[&str], after: &[&str]) {
        run(node().kubectl().args(before).arg(self.path()).args(after));
    }

    /// What is claimed of its pod's end.
    fn ends(&self, end: impl FnOnce(&Pod), why: &str) {
        let mut tracer = trace();
        let pod = Pod::made_for(&self.name);
        let init = pod.init("app");
        end(&pod);
        let incident = settled_as(&mut tracer, init, &claims::says(why));
        is_stopped(&incident, &pod, "app", CAUSE);
        claims::why(&incident, why);
        claims::owner(&incident, &format!("{}/{}", self.kind, self.name));
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let mut kubectl = node().kubectl();
        _ = kubectl.arg("delete").arg(self.path()).args(["--wait=false", "--ignore-not-found"]).output();
    }
}

fn rollout() {
    let made = Made::deployment("rollout");
    made.ends(|_| made.kubectl(&["rollout", "restart"], &[]), "rollout");
}

/// The pods of the earlier revision are gone before there is a later one.
fn recreate() {
    let own = json!({ "replicas": 1, "strategy": { "type": "Recreate" } });
    let made = Made::create("Deployment", "apps/v1", "recreated", json!({ "pod": {}, "own": own }));
    made.ends(|_| made.kubectl(&["rollout", "restart"], &[]), "rollout");
}

fn scale_down() {
    let made = Made::deployment("scale");
    made.ends(|_| made.kubectl(&["scale"], &["--replicas=0"]), "scale-down");
}

fn owners_deletion() {
    let made = Made::deployment("owner");
    made.ends(|_| made.kubectl(&["delete", "--wait=false"], &[]), "what made its pod was deleted");
}

fn of_a_deployment() {
    let made = Made::deployment("single");
    made.ends(|pod| pod.delete(&[]), "deleted through the API");
}

fn daemon_set() {
    let made = Made::create("DaemonSet", "apps/v1", "daemons", json!({ "pod": {}, "own": {} }));
    made.ends(|_| made.kubectl(&["rollout", "restart"], &[]), "rollout");
}

fn stateful_set() {
    let own = json!({ "serviceName": "none", "replicas": 1 });
    let made = Made::create("StatefulSet", "apps/v1", "stateful", json!({ "pod": {}, "own": own }));
    made.ends(|_| made.kubectl(&["rollout", "restart"], &[]), "rollout");
}

fn jobs_deadline() {
    let more = json!({ "pod": { "restartPolicy": "Never" }, "own": { "activeDeadlineSeconds": deadline(), "backoffLimit": 0 } });
    let made = Made::create("Job", "batch/v1", "deadline", more);
    made.ends(|_| {}, "deadline");
}

fn drain() {
    let made = Made::deployment("drained");
    let drain = |_: &Pod| {
        let mut drain = node().kubectl();
        drain.args(["drain", "oomtrace", "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=60s"]);
        run(drain.args(["--pod-selector", &format!("app={}", made.name)]));
    };
    made.ends(drain, "kubectl drain");
    run(node().kubectl().args(["uncordon", "oomtrace"]));
}

fn taint() {
    let made = Made::deployment("tainted");
    let taint = |taint: &str| run(node().kubectl().args(["taint", "node", "oomtrace", taint]));
    made.ends(|_| _ = taint("oomtrace-test=x:NoExecute"), "taint");
    taint("oomtrace-test-");
}

/// The node has room for one of two.
fn preemption() {
    let mut tracer = trace();
    let class = format!("above-{}", std::process::id());
    create(
        &json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": class }, "value": 1000 }),
    );
    let sized =
        with(container("app", "exec sleep 1000"), json!({ "resources": { "requests": { "memory": "600Mi" } } }));
    let spec = |more: Value| {
        with(with(once(std::slice::from_ref(&sized)), json!({ "terminationGracePeriodSeconds": 2 })), more)
    };
    let low = Pod::create("low", spec(json!({})));
    let init = low.init("app");
    let high = Pod::create_unplaced("high", spec(json!({ "priorityClassName": class })));
    let incident = settled(&mut tracer, init, Cause::KubeletPreemption);
    is_stopped(&incident, &low, "app", Cause::KubeletPreemption);
    claims::why(&incident, &format!("for pod {}/{}", node().namespace, high.name));
    wait_slowly("the other one runs", || {
        high.status("app").is_some_and(|status| status["state"]["running"].is_object())
    });
    let mut delete: Command = node().kubectl();
    run(delete.args(["delete", "priorityclass", &class]));
}
