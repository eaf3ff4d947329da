//! The host's namespaces, as far as they are known from here.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// `PROC_PID_INIT_INO`, the initial pid namespace's inode number (include/linux/proc_ns.h to 6.17, include/uapi/linux/nsfs.h from then
/// on, 5.4 to 7.3).
const INITIAL_PID: u64 = 0xEFFF_FFFC;
/// `PROC_CGROUP_INIT_INO`, likewise.
const INITIAL_CGROUP: u64 = 0xEFFF_FFFB;

/// Processes have the same pids here as in the kernel side's events.
#[must_use]
pub fn sees_hosts_pids() -> bool {
    inode("/proc/self/ns/pid") == Some(INITIAL_PID)
}

/// Paths of cgroups in `/proc` are from their hierarchies' roots here.
#[must_use]
pub fn sees_hosts_cgroups() -> bool {
    inode("/proc/self/ns/cgroup") == Some(INITIAL_CGROUP)
}

/// The mount namespace of the machine's first process, which is the host's; none when it cannot be asked.
#[must_use]
pub fn host_mount() -> Option<u32> {
    let inode = sees_hosts_pids().then(|| inode("/proc/1/ns/mnt")).flatten()?;
    u32::try_from(inode).ok()
}

/// systemd is the machine's first process, as sd_booted(3) finds out; none where the host's files are not seen.
#[must_use]
pub fn is_booted_by_systemd() -> Option<bool> {
    if Path::new("/run/systemd/system").is_dir() {
        return Some(true);
    }
    let own = inode("/proc/self/ns/mnt").and_then(|inode| u32::try_from(inode).ok());
    (own.is_some() && own == host_mount()).then_some(false)
}

fn inode(path: &str) -> Option<u64> {
    Some(fs::metadata(path).ok()?.ino())
}

/// What is not known without the host's pids, in words; none when they are seen.
#[must_use]
pub fn missing() -> Option<String> {
    (!sees_hosts_pids()).then(|| {
        "the host's pids (run in the host's pid namespace: docker run --pid host, hostPID: true): command lines and executables from \
         /proc, the largest processes, who was connected to a runtime before, and which process a container's first one is"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_only_where_it_is() {
        assert_eq!(missing().is_none(), sees_hosts_pids());
        assert!(host_mount().is_none_or(|mount| sees_hosts_pids() && mount != 0));
    }
}
