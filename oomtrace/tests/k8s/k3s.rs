//! containerd where k3s and RKE2 have it, with a container as Kubernetes makes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::node::node;
use crate::support::process::{BUSYBOX, Owned, run, wait_until};

/// k3s' own directory.
const DIRECTORY: &str = "/run/k3s";
const STATE: &str = "/run/k3s/containerd";
const ID: &str = "5c1d6f0e5c1d6f0e5c1d6f0e5c1d6f0e5c1d6f0e5c1d6f0e5c1d6f0e5c1d6f0e";
pub const POD_UID: &str = "2f1c8b1a-0c1d-4b5e-9a77-0123456789ab";
pub const POD: &str = "web-5d4";
pub const NAMESPACE: &str = "shop";
pub const CONTAINER: &str = "app";

/// The daemon and its container; both end when this goes out of scope.
pub struct K3s {
    /// The container's first process.
    pub init: u32,
    _daemon: Owned,
}

impl K3s {
    /// None where k3s itself may be, or the node has its own: then every scenario is one of a containerd at that place.
    pub fn start() -> Option<Self> {
        if Path::new(DIRECTORY).exists() {
            return None;
        }
        let work = work();
        let rootfs = work.join("rootfs/bin");
        fs::create_dir_all(&rootfs).unwrap();
        for applet in ["sh", "sleep"] {
            fs::copy(BUSYBOX, rootfs.join(applet)).unwrap();
        }
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {STATE:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = \"{STATE}/containerd.sock\"\n",
            work.join("root")
        );
        fs::write(work.join("config.toml"), config).unwrap();
        // In the node's cgroup: its shims are ended with the node at the latest.
        let procs = node().memory(&format!("{}/daemons/cgroup.procs", node().cgroup));
        let mut daemon = Command::new("sh");
        daemon.args(["-c", r#"echo $$ > "$0" && exec "$@""#]).arg(procs).arg(node().programs.join("containerd"));
        daemon.arg("--config").arg(work.join("config.toml")).stdout(Stdio::null()).stderr(Stdio::null());
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", node().programs.display());
        let mut k3s = Self { init: 0, _daemon: Owned::spawn(daemon.env("PATH", path)) };
        wait_until("k3s' containerd answers", || {
            ctr()
                .arg("version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        });
        k3s.init = run_container(&work.join("rootfs"));
        Some(k3s)
    }
}

fn work() -> PathBuf {
    node().directory.join("k3s")
}

fn ctr() -> Command {
    let mut command = Command::new(node().programs.join("ctr"));
    command.args(["--address", &format!("{STATE}/containerd.sock"), "--namespace", "k8s.io"]).stdin(Stdio::null());
    command
}

/// Runs a container with the annotations and the cgroup that containerd's CRI gives it; the pid of its first process.
fn run_container(rootfs: &Path) -> u32 {
    let mut command = ctr();
    command.args(["run", "--detach", "--null-io", "--env", "PATH=/bin", "--rootfs"]);
    for (key, value) in [
        ("container-type", "container"),
        ("container-name", CONTAINER),
        ("image-name", "docker.io/library/nginx:1.27"),
        ("sandbox-name", POD),
        ("sandbox-namespace", NAMESPACE),
        ("sandbox-uid", POD_UID),
    ] {
        command.args(["--annotation", &format!("io.kubernetes.cri.{key}={value}")]);
    }
    // Not below the kubelet's own: it removes pods' cgroups there that it does not know.
    let cgroup = format!("{}/k3s/kubepods/burstable/pod{POD_UID}/{ID}", node().cgroup);
    run(command.args(["--cgroup", &cgroup]).arg(rootfs).args([ID, "sh", "-c", "exec sleep 1000"]));
    let tasks = run(ctr().args(["task", "list"]));
    let line = tasks.lines().find(|line| line.split_whitespace().next() == Some(ID)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

impl Drop for K3s {
    fn drop(&mut self) {
        for command in [
            ["task", "kill", "--signal", "SIGKILL"].as_slice(),
            &["task", "delete", "--force"],
            &["container", "delete"],
        ] {
            _ = ctr().args(command).arg(ID).output();
        }
        _ = fs::remove_dir_all(DIRECTORY);
    }
}
