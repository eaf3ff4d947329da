//! What the Kubernetes API explains, in all its forms.

use super::{case, kill};
use crate::judge::judgement::{
    DeletedBy, Eviction, Judgement, PodDeletion, PostStart, Preemption, ProbeFailure, Reason, StopRequest,
};
use crate::model::{Cause, Disposition, Probe, ProbeAction, ProbeKind};

fn stop(disposition: Disposition) -> Option<StopRequest> {
    let disposition = Some(disposition);
    Some(StopRequest { signal: "SIGTERM".to_owned(), before_ms: 2000, first_before_ms: 2000, disposition })
}

fn probe(kind: ProbeKind, by: ProbeAction) -> Option<Probe> {
    Some(Probe { kind, by, initial_delay_s: 0, period_s: 10, timeout_s: 4, failure_threshold: 3 })
}

fn failure(probe: Option<Probe>, failures: Option<u32>, stop: Option<StopRequest>) -> Reason {
    let kind = probe.as_ref().map_or(ProbeKind::Liveness, |probe| probe.kind);
    Reason::Probe(ProbeFailure { kind, probe, failures, said: None, stop })
}

fn eviction(resource: Option<&str>, message: &str, usage: &[(&str, &str)], request_bytes: Option<u64>) -> Reason {
    let usage = usage.iter().map(|(name, amount)| ((*name).to_owned(), (*amount).to_owned())).collect();
    Reason::Eviction(Eviction {
        resource: resource.map(str::to_owned),
        message: message.to_owned(),
        usage,
        request_bytes,
        stop: stop(Disposition::Default),
    })
}

fn preemption(for_pod: Option<&str>, by_kubelet: bool) -> Reason {
    Reason::Preemption(Preemption {
        for_pod: for_pod.map(str::to_owned),
        by_kubelet,
        message: String::new(),
        stop: None,
    })
}

fn deletion(by: DeletedBy, grace_s: Option<u64>, stop: Option<StopRequest>) -> Reason {
    let pre_stop = grace_s == Some(30);
    let own_grace_s = Some(30);
    Reason::Deletion(PodDeletion { by, asked_before_ms: None, grace_s, own_grace_s, pre_stop, message: None, stop })
}

pub fn judgements() -> Vec<(&'static str, Judgement)> {
    let plain = crate::judge::judge(&case(kill("/usr/bin/bash")));
    let with = |cause, reason| Judgement { cause, reason, ..plain.clone() };
    let failed = |reason| with(Cause::KubeletProbeFailure, reason);
    let evicted = |reason| with(Cause::KubeletEviction, reason);
    let deleted = |reason| with(Cause::KubeletDeletion, reason);
    let http = probe(ProbeKind::Liveness, ProbeAction::Http);
    let command = Reason::EndedCommand { stop: None, probe: probe(ProbeKind::Readiness, ProbeAction::Exec) };
    let mut all = vec![
        ("a liveness probe", failed(failure(http, Some(3), stop(Disposition::Handled)))),
        ("a startup probe", failed(failure(probe(ProbeKind::Startup, ProbeAction::Tcp), Some(1), None))),
        ("a gRPC probe", failed(failure(probe(ProbeKind::Liveness, ProbeAction::Grpc), None, None))),
        ("a probe of another kind", failed(failure(probe(ProbeKind::Liveness, ProbeAction::Other), None, None))),
        ("a probe that the spec has no more", failed(failure(None, None, None))),
        ("a probe's command", failed(command)),
        (
            "an eviction for memory",
            evicted(eviction(Some("memory"), "m", &[("app", "921Mi"), ("db", "1Mi")], Some(64 << 20))),
        ),
        ("an eviction for memory without a request", evicted(eviction(Some("memory"), "m", &[("app", "921Mi")], None))),
        ("an eviction for a disk", evicted(eviction(Some("ephemeral-storage"), "m", &[("app", "1Gi")], None))),
        ("an eviction for what is not said", evicted(eviction(Some("pids"), "m", &[], None))),
        (
            "an eviction for a limit of its own",
            evicted(eviction(None, "Usage of EmptyDir volume exceeds the limit. ", &[], None)),
        ),
        ("an eviction without words", evicted(eviction(None, "", &[], None))),
        ("a preemption by the kubelet", with(Cause::KubeletPreemption, preemption(Some("a/b"), true))),
        ("a preemption by the scheduler", with(Cause::KubeletPreemption, preemption(None, false))),
        (
            "a postStart hook",
            with(Cause::RuntimeStopTimeout, Reason::PostStart(PostStart { stop: stop(Disposition::Ignored) })),
        ),
        ("a deletion with a hook", deleted(deletion(DeletedBy::Request, Some(30), stop(Disposition::Ignored)))),
        ("a deletion by force", deleted(deletion(DeletedBy::Request, Some(0), None))),
    ];
    for (name, by) in [
        ("an eviction by the API, by a drain", DeletedBy::EvictionApi { cordoned: true }),
        ("an eviction by the API", DeletedBy::EvictionApi { cordoned: false }),
        ("nobody who is known", DeletedBy::Unknown),
        ("a drain", DeletedBy::Drain),
        ("a rollout", DeletedBy::Rollout),
        ("a scale-down", DeletedBy::ScaleDown),
        ("a controller", DeletedBy::Controller),
        ("the owner's deletion", DeletedBy::OwnersDeletion),
        ("a manifest", DeletedBy::Manifest),
        ("a deadline", DeletedBy::Deadline),
        ("a taint", DeletedBy::Taint),
        ("a node's shutdown", DeletedBy::NodeShutdown),
        ("garbage collection", DeletedBy::GarbageCollection),
    ] {
        all.push((name, deleted(deletion(by, Some(10), None))));
    }
    all
}
