//! The verdict in one sentence.

use crate::judge::judgement::{Judgement, LimitHolder, Reason};
use crate::model::{Cause, Incident, LimitOwner, SignalPath};
use crate::text::quote::quote;
use crate::text::{bytes, container_name, duration_ms, path_name, pod_name, process, unit_name};
use crate::words::kernel_part::kernel_part;
use crate::words::kubelet;
use crate::words::phrases::{MIN_TTL, SYSRQ, init_ended, unasked};

/// The verdict in one sentence.
#[must_use]
pub fn summary(incident: &Incident, judgement: &Judgement) -> String {
    let victim = victim(incident);
    let sender = incident.sender.process.as_ref().map_or_else(|| "the kernel".to_owned(), process);
    let cause = judgement.cause;
    match cause {
        Cause::OomContainerLimit | Cause::OomPodLimit | Cause::OomUnitLimit | Cause::OomSliceLimit => {
            let limit_owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
            let whose = match (cause, &judgement.reason) {
                (_, Reason::Limit { holder: LimitHolder::OuterContainer(_), .. }) => {
                    "the memory limit of the container around its own"
                }
                (Cause::OomContainerLimit, _) => "the container's own memory limit",
                (Cause::OomPodLimit, _) => "the pod's memory limit",
                (Cause::OomUnitLimit, _) => "the unit's memory limit",
                _ => "the memory limit",
            };
            let amount =
                limit_owner.and_then(|o| o.limit_bytes).map(|l| format!(" of {}", bytes(l))).unwrap_or_default();
            let place = match (cause, limit_owner) {
                (Cause::OomSliceLimit, Some(owner)) => format!(" of cgroup {}", quote(&owner.path)),
                (Cause::OomUnitLimit, Some(owner)) => format!(" ({})", quote(&owner.path)),
                _ => String::new(),
            };
            let at = match cause {
                Cause::OomSliceLimit => format!("{whose}{place}{}", limit_of(limit_owner)),
                _ => format!("{whose}{amount}{place}"),
            };
            match judgement.reason {
                Reason::Limit { starting: true, .. } => {
                    format!("{victim} was OOM-killed at {at} before its program ran: the container did not start.")
                }
                Reason::Limit { lowered: true, .. } => {
                    format!("{victim} was OOM-killed because {at} was lowered below what was in use.")
                }
                _ => format!("{victim} was OOM-killed at {at}."),
            }
        }
        Cause::OomHost => {
            let why = match judgement.reason {
                Reason::Sysrq => SYSRQ,
                Reason::MinTtl => MIN_TTL,
                _ => "the machine ran out of memory",
            };
            format!("{victim} was OOM-killed because {why}.")
        }
        Cause::OomConstrained => {
            format!("{victim} was OOM-killed because the memory nodes that it may use were full.")
        }
        Cause::UserspaceOomKiller => format!("{victim} was killed by the out-of-memory daemon {sender}."),
        Cause::RuntimeKill if matches!(judgement.reason, Reason::GivenUp { .. }) => {
            format!("{victim} was killed by the container runtime ({sender}), which gave up starting the container.")
        }
        Cause::RuntimeKill | Cause::RuntimeStopTimeout if is_command(&judgement.reason) => {
            format!("{victim}, a command that was run in the container, was killed by {sender} at its time-out.")
        }
        Cause::RuntimeKill | Cause::RuntimeStopTimeout if matches!(judgement.reason, Reason::PostStart(_)) => {
            let why = kubelet::clause(&judgement.reason).unwrap_or_else(|| kubelet::UNKNOWN.to_owned());
            format!("{victim} was killed because {why}.")
        }
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
        Cause::KubeletProbeFailure if is_command(&judgement.reason) => {
            format!("{victim}, the command of an exec probe, was killed by {sender} at its time-out.")
        }
        Cause::KubeletDeletion if judgement.reason == Reason::PodCleanUp => {
            format!("{victim} was killed by {sender}, which removed its pod's cgroup.")
        }
        Cause::KubeletProbeFailure | Cause::KubeletEviction | Cause::KubeletPreemption | Cause::KubeletDeletion => {
            let why = kubelet::clause(&judgement.reason).unwrap_or_else(|| kubelet::UNKNOWN.to_owned());
            format!("{victim} was killed because {why}.")
        }
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

/// It is about a command that was brought into the container, not about the container.
const fn is_command(reason: &Reason) -> bool {
    matches!(reason, Reason::EndedCommand { .. })
}

/// ` (512 MiB)`, behind the cgroup whose limit it is; nothing when it is not known.
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
        (None, Some(unit)) => {
            format!("{process} in {}", unit_name(unit, incident.victim.process.cgroup.as_deref()))
        }
        (None, None) => process,
    }
}
