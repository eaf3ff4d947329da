//! A private containerd, and containers that `ctr` runs on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::Signal;
use oomtrace::node::cgroups;
use tempfile::TempDir;

use super::process::{BUSYBOX, Owned, run, wait_until};

/// The daemon; it ends when this goes out of scope, after its containers.
pub struct Containerd {
    directory: TempDir,
    daemon: Owned,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Containerd {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = {:?}\n",
            path("root"),
            path("state"),
            path("state/containerd.sock")
        );
        fs::write(directory.path().join("config.toml"), config).unwrap();
        let daemon = spawn(directory.path());
        let rootfs = directory.path().join("rootfs/bin");
        fs::create_dir_all(&rootfs).unwrap();
        for applet in ["sh", "sleep", "tail"] {
            fs::copy(BUSYBOX, rootfs.join(applet)).unwrap();
        }
        let containerd = Self { directory, daemon };
        containerd.wait_until_it_answers();
        containerd
    }

    fn wait_until_it_answers(&self) {
        wait_until("containerd answers", || {
            let version = self.ctr().arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        });
    }

    /// Ends the daemon as a crash does; containers go on.
    pub fn crash(&mut self) {
        self.daemon.kill(Signal::SIGKILL);
        self.daemon.wait();
    }

    /// Starts it again on the same data.
    pub fn restart(&mut self) {
        self.daemon = spawn(self.directory.path());
        self.wait_until_it_answers();
    }

    /// Its state directory, with the bundles.
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Its client.
    pub fn ctr(&self) -> Command {
        ctr_at(&self.state())
    }

    /// Runs `command` in a shell that is the first process of a container with this id, in the cgroup at `cgroup`; none is
    /// what `ctr` takes by itself.
    pub fn run(&self, id: &str, cgroup: Option<&str>, options: &[&str], command: &str) -> Container {
        self.run_in("default", id, cgroup, options, command)
    }

    /// The same in that namespace of containerd's.
    pub fn run_in(
        &self,
        namespace: &'static str,
        id: &str,
        cgroup: Option<&str>,
        options: &[&str],
        command: &str,
    ) -> Container {
        let at = cgroup.map_or_else(|| format!("/default/{id}"), str::to_owned);
        // Made before the container is, so that it is removed even when its start fails.
        let mut container = Container { state: self.state(), namespace, id: id.to_owned(), cgroup: at, init: 0 };
        let mut ctr = self.ctr();
        ctr.args(["--namespace", namespace, "run", "--detach", "--null-io", "--env", "PATH=/bin", "--rootfs"])
            .args(options);
        if let Some(cgroup) = cgroup {
            ctr.args(["--cgroup", cgroup]);
        }
        run(ctr.arg(self.directory.path().join("rootfs")).args([id, "sh", "-c", command]));
        let tasks = run(self.ctr().args(["--namespace", namespace, "task", "list"]));
        let line = tasks.lines().find(|line| line.split_whitespace().next() == Some(id));
        container.init = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0);
        container
    }

    /// A name that no other scenario uses.
    pub fn name() -> String {
        format!("oomtrace-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
    }
}

fn ctr_at(state: &Path) -> Command {
    let mut command = Command::new("ctr");
    command.arg("--address").arg(state.join("containerd.sock")).stdin(Stdio::null());
    command
}

fn spawn(directory: &Path) -> Owned {
    let mut command = Command::new("containerd");
    command.arg("--config").arg(directory.join("config.toml")).stdout(Stdio::null()).stderr(Stdio::null());
    Owned::spawn(&mut command)
}

/// A container that is removed when it goes out of scope.
pub struct Container {
    /// The daemon's state directory, where its socket is.
    state: PathBuf,
    namespace: &'static str,
    id: String,
    cgroup: String,
    /// The host's pid of its first process; 0 when it has ended already.
    pub init: u32,
}

impl Drop for Container {
    fn drop(&mut self) {
        for command in [
            ["task", "kill", "--signal", "SIGKILL"].as_slice(),
            &["task", "delete", "--force"],
            &["container", "delete"],
        ] {
            _ = ctr_at(&self.state).args(["--namespace", self.namespace]).args(command).arg(&self.id).output();
        }
        // runc leaves the cgroups above its container's, which it made.
        for hierarchy in cgroups::hierarchies().unwrap_or_default() {
            let path = Path::new(self.cgroup.trim_start_matches('/'));
            for dir in path.ancestors().filter(|dir| !dir.as_os_str().is_empty()) {
                _ = fs::remove_dir(hierarchy.mount.join(dir));
            }
        }
    }
}
