//! What a node leaves outside of its own directory and cgroups, at paths that are fixed in kubelet, containerd and runc; and its mounts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xtask::say;

use super::propagation;
use super::settings::CONTAINERD_STATE;

/// A directory that kubelet, CNI or runc makes for whatever node there is: removed when it is empty, and else not ours.
struct Shared {
    path: &'static str,
    ours: Ours,
}

/// How one sees which of its files are of such a node.
enum Ours {
    /// By the part of the name with that number, with underscores between the parts: it begins so.
    Named(usize, &'static str),
    /// The file mentions the namespace of its pods.
    Mentions,
    /// None is known by itself.
    None,
}

const SHARED: [Shared; 6] = [
    // NAMESPACE_POD_UID
    Shared { path: "/var/log/pods", ours: Ours::Named(0, NAMESPACE) },
    // POD_NAMESPACE_CONTAINER-ID.log
    Shared { path: "/var/log/containers", ours: Ours::Named(1, NAMESPACE) },
    Shared { path: "/var/lib/cni/results", ours: Ours::Mentions },
    Shared { path: "/var/lib/cni/cache", ours: Ours::Mentions },
    Shared { path: "/var/lib/cni", ours: Ours::None },
    Shared { path: "/run/containerd/runc/k8s.io", ours: Ours::None },
];
/// Namespaces of pods of this node begin so.
pub const NAMESPACE: &str = "oomtrace-k8s";

/// Removes what a node left whose directory is `directory`, and that directory. All that ran there has ended.
pub fn remove(directory: &Path) {
    let state = directory.join(CONTAINERD_STATE);
    let log = fs::read(directory.join("kubelet.log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    forget_containers(&state);
    unmount(directory);
    if let Ok(elsewhere) = fs::read_link(&state) {
        unmount(&elsewhere);
        if let Err(error) = fs::remove_dir_all(&elsewhere) {
            say(&format!("cannot remove {}: {error}", elsewhere.display()));
        }
        // Made for it, when there is nothing else in it.
        _ = elsewhere.parent().map(fs::remove_dir);
    }
    for Shared { path, ours } in SHARED {
        let is_ours = |entry: &fs::DirEntry| match &ours {
            Ours::Named(part, start) => {
                let name = entry.file_name().to_string_lossy().into_owned();
                // A link has its pod's uid in what it leads to.
                let to = fs::read_link(entry.path()).unwrap_or_default().display().to_string();
                let uid = uid(&name).or_else(|| to.split('/').find_map(uid));
                name.split('_').nth(*part).is_some_and(|part| part.starts_with(start))
                    || uid.is_some_and(|uid| log.contains(uid))
            }
            Ours::Mentions => {
                let text = fs::read(entry.path()).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                let uid = text.split_once(r#""K8S_POD_UID",""#).and_then(|(_, rest)| rest.split('"').next());
                text.contains(&format!("\"{NAMESPACE}\"")) || uid.is_some_and(|uid| log.contains(uid))
            }
            Ours::None => false,
        };
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if is_ours(&entry) {
                let path = entry.path();
                _ = if path.is_dir() && !path.is_symlink() {
                    fs::remove_dir_all(&path)
                } else {
                    fs::remove_file(&path)
                };
            }
        }
        _ = fs::remove_dir(path);
    }
    propagation::restore(directory);
    if let Err(error) = fs::remove_dir_all(directory) {
        say(&format!("cannot remove {}: {error}", directory.display()));
    }
}

/// Of the pod whose logs are in a directory of that name, NAMESPACE_POD_UID: the node's kubelet has written of its pods, also of those that
/// are in others' namespaces.
fn uid(name: &str) -> Option<&str> {
    const LENGTH: usize = 36;
    name.splitn(3, '_').nth(2).filter(|uid| uid.len() == LENGTH)
}

/// Sockets of shims, and runc's state of containers: that of each container whose bundle is in containerd's state directory.
fn forget_containers(state: &Path) {
    let bundles = state.join("io.containerd.runtime.v2.task/k8s.io");
    for entry in fs::read_dir(bundles).into_iter().flatten().flatten() {
        let address = fs::read_to_string(entry.path().join("address")).unwrap_or_default();
        if let Some(socket) = address.trim().strip_prefix("unix://") {
            _ = fs::remove_file(socket);
        }
        let state: PathBuf = Path::new("/run/containerd/runc/k8s.io").join(entry.file_name());
        _ = fs::remove_dir_all(state);
    }
}

/// Unmounts all that is mounted below `directory`, the innermost first.
fn unmount(directory: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below = mounts.lines().rev().filter_map(|line| line.split(' ').nth(4));
    for mount in below.filter(|mount| Path::new(mount).starts_with(directory)) {
        let unmounted = Command::new("umount").args(["--lazy", mount]).stdin(Stdio::null()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            say(&format!("cannot unmount {mount}"));
        }
    }
}
