use super::*;
use crate::judge::judgement::StopRequest;
use crate::judge::tests::{in_container, kill};
use crate::model::{PodOwner, ProbeAction};

fn pod(owner: Option<(&str, &str)>) -> Pod {
    Pod {
        name: Some("web-5d4-x".to_owned()),
        namespace: Some("shop".to_owned()),
        qos: Some(Qos::Burstable),
        grace_s: Some(20),
        owner: owner.map(|(kind, name)| PodOwner { kind: kind.to_owned(), name: name.to_owned(), through: None }),
        ..Pod::default()
    }
}

fn incident(pod: Pod) -> Incident {
    let mut incident = in_container(kill("/usr/bin/containerd-shim-runc-v2"));
    let container = incident.container.as_mut().unwrap();
    (container.name, container.pod) = (Some("app".to_owned()), Some(pod));
    incident
}

fn stop(disposition: Option<Disposition>) -> Option<StopRequest> {
    Some(StopRequest { signal: "SIGTERM".to_owned(), before_ms: 2000, first_before_ms: 2000, disposition })
}

#[test]
fn memory_is_given_by_what_makes_the_pod() {
    let of = |pod: Pod| incident(pod).container.unwrap();
    let deployment = of(pod(Some(("Deployment", "web"))));
    let guaranteed = of(Pod { qos: Some(Qos::Guaranteed), ..pod(Some(("StatefulSet", "db"))) });
    let alone = of(pod(None));
    let resize = r#"kubectl -n shop patch pod web-5d4-x --subresource resize -p '{"spec":{"containers":[{"name":"app","resources":{"limits":{"memory":"96Mi"}}}]}}'"#;
    let hostile = of(Pod { namespace: Some("a;b".to_owned()), ..pod(Some(("Deployment", "web"))) });
    for (container, minor, command) in [
        (&deployment, None, Some("kubectl -n shop set resources deployment/web -c app --limits=memory=96Mi")),
        (
            &guaranteed,
            Some(20),
            Some("kubectl -n shop set resources statefulset/db -c app --limits=memory=96Mi --requests=memory=96Mi"),
        ),
        (&alone, Some(33), Some(resize)),
        (&alone, Some(32), None),
        (&alone, None, None),
        (&of(pod(Some(("Node", "n1")))), Some(35), None),
        (&of(pod(Some(("Job", "j")))), Some(35), None),
        (
            &of(pod(Some(("CronJob", "nightly")))),
            None,
            Some("kubectl -n shop set resources cronjob/nightly -c app --limits=memory=96Mi"),
        ),
        (&hostile, Some(35), None),
    ] {
        assert_eq!(set_memory(container, 96, minor).as_deref(), command, "{container:?}");
    }
    let guaranteed_alone = of(Pod { qos: Some(Qos::Guaranteed), ..pod(None) });
    assert!(set_memory(&guaranteed_alone, 96, Some(35)).unwrap().contains(r#""requests":{"memory":"96Mi"}"#));
}

#[test]
fn what_a_larger_limit_does_not_do_by_itself_is_said() {
    for (owner, word) in [
        (Some(("StatefulSet", "db")), "never gets Ready"),
        (Some(("Job", "once")), "delete it, and make it anew"),
        (Some(("StatefulSet", "db")), ": kubectl -n "),
        (Some(("Deployment", "web")), ""),
        (None, ""),
    ] {
        let said = limits_catch(&incident(pod(owner)).container.unwrap());
        assert!(said.contains(word) && said.is_empty() == word.is_empty(), "{owner:?}: {said}");
    }
}

#[test]
fn a_probe_that_failed_says_which_field_to_change() {
    let failure = |kind, said: &str| {
        let probe =
            Probe { kind, by: ProbeAction::Http, initial_delay_s: 0, period_s: 10, timeout_s: 1, failure_threshold: 3 };
        Reason::Probe(ProbeFailure {
            kind,
            probe: Some(probe),
            failures: Some(3),
            said: Some(said.to_owned()),
            stop: None,
        })
    };
    let patch = |field: &str| {
        format!(
            r#"kubectl -n shop patch deployment/web -p '{{"spec":{{"template":{{"spec":{{"containers":[{{"name":"app",{field}}}]}}}}}}}}'"#
        )
    };
    for (reason, action, command) in [
        (
            failure(ProbeKind::Liveness, "Get http://x: context deadline exceeded"),
            "raise livenessProbe.timeoutSeconds (now 1)",
            Some(patch(r#""livenessProbe":{"timeoutSeconds":5}"#)),
        ),
        (
            failure(ProbeKind::Startup, "HTTP probe failed with statuscode: 503"),
            "raise startupProbe.failureThreshold (now 3)",
            Some(patch(r#""startupProbe":{"failureThreshold":9}"#)),
        ),
        (
            failure(ProbeKind::Liveness, "dial tcp: connect: connection refused"),
            "nothing listens where livenessProbe asks",
            None,
        ),
        (
            failure(ProbeKind::Liveness, "HTTP probe failed with statuscode: 500"),
            "raise livenessProbe.failureThreshold (now 3)",
            Some(patch(r#""livenessProbe":{"failureThreshold":9}"#)),
        ),
    ] {
        let all = by_kubelet(&incident(pod(Some(("Deployment", "web")))), &reason).unwrap();
        assert!(all[0].action.contains(action), "{all:?}");
        assert_eq!(all[0].command, command, "{reason:?}");
        let events = "kubectl -n shop get events --field-selector involvedObject.name=web-5d4-x";
        assert_eq!(all.last().unwrap().command.as_deref(), Some(events));
        assert_eq!(all.len(), 2);
    }
}

#[test]
fn a_stop_that_took_too_long_is_a_second_thing_to_mend() {
    let deleted = |by, disposition| {
        let deletion = PodDeletion {
            by,
            asked_before_ms: None,
            grace_s: None,
            own_grace_s: None,
            pre_stop: false,
            message: None,
            stop: stop(disposition),
        };
        by_kubelet(&incident(pod(Some(("Deployment", "web")))), &Reason::Deletion(deletion)).unwrap()
    };
    let longer = r#"kubectl -n shop patch deployment/web -p '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":40}}}}'"#;
    let handled = deleted(DeletedBy::Request, Some(Disposition::Handled));
    assert_eq!(handled[0].command.as_deref(), Some(longer), "{handled:?}");
    let ignored = deleted(DeletedBy::Rollout, Some(Disposition::Ignored));
    assert!(ignored[0].action.contains("maxUnavailable"), "{ignored:?}");
    assert!(ignored[1].action.contains("stop ignoring SIGTERM") && ignored[1].command.is_none(), "{ignored:?}");
    for (by, word) in [
        (DeletedBy::Deadline, "activeDeadlineSeconds"),
        (DeletedBy::Taint, "taints"),
        (DeletedBy::Drain, "PodDisruptionBudget"),
    ] {
        assert!(deleted(by, None)[0].action.contains(word), "{by:?}");
    }
}

#[test]
fn an_eviction_is_mended_by_what_was_short() {
    let evicted = |resource: Option<&str>| {
        let eviction = Eviction {
            resource: resource.map(str::to_owned),
            message: String::new(),
            usage: Vec::new(),
            request_bytes: None,
            stop: stop(None),
        };
        by_kubelet(&incident(pod(None)), &Reason::Eviction(eviction)).unwrap()
    };
    for (resource, word) in [
        (Some("memory"), "resources.requests.memory of container app"),
        (Some("pids"), "podPidsLimit"),
        (Some("ephemeral-storage"), "resources.requests.ephemeral-storage of container app"),
        (None, "emptyDir.sizeLimit"),
    ] {
        let all = evicted(resource);
        assert!(all[0].action.contains(word), "{all:?}");
        // The stop is the kubelet's own, with a grace of its own.
        assert_eq!(all.len(), 2, "{all:?}");
    }
}

#[test]
fn a_preemption_is_by_priority() {
    let preempted = |by_kubelet| {
        let preemption = Preemption { for_pod: None, by_kubelet, message: String::new(), stop: None };
        by_kubelet_first(&Reason::Preemption(preemption))
    };
    assert!(preempted(true).why.contains("cannot do without"));
    assert!(preempted(false).why.contains("the scheduler"));
}

fn by_kubelet_first(reason: &Reason) -> Advice {
    by_kubelet(&incident(pod(None)), reason).unwrap().swap_remove(0)
}

#[test]
fn the_whole_container_dies_only_where_it_is_set() {
    use crate::judge::tests::oom_kill;
    use crate::model::{Collateral, Role};
    let of = |group: bool, own: bool, others: bool| {
        let mut incident = in_container(oom_kill());
        let container = incident.container.as_mut().unwrap();
        container.pod = Some(pod(None));
        let path = if own { container.cgroup.clone() } else { "/other".to_owned() };
        let oom = incident.oom.as_mut().unwrap();
        (oom.group, oom.group_cgroup) = (Some(group), Some(path));
        if others {
            let process = incident.victim.process.clone();
            incident.collateral = vec![Collateral { process, role: Role::OomGroup }];
        }
        whole_group(&incident).is_some()
    };
    assert!(of(true, true, true));
    assert!(!of(false, true, true) && !of(true, false, true) && !of(true, true, false));
}
