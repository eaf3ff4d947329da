//! The Kubernetes API goes away and comes back while everybody watches.

use std::process::Stdio;

use oomtrace::model::{Cause, Incident};
use serde_json::json;

use crate::Scenario;
use crate::claims::{self, claim};
use crate::kernel_log::KernelLog;
use crate::node::node;
use crate::pod::{GO, Pod, container, go, limited, once, wait_slowly, with};
use crate::scenarios::oom::is_logged;
use crate::scenarios::{is_in, is_stopped, settled, trace};

pub const ALL: &[Scenario] =
    &[Scenario::alone("outage::the_api_is_gone_and_comes_back", the_api_is_gone_and_comes_back)];

/// The kubelet goes on without it: it has containers killed whose probes fail, and nobody says why.
fn the_api_is_gone_and_comes_back() {
    let (mut log, mut tracer) = (KernelLog::open(), trace());
    let grows = Pod::create(
        "grows",
        once(&[limited("app", &format!("until [ -e {GO} ]; do sleep 1; done; exec tail /dev/zero"), "32Mi")]),
    );
    let probe = json!({ "livenessProbe": {
        "exec": { "command": ["sh", "-c", format!("! [ -e {GO} ]")] }, "periodSeconds": 1, "failureThreshold": 1,
    } });
    let stubborn = with(container("app", "exec sleep 1000"), probe);
    let fails = Pod::create("fails", json!({ "containers": [stubborn], "terminationGracePeriodSeconds": 2 }));
    let deleted = Pod::create(
        "deleted",
        with(once(&[container("app", "exec sleep 1000")]), json!({ "terminationGracePeriodSeconds": 2 })),
    );
    let (grower, failing, last) = (grows.init("app"), fails.init("app"), deleted.init("app"));

    let away = node().take_away("kube-apiserver");
    go(grower);
    let logged = log.oom_kill(&grows.cgroup());
    let incident = tracer.incident(logged.pid);
    is_logged(&incident, &logged, Cause::OomContainerLimit);
    is_in(&incident, &grows, "app");
    go(failing);
    let incident = tracer.incident(failing);
    is_in(&incident, &fails, "app");
    claims::cause(&incident, Cause::RuntimeStopTimeout);
    claims::each(&incident, |incident| claim("missing", "the API", missing(incident)));

    away.bring_back();
    wait_slowly("the API answers again", || {
        let mut kubectl = node().kubectl();
        let ready = kubectl.args(["get", "--raw", "/readyz"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        ready.is_ok_and(|status| status.success())
    });
    deleted.delete(&[]);
    is_stopped(&settled(&mut tracer, last, Cause::KubeletDeletion), &deleted, "app", Cause::KubeletDeletion);
}

/// What is said to be missing, if it is said of the API.
fn missing(incident: &Incident) -> &'static str {
    let is_said = incident.missing.iter().any(|what| what.contains("Kubernetes API"));
    if is_said { "the API" } else { "nothing" }
}
