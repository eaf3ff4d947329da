//! The file of a program or a library that a process has mapped, by its path in the process's own mount namespace. Whoever may mount there
//! may have put a file system over it that waits for him: nothing is asked of one that is not also the machine's.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use rustix::fs::FileType;

use crate::node::files;
use crate::node::mounts::{self, Mount};
use crate::node::status::Status;
use crate::node::territory::{not_local, reopen, steps};

/// A process's root directory and its mounts, which stay what they are when it has ended.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    mountinfo: File,
}

impl Root {
    /// The root of the process `pid`. Waits for nobody.
    ///
    /// # Errors
    /// When it has ended, or may not be looked at.
    pub fn of(proc: &Path, pid: u32) -> io::Result<Self> {
        let process = proc.join(pid.to_string());
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open(&process.join("root"), flags, Mode::empty())?;
        Ok(Self { directory, mountinfo: files::open(&process.join("mountinfo"))? })
    }

    /// The regular file at `path`, for reading: an absolute path without links, as the kernel gives it.
    ///
    /// # Errors
    /// When it is no regular file, or on a file system that is not local, or not one of the machine's own.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        let names = path.strip_prefix("/").map_err(|_| not_local())?;
        if !names.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path leads elsewhere"));
        }
        let mut allowed = Status::of(&self.directory)?.mount;
        if !self.is_machines(allowed) {
            return Err(not_local());
        }
        // A mount that is held keeps its id: what has another one is looked up anew.
        let found = steps(&self.directory, names, |mount| {
            let is_allowed = mount == allowed || self.is_machines(mount);
            allowed = mount;
            is_allowed
        })?;
        if Status::of(&found)?.kind != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        reopen(&found)
    }

    /// The process's mount `id` is of a local file system that is mounted in the machine's own namespace, too. An overlay that a user has
    /// made in a namespace of his own may lie over FUSE.
    fn is_machines(&self, id: u64) -> bool {
        let mut found: Option<Mount> = None;
        let all = mounts::each_in(&self.mountinfo, |mount| found = found.take().or((mount.id == id).then_some(mount)));
        let Some(found) = found.filter(|found| all.is_ok() && found.is_local()) else { return false };
        let mut is_there = false;
        let all = mounts::each_of_machine(|mount| is_there |= mount.device == found.device && mount.kind == found.kind);
        all.is_ok() && is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_machines_is_opened_and_nothing_else() {
        let root = Root::of(Path::new("/proc"), std::process::id()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        std::fs::write(dir.join("file"), "text").unwrap();
        std::os::unix::fs::symlink(dir.join("file"), dir.join("link")).unwrap();
        nix::unistd::mkfifo(&dir.join("fifo"), Mode::S_IRUSR).unwrap();
        assert_eq!(io::read_to_string(root.open(&dir.join("file")).unwrap()).unwrap(), "text");
        for path in [dir.join("link"), dir.join("fifo"), dir.join("gone"), dir.join("../file"), dir.clone()] {
            assert!(root.open(&path).is_err(), "{path:?}");
        }
        for path in ["/proc/self/status", "/proc/version", "file", ""] {
            assert!(root.open(Path::new(path)).is_err(), "{path:?}");
        }
        assert!(Root::of(Path::new("/proc"), 0).is_err());
    }
}
