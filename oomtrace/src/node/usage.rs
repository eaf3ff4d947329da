//! What a cgroup's own files say of its memory now.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::node::cgroups::{Hierarchy, Version};
use crate::node::files::{self, SMALL};
use crate::node::memory::parse_stat;

/// A cgroup's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Usage {
    /// What is in use in it and below it.
    pub usage_bytes: Option<u64>,
    /// Its limit. Null: no limit of its own.
    pub limit_bytes: Option<u64>,
    /// The most that was ever in use in it and below it. Null where this kernel does not say (cgroup v2 before 5.19).
    pub peak_bytes: Option<u64>,
    /// Processes in it, and on v2 below it, that an OOM killer has killed since it was made: the kernel's own count.
    pub oom_kills: Option<u64>,
}

/// Reads them from the hierarchy that has the memory controller.
#[derive(Clone, Debug)]
pub struct UsageFiles {
    mount: PathBuf,
    version: Version,
}

impl UsageFiles {
    #[must_use]
    pub fn new(memory: &Hierarchy) -> Self {
        Self { mount: memory.mount.clone(), version: memory.version }
    }

    /// The memory of the cgroup at `path`; none when it is not there.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Usage> {
        let dir = self.mount.join(path.trim_start_matches('/'));
        if !dir.is_dir() {
            return None;
        }
        Some(match self.version {
            Version::V2 => Usage {
                usage_bytes: number(&dir.join("memory.current")),
                limit_bytes: number(&dir.join("memory.max")),
                // 5.19
                peak_bytes: number(&dir.join("memory.peak")),
                oom_kills: field(&dir.join("memory.events"), "oom_kill"),
            },
            Version::V1 => Usage {
                usage_bytes: number(&dir.join("memory.usage_in_bytes")),
                // No limit is written as the largest number of whole pages.
                limit_bytes: number(&dir.join("memory.limit_in_bytes")).filter(|limit| *limit < 1 << 62),
                peak_bytes: number(&dir.join("memory.max_usage_in_bytes")),
                // 4.13
                oom_kills: field(&dir.join("memory.oom_control"), "oom_kill"),
            },
        })
    }
}

/// A number alone in its file; `max` is none.
fn number(path: &Path) -> Option<u64> {
    files::read_text(path, SMALL).ok()?.trim().parse().ok()
}

/// One of the numbers in a file that has a name with each.
fn field(path: &Path, name: &str) -> Option<u64> {
    parse_stat(&files::read_text(path, SMALL).ok()?).remove(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn both_versions_are_read_and_no_limit_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let cgroup = dir.path().join("a");
        fs::create_dir(&cgroup).unwrap();
        for (file, text) in [
            ("memory.current", "4096\n"),
            ("memory.max", "max\n"),
            ("memory.events", "low 0\noom 2\noom_kill 3\noom_group_kill 1\n"),
            ("memory.usage_in_bytes", "8192\n"),
            ("memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
        ] {
            fs::write(cgroup.join(file), text).unwrap();
        }
        let read = |version, path: &str| UsageFiles { mount: dir.path().to_owned(), version }.read(path);
        let usage = |usage, kills| Some(Usage { usage_bytes: Some(usage), oom_kills: Some(kills), ..Usage::default() });
        assert_eq!(read(Version::V2, "/a"), usage(4096, 3));
        assert_eq!(read(Version::V1, "/a"), usage(8192, 1));
        assert_eq!(read(Version::V2, "/gone"), None);
    }
}
