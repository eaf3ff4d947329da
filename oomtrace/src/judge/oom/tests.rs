//! Whose limit it was, where the counters and the names leave a doubt.

use super::*;
use crate::judge::tests::{container, in_container, oom};

/// At the limit of the cgroup `owner`, which the OOM killer's own record names.
fn recorded(owner: &str, level: LimitLevel) -> Incident {
    let mut incident = in_container(oom(&[(owner, 512, Some(512))], Some((0, level)), OomScope::Memcg));
    incident.oom.as_mut().unwrap().chosen_points = Some(1);
    incident
}

fn confidence(incident: &Incident) -> Confidence {
    by_oom(incident, incident.oom.as_ref().unwrap()).1
}

#[test]
fn that_a_limit_is_a_containers_is_certain_when_its_runtime_says_so() {
    let own = container("x").cgroup;
    let with = |owner: &str, level, confirmed| {
        let mut incident = recorded(owner, level);
        incident.container = Some(Container { confirmed, ..container("x") });
        confidence(&incident)
    };
    assert_eq!(with(&own, LimitLevel::Container, true), Confidence::Certain);
    assert_eq!(with(&own, LimitLevel::Container, false), Confidence::Likely);
    // Whose it is does not rest on the container's name.
    assert_eq!(with("/docker", LimitLevel::Slice, false), Confidence::Certain);
    assert_eq!(with(&format!("{own}/container"), LimitLevel::Slice, false), Confidence::Certain);
}

#[test]
fn only_the_oom_killer_on_the_stack_makes_one_full_level_likely() {
    let with = |path, path_confidence| {
        let mut incident = oom(&[("/a", 512, Some(512))], Some((0, LimitLevel::Slice)), OomScope::Memcg);
        (incident.signal.path, incident.signal.path_confidence) = (Some(path), Some(path_confidence));
        confidence(&incident)
    };
    assert_eq!(with(SignalPath::OomKill, Confidence::Certain), Confidence::Likely);
    assert_eq!(with(SignalPath::OomKill, Confidence::Possible), Confidence::Possible);
    // The stack has no such function, and the kernel sent it.
    assert_eq!(with(SignalPath::OtherKernel, Confidence::Certain), Confidence::Possible);
}

#[test]
fn the_machine_ran_out_for_certain_only_by_the_oom_killers_own_record() {
    let mut incident = oom(&[], None, OomScope::Host);
    assert_eq!(confidence(&incident), Confidence::Likely);
    incident.signal.path_confidence = Some(Confidence::Possible);
    assert_eq!(confidence(&incident), Confidence::Possible);
    incident.oom.as_mut().unwrap().chosen_points = Some(1);
    assert_eq!(confidence(&incident), Confidence::Certain);
}

#[test]
fn whose_limit_it_was_besides_is_said() {
    let holder = |incident: &Incident| {
        let oom = incident.oom.as_ref().unwrap();
        match reason(incident, oom, by_oom(incident, oom).0) {
            Reason::Limit { holder, .. } => holder,
            other => panic!("{other:?}"),
        }
    };
    let levels = [("/jobs/a", 1, None), ("/jobs", 512, Some(512))];
    let own = oom(&levels, Some((0, LimitLevel::Slice)), OomScope::Memcg);
    assert_eq!(holder(&own), LimitHolder::OwnCgroup);
    assert_eq!(holder(&oom(&levels, Some((1, LimitLevel::Slice)), OomScope::Memcg)), LimitHolder::Level);
    // Without counters it lives where its cgroup is.
    let mut without = own.clone();
    (without.memory, without.victim.process.cgroup) = (None, Some("/jobs/a".to_owned()));
    assert_eq!(holder(&without), LimitHolder::OwnCgroup);
    without.victim.process.cgroup = Some("/jobs".to_owned());
    assert_eq!(holder(&without), LimitHolder::Level);
    // Neither is known.
    let mut unknown = oom(&[], None, OomScope::Memcg);
    (unknown.memory, unknown.victim.process.cgroup) = (None, None);
    assert_eq!(holder(&unknown), LimitHolder::Level);
    // A container's own limit is the container's, whoever lives in its cgroup.
    let mut in_outer = recorded("/docker/outer", LimitLevel::Container);
    assert_eq!(holder(&in_outer), LimitHolder::Level);
    let outer = container("outer");
    in_outer.container.as_mut().unwrap().outer = Some(Box::new(outer.clone()));
    assert_eq!(holder(&in_outer), LimitHolder::OuterContainer(Box::new(outer)));
}

#[test]
fn that_a_limit_was_lowered_is_said_of_a_limit_alone() {
    for (origin, lowered) in
        [(None, false), (Some(OomOrigin::Allocation), false), (Some(OomOrigin::LimitLowered), true)]
    {
        let mut incident = oom(&[("/a", 512, Some(512))], Some((0, LimitLevel::Slice)), OomScope::Memcg);
        incident.oom.as_mut().unwrap().origin = origin;
        let reason = reason(&incident, incident.oom.as_ref().unwrap(), Cause::OomSliceLimit);
        assert!(matches!(reason, Reason::Limit { lowered: said, .. } if said == lowered), "{origin:?}");
    }
}
