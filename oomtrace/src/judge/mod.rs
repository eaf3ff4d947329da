//! The judge: one function from an incident to its cause, read top to bottom; the first rule that holds decides.
//!
//! | cause | rule |
//! |---|---|
//! | `oom_container_limit`, `oom_pod_limit`, `oom_unit_limit`, `oom_slice_limit` | the OOM killer sent it, for a memory cgroup's limit: the level of the limit's owner |
//! | `oom_constrained` | the OOM killer sent it, for a cpuset or a memory policy |
//! | `oom_host` | the OOM killer sent it, and no limit was hit |
//! | `pid_namespace_exit`, `parent_exit`, `rlimit_cpu`, `rlimit_rttime`, `timer`, `ptrace`, `bpf_program`, `other_kernel` | the signal's path says so |
//! | `self_kill` | the sender is the victim |
//! | `userspace_oom_killer` | the sender is systemd-oomd, earlyoom, oomd or nohang |
//! | `runtime_stop_timeout` | a runtime killed a container that it had sent a stop signal before, within the time that a stop takes |
//! | `runtime_kill` | a runtime killed a container |
//! | `service_manager_kill` | systemd sent it |
//! | `same_container_kill` | sender and victim are in one container |
//! | `cgroup_kill` | somebody else wrote cgroup.kill |
//! | `process_kill` | any other process |
//! | `kubelet_*` | never: they need the Kubernetes API |
//!
//! How sure it is: `certain` when the kernel says so itself, by the OOM killer's own record, by the functions on its stack, or
//! by who made the system call. Who a program is rests on its executable's path and on where it runs: `likely`. That a cgroup is a
//! container's is what its runtime says; its name alone is `likely` at best. A limit read off the counters is
//! `likely` when one level alone was full, else `possible`. Nothing is surer than the signal's path: without a stack that is
//! `possible`, unless the siginfo proves who the sender is.

pub mod contradiction;
pub mod requester;
pub mod senders;

use crate::judge::senders::{Class, classify, is_lxc, program_class};
use crate::model::Runtime;
use crate::model::{
    Cause, Confidence, Container, Incident, LimitLevel, Oom, OomScope, Preceding, Process, SenderKind, SignalPath,
};
use crate::node::signals;
use crate::placement::user_of;
use crate::resolve::oom::SLACK_BYTES;

/// Judges `incident`: the rule that holds, and how sure it is. Nothing is surer than the path, by which it is known who sent the
/// signal at all.
#[must_use]
pub fn judge(incident: &Incident) -> (Cause, Confidence) {
    use Confidence::{Certain, Likely};
    let by_path = incident.signal.path_confidence.unwrap_or(Confidence::Possible);
    let (cause, confidence) = match &incident.oom {
        Some(oom) => return by_oom(incident, oom),
        None => match incident.sender.process.as_ref().filter(|_| incident.sender.kind == SenderKind::Process) {
            None => (by_kernel_path(incident.signal.path), Certain),
            Some(sender) => by_sender(incident, sender, Likely),
        },
    };
    (cause, confidence.min(by_path))
}

/// A process sent it. Who a program is rests on its executable's path, and is `program` at most.
fn by_sender(incident: &Incident, sender: &Process, program: Confidence) -> (Cause, Confidence) {
    match incident.signal.path {
        Some(SignalPath::Ptrace) => return (Cause::Ptrace, Confidence::Certain),
        Some(SignalPath::BpfSendSignal) => return (Cause::BpfProgram, Confidence::Certain),
        _ => {}
    }
    if sender.pid == incident.victim.process.pid {
        return (Cause::SelfKill, Confidence::Certain);
    }
    match sender_class(incident) {
        Some(Class::OomDaemon) => return (Cause::UserspaceOomKiller, program),
        Some(Class::Runtime) if is_contained(incident) => {
            return match stop_request(incident) {
                Some(stop) => (Cause::RuntimeStopTimeout, program.min(stop_confidence(incident, stop))),
                None => (Cause::RuntimeKill, program),
            };
        }
        Some(Class::ServiceManager) => return (Cause::ServiceManagerKill, program),
        _ => {}
    }
    if same_container(incident) {
        // That the cgroup which both are in is a container's may be its name's word alone.
        let confirmed = incident.container.as_ref().is_some_and(|container| container.confirmed);
        return (Cause::SameContainerKill, if confirmed { Confidence::Certain } else { Confidence::Likely });
    }
    if incident.signal.path == Some(SignalPath::CgroupKill) {
        return (Cause::CgroupKill, Confidence::Certain);
    }
    (Cause::ProcessKill, Confidence::Certain)
}

/// Certain when the OOM killer's own record was read; read off the counters, whose limit it was is likely at best.
fn by_oom(incident: &Incident, oom: &Oom) -> (Cause, Confidence) {
    let is_killers = incident.signal.path.is_some_and(SignalPath::is_oom_killers);
    let seen_on_stack = is_killers && incident.signal.path_confidence == Some(Confidence::Certain);
    // Only the OOM killer's own record has the points; it says what ran out, and whose limit it was.
    let by_record = oom.chosen_points.is_some();
    match (oom.scope, &oom.limit_owner) {
        (Some(OomScope::Memcg), Some(owner)) => {
            let by_name = owner.level == LimitLevel::Container && is_unconfirmed(incident, &owner.path);
            let cause = match owner.level {
                LimitLevel::Container => Cause::OomContainerLimit,
                LimitLevel::Pod => Cause::OomPodLimit,
                LimitLevel::Unit => Cause::OomUnitLimit,
                // A limit on the root is only there for a kernel inside a container; it is the machine's own.
                LimitLevel::Slice | LimitLevel::Root => Cause::OomSliceLimit,
            };
            let confidence = if by_record {
                if by_name { Confidence::Likely } else { Confidence::Certain }
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

/// Only its name says that the cgroup at `path` is a container's.
fn is_unconfirmed(incident: &Incident, path: &str) -> bool {
    let owner = incident.container.iter().flat_map(Container::chain).find(|container| container.owns(path));
    owner.is_some_and(|container| !container.confirmed)
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
        Some(SignalPath::RlimitRttime) => Cause::RlimitRttime,
        Some(SignalPath::PosixTimer) => Cause::Timer,
        // A child that was forked meanwhile, and whoever wrote it was not seen.
        Some(SignalPath::CgroupKill) => Cause::CgroupKill,
        Some(SignalPath::Ptrace) => Cause::Ptrace,
        Some(SignalPath::BpfSendSignal) => Cause::BpfProgram,
        _ => Cause::OtherKernel,
    }
}

/// A runtime sent the signal to a container's process.
#[must_use]
pub fn is_by_runtime(incident: &Incident) -> bool {
    let is_self = incident.sender.process.as_ref().is_some_and(|p| p.pid == incident.victim.process.pid);
    sender_class(incident) == Some(Class::Runtime) && is_contained(incident) && !is_self
}

/// What the sender is for.
fn sender_class(incident: &Incident) -> Option<Class> {
    class_in(incident, incident.sender.process.as_ref()?)
}

/// What a process is for, of those that sent the victim a signal.
#[must_use]
pub fn class_in(incident: &Incident, process: &Process) -> Option<Class> {
    classify(process, owner(incident)).or_else(|| runtime_around(incident, process))
}

/// The user whose own the victim is: whoever it is, its runtimes and its service manager are such for what is its own.
fn owner(incident: &Incident) -> Option<u32> {
    incident.victim.process.cgroup.as_deref().and_then(user_of)
}

/// A runtime that runs in a container itself is one for the containers within that: Docker in Docker, kind. It is root there, and
/// in the namespaces of its container's first process, as far as those are known, but in none of the victim's own.
fn runtime_around(incident: &Incident, process: &Process) -> Option<Class> {
    let sender = incident.sender.container.as_ref()?;
    let outer = incident.container.as_ref()?.chain().skip(1).find(|outer| outer.is_same(sender))?;
    let class = program_class(process).filter(|class| *class == Class::Runtime)?;
    let init = incident.sender.ancestors.iter().find(|ancestor| Some(ancestor.pid) == outer.init_pid);
    let is_it = process.home.is_none_or(|home| {
        let is_root = home.user_level > 0 || process.uid == Some(0);
        let as_init = init.and_then(|init| init.home);
        let is_inits = as_init.is_none_or(|init| (init.mount, init.user_level) == (home.mount, home.user_level));
        is_root && is_inits && victims_mount(incident).is_none_or(|mount| home.mount != Some(mount))
    });
    is_it.then_some(class)
}

fn victims_mount(incident: &Incident) -> Option<u32> {
    incident.victim.process.home.and_then(|home| home.mount)
}

/// The victim lives in a container: by its cgroup, or by a pid namespace of its own.
fn is_contained(incident: &Incident) -> bool {
    let process = &incident.victim.process;
    incident.container.is_some() || process.pid_in_namespace.is_some_and(|pid| pid != process.pid)
}

/// Sender and victim are in one container.
#[must_use]
pub fn same_container(incident: &Incident) -> bool {
    match (&incident.container, &incident.sender.container) {
        (Some(victim), Some(sender)) => victim.is_same(sender),
        _ => false,
    }
}

/// No stop takes longer: a signal from before that has nothing to do with the kill.
const LONGEST_STOP_MS: u64 = 3_600_000;
/// What most stops may take at most where the container's own time-out is not known.
const USUAL_STOP_MS: u64 = 600_000;
/// How late a runtime may be with the kill.
const LATE_MS: u64 = 10_000;

/// The last stop signal that the runtime sent to the victim before the kill, recently enough to be about the same stop.
#[must_use]
pub fn stop_request(incident: &Incident) -> Option<&Preceding> {
    stop_requests(incident).next_back()
}

/// All of them, the first one first.
pub fn stop_requests(incident: &Incident) -> impl DoubleEndedIterator<Item = &Preceding> {
    let is_runtime = move |p: &Preceding| class_in(incident, &p.sender) == Some(Class::Runtime);
    let killer = incident.sender.process.as_ref();
    incident.preceding.iter().filter(move |p| {
        p.before_ms <= LONGEST_STOP_MS
            && is_stop_signal(incident, p.signal)
            && is_runtime(p)
            && killer.is_none_or(|killer| is_lxc(killer) == is_lxc(&p.sender))
    })
}

/// The signal asks the victim's container to stop: one that every runtime does it by, or its image's own.
#[must_use]
pub fn is_stop_signal(incident: &Incident, signal: u32) -> bool {
    const INT: u32 = 2;
    const QUIT: u32 = 3;
    const TERM: u32 = 15;
    const PWR: u32 = 30;
    let container = incident.container.as_ref();
    let own = container.and_then(|container| container.stop_signal.as_deref()).and_then(signals::number);
    // LXC's (lxc.signal.halt).
    let is_lxc = container.is_some_and(|container| container.runtime == Some(Runtime::Lxc));
    matches!(signal, INT | QUIT | TERM) || own == Some(signal) || (is_lxc && signal == PWR)
}

/// A kill that came later than the container's own time-out may still be of the same stop, if that was given longer by hand.
fn stop_confidence(incident: &Incident, stop: &Preceding) -> Confidence {
    let own = incident.container.as_ref().and_then(|container| container.stop_timeout_s);
    let usual = own.map_or(USUAL_STOP_MS, |seconds| seconds.saturating_mul(1000).saturating_add(LATE_MS));
    if stop.before_ms <= usual { Confidence::Likely } else { Confidence::Possible }
}

#[cfg(test)]
pub mod tests;
