//! Containers of runtimes that have no daemon, by their real tools.

use oomtrace::model::Runtime;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Cause, Confidence};
use tempfile::TempDir;

use crate::Scenario;
use crate::support::needs::Need::{self, Busybox, Crun, Lxc, MemoryCgroup, Runc, Tracing};
use crate::support::process::{BUSYBOX, run, wait_until};
use crate::support::tracer::Tracer;
use crate::support::truth;

const RUNC_NEEDS: &[Need] = &[Tracing, Busybox, Runc, MemoryCgroup];
const CRUN_NEEDS: &[Need] = &[Tracing, Busybox, Crun, MemoryCgroup];
const LXC_NEEDS: &[Need] = &[Tracing, Busybox, Lxc, MemoryCgroup];
const LIMIT: u64 = 24 << 20;

pub const ALL: &[Scenario] = &[
    Scenario { name: "runtimes::runc_by_itself", needs: RUNC_NEEDS, run: || by_itself("runc") },
    Scenario { name: "runtimes::runc_that_was_there_before", needs: RUNC_NEEDS, run: there_before },
    Scenario { name: "runtimes::crun_by_itself", needs: CRUN_NEEDS, run: || by_itself("crun") },
    Scenario { name: "runtimes::lxc", needs: LXC_NEEDS, run: lxc },
];

/// A container of an OCI runtime that is used by itself.
struct Oci {
    runtime: &'static str,
    id: String,
    _bundle: TempDir,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

fn name() -> String {
    format!("oomtrace-test-{}-r{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Programs of the container's own.
fn rootfs(directory: &Path) -> PathBuf {
    let rootfs = directory.join("rootfs");
    for dir in ["bin", "proc", "sys", "dev", "etc", "tmp"] {
        fs::create_dir_all(rootfs.join(dir)).unwrap();
    }
    for applet in ["sh", "sleep", "tail"] {
        fs::copy(BUSYBOX, rootfs.join("bin").join(applet)).unwrap();
    }
    rootfs
}

impl Oci {
    /// Runs `command` in a shell that is the first process.
    fn run(runtime: &'static str, command: &str) -> Self {
        let bundle = tempfile::tempdir().unwrap();
        let rootfs = rootfs(bundle.path());
        let config = serde_json::json!({
            "ociVersion": "1.0.2",
            "process": { "cwd": "/", "args": ["sh", "-c", command], "env": ["PATH=/bin"], "user": { "uid": 0, "gid": 0 } },
            "root": { "path": rootfs },
            "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
            "linux": {
                "namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "ipc" }],
                "resources": { "memory": { "limit": LIMIT } },
            },
        });
        fs::write(bundle.path().join("config.json"), config.to_string()).unwrap();
        let id = name();
        // Made before the container is, so that it is removed even when its start fails.
        let container = Self { runtime, id, _bundle: bundle };
        let mut command = Command::new(runtime);
        command.args(["run", "--detach", "--bundle"]).arg(container._bundle.path()).arg(&container.id);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = quiet.status().unwrap();
        assert!(status.success(), "{command:?}: {status}");
        container
    }

    fn init(&self) -> u32 {
        let state = run(Command::new(self.runtime).args(["state", &self.id]));
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        u32::try_from(state["pid"].as_u64().unwrap()).unwrap()
    }
}

impl Drop for Oci {
    fn drop(&mut self) {
        _ = Command::new(self.runtime).args(["delete", "--force", &self.id]).output();
    }
}

/// An OOM kill in it, and a kill by the runtime, which a person has run.
fn by_itself(runtime: &'static str) {
    let mut tracer = Tracer::start(&[]);
    let container = Oci::run(runtime, "tail /dev/zero; exec sleep 1000");
    let incident = tracer.incident_in(&container.id);
    truth::is_oom(&incident, Cause::OomContainerLimit);
    let found = incident.container.unwrap();
    assert_eq!((found.id.as_str(), found.runtime.map(Runtime::name)), (container.id.as_str(), Some(runtime)));
    assert_eq!(found.limits.unwrap().memory_bytes, Some(LIMIT));
    assert_eq!(found.init_pid, Some(container.init()));
    let init = container.init();
    run(Command::new(runtime).args(["kill", &container.id, "KILL"]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    let requester = incident.requester.unwrap();
    assert_eq!(Some(requester.process.pid), incident.sender.process.map(|sender| sender.pid));
    assert_eq!(requester.ancestors[0].pid, std::process::id());
}

fn there_before() {
    let container = Oci::run("runc", "exec sleep 1000");
    let mut tracer = Tracer::start(&[]);
    tracer.wait_until_settled();
    let init = container.init();
    kill(Pid::from_raw(init as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert_eq!(incident.container.unwrap().name.as_deref(), Some(container.id.as_str()));
}

/// A container of LXC's.
struct LxcContainer {
    name: String,
}

impl LxcContainer {
    fn directory(name: &str) -> PathBuf {
        Path::new("/var/lib/lxc").join(name)
    }

    fn start(command: &str) -> Self {
        let container = Self { name: name() };
        let directory = Self::directory(&container.name);
        fs::create_dir_all(&directory).unwrap();
        let rootfs = rootfs(&directory);
        fs::write(rootfs.join("init"), format!("#!/bin/sh\n{command}\n")).unwrap();
        run(Command::new("chmod").arg("755").arg(rootfs.join("init")));
        let config = format!(
            "lxc.uts.name = {}\nlxc.rootfs.path = dir:{}\nlxc.net.0.type = none\nlxc.apparmor.profile = unconfined\n\
             lxc.cgroup.memory.limit_in_bytes = {LIMIT}\nlxc.cgroup2.memory.max = {LIMIT}\nlxc.init.cmd = /init\n",
            container.name,
            rootfs.display()
        );
        fs::write(directory.join("config"), config).unwrap();
        let mut start = Command::new("lxc-start");
        let status = start.args(["--name", &container.name, "--daemon"]).stdin(Stdio::null()).status().unwrap();
        assert!(status.success(), "{start:?}: {status}");
        container
    }
}

impl Drop for LxcContainer {
    fn drop(&mut self) {
        _ = Command::new("lxc-stop").args(["--name", &self.name, "--kill"]).output();
        let directory = Self::directory(&self.name);
        wait_until("LXC's container is removed", || fs::remove_dir_all(&directory).is_ok() || !directory.exists());
    }
}

fn lxc() {
    let mut tracer = Tracer::start(&[]);
    let container = LxcContainer::start("/bin/tail /dev/zero; exec /bin/sleep 1000");
    let incident = tracer.incident_in(&container.name);
    truth::is_oom(&incident, Cause::OomContainerLimit);
    let found = incident.container.unwrap();
    assert_eq!((found.id.as_str(), found.runtime.map(Runtime::name)), (container.name.as_str(), Some("lxc")));
    assert_eq!(found.limits.unwrap().memory_bytes, Some(LIMIT));
}
