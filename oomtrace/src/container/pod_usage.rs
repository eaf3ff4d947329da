//! Which pod of the node uses most memory: whose doing it may be that another one was evicted.

use std::fs;
use std::path::Path;

use crate::node::cgroups;
use crate::node::usage::UsageFiles;
use crate::placement::pod_of;

/// Pods that are looked at: the kubelet has 110 by default.
const MOST: usize = 512;

/// The uid of the pod that uses most, and how much, in bytes, of those beside the pod whose cgroup is given; none when it cannot be read.
#[must_use]
pub fn largest_besides(pod_cgroup: &str) -> Option<(String, u64)> {
    let hierarchies = cgroups::hierarchies().ok()?;
    let memory = cgroups::memory(&hierarchies)?;
    let files = UsageFiles::new(memory);
    let of_all = all_pods_cgroup(pod_cgroup)?;
    let mut found: Option<(String, u64)> = None;
    for (path, uid) in pods(&memory.mount, of_all).into_iter().filter(|(path, _)| path != pod_cgroup).take(MOST) {
        let usage = files.read(&path).and_then(|usage| usage.usage_bytes);
        if let Some(usage) = usage.filter(|usage| found.as_ref().is_none_or(|(_, most)| usage > most)) {
            found = Some((uid, usage));
        }
    }
    found
}

/// The cgroup of all pods: `/kubepods`, `/kubepods.slice`, or one below another cgroup.
fn all_pods_cgroup(pod_cgroup: &str) -> Option<&str> {
    let at = pod_cgroup.find("/kubepods")?;
    let end = pod_cgroup.get(at + 1..)?.find('/').map_or(pod_cgroup.len(), |length| at + 1 + length);
    pod_cgroup.get(..end)
}

/// Each pod's cgroup, and its uid: there, or one level below, in that of a QoS class.
fn pods(mount: &Path, of_all: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, path) in children(mount, of_all) {
        match pod_of(&name, of_all.rsplit('/').next()) {
            Some((uid, _)) => found.push((path, uid)),
            None => {
                let below = children(mount, &path).into_iter();
                found.extend(below.filter_map(|(below, path)| Some((path, pod_of(&below, Some(&name))?.0))));
            }
        }
    }
    found
}

/// Names and paths of the cgroups in the one at `path`.
fn children(mount: &Path, path: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(mount.join(path.trim_start_matches('/'))).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = directories.filter_map(|entry| entry.file_name().into_string().ok());
    names.take(MOST).map(|name| (name.clone(), format!("{path}/{name}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "2f1c8b1a-0c1d-4b5e-9a77-0123456789ab";

    #[test]
    fn all_pods_are_below_one_cgroup() {
        for (path, expected) in [
            ("/kubepods/podx", Some("/kubepods")),
            ("/kubepods.slice/kubepods-burstable.slice/x", Some("/kubepods.slice")),
            ("/own/kubepods/burstable/podx", Some("/own/kubepods")),
            ("/kubepods", Some("/kubepods")),
            ("/docker/x", None),
        ] {
            assert_eq!(all_pods_cgroup(path), expected, "{path}");
        }
    }

    #[test]
    fn pods_are_found_under_both_drivers() {
        let mount = tempfile::tempdir().unwrap();
        let escaped = UID.replace('-', "_");
        for path in [
            format!("kubepods/pod{UID}/c"),
            format!("kubepods/burstable/pod{UID}"),
            format!("kubepods.slice/kubepods-pod{escaped}.slice"),
            format!("kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{escaped}.slice"),
        ] {
            fs::create_dir_all(mount.path().join(path)).unwrap();
        }
        for root in ["/kubepods", "/kubepods.slice"] {
            let found = pods(mount.path(), root);
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(found.iter().all(|(path, uid)| uid == UID && path.starts_with(root)), "{found:?}");
        }
    }
}
