//! Daemons that are started again between a pod's start and its end; and containers that kubelet ends to start them anew, or because their
//! time is over, for which the contract has no cause of its own.

use std::process::{Command, Stdio};

use oomtrace::model::Cause;
use serde_json::json;

use crate::Scenario;
use crate::claims::{self, claim};
use crate::kernel_log::KernelLog;
use crate::node::node;
use crate::pod::{Pod, container, limited, once, wait_for_containerd, wait_slowly, with};
use crate::scenarios::oom::is_logged;
use crate::scenarios::{deadline, is_in, is_stopped, names, settled, trace};
use crate::support::process::run;

pub const ALL: &[Scenario] = &[
    Scenario::alone("restarts::oom_after_both", oom_after_both),
    Scenario::alone("restarts::deletion_after_both", deletion_after_both),
    Scenario::new("restarts::of_a_sandbox", of_a_sandbox),
    Scenario::new("restarts::of_another_image", of_another_image),
    Scenario::new("restarts::none_after_the_deadline", none_after_the_deadline),
];

/// Ends containerd and kubelet as crashes do; both are there again when this returns.
fn crash_both() {
    node().crash("containerd");
    node().crash("kubelet");
    wait_for_containerd();
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
    is_stopped(&settled(&mut tracer, init, Cause::KubeletDeletion), &pod, "app", Cause::KubeletDeletion);
}

/// A container that no signal stops.
fn stubborn() -> serde_json::Value {
    json!({ "containers": [container("app", "exec sleep 1000")], "terminationGracePeriodSeconds": 2 })
}

/// Somebody kills the pod's sandbox: kubelet ends its containers, and starts all of it anew.
fn of_a_sandbox() {
    let mut tracer = trace();
    let pod = Pod::create("sandbox-killed", stubborn());
    let (init, pause) = (pod.init("app"), pod.process("pause"));
    run(Command::new("sh").args(["-c", &format!("kill -9 {pause}")]));
    let incident = tracer.incident(pause);
    claims::cause(&incident, Cause::ProcessKill);
    claims::routine(&incident, None);
    let expected = format!("{}/{}/?", node().namespace, pod.name);
    claims::each(&incident, |incident| claim("container", expected.as_str(), names(incident)));
    pod.wait_for_event("SandboxChanged", "");
    is_stopped(&settled(&mut tracer, init, Cause::RuntimeStopTimeout), &pod, "app", Cause::RuntimeStopTimeout);
}

fn of_another_image() {
    let mut tracer = trace();
    let pod = Pod::create("image", stubborn());
    let init = pod.init("app");
    run(node().kubectl().args(["set", "image", &format!("pod/{}", pod.name), "app=oomtrace.test/pause:1"]));
    pod.wait_for_event("Killing", "definition changed");
    is_stopped(&settled(&mut tracer, init, Cause::RuntimeStopTimeout), &pod, "app", Cause::RuntimeStopTimeout);
}

fn none_after_the_deadline() {
    let mut tracer = trace();
    let pod = Pod::create("deadline", with(stubborn(), json!({ "activeDeadlineSeconds": deadline() })));
    let init = pod.init("app");
    wait_slowly("its time is over", || pod.object().unwrap_or_default()["status"]["reason"] == "DeadlineExceeded");
    is_stopped(&settled(&mut tracer, init, Cause::KubeletDeletion), &pod, "app", Cause::KubeletDeletion);
}
