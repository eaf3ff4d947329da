//! The verdict in one sentence, and the parts of it that the evidence and the terminal use as well.

use crate::correlate::path as stack;
use crate::judge::{is_stop_signal, stop_request};
use crate::model::{Cause, Confidence, Incident, LimitOwner, SignalPath};
use crate::text::quote::quote;
use crate::text::{bytes, container_name, duration_ms, ended, path_name, process};

/// The verdict in one sentence.
#[must_use]
pub fn summary(incident: &Incident, cause: Cause) -> String {
    let victim = victim(incident);
    let sender = incident.sender.process.as_ref().map_or_else(|| "the kernel".to_owned(), process);
    match cause {
        Cause::OomContainerLimit | Cause::OomPodLimit | Cause::OomUnitLimit | Cause::OomSliceLimit => {
            let limit_owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
            let whose = match cause {
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
        Cause::OomHost => format!("{victim} was OOM-killed because the machine ran out of memory."),
        Cause::OomConstrained => {
            format!("{victim} was OOM-killed because the memory nodes that it may use were full.")
        }
        Cause::UserspaceOomKiller => format!("{victim} was killed by the out-of-memory daemon {sender}."),
        Cause::RuntimeKill => {
            format!("{victim} was killed by the container runtime ({sender}){}.", unasked(incident))
        }
        Cause::RuntimeStopTimeout => {
            let stop = stop_request(incident);
            let before = stop.map(|p| format!("{} after {}", duration_ms(p.before_ms), p.name)).unwrap_or_default();
            format!("{victim} was killed by the container runtime ({sender}) {before}, because it had not stopped.")
        }
        Cause::ServiceManagerKill => format!("{victim} was killed by the service manager {sender}."),
        Cause::KubeletProbeFailure => format!("{victim} was killed because a probe failed."),
        Cause::KubeletEviction => format!("{victim} was killed because its pod was evicted."),
        Cause::KubeletPreemption => format!("{victim} was killed because its pod was preempted."),
        Cause::KubeletDeletion => format!("{victim} was killed because its pod was deleted."),
        Cause::SameContainerKill => format!("{victim} was killed by {sender} inside the same container."),
        Cause::ProcessKill => format!("{victim} was killed by {sender}."),
        Cause::SelfKill => format!("{victim} killed itself."),
        Cause::CgroupKill if incident.sender.process.is_none() => {
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
        Cause::OtherKernel => match kernel_part(incident) {
            Some(part) => format!("{victim} was killed by the kernel: {part}."),
            None => {
                let path = incident.signal.path.map_or("unknown", path_name);
                format!("{victim} was killed by the kernel (path {path}).")
            }
        },
    }
}

/// `, without a stop signal before`; nothing when there was one that does not explain the kill.
#[must_use]
pub fn unasked(incident: &Incident) -> &'static str {
    let asked = incident.preceding.iter().any(|p| is_stop_signal(incident, p.signal));
    if asked { "" } else { ", without a stop signal before" }
}

/// Which part of the kernel it was, where that has no cause of its own.
#[must_use]
pub fn kernel_part(incident: &Incident) -> Option<&'static str> {
    match incident.signal.path? {
        SignalPath::MessageQueue => {
            return Some("it had asked to be notified of a message by SIGKILL (mq_notify)");
        }
        SignalPath::AsyncIo => {
            return Some(
                "a file descriptor was set to send SIGKILL to it when there is something to read or write (F_SETSIG)",
            );
        }
        SignalPath::PidfdAutokill => {
            return Some("the last descriptor was closed that it was to live for (CLONE_PIDFD_AUTOKILL)");
        }
        SignalPath::OtherKernel if incident.signal.path_confidence == Some(Confidence::Certain) => {}
        _ => return None,
    }
    const PARTS: [(&str, &str); 5] = [
        ("aa_audit", "AppArmor's profile says so"),
        ("__do_SAK", "the secure attention key ends what uses its terminal"),
        ("kill_procs", "memory that it uses is broken"),
        ("reboot_pid_ns", "a process in its pid namespace asked for a reboot"),
        ("do_notify_parent", "a child of it ended, whose exit signal it had chosen to be SIGKILL (clone)"),
    ];
    let own = stack::own(&incident.signal.kernel_stack);
    PARTS.iter().find(|(function, _)| own.iter().any(|symbol| stack::is(symbol, function))).map(|(_, part)| *part)
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
    match (container_name(incident), &incident.unit) {
        (Some(name), _) => format!("{process} in container {name}"),
        (None, Some(unit)) => format!("{process} in {}", quote(unit)),
        (None, None) => process,
    }
}
