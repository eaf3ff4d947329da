//! A private Docker daemon for the tests: own socket, own data, own state; nothing of it is left afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::packages::{is_root, on_path};
use crate::say;

/// Environment variable: where the daemon listens.
pub const SOCKET_VARIABLE: &str = "OOMTRACE_TEST_DOCKER_SOCKET";

const PREFIX: &str = "oomtrace-dockerd-";
const START_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// The running daemon; dropping it stops it and removes its directory.
pub struct Dockerd {
    child: Child,
    directory: PathBuf,
}

impl Dockerd {
    /// Starts it; none, and a line that says why, when this machine cannot.
    ///
    /// # Errors
    /// When its directory cannot be made, or it cannot be run.
    pub fn start() -> Result<Option<Self>> {
        if !is_root() || !on_path("dockerd") {
            let why = if is_root() { "there is no dockerd" } else { "this is not root" };
            say(&format!("no private Docker daemon, because {why}: tests that need one are skipped"));
            return Ok(None);
        }
        remove_stale();
        // Not in the target directory: the path of a Unix socket has at most 108 bytes.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let mut daemon = Self { child: spawn(&directory)?, directory };
        if daemon.answers() {
            return Ok(Some(daemon));
        }
        let log = fs::read_to_string(daemon.directory.join("log")).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        say(&format!(
            "the private Docker daemon does not start, so tests that need it are skipped: {}",
            last.join(" / ")
        ));
        Ok(None)
    }

    /// Ends the daemon as a crash does, and its containerd with it; containers go on.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn crash(&mut self) -> Result<()> {
        // Started by dockerd, and in the way of the next one's when it stays.
        let containerd = fs::read_to_string(self.directory.join("exec/containerd/containerd.pid")).unwrap_or_default();
        self.child.kill().and_then(|()| self.child.wait()).context("cannot kill dockerd")?;
        if let Ok(pid) = containerd.trim().parse::<u32>() {
            // It may have gone with its parent.
            _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
            let started = Instant::now();
            while Path::new("/proc").join(pid.to_string()).exists() && started.elapsed() < STOP_WITHIN {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    /// Starts it again on the same data; false when it does not answer in time.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn restart(&mut self) -> Result<bool> {
        self.child = spawn(&self.directory)?;
        Ok(self.answers())
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.join("docker.sock")
    }

    /// Waits until it answers; false when it has ended or does not in time.
    fn answers(&mut self) -> bool {
        let host = format!("unix://{}", self.socket().display());
        let started = Instant::now();
        while started.elapsed() < START_WITHIN {
            let version = Command::new("docker")
                .args(["--host", &host, "version"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if version.is_ok_and(|status| status.success()) {
                return true;
            }
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    }
}

fn spawn(directory: &Path) -> Result<Child> {
    let log = fs::File::create(directory.join("log")).context("cannot create the daemon's log")?;
    // When this process is killed, its daemon must not stay behind.
    Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none"])
        .arg("--host")
        .arg(format!("unix://{}", directory.join("docker.sock").display()))
        .arg("--data-root")
        .arg(directory.join("data"))
        .arg("--exec-root")
        .arg(directory.join("exec"))
        .arg("--pidfile")
        .arg(directory.join("pid"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share the daemon's log")?)
        .stderr(log)
        .spawn()
        .context("cannot start dockerd")
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        // SIGTERM, so that it stops its containers and its containerd.
        let term = Command::new("kill").arg(self.child.id().to_string()).status();
        let started = Instant::now();
        while term.is_ok() && started.elapsed() < STOP_WITHIN && self.child.try_wait().is_ok_and(|s| s.is_none()) {
            std::thread::sleep(Duration::from_millis(50));
        }
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            say(&format!("dockerd may be left: {error}"));
        }
        end_containers(&self.directory);
        remove(&self.directory);
    }
}

/// Ends what a daemon that had crashed left running: every process in a cgroup that has the name of one of its containers, and
/// their shims, whose command lines have the daemon's directory.
fn end_containers(directory: &Path) {
    let names = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let ids = names(&directory.join("data/containers"));
    if ids.is_empty() {
        return;
    }
    for pid in names(Path::new("/proc")).into_iter().filter(|name| name.bytes().all(|b| b.is_ascii_digit())) {
        let cgroups = fs::read_to_string(Path::new("/proc").join(&pid).join("cgroup")).unwrap_or_default();
        let cmdline = fs::read(Path::new("/proc").join(&pid).join("cmdline")).unwrap_or_default();
        let is_shim = String::from_utf8_lossy(&cmdline).contains(&format!("{}/exec/", directory.display()));
        if is_shim || ids.iter().any(|id| cgroups.contains(id.as_str())) {
            _ = Command::new("kill").args(["-KILL", &pid]).stderr(Stdio::null()).status();
        }
    }
}

/// Unmounts what is mounted below `directory`, and removes it.
fn remove(directory: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below = mounts
        .lines()
        .rev()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|mount| Path::new(mount).starts_with(directory));
    for mount in below {
        if let Err(error) = Command::new("umount").arg(mount).status() {
            say(&format!("cannot unmount {mount}: {error}"));
        }
    }
    if let Err(error) = fs::remove_dir_all(directory) {
        say(&format!("cannot remove {}: {error}", directory.display()));
    }
}

/// Removes what a run left that was killed.
fn remove_stale() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let pid = name.and_then(|name| name.split('-').next());
        if pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()) {
            remove(&entry.path());
        }
    }
}
