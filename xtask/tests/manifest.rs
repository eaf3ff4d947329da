//! The DaemonSet: every field of it is one that Kubernetes knows, and it gives oomtrace what it needs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

use std::path::Path;

use k8s_openapi::api::apps::v1::DaemonSet;
use serde_yaml_ng::Value;

fn text() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/daemonset.yaml")).unwrap()
}

#[test]
fn no_field_is_lost_when_kubernetes_reads_it() {
    let written: Value = serde_yaml_ng::from_str(&text()).unwrap();
    let read: DaemonSet = serde_yaml_ng::from_str(&text()).unwrap();
    let again = serde_yaml_ng::to_value(&read).unwrap();
    assert_eq!(again, written, "a field that Kubernetes does not know, or writes otherwise");
}

#[test]
fn a_misspelt_field_would_be_noticed() {
    let wrong = text().replace("hostPID: true", "hostPid: true");
    let written: Value = serde_yaml_ng::from_str(&wrong).unwrap();
    let read: DaemonSet = serde_yaml_ng::from_str(&wrong).unwrap();
    assert_ne!(serde_yaml_ng::to_value(&read).unwrap(), written);
}

#[test]
fn it_sees_the_host_and_every_mount_has_its_volume() {
    let set: DaemonSet = serde_yaml_ng::from_str(&text()).unwrap();
    let spec = set.spec;
    let labels = spec.template.metadata.unwrap().labels.unwrap();
    assert_eq!(spec.selector.match_labels.unwrap(), labels);
    let pod = spec.template.spec.unwrap();
    assert_eq!(pod.host_pid, Some(true));
    let [container] = &pod.containers[..] else { panic!("one container") };
    assert_eq!(container.security_context.as_ref().unwrap().privileged, Some(true));
    assert_eq!(container.env.as_ref().unwrap()[0].name, "NODE_NAME");
    let volumes: Vec<_> = pod.volumes.unwrap().into_iter().map(|v| (v.name, v.host_path.unwrap().path)).collect();
    for mount in container.volume_mounts.as_ref().unwrap() {
        assert_eq!(mount.read_only, Some(true), "{}", mount.name);
        // Paths are the host's, so that what runtimes say of them holds here too.
        assert!(volumes.contains(&(mount.name.clone(), mount.mount_path.clone())), "{}", mount.name);
    }
}
