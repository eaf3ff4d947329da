//! What systemd-oomd leaves on a cgroup that it killed: an extended attribute with a count (oomd-util.c,
//! `oomd_cgroup_kill`, systemd 248 to 258).

use std::path::Path;

use rustix::fs::getxattr;

use crate::node::cgroups::{self, Version};

/// Processes that it killed, on cgroups of users and of the system.
const ATTRIBUTES: [&str; 2] = ["user.oomd_kill", "trusted.oomd_kill"];
/// How many bytes a number takes.
const LEN: usize = 32;

/// The count on the cgroup at `path`, or on the nearest one above it that has one; none when no cgroup has.
#[must_use]
pub fn kills(path: &str) -> Option<u64> {
    let all = cgroups::hierarchies().ok()?;
    let mount = &all.iter().find(|hierarchy| hierarchy.version == Version::V2)?.mount;
    let relative = Path::new(path.trim_start_matches('/'));
    relative.ancestors().find_map(|path| ATTRIBUTES.iter().find_map(|name| read(&mount.join(path), name)))
}

fn read(file: &Path, attribute: &str) -> Option<u64> {
    let mut value = [0_u8; LEN];
    let len = getxattr(file, attribute, &mut value).ok()?;
    std::str::from_utf8(value.get(..len)?).ok()?.trim_end_matches('\0').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{XattrFlags, setxattr};

    #[test]
    fn a_number_is_read_and_what_is_none_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let name = "user.oomtrace_test";
        for (value, expected) in [("17", Some(17)), ("x", None), ("", None), (&"9".repeat(40), None)] {
            setxattr(dir.path(), name, value.as_bytes(), XattrFlags::empty()).unwrap();
            assert_eq!(read(dir.path(), name), expected, "{value}");
        }
        assert_eq!(read(Path::new("/nonexistent"), name), None);
    }
}
