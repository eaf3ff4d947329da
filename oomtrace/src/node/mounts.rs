//! What is mounted where, as `/proc/self/mountinfo` has it (proc(5)). Mount points are bytes: whoever may mount chooses them.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::node::files;
use crate::node::status::Status;

const MOUNTINFO: &str = "/proc/self/mountinfo";
/// What a chroot hides is there for the first process.
const FIRST_PROCESSES: &str = "/proc/1/mountinfo";
/// 100,000 mounts are the kernel's limit (fs.mount-max), and a line has some 150 bytes.
const MAX_BYTES: u64 = 64 << 20;

/// File systems that answer from this machine alone. A read on any other may wait for another process: FUSE for its daemon, which
/// any user may be, NFS and 9p for their server, autofs for its helper. A request that a FUSE daemon has taken and does not answer
/// cannot be interrupted even by SIGKILL (fs/fuse/dev.c, `request_wait_answer`, 5.4 to 7.3).
const LOCAL: [&[u8]; 17] = [
    b"tmpfs",
    b"ramfs",
    b"rootfs",
    b"overlay",
    b"ext2",
    b"ext3",
    b"ext4",
    b"xfs",
    b"btrfs",
    b"bcachefs",
    b"zfs",
    b"f2fs",
    b"jfs",
    b"nilfs2",
    b"erofs",
    b"squashfs",
    b"iso9660",
];

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub id: u64,
    /// Its file system's device, as `8:1`.
    pub device: Vec<u8>,
    pub point: PathBuf,
    pub kind: Vec<u8>,
    /// The super block's options.
    pub options: Vec<u8>,
}

impl Mount {
    /// Reading from it waits for no other process.
    #[must_use]
    pub fn is_local(&self) -> bool {
        LOCAL.contains(&self.kind.as_slice())
    }
}

/// Hands over all mounts of this process's mount namespace, in the kernel's order. Lines that cannot be read are left out.
///
/// # Errors
/// When mountinfo cannot be read.
pub fn each(mount: impl FnMut(Mount)) -> io::Result<()> {
    each_of(MOUNTINFO, mount)
}

fn each_of(mountinfo: &str, mount: impl FnMut(Mount)) -> io::Result<()> {
    each_in(&files::open(Path::new(mountinfo))?, mount)
}

/// The same of an open mountinfo, from its beginning.
///
/// # Errors
/// When it cannot be read.
pub fn each_in(mut mountinfo: &File, mut mount: impl FnMut(Mount)) -> io::Result<()> {
    mountinfo.rewind()?;
    files::lines_of(mountinfo, MAX_BYTES, |line| {
        if let Some(found) = parse(line) {
            mount(found);
        }
    })
}

/// Hands over all mounts of the machine's first process, as [`each`].
///
/// # Errors
/// When its mountinfo cannot be read.
pub fn each_of_machine(mount: impl FnMut(Mount)) -> io::Result<()> {
    each_of(FIRST_PROCESSES, mount)
}

/// The mount that the file at `path` is on; none when `path` leads through one that is not local. `path` must be absolute and
/// without symbolic links.
///
/// # Errors
/// When mountinfo cannot be read.
pub fn local_of(path: &Path) -> io::Result<Option<Mount>> {
    let mut deepest: Option<Mount> = None;
    let mut all_local = true;
    each(|mount| {
        if path.starts_with(&mount.point) {
            all_local &= mount.is_local();
            let length = |mount: &Mount| mount.point.as_os_str().len();
            // Of several at one place the last one covers the others.
            if deepest.as_ref().is_none_or(|deepest| length(&mount) >= length(deepest)) {
                deepest = Some(mount);
            }
        }
    })?;
    if deepest.is_none() {
        deepest = of_root()?.filter(Mount::is_local);
    }
    Ok(deepest.filter(|_| all_local))
}

/// The mount that `/` is on, where that is no mount point but a directory within one (chroot(2)): mountinfo does not have it.
fn of_root() -> io::Result<Option<Mount>> {
    let root = open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let id = Status::of(&root)?.mount;
    let mut found = None;
    each_of(FIRST_PROCESSES, |mount| {
        if mount.id == id {
            found = Some(Mount { point: "/".into(), ..mount });
        }
    })?;
    Ok(found)
}

/// One line: `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
#[must_use]
pub fn parse(line: &[u8]) -> Option<Mount> {
    // Blanks within a field are escaped.
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let device = fields.nth(1)?.to_vec();
    let point = unescape(fields.nth(1)?);
    let mut after = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = after.next()?.to_vec();
    let options = after.nth(1).unwrap_or_default().to_vec();
    Some(Mount { id, device, point: OsString::from_vec(point).into(), kind, options })
}

/// Blanks, line ends and backslashes are written as a backslash and three octal digits (fs/seq_file.c, `mangle_path`).
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        let escaped = after.first_chunk::<3>().filter(|_| *first == b'\\').and_then(octal);
        bytes.push(escaped.unwrap_or(*first));
        rest = after.get(if escaped.is_some() { 3 } else { 0 }..).unwrap_or_default();
    }
    bytes
}

fn octal(digits: &[u8; 3]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn mount_points_are_bytes() {
        for (line, point) in [
            (b"36 35 98:0 / /mnt rw master:1 shared:2 - ext3 /dev/root rw".as_slice(), b"/mnt".as_slice()),
            (b"36 35 98:0 / /a\\040b\\134 rw - ext3 none rw", b"/a b\\"),
            (b"36 35 98:0 / /\xff\\012 rw - ext3 none rw", b"/\xff\n"),
            // What is no escape stays.
            (b"36 35 98:0 / /\\9\\777\\04 rw - ext3 none rw", b"/\\9\\777\\04"),
        ] {
            let mount = parse(line).unwrap();
            assert_eq!((mount.point.as_os_str().as_bytes(), mount.kind.as_slice()), (point, b"ext3".as_slice()));
            assert_eq!((mount.id, mount.is_local(), mount.options.as_slice()), (36, true, b"rw".as_slice()));
            assert_eq!(mount.device, b"98:0");
        }
        for damaged in [b"".as_slice(), b"x 35 98:0 / /mnt rw - ext3 a rw", b"36 35 98:0 / /mnt rw ext3", b"36 35 - -"]
        {
            assert_eq!(parse(damaged), None);
        }
    }

    #[test]
    fn this_machines_own_files_are_local_and_the_kernels_are_not() {
        assert_eq!(local_of(Path::new("/proc/self/status")).unwrap(), None);
        let dir = tempfile::tempdir().unwrap();
        let mount = local_of(dir.path()).unwrap().unwrap();
        assert!(dir.path().starts_with(&mount.point));
    }
}
