//! The node's name and this boot's id.

use std::path::Path;

use crate::node::files::{self, SMALL};

/// Which machine, and which run of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The host's name; in a DaemonSet, what `NODE_NAME` says.
    pub node: Option<String>,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: Option<String>,
}

impl Identity {
    /// Reads both; what cannot be read is none.
    #[must_use]
    pub fn read() -> Self {
        let node = Self::named().or_else(|| nix::unistd::gethostname().ok()?.into_string().ok());
        let boot_id = files::read_text(Path::new("/proc/sys/kernel/random/boot_id"), SMALL).ok();
        Self { node, boot_id: boot_id.map(|id| id.trim().to_owned()) }
    }

    /// The name that `NODE_NAME` gives this node.
    #[must_use]
    pub fn named() -> Option<String> {
        std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty())
    }

    /// An incident's id: sortable by time, unique across reboots (the boot id's first part) and processes. It is made
    /// of facts alone, so that a recording gives the same one.
    #[must_use]
    pub fn incident_id(&self, wall_ns: i128, pid: u32) -> String {
        let boot = self.boot_id.as_deref().and_then(|id| id.split('-').next()).unwrap_or("00000000");
        format!("{wall_ns:016x}-{boot}-{pid}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_differ_between_boots_and_processes() {
        let a = Identity { node: None, boot_id: Some("aaaa-1".into()) };
        let b = Identity { node: None, boot_id: Some("bbbb-1".into()) };
        assert!(a.incident_id(1_699_999_999_000_000_000, 9) < b.incident_id(1_700_000_000_000_000_000, 1));
        assert_ne!(a.incident_id(1, 1), b.incident_id(1, 1));
        assert_ne!(a.incident_id(1, 1), a.incident_id(1, 2));
    }
}
