//! Processes in a cgroup, and how pods' cgroups are named.

use std::fs;
use std::path::Path;

/// The processes in the cgroup at `directory`, and below.
pub fn pids(directory: &Path) -> Vec<u32> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let own = text.lines().filter_map(|line| line.parse().ok());
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    own.chain(below.flat_map(|entry| pids(&entry.path()))).collect()
}

/// Who makes pods' cgroups, and with that names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    Cgroupfs,
    Systemd,
}

impl Driver {
    /// As the node's kubelet calls it.
    pub fn parse(name: &str) -> Self {
        match name {
            "cgroupfs" => Self::Cgroupfs,
            "systemd" => Self::Systemd,
            other => panic!("{other} makes no cgroups"),
        }
    }

    /// The cgroup of all pods of a node whose own cgroup is `node`.
    pub fn kubepods(self, node: &str) -> String {
        match self {
            Self::Cgroupfs => format!("{node}/kubepods"),
            // A slice that is elsewhere would have another name.
            Self::Systemd => "/kubepods.slice".to_owned(),
        }
    }

    /// The cgroup of a class of pods; that of guaranteed ones is that of all.
    pub fn class(self, node: &str, qos: &str) -> String {
        let all = self.kubepods(node);
        match (self, qos) {
            (_, "Guaranteed") => all,
            (Self::Cgroupfs, qos) => format!("{all}/{}", qos.to_lowercase()),
            (Self::Systemd, qos) => format!("{all}/kubepods-{}.slice", qos.to_lowercase()),
        }
    }

    /// A pod's cgroup.
    pub fn pod(self, node: &str, qos: &str, uid: &str) -> String {
        let class = self.class(node, qos);
        match self {
            Self::Cgroupfs => format!("{class}/pod{uid}"),
            Self::Systemd => {
                let slice = class.rsplit('/').next().unwrap_or_default().trim_end_matches(".slice");
                // A hyphen in the name of a slice is a level of its path.
                format!("{class}/{slice}-pod{}.slice", uid.replace('-', "_"))
            }
        }
    }

    /// The name of a container's cgroup below its pod's.
    pub fn container(self, id: &str) -> String {
        match self {
            Self::Cgroupfs => id.to_owned(),
            Self::Systemd => format!("cri-containerd-{id}.scope"),
        }
    }

    /// The id of the container whose cgroup is at `path`.
    pub fn id(self, path: &str) -> &str {
        let name = path.rsplit('/').next().unwrap_or_default();
        match self {
            Self::Cgroupfs => name,
            Self::Systemd => name.trim_start_matches("cri-containerd-").trim_end_matches(".scope"),
        }
    }

    /// The cgroup at `path` is a pod's.
    pub fn is_pods(self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default();
        match self {
            Self::Cgroupfs => name.starts_with("pod"),
            Self::Systemd => name.starts_with("kubepods-") && name.contains("-pod"),
        }
    }
}
