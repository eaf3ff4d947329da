//! What those who manage containers and units say of their ends.

use crate::model::{Container, SaidEnd, TargetKind};
use crate::node::cgroups;
use crate::node::namespaces;
use crate::node::usage::UsageFiles;
use crate::past::answer::{Ended, Subject, Traces};
use crate::past::gather::{KernelLog, Places, Whom, docker, kubernetes, looked, podman};
use crate::past::journal::Entry;
use crate::past::units::{self, End};
use crate::placement::{Placement, Runtime};

/// Asks them.
pub async fn ask(
    places: &Places,
    whom: Option<&Whom>,
    log: &KernelLog,
    subject: &mut Option<Subject>,
    traces: &mut Traces,
) {
    let Some(whom) = whom else { return of_all(places, log, traces).await };
    if let Some(container) = &whom.container {
        if matches!(container.runtime, Some(Runtime::Docker) | None) {
            docker::ask(places, container, subject, traces).await;
        }
        if container.runtime == Some(Runtime::Podman) {
            traces.ends.extend(podman::ends_of(container, log));
        }
        counters(places, container, traces);
        traces.entries = log.entries.iter().filter(|entry| is_its_scope(entry, &container.id)).cloned().collect();
    }
    if whom.container.as_ref().is_some_and(|container| container.pod.is_some()) || whom.pod_uid.is_some() {
        kubernetes::ask(places, whom, traces).await;
    }
    if let Some(unit) = &whom.unit {
        systemd(unit, subject, traces);
        traces.entries = log.entries.iter().filter(|entry| entry.said.unit() == Some(unit.as_str())).cloned().collect();
    }
    if whom.kind == TargetKind::Process && whom.is_there == Some(true) {
        let has_kill = !(traces.kills.is_empty() && traces.watched.is_empty());
        traces.looked_at.push(looked("/proc", true, None, lives(whom.pid, has_kill)));
    }
}

/// systemd says it of the scope of that container.
fn is_its_scope(entry: &Entry, id: &str) -> bool {
    let place = entry.said.unit().and_then(Placement::container_of_scope);
    place.is_some_and(|place| place.id == id)
}

/// What they say of ends with 137 on this node, whoever ended.
async fn of_all(places: &Places, log: &KernelLog, traces: &mut Traces) {
    docker::ask_of_all(places, traces).await;
    traces.ends.extend(podman::killed(log));
    traces.entries.clone_from(&log.entries);
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
    traces.ends.push(Ended { end: said, ..Ended::default() });
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
