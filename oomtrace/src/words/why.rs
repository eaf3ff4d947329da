//! Why, in one clause.

use crate::judge::judgement::{Judgement, LimitHolder, Manager, Reason, StopRequest};
use crate::model::{Cause, Confidence, Incident, SignalPath};
use crate::text::{bytes, duration_ms, elevation, name_or_id, path_name, process};
use crate::words::kernel_part::kernel_part;
use crate::words::kubelet::{self, probe_name};
use crate::words::phrases::{MIN_TTL, STILL_RUNNING, SYSRQ, init_ended, reply, unasked};

/// What ended a command that was brought into a container, where that is seen from the command alone.
const PROBE: &str = "an exec probe ran into its time-out";
const HEALTH_CHECK: &str = "a command that was run in the container (exec, a health check) ran into its time-out";

/// `stop time-out: SIGTERM came 2.0 s earlier and the process ignores it`.
fn timed_out(stop: &StopRequest, incident: &Incident) -> String {
    let when = format!("{} came {} earlier", stop.signal, duration_ms(stop.before_ms));
    format!("stop time-out: {when} and {}", reply(stop, incident.victim.is_pid_1()))
}

/// What the manager's limit says of a kill.
fn managed(killed: &str, Manager { program, limit }: &Manager) -> String {
    format!("{killed}; it looks like {program}, which does so by {limit}")
}

/// `the container ran into its own memory limit of 64 MiB`.
fn limit_hit(incident: &Incident, cause: Cause, holder: &LimitHolder, starting: bool) -> String {
    let owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
    let limit = owner.and_then(|owner| owner.limit_bytes).map(|limit| format!(" of {}", bytes(limit)));
    let who = match (cause, holder) {
        (_, LimitHolder::OuterContainer(outer)) => {
            format!("container {}, which it runs in, ran into its memory limit", name_or_id(outer))
        }
        (_, LimitHolder::OwnCgroup) => "its cgroup ran into its own memory limit".to_owned(),
        (Cause::OomContainerLimit, _) => "the container ran into its own memory limit".to_owned(),
        (Cause::OomPodLimit, _) => "the pod ran into its memory limit".to_owned(),
        (Cause::OomUnitLimit, _) => "the unit ran into its memory limit".to_owned(),
        _ => "a cgroup above it ran into its memory limit".to_owned(),
    };
    let before = if starting { " before its program ran: the container did not start" } else { "" };
    format!("{who}{}{before}", limit.unwrap_or_default())
}

/// `the runtime gave up starting it, with a memory limit of 4 MiB`.
fn given_up(limit: Option<u64>) -> String {
    let limit = limit.map(|limit| format!(", with a memory limit of {}", bytes(limit)));
    format!("the runtime gave up starting the container{}", limit.unwrap_or_default())
}

/// A command that was brought into the container was ended by whoever brought it.
fn ended_command(what: &str, stop: Option<&StopRequest>) -> String {
    let asked = stop.map(|stop| format!(", {} after {}", duration_ms(stop.before_ms), stop.signal));
    format!("{what}{}", asked.unwrap_or_default())
}

/// A kill by a process that has no cause of its own: from where it came, as seen from the victim.
fn by_process(incident: &Incident, judgement: &Judgement, by: &dyn Fn(&str) -> String) -> String {
    let through = judgement.elevation.as_ref().map(|found| format!(", {}", elevation(found))).unwrap_or_default();
    if let Reason::Manager(manager) = &judgement.reason {
        return managed(&by("its parent killed it"), manager);
    }
    let has_cgroup = incident.sender.process.as_ref().is_some_and(|sender| sender.cgroup.is_some());
    let killed = match (&incident.container, &incident.sender.container) {
        (_, Some(sender)) => by(&format!("a process of container {} killed it", name_or_id(sender))),
        // Where its cgroup is not known it may be of the same container.
        (Some(_), None) if has_cgroup => by("a process from outside its container killed it"),
        (_, None) => by("another process killed it"),
    };
    format!("{killed}{through}")
}

/// One clause, and how sure it is when it is not certain.
pub fn why(incident: &Incident, judgement: &Judgement) -> String {
    let path = incident.signal.path.map(path_name);
    let by = |what: &str| path.map_or_else(|| what.to_owned(), |path| format!("{what}, by {path}"));
    let why = match judgement.cause {
        Cause::OomContainerLimit | Cause::OomPodLimit | Cause::OomUnitLimit | Cause::OomSliceLimit => {
            match &judgement.reason {
                Reason::Limit { lowered: true, .. } => {
                    let by = incident.trigger.as_ref().map_or_else(|| "somebody".to_owned(), process);
                    format!("{by} lowered the limit below what was in use")
                }
                Reason::Limit { holder, starting, .. } => limit_hit(incident, judgement.cause, holder, *starting),
                _ => limit_hit(incident, judgement.cause, &LimitHolder::Level, false),
            }
        }
        Cause::OomHost => match judgement.reason {
            Reason::Sysrq => SYSRQ,
            Reason::MinTtl => MIN_TTL,
            _ => "the machine ran out of memory",
        }
        .to_owned(),
        Cause::OomConstrained => "the memory nodes that it may use were full".to_owned(),
        Cause::UserspaceOomKiller => "an out-of-memory daemon chose it".to_owned(),
        Cause::RuntimeKill => match &judgement.reason {
            Reason::GivenUp { limit } => given_up(*limit),
            Reason::EndedCommand { stop, .. } => ended_command(HEALTH_CHECK, stop.as_ref()),
            reason => format!("the container runtime killed it{}", unasked(reason)),
        },
        Cause::RuntimeStopTimeout => match &judgement.reason {
            Reason::StopTimeout(stop) => timed_out(stop, incident),
            Reason::EndedCommand { stop, .. } => ended_command(HEALTH_CHECK, stop.as_ref()),
            _ => format!("stop time-out: a stop signal came and {STILL_RUNNING}"),
        },
        Cause::ServiceManagerKill => match &judgement.reason {
            Reason::StopTimeout(stop) => format!("systemd's {}", timed_out(stop, incident)),
            _ => "systemd killed it".to_owned(),
        },
        Cause::SameContainerKill => match &judgement.reason {
            Reason::Exec { .. } => by("a command that was brought into the container (exec) killed it"),
            Reason::Manager(manager) => managed(&by("its parent in the same container killed it"), manager),
            _ => by("another process in the same container killed it"),
        },
        Cause::ProcessKill => by_process(incident, judgement, &by),
        Cause::SelfKill => by("it killed itself"),
        Cause::CgroupKill if judgement.reason == Reason::Forked => {
            "it was forked into a cgroup that was being killed (cgroup.kill)".to_owned()
        }
        Cause::CgroupKill => {
            let by = incident.sender.process.as_ref().map_or_else(|| "somebody".to_owned(), process);
            format!("{by} wrote cgroup.kill of its cgroup, or of one above it")
        }
        Cause::PidNamespaceExit => format!("{}, and the kernel killed the rest", init_ended(incident)),
        Cause::ParentExit => "its parent ended (PR_SET_PDEATHSIG)".to_owned(),
        Cause::RlimitCpu => "its CPU time was used up (RLIMIT_CPU)".to_owned(),
        Cause::RlimitRttime => "it ran in real time for too long without a pause (RLIMIT_RTTIME)".to_owned(),
        Cause::Timer => "a timer that it had set for itself killed it (timer_create)".to_owned(),
        Cause::Ptrace => "its tracer killed it".to_owned(),
        Cause::BpfProgram => "a BPF program killed it".to_owned(),
        Cause::KubeletProbeFailure => match &judgement.reason {
            Reason::EndedCommand { stop, probe: Some(probe) } => {
                let limit = format!(
                    "its {} probe, by exec, ran into its time-out of {} s",
                    probe_name(probe.kind),
                    probe.timeout_s
                );
                ended_command(&limit, stop.as_ref())
            }
            Reason::EndedCommand { stop, .. } => ended_command(PROBE, stop.as_ref()),
            reason => kubelet::why(incident, reason).unwrap_or_else(|| kubelet::UNKNOWN.to_owned()),
        },
        Cause::KubeletDeletion if judgement.reason == Reason::PodCleanUp => {
            "the kubelet removed its pod's cgroup, and killed what was left in it".to_owned()
        }
        Cause::KubeletEviction | Cause::KubeletPreemption | Cause::KubeletDeletion => {
            kubelet::why(incident, &judgement.reason).unwrap_or_else(|| kubelet::UNKNOWN.to_owned())
        }
        Cause::OtherKernel => match (&judgement.reason, incident.signal.path) {
            (Reason::Kernel(part), _) => format!("the kernel killed it: {}", kernel_part(*part)),
            (_, Some(SignalPath::OtherKernel) | None) => {
                "the kernel killed it; which part of it could not be seen".to_owned()
            }
            (_, Some(SignalPath::Unseen)) => "it ended by SIGKILL, and no signal that was seen explains it".to_owned(),
            (_, Some(path)) => format!("the kernel killed it, by {}", path_name(path)),
        },
    };
    let why = if incident.sender.traced { format!("{why}, while somebody traced the sender (ptrace)") } else { why };
    match judgement.confidence {
        Confidence::Certain => why,
        Confidence::Likely => format!("{why} (likely)"),
        Confidence::Possible => format!("{why} (possible)"),
    }
}
