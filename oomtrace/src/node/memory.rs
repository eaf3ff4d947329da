//! Memory as user space sees it right after an OOM kill: the victim's cgroup's memory.stat, and what the machine has left.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::cgroups;

/// Read within a fraction of a millisecond of the kill, which is near it, but not at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// memory.stat of the victim's memory cgroup; none when it was gone.
    pub stat: Option<BTreeMap<String, u64>>,
    /// MemAvailable of the machine, in bytes.
    pub host_available_bytes: Option<u64>,
}

/// Where to read.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    /// Mount point of the hierarchy that has the memory controller.
    mount: Option<PathBuf>,
}

impl MemoryFiles {
    /// Finds the hierarchy; without one there is no memory.stat.
    #[must_use]
    pub fn find() -> Self {
        let all = cgroups::hierarchies().unwrap_or_default();
        Self { mount: cgroups::memory(&all).map(|hierarchy| hierarchy.mount.clone()) }
    }

    /// Reads both, for the memory cgroup at `path` below the hierarchy's root.
    #[must_use]
    pub fn read(&self, path: &str) -> Snapshot {
        let file = self.mount.as_ref().map(|mount| mount.join(path.trim_start_matches('/')).join("memory.stat"));
        let stat = file.and_then(|file| fs::read_to_string(file).ok()).map(|text| parse_stat(&text));
        let meminfo = fs::read_to_string("/proc/meminfo").ok();
        Snapshot { stat, host_available_bytes: meminfo.and_then(|text| available(&text)) }
    }
}

/// `anon 4096` a line.
fn parse_stat(text: &str) -> BTreeMap<String, u64> {
    text.lines()
        .filter_map(|line| {
            let (key, value) = line.split_once(' ')?;
            Some((key.to_owned(), value.trim().parse().ok()?))
        })
        .collect()
}

/// `MemAvailable:   123 kB` (proc(5)).
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_and_meminfo_are_read_and_damaged_lines_left_out() {
        let stat = parse_stat("anon 4096\nfile 8192\nbad\nworse x\n");
        assert_eq!(stat.get("file"), Some(&8192));
        assert_eq!(stat.len(), 2);
        assert_eq!(available("MemTotal: 1 kB\nMemAvailable:     2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemAvailable: many kB\n"), None);
        assert_eq!(available(""), None);
    }
}
