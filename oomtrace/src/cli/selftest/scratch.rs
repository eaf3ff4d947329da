//! A memory cgroup for the selftest, removed when it goes out of scope.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use oomtrace::node::cgroups::{Hierarchy, Version};
use oomtrace::sink::notices;

const PREFIX: &str = "oomtrace-selftest-";
/// A killed process leaves its cgroup when its parent has taken its status, which happened before.
const EMPTY_WITHIN: Duration = Duration::from_secs(5);

/// See the module's documentation.
pub struct ScratchCgroup {
    path: PathBuf,
    name: String,
}

impl ScratchCgroup {
    /// Makes a cgroup with a memory limit, right below the hierarchy's mount point.
    pub fn create(hierarchy: &Hierarchy, limit_bytes: u64) -> Result<Self> {
        let mount = &hierarchy.mount;
        remove_stale(mount);
        let name = format!("{PREFIX}{}", std::process::id());
        let path = mount.join(&name);
        fs::create_dir(&path).with_context(|| format!("cannot create cgroup {}", path.display()))?;
        let scratch = Self { path, name };
        match hierarchy.version {
            Version::V1 => {
                scratch.write("memory.limit_in_bytes", limit_bytes)?;
                // With memory+swap accounting, swap must not soften the limit.
                scratch.write_if_there("memory.memsw.limit_in_bytes", limit_bytes)?;
            }
            Version::V2 => {
                if !scratch.path.join("memory.max").exists() {
                    enable_memory(mount)?;
                }
                scratch.write_if_there("memory.swap.max", 0)?;
                scratch.write("memory.max", limit_bytes)?;
            }
        }
        Ok(scratch)
    }

    /// The cgroup's name; its path ends with it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Moves a process into it.
    pub fn add(&self, pid: u32) -> Result<()> {
        self.write("cgroup.procs", pid.into())
    }

    fn write(&self, file: &str, value: u64) -> Result<()> {
        let path = self.path.join(file);
        fs::write(&path, value.to_string()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn write_if_there(&self, file: &str, value: u64) -> Result<()> {
        if self.path.join(file).exists() { self.write(file, value) } else { Ok(()) }
    }
}

impl Drop for ScratchCgroup {
    fn drop(&mut self) {
        let started = Instant::now();
        while let Err(error) = fs::remove_dir(&self.path) {
            let busy = error.raw_os_error() == Some(nix::libc::EBUSY);
            if !busy || started.elapsed() > EMPTY_WITHIN {
                notices::say(&format!("cannot remove cgroup {}: {error}", self.path.display()));
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// On v2 a controller must be switched on for children.
fn enable_memory(mount: &Path) -> Result<()> {
    let path = mount.join("cgroup.subtree_control");
    fs::write(&path, "+memory").with_context(|| format!("cannot enable the memory controller in {}", path.display()))
}

/// Removes what a selftest left that was killed itself. Only an empty cgroup can be removed.
fn remove_stale(mount: &Path) {
    let Ok(entries) = fs::read_dir(mount) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
            && let Err(error) = fs::remove_dir(entry.path())
            && error.kind() != io::ErrorKind::NotFound
        {
            log::debug!("cannot remove {}: {error}", entry.path().display());
        }
    }
}
