//! Who listens on a socket that has a runtime's path: the runtime, or a container that has bound one of its own to it.
//!
//! The kernel side passes over listeners of another user, and in other pid namespaces. What is left is a container with the host's
//! pids, whose root may be the host's: its mount namespace is not the host's, and its cgroup is a container's. A runtime may have a
//! mount namespace of its own as well, as its systemd unit or snap has it, but it is in no container.

use std::collections::HashMap;

use crate::event::Listener;
use crate::node::processes;
use crate::placement::Placement;

/// Listeners whose kind is remembered; there are a few on a node.
const CAPACITY: usize = 64;

/// What is known of them.
#[derive(Debug, Default)]
pub struct Listeners {
    known: HashMap<Listener, bool>,
    /// The host's mount namespace.
    host: Option<u32>,
}

impl Listeners {
    /// It is a runtime's own.
    pub fn is_runtimes(&mut self, listener: Listener) -> bool {
        // Without the host's pids, what the kernel side has looked at must do.
        if !sees_hosts_pids() || (listener.mount.is_some() && listener.mount == self.host()) {
            return true;
        }
        if let Some(known) = self.known.get(&listener) {
            return *known;
        }
        let is_outside = |outline: processes::Outline| {
            let mut placements = outline.cgroups.iter().map(|path| Placement::parse(path));
            placements.all(|placement| placement.container.is_none())
        };
        // Whoever listened may be gone, and somebody else hold the socket: that is nobody to trust.
        let is_runtimes = processes::outline(listener.pid).is_some_and(is_outside);
        if self.known.len() >= CAPACITY {
            self.known.clear();
        }
        self.known.insert(listener, is_runtimes);
        is_runtimes
    }

    fn host(&mut self) -> Option<u32> {
        self.host = self.host.or_else(host_mount);
        self.host
    }
}

/// The mount namespace of the machine's first process; none when it cannot be asked.
fn host_mount() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    u32::try_from(std::fs::metadata("/proc/1/ns/mnt").ok()?.ino()).ok()
}

/// `PROC_PID_INIT_INO`, the initial pid namespace's inode number (include/linux/proc_ns.h, 5.4 to 7.3).
fn sees_hosts_pids() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.ino() == 0xEFFF_FFFC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_gone_is_no_runtime_and_many_take_no_room() {
        if !sees_hosts_pids() {
            return;
        }
        let mut listeners = Listeners::default();
        let gone = |uid| Listener { pid: u32::MAX, uid, mount: Some(1) };
        for uid in 0..3 * u32::try_from(CAPACITY).unwrap() {
            assert!(!listeners.is_runtimes(gone(uid)));
        }
        assert!(listeners.known.len() <= CAPACITY);
        // A container's may have been bound before the host's mount namespace was known.
        assert!(!listeners.is_runtimes(Listener { pid: u32::MAX, uid: 0, mount: None }));
        if let Some(host) = host_mount() {
            assert!(listeners.is_runtimes(Listener { pid: u32::MAX, uid: 0, mount: Some(host) }));
        }
    }
}
