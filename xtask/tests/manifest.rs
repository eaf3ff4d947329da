//! The plain manifests: every field of them is one that Kubernetes knows, and they give oomtrace what it needs, and no more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

use std::path::Path;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{SecurityContext, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use serde::{Deserialize as _, Serialize, de::DeserializeOwned};
use serde_yaml_ng::Value;
use xtask::chart::MANIFESTS;

fn texts() -> [String; 2] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    MANIFESTS.map(|manifest| std::fs::read_to_string(root.join(manifest.path)).unwrap())
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml_ng::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

fn read<T: DeserializeOwned>(text: &str, kind: &str) -> T {
    let found = documents(text).into_iter().find(|document| document["kind"] == kind);
    serde_yaml_ng::from_value(found.unwrap_or_else(|| panic!("no {kind}"))).unwrap()
}

/// As Kubernetes writes what it has read.
fn again<T: DeserializeOwned + Serialize>(document: &Value) -> Value {
    let read: T = serde_yaml_ng::from_value(document.clone()).unwrap();
    serde_yaml_ng::to_value(&read).unwrap()
}

fn known(document: &Value) -> Value {
    match document["kind"].as_str().unwrap() {
        "ServiceAccount" => again::<ServiceAccount>(document),
        "ClusterRole" => again::<ClusterRole>(document),
        "ClusterRoleBinding" => again::<ClusterRoleBinding>(document),
        "DaemonSet" => again::<DaemonSet>(document),
        other => panic!("what is a {other} for?"),
    }
}

#[test]
fn no_field_is_lost_when_kubernetes_reads_it() {
    for text in texts() {
        let documents = documents(&text);
        assert_eq!(documents.len(), 4);
        for document in documents {
            assert_eq!(known(&document), document, "a field that Kubernetes does not know, or writes otherwise");
        }
    }
}

#[test]
fn a_misspelt_field_would_be_noticed() {
    let wrong = texts()[0].replace("hostPID: true", "hostPid: true");
    let set = documents(&wrong).into_iter().find(|document| document["kind"] == "DaemonSet").unwrap();
    assert_ne!(known(&set), set);
}

#[test]
fn it_sees_the_host_and_every_mount_has_its_volume() {
    for text in texts() {
        let set: DaemonSet = read(&text, "DaemonSet");
        let spec = set.spec;
        let labels = spec.template.metadata.unwrap().labels.unwrap();
        assert_eq!(spec.selector.match_labels.unwrap(), labels);
        let pod = spec.template.spec.unwrap();
        assert_eq!((pod.host_pid, pod.host_network), (Some(true), None));
        let [container] = &pod.containers[..] else { panic!("one container") };
        assert_eq!(container.env.as_ref().unwrap()[0].name, "NODE_NAME");
        let volumes: Vec<_> = pod.volumes.unwrap().into_iter().map(|v| (v.name, v.host_path.unwrap().path)).collect();
        let mounts = container.volume_mounts.as_ref().unwrap();
        assert_eq!(mounts.len(), volumes.len());
        for mount in mounts {
            // Its own history is all that it writes.
            assert_eq!(mount.read_only == Some(true), mount.name != "history", "{}", mount.name);
            // Paths are the host's, so that what runtimes say of them holds here too.
            assert!(volumes.contains(&(mount.name.clone(), mount.mount_path.clone())), "{}", mount.name);
        }
        for probe in [&container.startup_probe, &container.readiness_probe, &container.liveness_probe] {
            let command = probe.as_ref().unwrap().exec.as_ref().unwrap().command.as_ref().unwrap();
            assert_eq!(command, &["/oomtrace", "health"]);
        }
        assert!(container.args.as_ref().unwrap().contains(&"--health".to_owned()));
    }
}

fn security(text: &str) -> SecurityContext {
    let set: DaemonSet = read(text, "DaemonSet");
    set.spec.template.spec.unwrap().containers.remove(0).security_context.unwrap()
}

#[test]
fn one_is_privileged_and_the_other_has_a_few_capabilities() {
    let [privileged, least] = texts().map(|text| security(&text));
    assert_eq!((privileged.privileged, privileged.read_only_root_filesystem), (Some(true), Some(true)));
    assert_eq!((least.privileged, least.read_only_root_filesystem), (Some(false), Some(true)));
    assert_eq!(least.allow_privilege_escalation, Some(false));
    assert_eq!(least.seccomp_profile.unwrap().type_, "RuntimeDefault");
    let capabilities = least.capabilities.unwrap();
    assert_eq!(capabilities.drop.unwrap(), ["ALL"]);
    let expected = ["BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", "SYSLOG", "IPC_LOCK"];
    assert_eq!(capabilities.add.unwrap(), expected);
}

/// A right more is a decision, and not an oversight.
#[test]
fn it_may_ask_for_this_and_for_nothing_else() {
    for text in texts() {
        let role: ClusterRole = read(&text, "ClusterRole");
        let rules: Vec<String> = role
            .rules
            .unwrap()
            .into_iter()
            .map(|rule| {
                assert!(rule.non_resource_urls.is_none() && rule.resource_names.is_none());
                let words = [rule.api_groups.unwrap(), rule.resources.unwrap(), rule.verbs];
                words.map(|words| words.join(",")).join(" ")
            })
            .collect();
        let expected = [
            " pods get,list,watch",
            " nodes get",
            " events list",
            "apps replicasets,deployments,statefulsets,daemonsets get",
            "batch jobs,cronjobs get",
            "events.k8s.io events create,patch",
        ];
        assert_eq!(rules, expected);
        let binding: ClusterRoleBinding = read(&text, "ClusterRoleBinding");
        let account: ServiceAccount = read(&text, "ServiceAccount");
        let [subject] = &binding.subjects.unwrap()[..] else { panic!("one subject") };
        assert_eq!(
            (Some(&subject.name), &subject.namespace),
            (account.metadata.name.as_ref(), &account.metadata.namespace)
        );
        assert_eq!(
            (binding.role_ref.kind, Some(binding.role_ref.name)),
            ("ClusterRole".to_owned(), role.metadata.name)
        );
    }
}
