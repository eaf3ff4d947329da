//! Why, in one clause.

use crate::judge::judgement::{Judgement, LimitHolder, Reason, StopRequest};
use crate::model::{Cause, Confidence, Incident, SignalPath};
use crate::text::quote::quote;
use crate::text::{bytes, duration_ms, name_or_id, path_name, process, shorten_ids};
use crate::words::by_process::{asker, by_process, time_limit, who};
use crate::words::kernel_part::kernel_part;
use crate::words::kubelet::{self, probe_name};
use crate::words::memory_use::memory_use;
use crate::words::phrases::{MIN_TTL, STILL_RUNNING, SYSRQ, init_ended, reply, unasked};

/// What ended a command that was brought into a container, where that is seen from the command alone.
const PROBE: &str = "an exec probe ran into its time-out";
const HEALTH_CHECK: &str = "a command that was run in the container (exec, a health check) ran into its time-out";

/// `docker stop timed out after 2.0 s: pid 1 has no SIGTERM handler`.
fn timed_out(what: &str, stop: &StopRequest, incident: &Incident) -> String {
    if stop.is_without_grace() && incident.is_contained() {
        let (signal, after) = (quote(&stop.signal), duration_ms(stop.before_ms));
        return format!("{what} gave it no time to end: SIGKILL came {after} after {signal}");
    }
    format!("{what} timed out after {}: {}", duration_ms(stop.before_ms), reply(stop, incident.victim.is_pid_1()))
}

/// What asked for a stop, where that is more than possible.
fn stop_of(judgement: &Judgement) -> String {
    let is_likely = judgement.requester.as_ref().is_some_and(|requester| requester.confidence > Confidence::Possible);
    judgement.asked_for.clone().filter(|_| is_likely).unwrap_or_else(|| "the stop".to_owned())
}

/// `docker kill by alice on pts/2 killed it, with no stop signal before`.
fn by_runtime(judgement: &Judgement) -> String {
    let unasked = unasked(&judgement.reason);
    let killed = format!("the container runtime killed it{unasked}");
    let Some(requester) = &judgement.requester else { return killed };
    let asker = asker(requester, judgement.asked_for.as_deref());
    match (requester.confidence > Confidence::Possible, &judgement.asked_for) {
        (true, Some(_)) => format!("{asker} killed it{unasked}"),
        (true, None) => format!("{asker} had it killed{unasked}"),
        (false, _) => format!("{killed}; it may have been {asker}"),
    }
}

/// `live[318] lowered the limit to 2 MiB, below the 16.6 MiB in use`.
fn lowered(incident: &Incident) -> String {
    let by = incident.trigger.as_ref().map_or_else(|| "somebody".to_owned(), process);
    let owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
    match owner.map(|owner| (owner.limit_bytes, owner.usage_bytes)) {
        Some((Some(limit), Some(usage))) if usage > limit => {
            format!("{by} lowered the limit to {}, below the {} in use", bytes(limit), bytes(usage))
        }
        Some((Some(limit), _)) => format!("{by} lowered the limit to {}, below what was in use", bytes(limit)),
        _ => format!("{by} lowered the limit below what was in use"),
    }
}

/// `systemd ended the login session (session-3.scope)`.
fn by_systemd(incident: &Incident, judgement: &Judgement) -> String {
    let unit = incident.unit.as_deref();
    let of = unit.map(|unit| format!(" of {}", quote(unit))).unwrap_or_default();
    match &judgement.reason {
        Reason::StopTimeout(stop) => timed_out(&format!("systemd's stop{of}"), stop, incident),
        _ => match unit.filter(|unit| unit.starts_with("session-")) {
            Some(session) => format!("systemd ended what was left of a login session ({})", quote(session)),
            None => {
                format!("systemd killed it{}", unit.map(|unit| format!(", in {}", quote(unit))).unwrap_or_default())
            }
        },
    }
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
        _ => match owner {
            Some(owner) => format!("cgroup {}, above it, ran into its memory limit", quote(&shorten_ids(&owner.path))),
            None => "a cgroup above it ran into its memory limit".to_owned(),
        },
    };
    let before = if starting { " before its program ran: the container did not start" } else { "" };
    format!("{who}{}{before}", limit.unwrap_or_default())
}

/// What the memory was that ran out, behind that it did.
fn with_memory(clause: &str, judgement: &Judgement) -> String {
    judgement.memory_use.as_ref().map_or_else(|| clause.to_owned(), |found| format!("{clause}; {}", memory_use(found)))
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

/// One clause, and how sure it is when it is not certain.
pub fn why(incident: &Incident, judgement: &Judgement) -> String {
    let why = match judgement.cause {
        Cause::OomContainerLimit | Cause::OomPodLimit | Cause::OomUnitLimit | Cause::OomSliceLimit => {
            match &judgement.reason {
                Reason::Limit { lowered: true, starting: false, .. } => lowered(incident),
                Reason::Limit { holder, starting, .. } => {
                    with_memory(&limit_hit(incident, judgement.cause, holder, *starting), judgement)
                }
                _ => with_memory(&limit_hit(incident, judgement.cause, &LimitHolder::Level, false), judgement),
            }
        }
        Cause::OomHost => match judgement.reason {
            Reason::Sysrq => SYSRQ.to_owned(),
            Reason::MinTtl => MIN_TTL.to_owned(),
            _ => with_memory("the machine ran out of memory", judgement),
        },
        Cause::OomConstrained => "the memory nodes that it may use were full".to_owned(),
        Cause::UserspaceOomKiller => {
            let by =
                incident.sender.process.as_ref().map_or_else(String::new, |sender| format!(", {},", process(sender)));
            format!("an out-of-memory daemon{by} chose it, before the kernel had to")
        }
        Cause::RuntimeKill => match &judgement.reason {
            Reason::GivenUp { limit } => given_up(*limit),
            Reason::EndedCommand { stop, .. } => ended_command(HEALTH_CHECK, stop.as_ref()),
            reason => kubelet::why(incident, reason).unwrap_or_else(|| by_runtime(judgement)),
        },
        Cause::RuntimeStopTimeout => match &judgement.reason {
            Reason::StopTimeout(stop) => timed_out(&stop_of(judgement), stop, incident),
            Reason::EndedCommand { stop, .. } => ended_command(HEALTH_CHECK, stop.as_ref()),
            reason => kubelet::why(incident, reason)
                .unwrap_or_else(|| format!("the stop timed out: a stop signal came, and it {STILL_RUNNING}")),
        },
        Cause::ServiceManagerKill => by_systemd(incident, judgement),
        Cause::SameContainerKill | Cause::ProcessKill => by_process(incident, judgement),
        Cause::SelfKill => match &judgement.reason {
            Reason::TimeLimit(limit) => {
                format!("it ended its process group, and itself with it: {}", time_limit(limit))
            }
            _ => match incident.signal.path {
                Some(SignalPath::Kill) | None => "it killed itself".to_owned(),
                Some(path) => format!("it killed itself, by {}", path_name(path)),
            },
        },
        Cause::CgroupKill if judgement.reason == Reason::Forked => {
            "it was forked into a cgroup that was being killed (cgroup.kill)".to_owned()
        }
        Cause::CgroupKill => {
            let by = if incident.sender.process.is_some() { who(incident) } else { "somebody".to_owned() };
            let why = match &judgement.reason {
                Reason::Plain => String::new(),
                _ => format!("; {}", by_process(incident, judgement)),
            };
            format!("{by} wrote cgroup.kill of its cgroup, or of one above it{why}")
        }
        Cause::PidNamespaceExit => format!("{}, and the kernel killed the rest", init_ended(incident)),
        Cause::ParentExit => "its parent ended (PR_SET_PDEATHSIG)".to_owned(),
        Cause::RlimitCpu => "its CPU time was used up (RLIMIT_CPU)".to_owned(),
        Cause::RlimitRttime => "it ran in real time for too long without a pause (RLIMIT_RTTIME)".to_owned(),
        Cause::Timer => "a timer that it had set for itself killed it (timer_create)".to_owned(),
        Cause::Ptrace => match &incident.sender.process {
            Some(tracer) => format!("its tracer, {}, killed it", process(tracer)),
            None => "its tracer ended, and had the kernel kill what it traced (PTRACE_O_EXITKILL)".to_owned(),
        },
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
    judgement.confidence.min(judgement.reason.confidence()).behind(why)
}
