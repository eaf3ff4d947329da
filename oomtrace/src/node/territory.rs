//! Files of runtimes, root's and users'. A user's may be anything: a FIFO, a link to elsewhere, endless, on a file system that does
//! not answer. They are opened below a directory, without following a link, without waiting and without acting on a device, and read
//! only when they are regular files of the very user in whose name they are read.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::Mode;
use rustix::fs::FileType;

use crate::node::files;
use crate::node::mounts;
use crate::node::status::Status;

/// Directory entries that are looked at, whatever they are.
const MAX_ENTRIES: usize = 16_384;

/// A directory, and whose files in it count.
#[derive(Debug)]
pub struct Territory {
    directory: OwnedFd,
    owner: u32,
    /// The mount that must not be left; none where root says what is mounted.
    mount: Option<u64>,
}

impl Territory {
    /// The directory at `path`, which only root can have made what it is: links on the way to it are root's.
    ///
    /// # Errors
    /// When it is not there, or is not root's.
    pub fn of_system(path: &Path) -> io::Result<Self> {
        let directory = open(path, DIRECTORY, Mode::empty())?;
        let status = Status::of(&directory)?;
        if !is_owned(status.uid, 0) {
            return Err(foreign());
        }
        Ok(Self { directory, owner: 0, mount: None })
    }

    /// The directory at `path`, of the user `owner`. No link is followed on the way, and every mount on it is a local file system.
    ///
    /// # Errors
    /// When it is not there, is another user's, or is not on a local file system.
    pub fn of_user(path: &Path, owner: u32) -> io::Result<Self> {
        // Every system of today has this link, and configurations have either name.
        let run = path.strip_prefix("/var/run").map(|rest| Path::new("/run").join(rest));
        let path = run.as_deref().unwrap_or(path);
        let mount = mounts::local_of(path)?.ok_or_else(not_local)?;
        let point = open(&mount.point, DIRECTORY, Mode::empty())?;
        // Another file system may have been mounted there meanwhile. This one stays as long as it is open.
        if Status::of(&point)?.mount != mount.id {
            return Err(not_local());
        }
        let rest = path.strip_prefix(&mount.point).map_err(|_| not_local())?;
        let directory = walk(&point, rest, Some(mount.id), DIRECTORY)?;
        if !is_owned(Status::of(&directory)?.uid, owner) {
            return Err(foreign());
        }
        Ok(Self { directory, owner, mount: Some(mount.id) })
    }

    /// The whole file at `path` below the directory.
    ///
    /// # Errors
    /// When it is no regular file of the owner's, or has more than `max` bytes.
    pub fn read(&self, path: impl AsRef<Path>, max: u64) -> io::Result<Vec<u8>> {
        files::whole_of(self.open(path.as_ref())?, max)
    }

    /// The regular file at `path` below the directory, for reading.
    ///
    /// # Errors
    /// When it is no regular file of the owner's.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        let found = walk(&self.directory, path, self.mount, OFlag::O_PATH)?;
        let status = Status::of(&found)?;
        if status.kind != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        if !is_owned(status.uid, self.owner) {
            return Err(foreign());
        }
        reopen(&found)
    }

    /// There is a directory at `path` below this one, of the same owner.
    #[must_use]
    pub fn has_directory(&self, path: impl AsRef<Path>) -> bool {
        let found = walk(&self.directory, path.as_ref(), self.mount, DIRECTORY);
        found.and_then(|found| Status::of(&found)).is_ok_and(|status| is_owned(status.uid, self.owner))
    }

    /// The first names in the directory at `path` below this one, `max` at most, in no order.
    #[must_use]
    pub fn names(&self, path: impl AsRef<Path>, max: usize) -> Vec<OsString> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let listed = walk(&self.directory, path.as_ref(), self.mount, flags).and_then(|found| Ok(Dir::from_fd(found)?));
        let Ok(mut listed) = listed else { return Vec::new() };
        let entries = listed.iter().take(MAX_ENTRIES).flatten();
        let names = entries.map(|entry| entry.file_name().to_bytes().to_vec());
        names.filter(|name| !matches!(name.as_slice(), b"." | b"..")).map(OsString::from_vec).take(max).collect()
    }
}

/// Neither reads nor waits: it only leads on.
const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// Opens `path` below `directory`, through directories alone. A path that leads up or is absolute leads nowhere.
fn walk(directory: &OwnedFd, path: &Path, mount: Option<u64>, flags: OFlag) -> io::Result<OwnedFd> {
    let names: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if !names.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path leads elsewhere"));
    }
    let path = if names.as_os_str().is_empty() { Path::new(".") } else { names.as_path() };
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    resolve.set(ResolveFlag::RESOLVE_NO_XDEV, mount.is_some());
    match openat2(directory, path, OpenHow::new().flags(flags).resolve(resolve)) {
        // Not in this kernel (it is from 5.6), or kept from this process by a seccomp filter that does not know it.
        Err(Errno::ENOSYS | Errno::EPERM) => step_by_step(directory, path, mount, flags),
        found => Ok(found?),
    }
}

/// As [`walk`], one name after the other.
fn step_by_step(directory: &OwnedFd, path: &Path, mount: Option<u64>, flags: OFlag) -> io::Result<OwnedFd> {
    let here = steps(directory, path, |found| mount.is_none_or(|mount| mount == found))?;
    if flags.contains(OFlag::O_DIRECTORY) && Status::of(&here)?.kind != FileType::Directory {
        return Err(Errno::ENOTDIR.into());
    }
    // What `here` is, is known by now: a directory, where it is opened for reading.
    if flags.contains(OFlag::O_PATH) { Ok(here) } else { Ok(openat(&here, ".", flags, Mode::empty())?) }
}

/// What is at `path`, of plain names, below `directory`, through no link and only through mounts whose id `is_allowed`. Each is asked for
/// while it is held, and before its file system is asked for anything.
pub(super) fn steps(directory: &OwnedFd, path: &Path, mut is_allowed: impl FnMut(u64) -> bool) -> io::Result<OwnedFd> {
    let mut here = directory.as_fd().try_clone_to_owned()?;
    let mut names = path.components().peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        let name = Path::new(&name);
        // First without reading, which no file system is asked for.
        let found = openat(&here, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
        let status = Status::of(&found)?;
        if !is_allowed(status.mount) {
            return Err(not_local());
        }
        if status.kind == FileType::Symlink || (!is_last && status.kind != FileType::Directory) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a link is not followed"));
        }
        here = found;
    }
    Ok(here)
}

/// Opens for reading the very file that `found` holds without, whatever has its name by now. A lease on it does not hold this up either
/// (open(2)).
pub(super) fn reopen(found: &OwnedFd) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    Ok(open(format!("/proc/self/fd/{}", found.as_raw_fd()).as_str(), flags, Mode::empty())?.into())
}

/// Root's are those of the user, too, that this process runs as.
fn is_owned(uid: u32, owner: u32) -> bool {
    uid == owner || (owner == 0 && uid == nix::unistd::geteuid().as_raw())
}

fn foreign() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "it is another user's")
}

pub(super) fn not_local() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "it is not on a local file system")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    const MAX: u64 = 16;

    fn own() -> u32 {
        nix::unistd::geteuid().as_raw()
    }

    /// Both ways to walk give the same.
    fn reads(territory: &Territory, path: &str) -> io::Result<Vec<u8>> {
        let stepped = step_by_step(&territory.directory, Path::new(path), territory.mount, OFlag::O_PATH);
        let found = territory.read(path, MAX);
        if let Err(error) = &stepped {
            assert!(found.is_err(), "{path}: {error}");
        }
        found
    }

    #[test]
    fn what_is_no_file_of_the_owners_below_the_directory_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/file"), "text").unwrap();
        fs::write(root.join("a/long"), "0123456789abcdefg").unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        symlink(dir.path().join("secret"), root.join("a/link")).unwrap();
        symlink(root.join("a"), root.join("directory-link")).unwrap();
        nix::unistd::mkfifo(&root.join("a/fifo"), Mode::S_IRUSR).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(root.join("a/socket")).unwrap();
        for territory in [Territory::of_system(&root).unwrap(), Territory::of_user(&root, own()).unwrap()] {
            assert_eq!(reads(&territory, "a/file").unwrap(), b"text");
            for path in [
                "a/long",
                "a/fifo",
                "a/socket",
                "a/link",
                "a/b",
                "a/gone",
                "directory-link/file",
                "../secret",
                "a/../a/file",
                "",
                "/etc/passwd",
            ] {
                assert!(reads(&territory, path).is_err(), "{path:?}");
            }
            assert!(territory.has_directory("a/b") && territory.has_directory(""));
            assert!(!territory.has_directory("a/file") && !territory.has_directory("directory-link"));
            let mut names = territory.names("a", 100);
            names.sort();
            assert_eq!(names, ["b", "fifo", "file", "link", "long", "socket"]);
            assert_eq!((territory.names("a", 2).len(), territory.names("gone", 2).len()), (2, 0));
        }
        assert!(Territory::of_user(&root, own() + 1).is_err());
        assert!(Territory::of_user(&root.join("directory-link"), own()).is_err());
        assert!(Territory::of_user(Path::new("/proc/self"), own()).is_err());
        assert!(Territory::of_system(&root.join("a/file")).is_err());
    }

    #[test]
    fn a_file_of_another_user_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "text").unwrap();
        let mut territory = Territory::of_user(dir.path(), own()).unwrap();
        assert!(territory.read("file", MAX).is_ok());
        territory.owner = own() + 1;
        assert_eq!(territory.read("file", MAX).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(!territory.has_directory(""));
    }
}
