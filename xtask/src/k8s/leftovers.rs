//! What a node leaves outside of its own directory and cgroups, at paths that are fixed in kubelet, containerd and runc; and its mounts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xtask::say;

use super::settings::NETWORK;

/// Directories that kubelet, CNI and runc make for whatever node there is: removed when they are empty, and else not ours.
const SHARED: [&str; 6] = [
    "/var/log/pods",
    "/var/log/containers",
    "/var/lib/cni/results",
    "/var/lib/cni/cache",
    "/var/lib/cni",
    "/run/containerd/runc/k8s.io",
];
/// Namespaces of pods of this node begin so.
pub const NAMESPACE: &str = "oomtrace-k8s";

/// Removes what a node left whose directory is `directory`, and that directory. All that ran there has ended.
pub fn remove(directory: &Path) {
    forget_containers(directory);
    unmount(directory);
    for (shared, is_ours) in ours() {
        for entry in fs::read_dir(shared).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_ours(&name) {
                let path = entry.path();
                _ = if path.is_dir() && !path.is_symlink() {
                    fs::remove_dir_all(&path)
                } else {
                    fs::remove_file(&path)
                };
            }
        }
    }
    for shared in SHARED {
        _ = fs::remove_dir(shared);
    }
    if let Err(error) = fs::remove_dir_all(directory) {
        say(&format!("cannot remove {}: {error}", directory.display()));
    }
}

/// Shared directories, and how one sees which files in them are of such a node.
fn ours() -> [(&'static str, fn(&str) -> bool); 4] {
    let of_network = |name: &str| name.starts_with(&format!("{NETWORK}-"));
    [
        // NAMESPACE_POD_UID
        ("/var/log/pods", |name| name.starts_with(NAMESPACE)),
        // POD_NAMESPACE_CONTAINER-ID.log
        ("/var/log/containers", |name| name.split('_').nth(1).is_some_and(|n| n.starts_with(NAMESPACE))),
        ("/var/lib/cni/results", of_network),
        ("/var/lib/cni/cache", of_network),
    ]
}

/// Sockets of shims, and runc's state of containers: that of each container whose bundle is in the node's directory.
fn forget_containers(directory: &Path) {
    let bundles = directory.join("containerd-state/io.containerd.runtime.v2.task/k8s.io");
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
