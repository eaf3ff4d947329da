use super::*;
use crate::judge::judge;
use crate::judge::judgement::{ApiFact, DeletedBy, PodDeletion};
use crate::judge::tests::{case, in_container, kill, process, stop_signal};
use crate::kubernetes::said::{Change, Deletion, Disruption, EventSaid, OwnerSaid};
use crate::model::{Container, Incident, Pod, ProbeKind};

const SHIM: &str = "/usr/bin/containerd-shim-runc-v2";

/// A container of a pod that was stopped, and killed 10 s later.
fn stopped() -> Incident {
    let mut incident = in_container(kill(SHIM));
    incident.container = incident.container.map(|container| Container { pod: Some(Pod::default()), ..container });
    incident.preceding = vec![stop_signal(SHIM)];
    incident
}

fn event(reason: &str, message: &str, before_ms: i64) -> EventSaid {
    EventSaid { reason: reason.to_owned(), message: message.to_owned(), count: 1, before_ms, ..EventSaid::default() }
}

fn with_events(events: &[EventSaid]) -> PodSaid {
    PodSaid { grace_s: Some(30), container: Some("app".to_owned()), events: events.to_vec(), ..PodSaid::default() }
}

fn deletion(asked_before_ms: i64) -> Option<Deletion> {
    Some(Deletion { asked_before_ms: Some(asked_before_ms), grace_s: Some(30), is_gone: false })
}

fn judged(said: PodSaid) -> crate::judge::judgement::Judgement {
    let mut case = case(stopped());
    case.pod = Some(said);
    judge(&case)
}

#[test]
fn the_api_says_why_the_kubelet_killed() {
    let failed = "Container app failed liveness probe, will be restarted";
    let owned = |owner: OwnerSaid| PodSaid { deletion: deletion(11_000), owner: Some(owner), ..with_events(&[]) };
    let disrupted = |reason: &str| PodSaid {
        deletion: deletion(11_000),
        disruption: Some(Disruption { reason: reason.to_owned(), message: String::new() }),
        ..with_events(&[])
    };
    for (name, said, cause) in [
        ("nothing", with_events(&[]), Cause::RuntimeStopTimeout),
        ("a probe", with_events(&[event("Killing", failed, 11_000)]), Cause::KubeletProbeFailure),
        (
            "a startup probe",
            with_events(&[event("Killing", "Container app failed startup probe", 11_000)]),
            Cause::KubeletProbeFailure,
        ),
        ("afterwards", with_events(&[event("Killing", failed, -6_000)]), Cause::RuntimeStopTimeout),
        (
            "of another container",
            with_events(&[EventSaid { container: Some("db".to_owned()), ..event("Killing", failed, 11_000) }]),
            Cause::RuntimeStopTimeout,
        ),
        (
            "deleted before the probe failed",
            PodSaid { deletion: deletion(20_000), ..with_events(&[event("Killing", failed, 11_000)]) },
            Cause::KubeletDeletion,
        ),
        (
            "deleted, and the probe had failed in the life before",
            PodSaid {
                deletion: deletion(4_000),
                started_before_ms: Some(6_000),
                ..with_events(&[event("Killing", failed, 9_700)])
            },
            Cause::KubeletDeletion,
        ),
        (
            "deleted after the probe failed",
            PodSaid { deletion: deletion(3_000), ..with_events(&[event("Killing", failed, 11_000)]) },
            Cause::KubeletProbeFailure,
        ),
        (
            "deleted when the probe failed, as far as clocks go",
            PodSaid { deletion: deletion(16_000), ..with_events(&[event("Killing", failed, 11_000)]) },
            Cause::KubeletProbeFailure,
        ),
        ("deleted", PodSaid { deletion: deletion(11_000), ..with_events(&[]) }, Cause::KubeletDeletion),
        ("deleted afterwards", PodSaid { deletion: deletion(-6_000), ..with_events(&[]) }, Cause::RuntimeStopTimeout),
        (
            "gone",
            PodSaid {
                deletion: Some(Deletion { asked_before_ms: None, grace_s: None, is_gone: true }),
                ..with_events(&[])
            },
            Cause::KubeletDeletion,
        ),
        (
            "evicted, by its status",
            PodSaid { reason: Some("Evicted".to_owned()), ..with_events(&[]) },
            Cause::KubeletEviction,
        ),
        (
            "evicted, by an Event, and a probe failed",
            with_events(&[event("Evicted", "x", 11_000), event("Killing", failed, 11_000)]),
            Cause::KubeletEviction,
        ),
        (
            "evicted through the API, of which others make Events as well",
            PodSaid { events: vec![event("Evicted", "x", 11_000)], ..disrupted("EvictionByEvictionAPI") },
            Cause::KubeletDeletion,
        ),
        (
            "evicted by the kubelet, by its condition",
            PodSaid { reason: Some("Evicted".to_owned()), ..disrupted("TerminationByKubelet") },
            Cause::KubeletEviction,
        ),
        ("preempted by the kubelet", with_events(&[event("Preempting", "x", 11_000)]), Cause::KubeletPreemption),
        ("preempted by the scheduler", with_events(&[event("Preempted", "x", 11_000)]), Cause::KubeletPreemption),
        ("preempted, by its condition", disrupted("PreemptionByScheduler"), Cause::KubeletPreemption),
        (
            "preempted, by its status",
            PodSaid { reason: Some("Preempting".to_owned()), ..with_events(&[]) },
            Cause::KubeletPreemption,
        ),
        (
            "a deadline",
            PodSaid { reason: Some("DeadlineExceeded".to_owned()), ..with_events(&[]) },
            Cause::KubeletDeletion,
        ),
        ("an owner", owned(OwnerSaid::default()), Cause::KubeletDeletion),
    ] {
        let judgement = judged(said);
        assert_eq!(judgement.cause, cause, "{name}");
        // An Event alone may be anybody's.
        let likely = if name.starts_with("evicted, by an Event") { Confidence::Possible } else { Confidence::Likely };
        assert_eq!(judgement.confidence, likely, "{name}");
        assert_eq!(judgement.reason.stop().map(|stop| stop.before_ms), Some(10_012), "{name}");
    }
}

/// The kubelet's Events are lost when there are many.
#[test]
fn where_the_kubelet_is_silent_a_probe_is_possible() {
    let failed = "Container app failed liveness probe, will be restarted";
    let started = |events: &[EventSaid]| PodSaid { started_before_ms: Some(20_000), ..with_events(events) };
    for (name, said, cause) in [
        (
            "a probe failed",
            with_events(&[event("Unhealthy", "Liveness probe failed: x", 11_000)]),
            Some(Confidence::Possible),
        ),
        (
            "a startup probe failed",
            with_events(&[event("Unhealthy", "Startup probe failed: x", 11_000)]),
            Some(Confidence::Possible),
        ),
        ("a readiness probe failed", with_events(&[event("Unhealthy", "Readiness probe failed: x", 11_000)]), None),
        ("long ago", with_events(&[event("Unhealthy", "Liveness probe failed: x", 91_000)]), None),
        ("in an earlier life", started(&[event("Unhealthy", "Liveness probe failed: x", 22_000)]), None),
        (
            "when it started, as far as that is said",
            started(&[event("Unhealthy", "Liveness probe failed: x", 21_000)]),
            Some(Confidence::Possible),
        ),
        ("an earlier life ended so", started(&[event("Killing", failed, 60_000)]), Some(Confidence::Possible)),
        ("an earlier life ended so, long ago", started(&[event("Killing", failed, 600_001)]), None),
        (
            "an earlier life ended so, and the last one did not",
            started(&[event("Killing", "Stopping container app", 40_000), event("Killing", failed, 60_000)]),
            None,
        ),
        (
            "it says something else",
            with_events(&[
                event("Killing", "definition changed", 11_000),
                event("Unhealthy", "Liveness probe failed: x", 11_000),
            ]),
            None,
        ),
        (
            "deleted as well",
            PodSaid {
                deletion: deletion(11_000),
                ..with_events(&[event("Unhealthy", "Liveness probe failed: x", 11_000)])
            },
            None,
        ),
    ] {
        let judgement = judged(said);
        let found = (judgement.cause == Cause::KubeletProbeFailure).then_some(judgement.confidence);
        assert_eq!(found, cause, "{name}");
    }
}

#[test]
fn who_wanted_the_pod_deleted() {
    let owner = OwnerSaid::default;
    let said = |owner: Option<OwnerSaid>, cordoned: bool, disruption: Option<&str>| PodSaid {
        deletion: deletion(11_000),
        owner,
        cordoned: Some(cordoned),
        disruption: disruption.map(|reason| Disruption { reason: reason.to_owned(), message: String::new() }),
        ..with_events(&[])
    };
    let ended = |reason: &str, message: &str| PodSaid {
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        ..with_events(&[])
    };
    let deleted_it = |is_outdated| OwnerSaid { deleted_it: true, is_outdated, ..owner() };
    let changed = |change, before_ms| OwnerSaid {
        changed_by: Some(("kubectl".to_owned(), before_ms)),
        change: Some(change),
        ..deleted_it(Some(false))
    };
    for (said, by) in [
        (said(None, false, None), DeletedBy::Request),
        (said(None, true, None), DeletedBy::Drain),
        (PodSaid { is_owner_unknown: true, ..said(None, false, None) }, DeletedBy::Unknown),
        (PodSaid { is_owner_unknown: true, ..said(None, true, None) }, DeletedBy::Drain),
        (said(Some(owner()), true, None), DeletedBy::Drain),
        (said(Some(owner()), false, None), DeletedBy::Request),
        (said(Some(deleted_it(Some(true))), true, None), DeletedBy::Rollout),
        (said(Some(deleted_it(Some(false))), false, None), DeletedBy::ScaleDown),
        (said(Some(deleted_it(None)), false, None), DeletedBy::Controller),
        (said(Some(changed(Change::Template, 12_000)), false, None), DeletedBy::Rollout),
        (said(Some(changed(Change::Any, 12_000)), false, None), DeletedBy::Controller),
        (said(Some(changed(Change::Replicas, 12_000)), false, None), DeletedBy::ScaleDown),
        (said(Some(changed(Change::Template, 900_000)), false, None), DeletedBy::ScaleDown),
        (PodSaid { is_static: true, ..said(Some(owner()), true, None) }, DeletedBy::Manifest),
        (said(Some(OwnerSaid { is_outdated: Some(true), ..owner() }), false, None), DeletedBy::Rollout),
        (said(Some(OwnerSaid { is_deleted: true, ..deleted_it(Some(true)) }), false, None), DeletedBy::OwnersDeletion),
        (said(Some(OwnerSaid { deadline: true, ..deleted_it(None) }), false, None), DeletedBy::Deadline),
        (said(None, true, Some("EvictionByEvictionAPI")), DeletedBy::EvictionApi { cordoned: true }),
        (said(None, false, Some("EvictionByEvictionAPI")), DeletedBy::EvictionApi { cordoned: false }),
        (said(None, false, Some("DeletionByTaintManager")), DeletedBy::Taint),
        (said(None, false, Some("DeletionByPodGC")), DeletedBy::GarbageCollection),
        (
            PodSaid {
                events: vec![event("TaintManagerEviction", "Marking for deletion Pod a/b", 11_000)],
                ..said(None, false, None)
            },
            DeletedBy::Taint,
        ),
        (
            PodSaid {
                events: vec![event("TaintManagerEviction", "Cancelling deletion of Pod a/b", 11_000)],
                ..said(None, false, None)
            },
            DeletedBy::Request,
        ),
        (ended("DeadlineExceeded", ""), DeletedBy::Deadline),
        (ended("Terminated", "Pod was terminated in response to imminent node shutdown."), DeletedBy::NodeShutdown),
        (ended("NodeShutdown", ""), DeletedBy::NodeShutdown),
        (ended("Shutdown", ""), DeletedBy::NodeShutdown),
        (
            PodSaid {
                message: Some("the node's shutdown".to_owned()),
                ..said(None, false, Some("TerminationByKubelet"))
            },
            DeletedBy::NodeShutdown,
        ),
        (said(None, false, Some("TerminationByKubelet")), DeletedBy::Request),
        (PodSaid { message: Some("shutdown".to_owned()), ..said(None, false, None) }, DeletedBy::Request),
    ] {
        let found = judged(said.clone()).reason;
        let Reason::Deletion(PodDeletion { by: got, asked_before_ms, grace_s, .. }) = found else {
            panic!("{said:?}: {found:?}")
        };
        assert_eq!(got, by, "{said:?}");
        let expected = said.deletion.is_some().then_some((11_000, 30));
        assert_eq!(asked_before_ms.zip(grace_s), expected, "{said:?}");
    }
}

#[test]
fn somebody_else_who_asked_is_believed() {
    let requester = |exe: &str, confidence| {
        let process = process(30, exe);
        crate::model::Requester { confidence, ..crate::judge::tests::requested_by(process) }
    };
    let said = PodSaid { deletion: deletion(11_000), ..with_events(&[]) };
    for (exe, confidence, is_kubelets) in [
        ("/usr/bin/kubelet", Confidence::Likely, true),
        ("/usr/local/bin/k3s", Confidence::Likely, true),
        ("/usr/bin/crictl", Confidence::Likely, false),
        ("/usr/bin/crictl", Confidence::Possible, true),
    ] {
        let found = rule(&said, Some(&requester(exe, confidence)), None);
        assert_eq!(found.is_some(), is_kubelets, "{exe} {confidence:?}");
    }
}

#[test]
fn who_only_may_have_asked_is_not_named_beside_the_kubelet() {
    for (exe, confidence, is_named) in [
        ("/usr/bin/kubelet", Confidence::Possible, true),
        ("/usr/bin/python3", Confidence::Possible, false),
        ("/usr/bin/crictl", Confidence::Likely, true),
    ] {
        let process = process(30, exe);
        let requester = crate::model::Requester { confidence, ..crate::judge::tests::requested_by(process) };
        assert_eq!(is_sure_or_kubelet(&requester), is_named, "{exe}");
    }
    assert!(is_its_own(Cause::KubeletDeletion, &Reason::Plain) && !is_its_own(Cause::RuntimeKill, &Reason::Plain));
}

#[test]
fn a_hook_that_failed_is_why_it_was_stopped() {
    let of = |event: EventSaid| judged(with_events(&[event]));
    let failed = |container: &str| EventSaid {
        container: Some(container.to_owned()),
        ..event("FailedPostStartHook", "x", 11_000)
    };
    let said = PodSaid { container: Some("app".to_owned()), ..with_events(&[failed("app")]) };
    let found = judged(said.clone());
    assert_eq!(found.cause, Cause::RuntimeStopTimeout);
    let Reason::PostStart(PostStart { stop: Some(_) }) = found.reason else { panic!("{found:?}") };
    // Another container's, and one of long ago.
    let other = judged(PodSaid { events: vec![failed("db")], ..said });
    assert!(matches!(other.reason, Reason::StopTimeout(_)), "{other:?}");
    let early = of(event("FailedPostStartHook", "x", 900_000));
    assert!(matches!(early.reason, Reason::StopTimeout(_)), "{early:?}");
}

#[test]
fn nothing_is_surer_than_the_path() {
    let mut case = case(stopped());
    case.pod = Some(PodSaid { deletion: deletion(11_000), ..with_events(&[]) });
    case.incident.signal.path_confidence = Some(Confidence::Possible);
    let judgement = judge(&case);
    assert_eq!((judgement.cause, judgement.confidence), (Cause::KubeletDeletion, Confidence::Possible));
}

#[test]
fn an_eviction_says_what_was_short() {
    let annotated = EventSaid {
        annotations: [
            ("starved_resource", "memory"),
            ("offending_containers", "app,db"),
            ("offending_containers_usage", "921Mi,3Mi"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec(),
        ..event("Evicted", "The node was low on resource: memory. ", 11_000)
    };
    let own = "Usage of EmptyDir volume \"data\" exceeds the limit \"2Mi\". ";
    for (said, resource, usage) in [
        (with_events(&[annotated]), Some("memory"), 2),
        (
            with_events(&[event("Evicted", "The node was low on resource: ephemeral-storage. x", 0)]),
            Some("ephemeral-storage"),
            0,
        ),
        (with_events(&[event("Evicted", own, 0)]), None, 0),
    ] {
        let Reason::Eviction(found) = judged(said.clone()).reason else { panic!("{said:?}") };
        assert_eq!((found.resource.as_deref(), found.usage.len()), (resource, usage), "{said:?}");
        assert_eq!(found.message, said.events[0].message.trim());
    }
    // What the status says counts before what an Event of the same end says.
    let both = PodSaid {
        reason: Some("Evicted".to_owned()),
        message: Some("of the status".to_owned()),
        ..with_events(&[event("Evicted", "of the Event", 0)])
    };
    let Reason::Eviction(found) = judged(both).reason else { panic!("no eviction") };
    assert_eq!(found.message, "of the status");
}

#[test]
fn a_failed_probe_is_told_with_its_count() {
    let probe = |kind| Probe {
        kind,
        by: ProbeAction::Http,
        initial_delay_s: 0,
        period_s: 10,
        timeout_s: 1,
        failure_threshold: 3,
    };
    let said = PodSaid {
        probes: vec![probe(ProbeKind::Readiness), probe(ProbeKind::Liveness)],
        ..with_events(&[
            event("Killing", "Container app failed liveness probe, will be restarted", 11_000),
            EventSaid { count: 7, ..event("Unhealthy", "Readiness probe failed: x", 10_000) },
            EventSaid { count: 3, ..event("Unhealthy", "Liveness probe failed: HTTP 500", 11_000) },
        ])
    };
    let Reason::Probe(found) = judged(said).reason else { panic!("no probe") };
    assert_eq!((found.kind, found.failures), (ProbeKind::Liveness, Some(3)));
    assert_eq!(found.said.as_deref(), Some("Liveness probe failed: HTTP 500"));
    assert_eq!(found.probe.unwrap().kind, ProbeKind::Liveness);
}

#[test]
fn a_preemption_says_for_whom() {
    let said = PodSaid { preemptor: Some("a/b".to_owned()), ..with_events(&[event("Preempting", "m", 11_000)]) };
    let Reason::Preemption(found) = judged(said).reason else { panic!("no preemption") };
    assert_eq!((found.for_pod.as_deref(), found.by_kubelet, found.message.as_str()), (Some("a/b"), true, "m"));
    let said = PodSaid {
        disruption: Some(Disruption { reason: "PreemptionByScheduler".to_owned(), message: "c".to_owned() }),
        ..with_events(&[])
    };
    let Reason::Preemption(found) = judged(said).reason else { panic!("no preemption") };
    assert_eq!((found.by_kubelet, found.message.as_str()), (false, "c"));
}

#[test]
fn a_command_of_a_probe_is_known_where_one_alone_runs_one() {
    let probe = |kind, by| Probe { kind, by, initial_delay_s: 0, period_s: 10, timeout_s: 1, failure_threshold: 3 };
    let exec = |kind| probe(kind, ProbeAction::Exec);
    for (probes, expected) in [
        (vec![], None),
        (vec![probe(ProbeKind::Liveness, ProbeAction::Http), exec(ProbeKind::Readiness)], Some(ProbeKind::Readiness)),
        (vec![exec(ProbeKind::Liveness), exec(ProbeKind::Readiness)], None),
    ] {
        let said = PodSaid { probes, ..PodSaid::default() };
        assert_eq!(commands_probe(&said).map(|probe| probe.kind), expected, "{said:?}");
    }
}

#[test]
fn evidence_is_what_is_about_the_kill() {
    let said = PodSaid {
        reason: Some("Evicted".to_owned()),
        message: Some("low".to_owned()),
        disruption: Some(Disruption { reason: "TerminationByKubelet".to_owned(), message: "d".to_owned() }),
        deletion: deletion(2_000),
        earlier_oom_before_ms: Some(60_000),
        owner: Some(OwnerSaid {
            kind: "ReplicaSet".to_owned(),
            name: "web-5d4".to_owned(),
            top: Some(("Deployment".to_owned(), "web".to_owned())),
            is_deleted: true,
            is_outdated: Some(true),
            deleted_it: true,
            deadline: true,
            changed_by: Some(("kubectl-rollout".to_owned(), 31_000)),
            change: None,
        }),
        ..with_events(&[
            EventSaid { count: 3, ..event("Unhealthy", "u", 500) },
            event("Pulled", "p", 500),
            EventSaid { container: Some("db".to_owned()), ..event("Killing", "of db", 500) },
            event("Killing", "k", -2_000),
            event("Killing", "old", 100_000),
        ])
    };
    let events = |facts: &[ApiFact]| -> Vec<String> {
        let events = facts.iter().filter_map(|fact| match fact {
            ApiFact::Event(event) => Some(event.message.clone()),
            _ => None,
        });
        events.collect()
    };
    let facts = evidence(&said, Cause::KubeletEviction);
    let [
        ApiFact::Status { .. },
        ApiFact::Disruption(_),
        ApiFact::Event(_),
        ApiFact::Event(_),
        ApiFact::Deletion(_),
        ApiFact::Owner(_),
        ApiFact::EarlierOomKill { before_ms: 60_000 },
    ] = facts.as_slice()
    else {
        panic!("{facts:?}")
    };
    assert_eq!(events(&facts), ["u", "k"]);
    // Where the container is not known, each of the pod's Events may be about it.
    let unnamed = PodSaid { container: None, ..said.clone() };
    let facts = evidence(&unnamed, Cause::KubeletEviction);
    assert!(events(&facts).contains(&"of db".to_owned()), "{facts:?}");
    // A kill by somebody else, and one by the OOM killer.
    assert_eq!(evidence(&said, Cause::ProcessKill).len(), 1);
    assert_eq!(evidence(&said, Cause::OomContainerLimit).len(), 0);
}

/// A kill by the shim that no stop signal came before, of a process that is not the container's first.
fn unasked() -> Incident {
    let mut incident = stopped();
    incident.preceding.clear();
    incident
}

#[test]
fn a_kill_without_a_stop_signal_is_explained_as_well_but_not_a_sandboxs() {
    let said = || PodSaid { deletion: deletion(1_000), ..with_events(&[]) };
    let cause = |incident: Incident| {
        let mut case = case(incident);
        case.pod = Some(said());
        judge(&case).cause
    };
    assert_eq!(cause(unasked()), Cause::KubeletDeletion);
    let mut by_kubelet = unasked();
    by_kubelet.sender.process = Some(process(10, "/usr/bin/kubelet"));
    let mut case_of = case(by_kubelet.clone());
    assert_eq!(judge(&case_of).reason, Reason::PodCleanUp);
    case_of.pod = Some(said());
    assert!(matches!(judge(&case_of).reason, Reason::Deletion(_)));
    let mut sandbox = unasked();
    sandbox.container.as_mut().unwrap().pod.as_mut().unwrap().sandbox = true;
    assert_eq!(cause(sandbox), Cause::RuntimeKill);
}

#[test]
fn what_the_api_may_still_explain() {
    use crate::judge::may_api_explain;
    let open = |incident: &Incident, said: Option<PodSaid>| {
        let mut case = case(incident.clone());
        case.pod = said;
        may_api_explain(&judge(&case), incident)
    };
    let deleted = |asked_before_ms| PodSaid {
        deletion: Some(Deletion { asked_before_ms, grace_s: None, is_gone: false }),
        ..with_events(&[])
    };
    let evicted = PodSaid { reason: Some("Evicted".to_owned()), ..with_events(&[]) };
    let mut by_kubelet = unasked();
    by_kubelet.sender.process = Some(process(10, "/usr/bin/kubelet"));
    let mut by_hand = unasked();
    by_hand.sender.process = Some(process(10, "/usr/bin/bash"));
    let mut sandbox = unasked();
    sandbox.container.as_mut().unwrap().pod.as_mut().unwrap().sandbox = true;
    let mut alone = unasked();
    alone.container.as_mut().unwrap().pod = None;
    for (name, incident, said, expected) in [
        ("a stop that timed out", &stopped(), None, true),
        ("a runtime's kill", &unasked(), None, true),
        ("the kubelet's own", &by_kubelet, None, true),
        ("somebody's kill", &by_hand, None, false),
        ("of a sandbox", &sandbox, None, false),
        ("in no pod", &alone, None, false),
        ("evicted", &stopped(), Some(evicted), false),
        ("evicted, by an Event", &stopped(), Some(with_events(&[event("Evicted", "x", 0)])), true),
        (
            "deleted just now, by whom is not known",
            &stopped(),
            Some(PodSaid { is_owner_unknown: true, ..deleted(Some(1_000)) }),
            true,
        ),
        ("deleted just now", &stopped(), Some(deleted(Some(4_999))), true),
        ("deleted, when is not known", &stopped(), Some(deleted(None)), true),
        ("deleted a while ago", &stopped(), Some(deleted(Some(5_000))), false),
        (
            "deleted by a drain just now",
            &stopped(),
            Some(PodSaid { cordoned: Some(true), ..deleted(Some(1_000)) }),
            false,
        ),
    ] {
        assert_eq!(open(incident, said), expected, "{name}");
    }
}

#[test]
fn a_deletion_counts_that_came_before_the_kill_as_far_as_clocks_go() {
    for (asked_before_ms, cause) in
        [(-5_000, Cause::KubeletDeletion), (-5_001, Cause::RuntimeStopTimeout), (0, Cause::KubeletDeletion)]
    {
        let said = PodSaid { deletion: deletion(asked_before_ms), ..with_events(&[]) };
        assert_eq!(judged(said).cause, cause, "{asked_before_ms}");
    }
}

#[test]
fn a_probes_command_keeps_what_it_was_asked_by() {
    let probe = Probe {
        kind: ProbeKind::Liveness,
        by: ProbeAction::Exec,
        initial_delay_s: 0,
        period_s: 10,
        timeout_s: 1,
        failure_threshold: 3,
    };
    let mut incident = stopped();
    incident.victim.process.ppid = Some(10);
    let mut case = case(incident);
    let without = judge(&case);
    assert!(matches!(&without.reason, Reason::EndedCommand { probe: None, .. }), "{without:?}");
    case.pod = Some(PodSaid { probes: vec![probe.clone()], ..PodSaid::default() });
    let with = judge(&case);
    let Reason::EndedCommand { probe: found, stop } = &with.reason else { panic!("{with:?}") };
    assert_eq!((found.as_ref(), with.cause), (Some(&probe), Cause::KubeletProbeFailure));
    assert_eq!(with.reason.stop(), stop.as_ref());
}
