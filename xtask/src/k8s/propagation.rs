//! Mounts of the machine that containers see come and go (HostToContainer): containerd wants the mount that they are on to be shared, as
//! systemd makes all of them when a machine boots. On a machine without systemd it is made so for as long as the node is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use xtask::{say, succeed};

/// What containers have mounted from the machine.
const SEEN: &str = "/run";
/// In the node's directory: the mount that was made shared.
const NOTE: &str = "made-shared";

/// Sees to it; `directory` is the node's.
///
/// # Errors
/// When the mount cannot be changed.
pub fn share(directory: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("cannot read the mounts")?;
    let Some(mount) = private_mount_of(Path::new(SEEN), &mounts) else { return Ok(()) };
    // First: a run that is killed must not leave it.
    fs::write(directory.join(NOTE), mount.as_os_str().as_encoded_bytes()).context("cannot write what is shared")?;
    succeed(Command::new("mount").arg("--make-shared").arg(&mount).stdin(Stdio::null()))
}

/// Has the mount be as it was.
pub fn restore(directory: &Path) {
    let Ok(mount) = fs::read_to_string(directory.join(NOTE)) else { return };
    let status = Command::new("mount").args(["--make-private", &mount]).stdin(Stdio::null()).status();
    if !status.is_ok_and(|status| status.success()) {
        say(&format!("{mount} stays a shared mount"));
    }
}

/// The mount that `path` is on, unless it is shared or another one's slave already (proc(5), `/proc/PID/mountinfo`).
fn private_mount_of(path: &Path, mounts: &str) -> Option<PathBuf> {
    let mut found: Option<(PathBuf, bool)> = None;
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let Some(point) = fields.get(4).map(PathBuf::from) else { continue };
        // What is mounted later at the same place hides what was there.
        let is_nearer = found.as_ref().is_none_or(|(old, _)| point.as_os_str().len() >= old.as_os_str().len());
        if path.starts_with(&point) && is_nearer {
            let mut optional = fields.iter().skip(6).take_while(|field| **field != "-");
            let propagates = optional.any(|field| field.starts_with("shared:") || field.starts_with("master:"));
            found = Some((point, propagates));
        }
    }
    found.filter(|(_, propagates)| !propagates).map(|(point, _)| point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_nearest_to_a_path_counts() {
        let root = "21 1 254:0 / / rw - ext4 /dev/vda rw\n";
        let run = |optional: &str| format!("{root}30 21 0:25 / /run rw{optional} - tmpfs tmpfs rw\n");
        let mount = |mounts: &str| private_mount_of(Path::new("/run"), mounts);
        assert_eq!(mount(root), Some("/".into()));
        assert_eq!(mount(&run("")), Some("/run".into()));
        assert_eq!(mount(&run(" shared:5")), None);
        assert_eq!(mount(&run(" master:5 propagate_from:2")), None);
        assert_eq!(mount(&format!("{root}30 21 0:25 / /runner rw - tmpfs tmpfs rw\n")), Some("/".into()));
    }
}
