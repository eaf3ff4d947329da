//! A crowd of containers, as far as cgroups and bundles go.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Cgroups a container: its own, and what it made below.
pub const CGROUPS_EACH: usize = 10;
/// What its containers are called.
pub const NAME: &str = "oomtrace-bench-app";

/// Removed when it goes out of scope.
pub struct Crowd {
    root: PathBuf,
    state: PathBuf,
    containers: Vec<PathBuf>,
}

impl Crowd {
    pub fn make(containers: usize) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
        let mount = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let path = fields.next()?;
            (fields.next()? == "cgroup2").then(|| PathBuf::from(path))
        });
        let mount = mount.context("no cgroup v2 hierarchy is mounted")?;
        let root = mount.join(format!("oomtrace-bench-{}", std::process::id()));
        let state = std::env::temp_dir().join(format!("oomtrace-bench-{}", std::process::id()));
        let mut crowd = Self { root, state, containers: Vec::new() };
        fs::create_dir(&crowd.root).context("cannot make a cgroup")?;
        for number in 0..containers {
            crowd.add(number).context("cannot make a cgroup")?;
        }
        Ok(crowd)
    }

    fn add(&mut self, number: usize) -> Result<()> {
        let id = format!("{number:064x}");
        let uid = format!("{number:032x}");
        let pod = self.root.join(format!("kubepods-burstable-pod{uid}.slice"));
        let own = pod.join(format!("cri-containerd-{id}.scope"));
        fs::create_dir_all(&own)?;
        // The pod's is one, too.
        for below in 2..CGROUPS_EACH {
            fs::create_dir(own.join(format!("made-by-itself-{below}")))?;
        }
        let bundle = self.state.join("io.containerd.runtime.v2.task/k8s.io").join(&id);
        fs::create_dir_all(&bundle)?;
        let config = format!(
            r#"{{"annotations":{{"io.kubernetes.cri.container-name":"{NAME}","io.kubernetes.cri.image-name":"docker.io/library/nginx:1.27",
            "io.kubernetes.cri.sandbox-name":"web-{number}","io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.sandbox-uid":"{uid}"}},
            "linux":{{"resources":{{"memory":{{"limit":536870912}}}}}}}}"#
        );
        fs::write(bundle.join("config.json"), config)?;
        self.containers.push(own);
        Ok(())
    }

    /// containerd's state directory.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// A process in one of the containers, spread over all of them; without containers, in none.
    pub fn process(&self, number: usize) -> Result<Child> {
        let mut sleep = Command::new("sleep");
        sleep.arg("1000").stdin(Stdio::null()).process_group(0);
        let child = sleep.spawn().context("cannot run sleep")?;
        let spread = self.containers.len().checked_div(super::many::KILLS).unwrap_or_default().max(1);
        if let Some(container) = self.containers.get(number * spread % self.containers.len().max(1)) {
            let procs = container.join("cgroup.procs");
            fs::write(&procs, child.id().to_string()).with_context(|| format!("cannot write {}", procs.display()))?;
        }
        // Its program is there, so that its end is not that of a shell's child.
        let started = Instant::now();
        let comm = format!("/proc/{}/comm", child.id());
        while fs::read_to_string(&comm).unwrap_or_default().trim() != "sleep"
            && started.elapsed() < Duration::from_secs(5)
        {
            std::thread::yield_now();
        }
        Ok(child)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        remove_tree(&self.root);
        _ = fs::remove_dir_all(&self.state);
    }
}

/// Removes what was made, also when measuring failed.
fn remove_tree(dir: &Path) {
    let below: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    for path in below.iter().filter(|path| path.is_dir()) {
        remove_tree(path);
    }
    _ = fs::remove_dir(dir);
}
