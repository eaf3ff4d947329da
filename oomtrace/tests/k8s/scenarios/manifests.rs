//! The manifests in `deploy`, and the pods that they give.

use serde_json::Value;

use crate::Scenario;
use crate::claims::claim;
use crate::daemonset::{self, MANIFESTS};
use crate::node::node;

pub const ALL: &[Scenario] = &[
    Scenario::new("manifests::the_api_server_takes_them_without_a_warning", taken),
    Scenario::new("manifests::their_pods_are_ready_and_were_never_restarted", ready).of_pods(),
    Scenario::new("manifests::their_account_may_read_pods_and_no_secrets", rights).of_pods(),
];

fn taken() {
    for manifest in MANIFESTS {
        let output = manifest.dry_run();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        claim(&format!("{}: it is taken", manifest.label), "true", output.status.success().to_string());
        claim(&format!("{}: warnings", manifest.label), "", said);
    }
}

fn ready() {
    for (watcher, name) in daemonset::watchers().iter().filter_map(|watcher| Some((watcher, watcher.pod.as_ref()?))) {
        let items = node().pods_with(None, "");
        let is_it = |item: &&Value| name.starts_with(item["metadata"]["name"].as_str().unwrap());
        let status = &items.iter().find(is_it).unwrap()["status"]["containerStatuses"][0];
        claim(&format!("{}: ready", watcher.label), "true", status["ready"].to_string());
        claim(&format!("{}: restarts", watcher.label), "0", status["restartCount"].to_string());
    }
}

/// As RBAC has it, and not as the manifest says.
fn rights() {
    let account = "system:serviceaccount:kube-system:oomtrace";
    for (verb, resource, expected) in [
        ("list", "pods", "yes"),
        ("watch", "pods", "yes"),
        ("get", "nodes", "yes"),
        ("list", "events", "yes"),
        ("create", "events.events.k8s.io", "yes"),
        ("get", "replicasets.apps", "yes"),
        ("get", "jobs.batch", "yes"),
        ("get", "secrets", "no"),
        ("list", "nodes", "no"),
        ("delete", "pods", "no"),
        ("create", "pods", "no"),
        ("create", "events", "no"),
        ("list", "replicasets.apps", "no"),
    ] {
        let mut kubectl = node().kubectl_in("default");
        let output =
            kubectl.args(["auth", "can-i", verb, resource, "--as", account, "--all-namespaces"]).output().unwrap();
        claim(&format!("{verb} {resource}"), expected, String::from_utf8_lossy(&output.stdout).trim());
    }
}
