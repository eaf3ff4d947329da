//! What is known of an open file.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, StatxFlags, statx};

use crate::node::files;

/// A few numbers, a line each.
const MAX_FDINFO: u64 = 4096;

/// What is known of an open file without asking its file system.
pub(super) struct Status {
    pub uid: u32,
    pub kind: FileType,
    /// Its mount's id, as in mountinfo.
    pub mount: u64,
}

impl Status {
    /// # Errors
    /// When the kernel does not say.
    pub fn of(file: &OwnedFd) -> io::Result<Self> {
        let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
        let found = statx(file, c"", flags, StatxFlags::TYPE | StatxFlags::UID | StatxFlags::MNT_ID)?;
        let kind = FileType::from_raw_mode(found.stx_mode.into());
        let is_mount_known = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID);
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
