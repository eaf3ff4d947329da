//! Daemons that are started again between a pod's start and its end.

use std::process::Stdio;

use oomtrace::model::Cause;
use serde_json::json;

use crate::Scenario;
use crate::kernel_log::KernelLog;
use crate::node::node;
use crate::pod::{Pod, container, limited, once, wait_slowly, with};
use crate::scenarios::oom::is_logged;
use crate::scenarios::{is_in, is_stopped, trace};

pub const ALL: &[Scenario] = &[
    Scenario::alone("restarts::oom_after_both", oom_after_both),
    Scenario::alone("restarts::deletion_after_both", deletion_after_both),
];

/// Ends containerd and kubelet as crashes do; both are there again when this returns.
fn crash_both() {
    node().crash("containerd");
    node().crash("kubelet");
    wait_slowly("containerd answers again", || {
        let version = node().ctr().arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    });
}

fn oom_after_both() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let script = "until [ -e /tmp/go ]; do sleep 1; done; exec tail /dev/zero";
    let pod = Pod::create("after", once(&[limited("app", script, "32Mi")]));
    pod.init("app");
    crash_both();
    wait_slowly("kubelet serves again", || {
        let mut kubectl = node().kubectl();
        kubectl.args(["exec", &pod.name, "--", "touch", "/tmp/go"]);
        kubectl.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    let logged = log.oom_kill(&pod.cgroup());
    let incident = tracer.incident(logged.pid);
    is_logged(&incident, &logged, Cause::OomContainerLimit);
    is_in(&incident, &pod, "app");
}

fn deletion_after_both() {
    let mut tracer = trace();
    let spec = with(once(&[container("app", "exec sleep 1000")]), json!({ "terminationGracePeriodSeconds": 2 }));
    let pod = Pod::create("deleted-after", spec);
    let init = pod.init("app");
    crash_both();
    pod.delete(&[]);
    is_stopped(&tracer.incident(init), &pod, "app", Cause::KubeletDeletion);
}
