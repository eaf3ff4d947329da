//! The judge: one function from an incident to its cause, read top to bottom; the first rule that holds decides.
//!
//! | cause | rule |
//! |---|---|
//! | `oom_*` | the kernel's OOM killer sent the SIGKILL; the limit owner's level says which |
//! | `pid_namespace_exit`, `parent_exit`, `rlimit_cpu`, `ptrace`, `bpf_program`, `other_kernel` | the signal's path says so |
//! | `self_kill` | the sender is the victim |
//! | `userspace_oom_killer` | the sender is systemd-oomd, earlyoom, oomd or nohang |
//! | `runtime_stop_timeout` | a runtime killed a container that it had sent a stop signal before |
//! | `runtime_kill` | a runtime killed a container |
//! | `service_manager_kill` | systemd sent it |
//! | `same_container_kill` | sender and victim are in one container |
//! | `cgroup_kill` | somebody else wrote cgroup.kill |
//! | `process_kill` | any other process |

use super::senders::{Class, classify};
use crate::incident::model::{
    Cause, Confidence, Evidence, Incident, InitKilled, LimitLevel, OomScope, Preceding, SenderKind, SignalPath, Source,
    Verdict,
};
use crate::incident::oom::SLACK_BYTES;
use crate::incident::text;

/// Judges `incident`. Advice is not the judge's: it is left empty.
#[must_use]
pub fn judge(incident: &Incident) -> Verdict {
    let (cause, confidence) = cause(incident);
    Verdict {
        cause,
        confidence,
        summary: text::summary(incident, cause),
        evidence: evidence(incident, cause),
        advice: Vec::new(),
    }
}

/// The rule that holds, and how sure it is.
fn cause(incident: &Incident) -> (Cause, Confidence) {
    if incident.oom.is_some() {
        return oom(incident);
    }
    // A path read off the kernel's own stack is certain, one inferred from siginfo is not.
    let by_path = if incident.signal.kernel_stack.is_empty() { Confidence::Possible } else { Confidence::Certain };
    let Some(sender) = incident.sender.process.as_ref().filter(|_| incident.sender.kind == SenderKind::Process) else {
        return (by_kernel_path(incident.signal.path), by_path);
    };
    match incident.signal.path {
        Some(SignalPath::Ptrace) => return (Cause::Ptrace, by_path),
        Some(SignalPath::BpfSendSignal) => return (Cause::BpfProgram, by_path),
        _ => {}
    }
    if sender.pid == incident.victim.process.pid {
        return (Cause::SelfKill, Confidence::Certain);
    }
    match classify(sender) {
        // Who a program is rests on its executable's path: likely, not certain.
        Some(Class::OomDaemon) => return (Cause::UserspaceOomKiller, Confidence::Likely),
        Some(Class::Runtime) if is_contained(incident) => {
            let asked_before = stop_request(incident).is_some();
            let cause = if asked_before { Cause::RuntimeStopTimeout } else { Cause::RuntimeKill };
            return (cause, Confidence::Likely);
        }
        Some(Class::ServiceManager) => return (Cause::ServiceManagerKill, Confidence::Likely),
        _ => {}
    }
    if same_container(incident) {
        return (Cause::SameContainerKill, Confidence::Certain);
    }
    if incident.signal.path == Some(SignalPath::CgroupKill) {
        return (Cause::CgroupKill, by_path);
    }
    (Cause::ProcessKill, Confidence::Certain)
}

/// Certain when the OOM killer's own record was read; read off the counters, whose limit it was is likely at best.
fn oom(incident: &Incident) -> (Cause, Confidence) {
    let Some(oom) = &incident.oom else { return (Cause::OtherKernel, Confidence::Possible) };
    let seen_on_stack = !incident.signal.kernel_stack.is_empty();
    // Only the OOM killer's own record has the points; it says what ran out, and whose limit it was.
    let by_record = oom.chosen_points.is_some();
    match (oom.scope, &oom.limit_owner) {
        (Some(OomScope::Memcg), Some(owner)) => {
            let cause = match owner.level {
                LimitLevel::Container => Cause::OomContainerLimit,
                LimitLevel::Pod => Cause::OomPodLimit,
                LimitLevel::Unit => Cause::OomUnitLimit,
                // A limit on the root is only there for a kernel inside a container; it is the machine's own.
                LimitLevel::Slice | LimitLevel::Root => Cause::OomSliceLimit,
            };
            let confidence = if by_record {
                Confidence::Certain
            } else if seen_on_stack && full_levels(incident) == 1 {
                Confidence::Likely
            } else {
                Confidence::Possible
            };
            (cause, confidence)
        }
        (Some(OomScope::Memcg), None) => (own_level(incident), Confidence::Possible),
        (Some(OomScope::Cpuset | OomScope::Mempolicy), _) => {
            (Cause::OomConstrained, if by_record { Confidence::Certain } else { Confidence::Likely })
        }
        (Some(OomScope::Host) | None, _) if by_record => (Cause::OomHost, Confidence::Certain),
        (Some(OomScope::Host) | None, _) => {
            (Cause::OomHost, if seen_on_stack { Confidence::Likely } else { Confidence::Possible })
        }
    }
}

/// Memory cgroups above the victim that were at their limit; with more than one, it may have been any of them.
fn full_levels(incident: &Incident) -> usize {
    let levels = incident.memory.as_ref().map(|memory| memory.levels.as_slice()).unwrap_or_default();
    levels
        .iter()
        .filter(|l| l.limit_bytes.is_some_and(|limit| limit.saturating_sub(l.usage_bytes) <= SLACK_BYTES))
        .count()
}

/// A memory cgroup's limit, and nothing says which: the victim's own is the first guess.
fn own_level(incident: &Incident) -> Cause {
    match (&incident.container, &incident.unit) {
        (Some(_), _) => Cause::OomContainerLimit,
        (None, Some(_)) => Cause::OomUnitLimit,
        (None, None) => Cause::OomSliceLimit,
    }
}

fn by_kernel_path(path: Option<SignalPath>) -> Cause {
    match path {
        Some(SignalPath::PidNamespaceExit) => Cause::PidNamespaceExit,
        Some(SignalPath::ParentDeath) => Cause::ParentExit,
        Some(SignalPath::RlimitCpu) => Cause::RlimitCpu,
        Some(SignalPath::Ptrace) => Cause::Ptrace,
        Some(SignalPath::BpfSendSignal) => Cause::BpfProgram,
        _ => Cause::OtherKernel,
    }
}

/// The victim lives in a container: by its cgroup, or by a pid namespace of its own.
fn is_contained(incident: &Incident) -> bool {
    let process = &incident.victim.process;
    incident.container.is_some() || process.pid_in_namespace.is_some_and(|pid| pid != process.pid)
}

fn same_container(incident: &Incident) -> bool {
    match (&incident.container, &incident.sender.container) {
        (Some(victim), Some(sender)) => victim.id == sender.id,
        _ => false,
    }
}

/// The last stop signal that a runtime sent to the victim before the kill.
#[must_use]
pub fn stop_request(incident: &Incident) -> Option<&Preceding> {
    incident.preceding.iter().rev().find(|p| classify(&p.sender) == Some(Class::Runtime))
}

fn evidence(incident: &Incident, cause: Cause) -> Vec<Evidence> {
    let mut facts = Vec::new();
    let mut kernel = |fact: String| facts.push(Evidence { fact, source: Source::Kernel });
    kernel(sent(incident));
    if let Some(path) = incident.signal.path {
        let shown = if incident.signal.kernel_stack.is_empty() { "siginfo suggests" } else { "the kernel stack shows" };
        kernel(format!("{shown} the path {}", text::path_name(path)));
    }
    for preceding in &incident.preceding {
        kernel(format!(
            "{} came {} before, from {}",
            preceding.name,
            text::duration_ms(preceding.before_ms),
            text::process(&preceding.sender)
        ));
    }
    if let Some(trigger) = &incident.trigger {
        let who = if trigger.pid == incident.victim.process.pid { "the victim itself" } else { "another process" };
        kernel(format!("the allocation that failed was made by {}, {who}", text::process(trigger)));
    }
    if let Some(end) = &incident.init_end {
        let init = text::process(&end.init);
        kernel(match &end.killed {
            Some(InitKilled { by: Some(by), before_ms }) => {
                format!(
                    "{init}, the init of the pid namespace, had been killed by {} {} before",
                    text::process(by),
                    text::duration_ms(*before_ms)
                )
            }
            Some(InitKilled { by: None, before_ms }) => {
                format!(
                    "{init}, the init of the pid namespace, had been killed by the kernel {} before",
                    text::duration_ms(*before_ms)
                )
            }
            None => match end.status {
                Some(status) => format!("{init}, the init of the pid namespace, {}", text::ended(status)),
                None => format!("{init}, the init of the pid namespace, ended without a SIGKILL that was seen"),
            },
        });
    }
    if let Some(oom) = &incident.oom {
        if let Some(adj) = oom.oom_score_adj {
            kernel(format!("the victim's oom_score_adj was {adj}"));
        }
        if let Some(owner) = &oom.limit_owner {
            let usage = owner.usage_bytes.map_or_else(|| "unknown".to_owned(), text::bytes);
            let limit = owner.limit_bytes.map_or_else(|| "none".to_owned(), text::bytes);
            facts.push(Evidence {
                fact: format!("{}: {usage} in use, limit {limit}", owner.path),
                source: Source::Cgroup,
            });
        }
    }
    if let Some(available) = incident.host_available_bytes {
        let fact = format!("the machine had {} available right after", text::bytes(available));
        facts.push(Evidence { fact, source: Source::Procfs });
    }
    if matches!(
        cause,
        Cause::RuntimeKill | Cause::RuntimeStopTimeout | Cause::UserspaceOomKiller | Cause::ServiceManagerKill
    ) && let Some(exe) = incident.sender.process.as_ref().and_then(|p| p.exe.as_deref())
    {
        facts.push(Evidence { fact: format!("the sender's executable is {exe}"), source: Source::Kernel });
    }
    facts
}

fn sent(incident: &Incident) -> String {
    let to = text::process(&incident.victim.process);
    match &incident.sender.process {
        Some(sender) => format!("{} sent {} to {to}", text::process(sender), incident.signal.name),
        None => format!("the kernel sent {} to {to}", incident.signal.name),
    }
}

#[cfg(test)]
mod tests;
