//! What a node that was started anew finds of a pod: the API has its Events and how its containers ended, containerd its containers'
//! metadata, and nothing of it runs. A node that is not a machine cannot be started anew: all that a boot takes from a pod is taken from it,
//! while kubelet and containerd are away. The boot's id stays the same.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Cause, Record};
use oomtrace::node::cgroups;
use serde_json::json;

use crate::Scenario;
use crate::cgroup::{self, Driver};
use crate::claims::{self, claim};
use crate::kernel_log::KernelLog;
use crate::node::node;
use crate::pod::{Pod, container, go, limited, wait_for_containerd, wait_slowly, with};
use crate::scenarios::oom::is_logged;
use crate::scenarios::{is_in, is_stopped, settled, trace};
use crate::support::process::{run, wait_until};

pub const ALL: &[Scenario] = &[
    Scenario::alone("reboot::an_old_oom_kill_is_not_read_as_a_new_one", old_oom_kill),
    Scenario::alone("reboot::an_old_probe_is_not_blamed", old_probe),
];

/// Takes from a pod what a boot takes: its processes with their shims, its cgroups, and containerd's and runc's state of them.
fn reboot(pod: &Pod) {
    let (kubelet, containerd) = (node().take_away("kubelet"), node().take_away("containerd"));
    let memory = node().memory(&pod.cgroup());
    let all = cgroup::pids(&memory);
    let inits: HashSet<u32> = all.iter().copied().filter(|pid| is_first(*pid)).collect();
    let shims: HashSet<u32> = inits.iter().filter_map(|pid| parent(*pid)).filter(|pid| is_shim(*pid)).collect();
    assert!(!shims.is_empty(), "no shim of {}", pod.name);
    // First, so that no shim is left that would tell containerd of an end.
    for pid in shims.iter().chain(&all) {
        _ = kill(Pid::from_raw(i32::try_from(*pid).unwrap()), Signal::SIGKILL);
    }
    wait_until("nothing of the pod runs", || cgroup::pids(&memory).is_empty());
    let ids: Vec<String> = bundles().into_iter().filter(|id| belongs(id, pod)).collect();
    assert!(ids.len() >= 2, "a sandbox and a container, and not {ids:?}");
    for id in &ids {
        for directory in [
            node().containerd.join("io.containerd.runtime.v2.task/k8s.io").join(id),
            node().containerd.join("io.containerd.grpc.v1.cri/sandboxes").join(id),
            Path::new("/run/containerd/runc/k8s.io").join(id),
        ] {
            unmount(&directory);
            _ = fs::remove_dir_all(&directory);
        }
    }
    remove_cgroups(&pod.cgroup());
    containerd.bring_back();
    wait_for_containerd();
    kubelet.bring_back();
}

fn status_of(pid: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).map(|value| value.trim().to_owned())
}

fn parent(pid: u32) -> Option<u32> {
    status_of(pid, "PPid")?.parse().ok()
}

/// The first process of a pid namespace.
fn is_first(pid: u32) -> bool {
    status_of(pid, "NSpid").is_some_and(|pids| pids.split_whitespace().count() > 1 && pids.ends_with("\t1"))
}

fn is_shim(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("containerd-shim"))
}

/// Ids of what containerd has state of.
fn bundles() -> Vec<String> {
    let entries = fs::read_dir(node().containerd.join("io.containerd.runtime.v2.task/k8s.io")).unwrap();
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The container, or the sandbox, is of that pod, by what its bundle says.
fn belongs(id: &str, pod: &Pod) -> bool {
    let bundle = node().containerd.join("io.containerd.runtime.v2.task/k8s.io").join(id).join("config.json");
    fs::read_to_string(bundle).is_ok_and(|config| config.contains(&pod.uid) || config.contains(&pod.name))
}

/// Unmounts all that is below a directory, the innermost first.
fn unmount(directory: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let below = mounts.lines().rev().filter_map(|line| line.split(' ').nth(4));
    for mount in below.filter(|mount| Path::new(mount).starts_with(directory)) {
        run(Command::new("umount").args(["--lazy", mount]));
    }
}

fn remove_cgroups(path: &str) {
    if node().driver == Driver::Systemd {
        // It has made them, and would go on to think that they are there.
        let slice = path.rsplit('/').next().unwrap();
        run(Command::new("systemctl").args(["stop", slice]));
        return;
    }
    for hierarchy in cgroups::hierarchies().unwrap() {
        remove(&hierarchy.mount.join(path.trim_start_matches('/')));
    }
}

/// Removes a cgroup, those below it first.
fn remove(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    _ = fs::remove_dir(directory);
}

/// The pod's container runs, as another one than that of the id.
fn next_init(pod: &Pod, old: &str) -> u32 {
    wait_slowly("kubelet starts the container anew", || {
        let status = pod.status("app").unwrap_or_default();
        status["state"]["running"].is_object() && status["containerID"].as_str().is_some_and(|id| !id.ends_with(old))
    });
    pod.init("app")
}

/// Its container was OOM-killed before the boot, and is killed by hand after it: what is left of the first in the API makes it no OOM kill,
/// and is no contradiction either. Then it does run into its limit.
fn old_oom_kill() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let script = "until [ -e /tmp/go ]; do sleep 1; done; exec tail /dev/zero";
    let pod = Pod::create("rebooted", json!({ "containers": [limited("app", script, "32Mi")] }));
    let (old, first) = (pod.id("app"), pod.init("app"));
    go(first);
    let logged = log.oom_kill(&pod.cgroup());
    is_logged(&tracer.incident(logged.pid), &logged, Cause::OomContainerLimit);
    next_init(&pod, &old);
    let before = pod.id("app");

    reboot(&pod);

    let init = next_init(&pod, &before);
    let after = pod.id("app");
    run(Command::new("sh").args(["-c", &format!("kill -9 {init}")]));
    let by_hand = tracer.incident(init);
    claims::cause(&by_hand, Cause::ProcessKill);
    claims::routine(&by_hand, None);
    is_in(&by_hand, &pod, "app");
    go(next_init(&pod, &after));
    let logged = log.oom_kill(&pod.cgroup());
    let incident = tracer.incident(logged.pid);
    is_logged(&incident, &logged, Cause::OomContainerLimit);
    is_in(&incident, &pod, "app");
    let ended = tracer.end();
    let is_of = |record: &&Record| matches!(record, Record::Contradiction(said) if said.incident == by_hand.id);
    claim("contradictions of the kill by hand", "0", ended.records.iter().filter(is_of).count().to_string());
}

/// kubelet killed it for its probe before the boot, and for its deletion after it.
fn old_probe() {
    let mut tracer = trace();
    let probe = json!({ "livenessProbe": {
        "exec": { "command": ["sh", "-c", "! [ -e /tmp/go ]"] }, "periodSeconds": 1, "failureThreshold": 1,
    } });
    let stubborn = with(container("app", "exec sleep 1000"), probe);
    let pod = Pod::create("probed", json!({ "containers": [stubborn], "terminationGracePeriodSeconds": 2 }));
    let (old, first) = (pod.id("app"), pod.init("app"));
    go(first);
    is_stopped(&settled(&mut tracer, first, Cause::KubeletProbeFailure), &pod, "app", Cause::KubeletProbeFailure);
    next_init(&pod, &old);
    let before = pod.id("app");

    reboot(&pod);

    let init = next_init(&pod, &before);
    pod.delete(&[]);
    is_stopped(&settled(&mut tracer, init, Cause::KubeletDeletion), &pod, "app", Cause::KubeletDeletion);
}
