//! What is known of an open file.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::libc;

use crate::node::files;

/// A few numbers, a line each.
const MAX_FDINFO: u64 = 4096;

/// What is known of an open file without asking its file system.
pub(super) struct Status {
    pub uid: u32,
    /// `S_IFREG` and the like.
    pub kind: libc::mode_t,
    /// Its mount's id, as in mountinfo.
    pub mount: u64,
}

impl Status {
    /// # Errors
    /// When the kernel does not say.
    pub fn of(file: &OwnedFd) -> io::Result<Self> {
        let flags = libc::AT_EMPTY_PATH | libc::AT_NO_AUTOMOUNT | libc::AT_STATX_DONT_SYNC;
        let mut found = std::mem::MaybeUninit::<libc::statx>::zeroed();
        // SAFETY: the path is an empty string, and the buffer is as large as the kernel's structure.
        let result = unsafe {
            let mask = libc::STATX_TYPE | libc::STATX_UID | libc::STATX_MNT_ID;
            libc::statx(file.as_raw_fd(), c"".as_ptr(), flags, mask, found.as_mut_ptr())
        };
        Errno::result(result)?;
        // SAFETY: all bytes were zero, and the kernel has filled it in.
        let found = unsafe { found.assume_init() };
        let kind = libc::mode_t::from(found.stx_mode) & libc::S_IFMT;
        let is_mount_known = found.stx_mask & libc::STATX_MNT_ID != 0;
        let mount = if is_mount_known { found.stx_mnt_id } else { mount_of(file)? };
        Ok(Self { uid: found.stx_uid, kind, mount })
    }
}

/// Where statx(2) does not give the mount's id (before 5.8).
fn mount_of(file: &OwnedFd) -> io::Result<u64> {
    let mut mount = None;
    files::lines(&PathBuf::from(format!("/proc/self/fdinfo/{}", file.as_raw_fd())), MAX_FDINFO, |line| {
        let value = line.strip_prefix(b"mnt_id:").and_then(|value| std::str::from_utf8(value).ok());
        mount = mount.or_else(|| value?.trim().parse().ok());
    })?;
    mount.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no mnt_id in fdinfo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same_mount() {
        let root = OwnedFd::from(std::fs::File::open("/").unwrap());
        assert_eq!(mount_of(&root).unwrap(), Status::of(&root).unwrap().mount);
    }
}
