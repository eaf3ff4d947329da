//! What a thread gives up that only writes to what is open already: every capability, and with Landlock (5.13) to open, make, change or
//! run any file. It may still read: times are shown in this machine's zone.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread::Builder;

use landlock::{
    ABI, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, path_beneath_rules,
};

use crate::own::capabilities;

/// Of the thread; only what is touched is ever resident.
const STACK: usize = 256 << 10;

/// Starts such a thread. It is confined when this returns: whoever filters system calls next leaves it none that it needs for that.
///
/// # Errors
/// When there can be no thread.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    spawn_sized(name, STACK, work)
}

/// The same, with a stack of so many bytes.
///
/// # Errors
/// When there can be no thread.
pub fn spawn_sized(name: &str, stack: usize, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    start(name, stack, None, work)
}

/// The same for one that writes to files below `directory`, and to nothing else.
///
/// # Errors
/// When there can be no thread.
pub fn spawn_below(name: &str, directory: &Path, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    start(name, 2 * STACK, Some(directory.to_owned()), work)
}

fn start(name: &str, stack: usize, directory: Option<PathBuf>, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let (confined, is_confined) = channel::<()>();
    Builder::new().name(name.to_owned()).stack_size(stack).spawn(move || {
        confine(directory.as_deref());
        drop(confined);
        work();
    })?;
    // Nothing is ever sent: the channel closes.
    _ = is_confined.recv();
    Ok(())
}

/// For the calling thread. What the kernel refuses stays as it is.
fn confine(writable: Option<&Path>) {
    if let Err(error) = capabilities::reduce(&[]) {
        log::debug!("a thread keeps its capabilities: {error}");
    }
    match forbid_writing(writable) {
        Ok(true) => {}
        Ok(false) => log::debug!("this kernel has no Landlock for a thread"),
        Err(error) => log::debug!("a thread is not confined by Landlock: {}", io::Error::other(error)),
    }
}

/// Whether it is in force, but for files below `writable`. It sets `no_new_privs` for the thread, which it presupposes.
fn forbid_writing(writable: Option<&Path>) -> Result<bool, RulesetError> {
    let unwanted = AccessFs::from_write(ABI::V5) | AccessFs::Execute;
    let below = path_beneath_rules(writable, AccessFs::WriteFile);
    let status = Ruleset::default().handle_access(unwanted)?.create()?.add_rules(below)?.restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::own::landlock_version;
    use std::fs;
    use std::io::Write as _;

    #[test]
    fn one_that_writes_below_a_directory_writes_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        fs::create_dir(path.join("in")).unwrap();
        fs::write(path.join("in/file"), "x").unwrap();
        fs::write(path.join("file"), "x").unwrap();
        std::thread::spawn(move || {
            confine(Some(&path.join("in")));
            let write = |file: &str| fs::OpenOptions::new().read(true).write(true).open(path.join(file));
            assert!(write("in/file").is_ok());
            if landlock_version().is_some() {
                assert_eq!(write("file").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
                assert!(fs::remove_file(path.join("in/file")).is_err());
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_writer_writes_to_what_is_open_and_to_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        std::thread::spawn(move || {
            let mut open = fs::File::create(path.join("open")).unwrap();
            confine(None);
            open.write_all(b"x").unwrap();
            assert_eq!(fs::read(path.join("open")).unwrap(), b"x");
            assert!(crate::own::capabilities::held().unwrap().names().is_empty());
            if landlock_version().is_some() {
                for made in [fs::File::create(path.join("other")), fs::File::create(path.join("open"))] {
                    assert_eq!(made.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
                }
                assert_eq!(fs::remove_file(path.join("open")).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
            }
        })
        .join()
        .unwrap();
    }
}
