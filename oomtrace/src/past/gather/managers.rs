//! What those who manage containers and units say of their ends.

use std::time::Duration;

use jiff::Timestamp;

use crate::container::runtime::docker::{Docker, DockerError, life};
use crate::model::{Container, SaidEnd, TargetKind};
use crate::node::cgroups;
use crate::node::namespaces;
use crate::node::usage::UsageFiles;
use crate::past::answer::{Ended, Subject, Traces};
use crate::past::gather::{KernelLog, Places, Whom, looked, unread};
use crate::past::journal::Said;
use crate::past::units::{self, End};
use crate::placement::Runtime;

/// The Kubernetes API is waited for so long.
pub const API_WITHIN: Duration = Duration::from_secs(2);

/// Asks them.
pub async fn ask(
    places: &Places,
    whom: Option<&Whom>,
    log: &KernelLog,
    subject: &mut Option<Subject>,
    traces: &mut Traces,
) {
    let Some(whom) = whom else { return };
    if let Some(container) = &whom.container {
        if matches!(container.runtime, Some(Runtime::Docker) | None) {
            docker(places, container, subject, traces).await;
        }
        podman(container, log, traces);
        counters(places, container, traces);
    }
    if whom.container.as_ref().is_some_and(|container| container.pod.is_some()) || whom.pod_uid.is_some() {
        kubernetes(places, whom, traces).await;
    }
    if let Some(unit) = &whom.unit {
        systemd(unit, subject, traces);
        traces.entries = log.entries.iter().filter(|entry| is_of(&entry.said, unit)).cloned().collect();
    }
    if whom.kind == TargetKind::Process && whom.is_there == Some(true) {
        let has_kill = !(traces.kills.is_empty() && traces.watched.is_empty());
        traces.looked_at.push(looked("/proc", true, None, lives(whom.pid, has_kill)));
    }
}

/// What a process that lives says of kills of its number.
const fn lives(pid: Option<u32>, has_kill: bool) -> &'static str {
    match (pid, has_kill) {
        (_, true) => "a process with that number lives: what was killed was another one before it",
        // Before the first process there was no other.
        (Some(1), false) => "it lives",
        (_, false) => "a process with that number lives: if something was killed, it was another one before it",
    }
}

fn is_of(said: &Said, wanted: &str) -> bool {
    match said {
        Said::UnitOutOfMemory { unit }
        | Said::UnitOomdKill { unit, .. }
        | Said::UnitProcessExit { unit, .. }
        | Said::UnitResult { unit, .. } => unit == wanted,
        _ => false,
    }
}

/// How Docker says that the container is, how it ended last, and what was done to it.
async fn docker(places: &Places, container: &Container, subject: &mut Option<Subject>, traces: &mut Traces) {
    let docker = &places.directory.sources().docker;
    let life = match docker.life(&container.id).await {
        Ok(life) => life,
        Err(DockerError::Unknown { .. }) if container.runtime == Some(Runtime::Docker) => {
            return removed(docker, container, traces).await;
        }
        Err(error) => {
            let is_missing = error.is_missing();
            let said = error.to_string();
            return traces.looked_at.push(if is_missing {
                unread("docker", said)
            } else {
                looked("docker", false, None, said)
            });
        }
    };
    // What it is, and what it was given, is known in full only here.
    let mut known = container.clone();
    if let Ok(metadata) = docker.inspect(&container.id).await {
        metadata.describe(&mut known);
    }
    if let Some(subject) = subject.as_mut() {
        subject.is_running = Some(life.running);
        subject.running_since = life.started_at.as_ref().filter(|_| life.running).and_then(|at| at.parse().ok());
        if subject.container.is_some() {
            subject.container = Some(known.clone());
        }
    }
    let mut said = match (life.running, life.restart_count) {
        (true, 0) => "it runs".to_owned(),
        (true, count) => format!("it runs; its restart policy has started it again {}", crate::text::times(count)),
        (false, _) => "it has ended".to_owned(),
    };
    match docker.past_events(&container.id).await {
        Ok((events, since)) => {
            traces.events = events;
            traces.events_since = since.and_then(time);
            said.push_str(&format!("; {} events of it are left", traces.events.len()));
        }
        Err(error) => said.push_str(&format!("; its events are not known ({error})")),
    }
    traces.looked_at.push(looked("docker", true, traces.events_since, said));
    // While it runs, Docker has the end of the life before by its time alone: its code is in the events, if they go that far.
    let by_event = |time: &str| {
        let at: Timestamp = time.parse().ok()?;
        let near = |ns: i64| (i128::from(ns) - at.as_nanosecond()).abs() <= 3_000_000_000;
        traces.events.iter().rev().find_map(|happened| match happened.what {
            life::What::Die { exit_code } if near(happened.at_ns) => exit_code,
            _ => None,
        })
    };
    let Some(finished) = &life.finished_at else { return };
    let end = if life.running {
        SaidEnd {
            by: "Docker".to_owned(),
            time: Some(finished.clone()),
            exit_code: by_event(finished),
            ..SaidEnd::default()
        }
    } else {
        SaidEnd {
            by: "Docker".to_owned(),
            time: Some(finished.clone()),
            started: life.started_at.clone(),
            exit_code: Some(life.exit_code),
            oom_killed: Some(life.oom_killed),
            reason: (!life.error.is_empty()).then(|| life.error.clone()),
        }
    };
    traces.ends.push(Ended { end, container: Some(known) });
}

/// What Docker's events still say of a container that it has removed.
async fn removed(docker: &Docker, container: &Container, traces: &mut Traces) {
    let (events, since) = match docker.past_events(&container.id).await {
        Ok(found) => found,
        Err(error) => return traces.looked_at.push(unread("docker", error.to_string())),
    };
    traces.events_since = since.and_then(time);
    let said = match events.len() {
        0 => "it is removed, and no event of it is left".to_owned(),
        count => format!("it is removed; {count} events of it are left"),
    };
    traces.looked_at.push(looked("docker", true, traces.events_since, said));
    let end = life::last_end(&events).map(|end| SaidEnd {
        by: "Docker".to_owned(),
        time: rfc3339(end.at_ns),
        started: end.started_ns.and_then(rfc3339),
        exit_code: end.exit_code,
        oom_killed: end.oom_killed,
        reason: None,
    });
    traces.ends.extend(end.map(|end| Ended { end, container: Some(container.clone()) }));
    traces.events = events;
}

/// Of nanoseconds since 1970; none where no calendar has them.
fn time(ns: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(ns)).ok()
}

/// The same as RFC 3339.
fn rfc3339(ns: i64) -> Option<String> {
    time(ns).map(|at| format!("{at:.9}"))
}

/// What Podman wrote into the journal.
fn podman(container: &Container, log: &KernelLog, traces: &mut Traces) {
    if container.runtime != Some(Runtime::Podman) {
        return;
    }
    for entry in &log.entries {
        if let Said::PodmanDied { id, exit_code, .. } = &entry.said
            && *id == container.id
        {
            let end = SaidEnd {
                by: "Podman".to_owned(),
                time: Some(format!("{:.9}", entry.at)),
                exit_code: *exit_code,
                ..SaidEnd::default()
            };
            traces.ends.push(Ended { end, container: Some(container.clone()) });
        }
    }
}

/// How many processes the OOM killer has ended in its cgroup, as long as that is there.
fn counters(places: &Places, container: &Container, traces: &mut Traces) {
    let Some(files) = cgroups::memory(&places.hierarchies).map(UsageFiles::new) else { return };
    let usage = files.read(&container.cgroup).filter(|_| !container.cgroup.is_empty());
    traces.oom_count = usage.and_then(|usage| usage.oom_kills);
    let said = match (usage, traces.oom_count) {
        (None, _) => looked("cgroup", false, None, "it is gone, and its counters with it"),
        (Some(_), None) => looked("cgroup", false, None, "this kernel does not count OOM kills there"),
        (Some(_), Some(0)) => looked("cgroup", true, None, "no OOM kill since it was made"),
        (Some(_), Some(count)) => looked(
            "cgroup",
            true,
            None,
            format!("OOM kills since it was made: {count}; when they were, it does not say"),
        ),
    };
    traces.looked_at.push(said);
}

/// How the kubelet says that the pod's containers ended.
async fn kubernetes(places: &Places, whom: &Whom, traces: &mut Traces) {
    if let Err(why) = places.kubernetes.reach(API_WITHIN).await {
        return traces.looked_at.push(looked("kubernetes", false, None, why));
    }
    let uid = whom.pod_uid.clone().or_else(|| whom.container.as_ref()?.pod.as_ref()?.uid.clone());
    let Some(uid) = uid else { return };
    let mut count = 0;
    for (name, ended) in places.kubernetes.ends_of(&uid) {
        if let Some(container) = whom.container.as_ref()
            && container.name.as_ref().is_some_and(|own| *own != name)
        {
            continue;
        }
        count += 1;
        let id = ended.id().unwrap_or_default().to_owned();
        let mut container = Container { id, name: Some(name), confirmed: true, ..Container::default() };
        container.pod = whom.container.as_ref().and_then(|container| container.pod.clone());
        if container.pod.is_none() {
            container.pod = Some(crate::model::Pod { uid: Some(uid.clone()), ..crate::model::Pod::default() });
            places.kubernetes.describe(&mut container, API_WITHIN).await;
        }
        let end = SaidEnd {
            by: "the kubelet".to_owned(),
            time: ended.finished_at.clone(),
            started: ended.started_at.clone(),
            exit_code: Some(ended.exit_code),
            oom_killed: None,
            reason: ended.reason.clone(),
        };
        traces.ends.push(Ended { end, container: Some(container) });
    }
    traces.looked_at.push(looked("kubernetes", true, None, format!("{count} ends of its containers")));
}

/// How systemd says that the unit ended last.
fn systemd(name: &str, subject: &mut Option<Subject>, traces: &mut Traces) {
    if namespaces::is_booted_by_systemd() != Some(true) {
        return traces.looked_at.push(looked("systemd", false, None, "it is not this machine's first process"));
    }
    let unit = match units::show(name) {
        Ok(unit) => unit,
        Err(error) => return traces.looked_at.push(looked("systemd", false, None, error.to_string())),
    };
    let counts = [("OOM kills", unit.oom_kills), ("kills by systemd-oomd", unit.oomd_kills)];
    let counted: String = counts
        .iter()
        .filter_map(|(what, count)| Some(format!("; {what} since its cgroup was made: {}", (*count)?)))
        .collect();
    let is = if unit.is_active { "it runs" } else { "it does not run" };
    let result = unit
        .result
        .as_deref()
        .filter(|_| !unit.is_active)
        .map(|result| format!(", result {result}"))
        .unwrap_or_default();
    traces.oom_count = unit.oom_kills;
    traces.looked_at.push(looked(
        "systemd",
        unit.is_loaded,
        None,
        if unit.is_loaded { format!("{is}{result}{counted}") } else { "it does not know the unit".to_owned() },
    ));
    if let Some(subject) = subject {
        subject.is_running = Some(unit.is_active);
        subject.running_since = unit.started.filter(|_| unit.is_active);
    }
    // A result is of the last run alone: the next start sets it back.
    let (Some(end), Some(exited)) = (unit.end, unit.exited) else { return };
    let exit_code = match end {
        End::Exited(code) => i64::from(code),
        End::Signal(signal) => 128 + i64::from(signal),
    };
    let said = SaidEnd {
        by: "systemd".to_owned(),
        time: Some(format!("{exited:.9}")),
        started: unit.started.map(|at| format!("{at:.9}")),
        exit_code: Some(exit_code),
        oom_killed: None,
        reason: unit.result.filter(|_| !unit.is_active),
    };
    traces.ends.push(Ended { end: said, container: None });
}

#[cfg(test)]
mod tests {
    use super::lives;

    #[test]
    fn a_number_that_lives_says_of_a_kill_before_it_what_is_known() {
        assert_eq!(lives(Some(1), false), "it lives");
        assert!(lives(Some(4711), false).contains("if something was killed"));
        assert!(lives(Some(4711), true).contains("what was killed was another one"));
    }
}
