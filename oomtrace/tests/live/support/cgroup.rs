//! Cgroups of the scenarios' own, below the mounts that are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use oomtrace::node::cgroups::{self, Version};

use super::process::{describe, patience};

/// A cgroup that is emptied and removed when it goes out of scope.
pub struct Cgroup {
    path: PathBuf,
    /// Its path from the hierarchy's root.
    pub name: String,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Cgroup {
    /// On the hierarchy that has the memory controller, with a limit.
    pub fn with_memory_limit(bytes: u64) -> Self {
        let all = cgroups::hierarchies().unwrap();
        let memory = cgroups::memory(&all).unwrap();
        let cgroup = Self::create(&memory.mount);
        cgroup.limit_memory(bytes);
        cgroup
    }

    /// On the hierarchy that has the processors' controller.
    pub fn with_cpu_controller() -> Self {
        Self::create(&cpu_mount().unwrap())
    }

    /// On the hierarchy that has the processors' controller, with the share that Kubernetes gives for a request of so many thousandths
    /// of one.
    pub fn with_cpu_request(millis: u64) -> Self {
        let cgroup = Self::with_cpu_controller();
        let shares = (millis * 1024 / 1000).max(2);
        if cgroup.has("cpu.shares") {
            cgroup.write("cpu.shares", &shares.to_string());
        } else {
            cgroup.write("cpu.weight", &(1 + (shares - 2) * 9999 / 262_142).to_string());
        }
        cgroup
    }

    /// Below this one, which has the memory controller, with a limit.
    pub fn child_with_memory_limit(&self, name: &str, bytes: u64) -> Self {
        let cgroup = self.child(name);
        cgroup.limit_memory(bytes);
        cgroup
    }

    fn limit_memory(&self, bytes: u64) {
        let file = if self.has("memory.max") { "memory.max" } else { "memory.limit_in_bytes" };
        self.write(file, &bytes.to_string());
    }

    /// On the v2 hierarchy.
    pub fn v2() -> Self {
        Self::create(&v2_mount().unwrap())
    }

    /// Below this one, on the same hierarchy.
    pub fn child(&self, name: &str) -> Self {
        // On a node with v1 hierarchies the v2 one has no controllers.
        let controllers = fs::read_to_string(self.path.join("cgroup.controllers")).unwrap_or_default();
        if controllers.split_whitespace().any(|controller| controller == "memory") {
            self.write("cgroup.subtree_control", "+memory");
        }
        let path = self.path.join(name);
        fs::create_dir(&path).unwrap();
        Self { path, name: format!("{}/{name}", self.name) }
    }

    fn create(mount: &Path) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("oomtrace-test-{}-{number}", std::process::id());
        let path = mount.join(&name);
        fs::create_dir(&path).unwrap();
        Self { path, name: format!("/{name}") }
    }

    pub fn write(&self, file: &str, value: &str) {
        let path = self.path.join(file);
        fs::write(&path, value).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// This kernel has the file in every cgroup.
    pub fn has(&self, file: &str) -> bool {
        self.path.join(file).exists()
    }

    pub fn add(&self, pid: u32) {
        self.write("cgroup.procs", &pid.to_string());
    }

    /// The file that processes are moved in through, for a shell.
    pub fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// The processes in it.
    pub fn pids(&self) -> Vec<u32> {
        fs::read_to_string(self.procs()).unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
    }
}

/// Cgroups, each below the one before it, which are removed from the innermost on.
pub struct Nested(Vec<Cgroup>);

impl Nested {
    /// Below a new one on the v2 hierarchy.
    pub fn v2<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = Self(vec![Cgroup::v2()]);
        for name in names {
            let next = all.innermost().child(name);
            all.0.push(next);
        }
        all
    }

    pub fn innermost(&self) -> &Cgroup {
        self.0.last().unwrap()
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The root of the hierarchy takes whoever is left; their owners end them. A parent with controllers takes none.
        let depth = self.name.split('/').filter(|part| !part.is_empty()).count();
        let root = self.path.ancestors().nth(depth).unwrap().join("cgroup.procs");
        let started = Instant::now();
        while self.path.exists() && fs::remove_dir(&self.path).is_err() {
            let left = self.pids();
            if started.elapsed() > patience() {
                let said: Vec<String> = left.iter().map(|pid| describe(*pid)).collect();
                panic!("{} is not removed; in it: {}", self.path.display(), said.join("\n"));
            }
            for pid in left {
                _ = fs::write(&root, pid.to_string());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Docker makes a container's parent on every hierarchy, and leaves it there.
        for hierarchy in cgroups::hierarchies().unwrap_or_default() {
            _ = fs::remove_dir(hierarchy.mount.join(self.name.trim_start_matches('/')));
        }
    }
}

/// Where the hierarchy with the processors' controller is mounted.
pub fn cpu_mount() -> Option<PathBuf> {
    let all = cgroups::hierarchies().ok()?;
    all.into_iter().find(|h| h.controllers.iter().any(|controller| controller == "cpu")).map(|h| h.mount)
}

/// Where cgroup v2 is mounted.
pub fn v2_mount() -> Option<PathBuf> {
    let all = cgroups::hierarchies().ok()?;
    all.into_iter().find(|h| h.version == Version::V2).map(|h| h.mount)
}
