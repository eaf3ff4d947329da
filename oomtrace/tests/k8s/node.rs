//! The node that `cargo xtask k8s` runs: where its parts are, and what they say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::node::cgroups;
use serde_json::Value;

use crate::api;
use crate::cgroup::Driver;
use crate::support::process::{run, wait_until};

/// The node, by the environment.
pub struct Node {
    /// Its files: kubeconfig, logs, pids, containerd's state.
    pub directory: PathBuf,
    /// containerd's state directory.
    pub containerd: PathBuf,
    /// Its programs.
    pub programs: PathBuf,
    /// Its cgroup, as its path from each hierarchy's root.
    pub cgroup: String,
    pub driver: Driver,
    /// The namespace for pods.
    pub namespace: String,
}

/// The node; none when there is none.
pub fn find() -> Option<&'static Node> {
    static NODE: OnceLock<Option<Node>> = OnceLock::new();
    let node = NODE.get_or_init(|| {
        let variable = |name: &str| std::env::var(format!("OOMTRACE_K8S_{name}")).ok();
        Some(Node {
            directory: variable("DIRECTORY")?.into(),
            containerd: variable("CONTAINERD")?.into(),
            programs: variable("PROGRAMS")?.into(),
            cgroup: variable("CGROUP")?,
            driver: Driver::parse(&variable("DRIVER")?),
            namespace: variable("NAMESPACE")?,
        })
    });
    node.as_ref()
}

/// The node, which is there.
pub fn node() -> &'static Node {
    find().unwrap()
}

/// Those of a list; none where it is not given.
fn items(path: &str) -> Vec<Value> {
    let list = api::get(path).unwrap_or_default();
    list["items"].as_array().cloned().unwrap_or_default()
}

impl Node {
    /// kubectl, as the node's administrator, in the namespace for pods.
    pub fn kubectl(&self) -> Command {
        self.kubectl_in(&self.namespace)
    }

    /// The same in another namespace.
    pub fn kubectl_in(&self, namespace: &str) -> Command {
        let mut command = Command::new(self.programs.join("kubectl"));
        command.arg("--kubeconfig").arg(self.directory.join("kubeconfig")).args(["--namespace", namespace]);
        command.env("HOME", &self.directory).stdin(Stdio::null());
        command
    }

    /// A pod in the namespace for pods, as the API has it; none when it has none.
    pub fn pod(&self, name: &str) -> Option<Value> {
        api::get(&format!("{}/{name}", self.pods_path()))
    }

    /// Where the API has the pods of the namespace for pods.
    pub fn pods_path(&self) -> String {
        format!("/api/v1/namespaces/{}/pods", self.namespace)
    }

    /// Pods of that namespace, or of all, with these labels, as `app=web`; all of them where there are none.
    pub fn pods_with(&self, namespace: Option<&str>, labels: &str) -> Vec<Value> {
        let place = namespace.map(|namespace| format!("namespaces/{namespace}/")).unwrap_or_default();
        items(&format!("/api/v1/{place}pods?labelSelector={}", api::encoded(labels)))
    }

    /// Events in the namespace for pods whose fields are so, as `reason=Killing`.
    pub fn events_with(&self, fields: &str) -> Vec<Value> {
        items(&format!("/api/v1/namespaces/{}/events?fieldSelector={}", self.namespace, api::encoded(fields)))
    }

    /// containerd's client, for what Kubernetes has there.
    pub fn ctr(&self) -> Command {
        let mut command = Command::new(self.programs.join("ctr"));
        command.arg("--address").arg(self.socket());
        command.args(["--namespace", "k8s.io"]).stdin(Stdio::null());
        command
    }

    /// Where containerd listens.
    pub fn socket(&self) -> PathBuf {
        self.containerd.join("containerd.sock")
    }

    /// What a daemon has said so far.
    pub fn log(&self, daemon: &str) -> String {
        let text = fs::read(self.directory.join(format!("{daemon}.log"))).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn pid(&self, daemon: &str) -> Option<u32> {
        fs::read_to_string(self.directory.join(format!("{daemon}.pid"))).ok()?.trim().parse().ok()
    }

    /// Ends a daemon as a crash does, and waits until the next one is there, which whoever made the node starts.
    pub fn crash(&self, daemon: &str) {
        let old = self.pid(daemon).unwrap();
        kill(Pid::from_raw(old as i32), Signal::SIGKILL).unwrap();
        wait_until("the daemon is started again", || self.pid(daemon).is_some_and(|pid| pid != old));
    }

    /// Ends a daemon, which stays away until what is returned goes out of scope.
    pub fn take_away(&self, daemon: &'static str) -> Away {
        let held = self.directory.join(format!("{daemon}.held"));
        fs::write(&held, "").unwrap();
        let away = Away { held, daemon };
        let pid = self.pid(daemon).unwrap();
        kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
        wait_until("the daemon has ended", || !Path::new(&format!("/proc/{pid}/exe")).exists());
        away
    }

    /// The pid of a container's first process, as containerd has it.
    pub fn init(&self, container: &str) -> Option<u32> {
        let tasks = run(self.ctr().args(["task", "list"]));
        let line = tasks.lines().find(|line| line.split_whitespace().next() == Some(container))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// Where the cgroup at `path` is on the hierarchy with the memory controller.
    pub fn memory(&self, path: &str) -> PathBuf {
        let all = cgroups::hierarchies().unwrap();
        cgroups::memory(&all).unwrap().mount.join(path.trim_start_matches('/'))
    }

    /// The cgroup of all pods.
    pub fn kubepods(&self) -> String {
        self.driver.kubepods(&self.cgroup)
    }

    /// Where static pods' manifests are put.
    pub fn manifests(&self) -> PathBuf {
        self.directory.join("manifests")
    }
}

/// A daemon that is away.
pub struct Away {
    /// While it is there, the daemon is not started again.
    held: PathBuf,
    daemon: &'static str,
}

impl Away {
    /// Waits until it is there again.
    pub fn bring_back(self) {
        let (daemon, old) = (self.daemon, node().pid(self.daemon));
        drop(self);
        wait_until("the daemon is started again", || node().pid(daemon) != old);
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.held);
    }
}

/// The limit of a memory cgroup, whose directory is given.
pub fn limit(directory: &Path) -> Option<u64> {
    let files = ["memory.max", "memory.limit_in_bytes"].map(|file| directory.join(file));
    files.iter().find_map(|file| fs::read_to_string(file).ok())?.trim().parse().ok()
}

/// Sets it.
pub fn set_limit(directory: &Path, value: &str) {
    if node().driver == Driver::Systemd {
        // What is written behind systemd's back is undone by it when the next slice is made.
        let slice = directory.file_name().unwrap().to_str().unwrap();
        let value = if value == "max" { "infinity" } else { value };
        run(Command::new("systemctl").args(["set-property", "--runtime", slice, &format!("MemoryMax={value}")]));
        return;
    }
    let files = ["memory.max", "memory.limit_in_bytes"].map(|file| directory.join(file));
    let file = files.iter().find(|file| file.exists()).unwrap();
    fs::write(file, value).unwrap();
}
