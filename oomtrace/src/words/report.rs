//! An incident as an Event on its pod: what `kubectl describe pod` shows of it.

use crate::kubernetes::report::Report;
use crate::model::Incident;
use crate::text::process;

/// None where it is nothing to be woken for, or not in a pod.
#[must_use]
pub fn report(incident: &Incident) -> Option<Report> {
    let verdict = incident.verdict.as_ref().filter(|_| incident.routine.is_none())?;
    let container = incident.container.as_ref().filter(|container| container.confirmed)?;
    // A user's own is in no pod of this node's, whatever it says.
    let pod = container.pod.as_ref().filter(|_| container.user.is_none())?;
    let reason = match (incident.oom.is_some(), incident.victim.container_init) {
        (true, true) => "ContainerOOMKilled",
        (true, false) => "ProcessOOMKilled",
        (false, true) => "ContainerKilled",
        (false, false) => "ProcessKilled",
    };
    let limit = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
    let likeness = (&container.name, reason, verdict.cause, limit.map(|owner| (owner.level, owner.limit_bytes)));
    Some(Report {
        uid: pod.uid.clone()?,
        container: container.name.clone().filter(|_| !pod.sandbox),
        reason,
        note: note(incident)?,
        likeness: format!("{likeness:?}"),
    })
}

/// `sleep[12]: its liveness probe failed (httpGet, 3 of 3 in a row) (likely). Do: ….`
fn note(incident: &Incident) -> Option<String> {
    let verdict = incident.verdict.as_ref()?;
    let advice = verdict.advice.first().map(|advice| format!(" Do: {}.", advice.action)).unwrap_or_default();
    Some(format!("{}: {}.{advice} (oomtrace {})", process(&incident.victim.process), verdict.why, incident.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{case, in_container, kill, oom, oom_kill};
    use crate::model::{LimitLevel, OomScope, Pod, Record, Routine};
    use crate::words::conclude;

    fn in_pod(mut incident: Incident, is_init: bool) -> Incident {
        let container = incident.container.as_mut().unwrap();
        container.name = Some("app".to_owned());
        container.pod = Some(Pod { uid: Some("u-1".to_owned()), ..Pod::default() });
        incident.victim.container_init = is_init;
        let Record::Incident(incident) = conclude(case(incident)) else { panic!("no incident") };
        incident
    }

    #[test]
    fn the_reason_says_whether_the_container_ended() {
        for (incident, is_init, reason) in [
            (in_container(oom_kill()), true, "ContainerOOMKilled"),
            (in_container(oom_kill()), false, "ProcessOOMKilled"),
            (in_container(kill("/usr/bin/bash")), true, "ContainerKilled"),
            (in_container(kill("/usr/bin/bash")), false, "ProcessKilled"),
        ] {
            let report = report(&in_pod(incident, is_init)).unwrap();
            assert_eq!((report.reason, report.uid.as_str(), report.container.as_deref()), (reason, "u-1", Some("app")));
            assert!(report.note.contains(": ") && report.note.contains("(oomtrace "), "{}", report.note);
        }
    }

    #[test]
    fn what_nobody_is_woken_for_is_not_reported() {
        let mut routine = in_pod(in_container(kill("/usr/bin/bash")), true);
        routine.routine = Some(Routine::Sweep);
        let mut unconfirmed = in_pod(in_container(kill("/usr/bin/bash")), true);
        unconfirmed.container.as_mut().unwrap().confirmed = false;
        let mut alone = in_pod(in_container(kill("/usr/bin/bash")), true);
        alone.container.as_mut().unwrap().pod = None;
        assert!([routine, unconfirmed, alone].iter().all(|incident| report(incident).is_none()));
        let mut sandbox = in_pod(in_container(kill("/usr/bin/bash")), true);
        sandbox.container.as_mut().unwrap().pod.as_mut().unwrap().sandbox = true;
        assert_eq!(report(&sandbox).unwrap().container, None);
    }

    #[test]
    fn another_cause_or_another_limit_is_another_event() {
        let at_limit =
            || in_container(oom(&[("/docker/x", 512, Some(512))], Some((0, LimitLevel::Container)), OomScope::Memcg));
        let first = report(&in_pod(at_limit(), true)).unwrap();
        let mut larger = in_pod(at_limit(), true);
        larger.oom.as_mut().unwrap().limit_owner.as_mut().unwrap().limit_bytes = Some(1);
        let killed = report(&in_pod(in_container(kill("/usr/bin/bash")), true)).unwrap();
        assert_eq!(first.likeness, report(&in_pod(at_limit(), true)).unwrap().likeness);
        assert_ne!(first.likeness, report(&larger).unwrap().likeness);
        assert_ne!(first.likeness, killed.likeness);
    }
}
