//! The node's cgroups: one below the root of each hierarchy that is mounted, with a name of its own. All that the node runs is in it, and
//! so found again and ended, whatever became of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const END_WITHIN: Duration = Duration::from_secs(30);
/// What a cpuset of version 1 must have before anything can be in it.
const CPUSET: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// A cgroup of the same name on every hierarchy.
pub struct Cgroups {
    name: String,
    mounts: Vec<PathBuf>,
}

impl Cgroups {
    /// Makes it.
    ///
    /// # Errors
    /// When cgroups cannot be made there.
    pub fn create(name: &str) -> Result<Self> {
        let cgroups = Self::of(name);
        if cgroups.mounts.is_empty() {
            bail!("no cgroup hierarchy is mounted");
        }
        for mount in &cgroups.mounts {
            let path = mount.join(name);
            fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
            for file in CPUSET {
                if let Ok(parents) = fs::read_to_string(mount.join(file)) {
                    fs::write(path.join(file), parents).with_context(|| format!("cannot write {file}"))?;
                }
            }
        }
        // With all in one hierarchy, controllers are handed down; a cgroup that hands them down has no process of its own.
        let controllers = cgroups.mounts.iter().map(|mount| mount.join(name));
        for path in controllers.filter(|path| path.join("cgroup.subtree_control").exists()) {
            let known = fs::read_to_string(path.join("cgroup.controllers")).unwrap_or_default();
            for controller in known.split_whitespace() {
                fs::write(path.join("cgroup.subtree_control"), format!("+{controller}"))
                    .with_context(|| format!("cannot hand {controller} down"))?;
            }
        }
        let daemons = cgroups.first()?.join("daemons");
        fs::create_dir_all(&daemons).with_context(|| format!("cannot create {}", daemons.display()))?;
        Ok(cgroups)
    }

    /// The one of that name, which may be there or not.
    pub fn of(name: &str) -> Self {
        Self { name: name.to_owned(), mounts: mounts() }
    }

    /// Names on any hierarchy that begin so.
    pub fn names(prefix: &str) -> Vec<String> {
        let entries = mounts().into_iter().filter_map(|mount| fs::read_dir(mount).ok()).flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Its path from a hierarchy's root.
    pub fn path(&self) -> String {
        format!("/{}", self.name)
    }

    /// What a process writes its pid into to be one of the node's daemons.
    pub fn daemons(&self) -> Result<PathBuf> {
        Ok(self.first()?.join("daemons/cgroup.procs"))
    }

    fn first(&self) -> Result<PathBuf> {
        Ok(self.mounts.first().context("no cgroup hierarchy is mounted")?.join(&self.name))
    }

    /// Ends all that is in it, and removes it.
    ///
    /// # Errors
    /// When something does not end.
    pub fn remove(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let trees: Vec<PathBuf> = self.mounts.iter().flat_map(|mount| tree(&mount.join(&self.name))).collect();
            let pids: Vec<i32> = trees.iter().flat_map(|path| pids(path)).collect();
            for pid in &pids {
                // It may have ended already.
                _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            if pids.is_empty() {
                // The innermost first; one that was just emptied may be busy still.
                for path in &trees {
                    _ = fs::remove_dir(path);
                }
                if !self.mounts.iter().any(|mount| mount.join(&self.name).exists()) {
                    return Ok(());
                }
            }
            if started.elapsed() > END_WITHIN {
                bail!("cgroups named {} are left; in them: {pids:?}", self.name);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Where cgroup hierarchies are mounted; that with the memory controller first, where oomtrace sees processes apart.
fn mounts() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut mounts: Vec<(bool, PathBuf)> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(path), Some(kind), Some(options)) = (fields.next(), fields.next(), fields.next()) else { continue };
        if matches!(kind, "cgroup" | "cgroup2") {
            mounts.push((!options.split(',').any(|option| option == "memory"), PathBuf::from(path)));
        }
    }
    mounts.sort();
    mounts.into_iter().map(|(_, path)| path).collect()
}

/// The cgroup at `path` and all below it, the innermost first.
fn tree(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut all: Vec<PathBuf> = below.flat_map(|entry| tree(&entry.path())).collect();
    if path.exists() {
        all.push(path.to_owned());
    }
    all
}

fn pids(path: &Path) -> Vec<i32> {
    let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 1).collect()
}
