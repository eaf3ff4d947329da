//! What systemd-oomd leaves on a cgroup that it killed: an extended attribute with a count (oomd-util.c,
//! `oomd_cgroup_kill`, systemd 248 to 258).

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::libc;

use crate::node::cgroups::{self, Version};

/// Processes that it killed, on cgroups of users and of the system.
const ATTRIBUTES: [&std::ffi::CStr; 2] = [c"user.oomd_kill", c"trusted.oomd_kill"];
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

fn read(file: &Path, attribute: &std::ffi::CStr) -> Option<u64> {
    let file = CString::new(file.as_os_str().as_bytes()).ok()?;
    let mut value = [0_u8; LEN];
    // SAFETY: both strings end with NUL, and the buffer is as long as is said.
    let len = unsafe { libc::getxattr(file.as_ptr(), attribute.as_ptr(), value.as_mut_ptr().cast(), LEN) };
    let text = value.get(..usize::try_from(len).ok()?)?;
    std::str::from_utf8(text).ok()?.trim_end_matches('\0').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_and_what_is_none_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = CString::new(dir.path().as_os_str().as_bytes()).unwrap();
        let name = c"user.oomtrace_test";
        for (value, expected) in [("17", Some(17)), ("x", None), ("", None), (&"9".repeat(40), None)] {
            // SAFETY: strings end with NUL, and the value is as long as is said.
            let set = unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
            assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
            assert_eq!(read(dir.path(), name), expected, "{value}");
        }
        assert_eq!(read(Path::new("/nonexistent"), name), None);
    }
}
