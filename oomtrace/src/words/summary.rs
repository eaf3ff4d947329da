//! The verdict in one sentence, and the parts of it that the evidence and the terminal use as well.

use crate::judge::judgement::{Judgement, Reason};
use crate::model::{Cause, Incident, LimitOwner, OomOrigin, SignalPath};
use crate::text::quote::quote;
use crate::text::{bytes, container_name, duration_ms, ended, path_name, pod_name, process};
use crate::words::kernel_part::kernel_part;
use crate::words::why::outer_owner;

/// The verdict in one sentence.
#[must_use]
pub fn summary(incident: &Incident, judgement: &Judgement) -> String {
    let victim = victim(incident);
    let sender = incident.sender.process.as_ref().map_or_else(|| "the kernel".to_owned(), process);
    let cause = judgement.cause;
    match cause {
        Cause::OomContainerLimit | Cause::OomPodLimit | Cause::OomUnitLimit | Cause::OomSliceLimit => {
            let limit_owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
            let whose = match cause {
                Cause::OomContainerLimit if outer_owner(incident).is_some() => {
                    "the memory limit of the container around its own"
                }
                Cause::OomContainerLimit => "the container's own memory limit",
                Cause::OomPodLimit => "the pod's memory limit",
                Cause::OomUnitLimit => "the unit's memory limit",
                _ => "the memory limit",
            };
            let amount =
                limit_owner.and_then(|o| o.limit_bytes).map(|l| format!(" of {}", bytes(l))).unwrap_or_default();
            let place = match (cause, limit_owner) {
                (Cause::OomSliceLimit, Some(owner)) => format!(" of cgroup {}", quote(&owner.path)),
                (Cause::OomUnitLimit, Some(owner)) => format!(" ({})", quote(&owner.path)),
                _ => String::new(),
            };
            match cause {
                Cause::OomSliceLimit => {
                    format!("{victim} was OOM-killed at {whose}{place}{amount}.", amount = limit_of(limit_owner))
                }
                _ => format!("{victim} was OOM-killed at {whose}{amount}{place}."),
            }
        }
        Cause::OomHost => match incident.oom.as_ref().and_then(|oom| oom.origin) {
            Some(OomOrigin::Sysrq) => {
                format!("{victim} was OOM-killed because somebody asked for an OOM kill (sysrq-f).")
            }
            Some(OomOrigin::MinTtl) => format!(
                "{victim} was OOM-killed because the machine could not keep the pages in use in memory (min_ttl_ms)."
            ),
            _ => format!("{victim} was OOM-killed because the machine ran out of memory."),
        },
        Cause::OomConstrained => {
            format!("{victim} was OOM-killed because the memory nodes that it may use were full.")
        }
        Cause::UserspaceOomKiller => format!("{victim} was killed by the out-of-memory daemon {sender}."),
        Cause::RuntimeKill => {
            format!("{victim} was killed by the container runtime ({sender}){}.", unasked(&judgement.reason))
        }
        Cause::RuntimeStopTimeout => {
            let before = match &judgement.reason {
                Reason::StopTimeout(stop) => format!(" {} after {}", duration_ms(stop.before_ms), stop.signal),
                _ => String::new(),
            };
            format!("{victim} was killed by the container runtime ({sender}){before}, because it had not stopped.")
        }
        Cause::ServiceManagerKill => format!("{victim} was killed by the service manager {sender}."),
        Cause::KubeletProbeFailure => format!("{victim} was killed because a probe failed."),
        Cause::KubeletEviction => format!("{victim} was killed because its pod was evicted."),
        Cause::KubeletPreemption => format!("{victim} was killed because its pod was preempted."),
        Cause::KubeletDeletion => format!("{victim} was killed because its pod was deleted."),
        Cause::SameContainerKill => format!("{victim} was killed by {sender} inside the same container."),
        Cause::ProcessKill => format!("{victim} was killed by {sender}."),
        Cause::SelfKill => format!("{victim} killed itself."),
        Cause::CgroupKill if judgement.reason == Reason::Forked => {
            format!("{victim} was killed because it was forked into a cgroup that was being killed (cgroup.kill).")
        }
        Cause::CgroupKill => format!("{victim} was killed by {sender} through cgroup.kill."),
        Cause::PidNamespaceExit => format!("{victim} was killed by the kernel because {}.", init_ended(incident)),
        Cause::ParentExit => format!(
            "{victim} was killed by the kernel because its parent ended, or the thread of it that had started it (PR_SET_PDEATHSIG)."
        ),
        Cause::RlimitCpu => format!("{victim} was killed by the kernel because it used up its CPU time (RLIMIT_CPU)."),
        Cause::RlimitRttime => format!(
            "{victim} was killed by the kernel because it ran in real time for too long without a pause (RLIMIT_RTTIME)."
        ),
        Cause::Timer => format!("{victim} was killed by a timer that it had set for itself (timer_create)."),
        Cause::Ptrace => format!("{victim} was killed through ptrace by its tracer."),
        Cause::BpfProgram => format!("{victim} was killed by a BPF program (bpf_send_signal)."),
        Cause::OtherKernel if incident.signal.path == Some(SignalPath::Unseen) => {
            format!("{victim} was ended by SIGKILL, and no signal that was seen explains it.")
        }
        Cause::OtherKernel => match &judgement.reason {
            Reason::Kernel(part) => format!("{victim} was killed by the kernel: {}.", kernel_part(*part)),
            _ => {
                let path = incident.signal.path.map_or("unknown", path_name);
                format!("{victim} was killed by the kernel (path {path}).")
            }
        },
    }
}

/// `, without a stop signal before`; nothing when there was one that does not explain the kill.
pub fn unasked(reason: &Reason) -> &'static str {
    if matches!(reason, Reason::RuntimeKill { after_stop_signal: true }) {
        ""
    } else {
        ", without a stop signal before"
    }
}

/// Why a pid namespace was swept: `the init of its pid namespace, sh[7], had been killed by runc[9]`.
#[must_use]
pub fn init_ended(incident: &Incident) -> String {
    let Some(end) = &incident.init_end else { return "the init of its pid namespace ended".to_owned() };
    let init = process(&end.init);
    match &end.killed {
        Some(killed) => {
            let by = killed.by.as_ref().map_or_else(|| "the kernel".to_owned(), process);
            format!("the init of its pid namespace, {init}, had been killed by {by}")
        }
        None => match end.status {
            Some(status) => format!("the init of its pid namespace, {init}, {}", ended(status)),
            None => format!("the init of its pid namespace, {init}, ended"),
        },
    }
}

/// ` of 512 MiB`, as the end of a sentence about a limit; nothing when it is not known.
fn limit_of(owner: Option<&LimitOwner>) -> String {
    owner.and_then(|owner| owner.limit_bytes).map(|limit| format!(" ({})", bytes(limit))).unwrap_or_default()
}

/// `nginx[22490] in container web`.
fn victim(incident: &Incident) -> String {
    let process = process(&incident.victim.process);
    let pod = incident.container.as_ref().and_then(|container| container.pod.as_ref());
    match (container_name(incident), &incident.unit) {
        (Some(name), _) => match (pod.and_then(pod_name), pod.is_some_and(|pod| pod.sandbox)) {
            (Some(pod), true) => format!("{process} in the sandbox of pod {pod}"),
            (Some(pod), false) => format!("{process} in container {name} of pod {pod}"),
            (None, _) => format!("{process} in container {name}"),
        },
        (None, Some(unit)) => format!("{process} in {}", quote(unit)),
        (None, None) => process,
    }
}
