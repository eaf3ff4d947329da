//! The judge: one function from a case to its judgement. The cause is found top to bottom; the first rule that holds decides.
//!
//! | cause | rule |
//! |---|---|
//! | `oom_container_limit`, `oom_pod_limit`, `oom_unit_limit`, `oom_slice_limit` | the OOM killer sent it, for a memory cgroup's limit: the level of the limit's owner |
//! | `oom_constrained` | the OOM killer sent it, for a cpuset or a memory policy |
//! | `oom_host` | the OOM killer sent it, and no limit was hit |
//! | `pid_namespace_exit`, `parent_exit`, `rlimit_cpu`, `rlimit_rttime`, `timer`, `ptrace`, `bpf_program`, `other_kernel` | the signal's path says so |
//! | `self_kill` | the sender is the victim |
//! | `userspace_oom_killer` | the sender is systemd-oomd, earlyoom, oomd or nohang |
//! | `kubelet_eviction`, `kubelet_preemption`, `kubelet_probe_failure`, `kubelet_deletion` | a runtime, or the kubelet itself, killed a pod's container, and the Kubernetes API says why; nobody but the kubelet is known to have asked |
//! | `kubelet_probe_failure` | a shim killed a command that it had brought into a pod's container, as at the time-out of a probe |
//! | `kubelet_deletion` | the kubelet itself killed what was left in a pod's cgroup |
//! | `runtime_stop_timeout` | a runtime killed a container that it had sent a stop signal before, within the time that a stop takes |
//! | `runtime_kill` | a runtime killed a container |
//! | `service_manager_kill` | systemd sent it |
//! | `same_container_kill` | sender and victim are in one container |
//! | `cgroup_kill` | somebody else wrote cgroup.kill |
//! | `process_kill` | any other process |
//!
//! How sure it is: `certain` when the kernel says so itself, by the OOM killer's own record, by the functions on its stack, or
//! by who made the system call. Who a program is rests on its executable's path and on where it runs: `likely`. That a cgroup is a
//! container's is what its runtime says; its name alone is `likely` at best. A limit read off the counters is
//! `likely` when one level alone was full, else `possible`. Nothing is surer than the signal's path: without a stack that is
//! `possible`, unless the siginfo proves who the sender is.

pub mod class;
pub mod contradiction;
pub mod course;
mod elevation;
pub mod judgement;
mod kernel;
mod kubelet;
mod managers;
pub mod memory_use;
mod oom;
mod origin;
pub mod requester;
mod routine;
mod senders;
mod starting;
pub mod stop;

use crate::judge::class::{same_container, sender_class};
use crate::judge::judgement::requester::FoundBy;
use crate::judge::judgement::{DeletedBy, Judgement, Origin, Reason, StopRequest, Unproven};
use crate::judge::requester::FoundRequester;
use crate::judge::senders::Class;
use crate::model::{Attribution, Cause, Confidence, CourseKind, Incident, Process, SenderKind, SignalPath};
use crate::placement::Placement;
use crate::resolve::case::Case;

/// Judges a case. Pure: the same case has the same judgement, live and in a replay.
#[must_use]
pub fn judge(case: &Case) -> Judgement {
    let incident = &case.incident;
    let found = requester::find(case);
    let Ruling { cause, confidence, reason } = rule(case, found.as_ref());
    // What the kubelet wanted by the API's word nobody else asked for who only may have.
    let found =
        found.filter(|found| !kubelet::is_its_own(cause, &reason) || kubelet::is_sure_or_kubelet(&found.requester));
    let requester_unseen = requester::unseen(case, found.as_ref());
    let by_api = case.pod.as_ref().map(|said| kubelet::evidence(said, cause)).unwrap_or_default();
    let exec = requester::is_by_exec(incident).then_some(FoundBy::Exec);
    let (requester, via, requesters_place, requester_came_before_ms, found_by) = match found {
        Some(FoundRequester { requester, via, place, came_before_ms, found_by, .. }) => {
            (Some(requester), Some(via), place, came_before_ms, found_by)
        }
        None => Default::default(),
    };
    let memory_use = memory_use::memory_use(incident);
    let memory_unseen = memory_use.is_none() && memory_use::is_unseen(incident);
    let course = course::course(incident, &case.lives_before, memory_use.as_ref());
    let is_nothing_seen = incident.sender.process.is_none() && incident.signal.path.is_none() && incident.oom.is_none();
    Judgement {
        cause,
        confidence,
        reason,
        asked_for: requester.as_ref().and_then(|requester| requester::told(&requester.process)),
        requester,
        via,
        requesters_place,
        requester_came_before_ms,
        elevation: elevation::of(&incident.sender),
        unproven: incident.sender.process.as_ref().and_then(|sender| unproven(incident, sender)),
        // Files in memory fill any limit: where they may be what filled it, it is not said to be too low.
        course: course.filter(|course| !memory_unseen || course.kind != CourseKind::TooSmall),
        memory_unseen,
        memory_use,
        found_by: exec.into_iter().chain(found_by).collect(),
        by_api,
        requester_unseen,
        routine: routine::routine(incident, cause),
        limits_before: case.limits_before.clone(),
        is_removed: false,
        without_systemd: case.systemd == Some(false),
        server_minor: case.pod.as_ref().and_then(|said| said.server_minor),
        attribution: if is_nothing_seen { Attribution::None } else { incident.attribution },
    }
}

/// A cause, with what there is to say of it.
struct Ruling {
    cause: Cause,
    confidence: Confidence,
    reason: Reason,
}

impl Ruling {
    const fn certain(cause: Cause) -> Self {
        Self { cause, confidence: Confidence::Certain, reason: Reason::Plain }
    }
}

/// Why the kubelet had it killed, where it may have been the kubelet, and the Kubernetes API says why.
fn as_api_says(ruling: Ruling, case: &Case, found: Option<&FoundRequester>) -> Ruling {
    // A sandbox ends with its pod, whatever that ends for.
    let Some(said) = case.pod.as_ref().filter(|_| !is_of_sandbox(&case.incident)) else { return ruling };
    let found = found.map(|found| &found.requester);
    let by_api = match (ruling.cause, &ruling.reason) {
        (Cause::KubeletProbeFailure, Reason::EndedCommand { stop, .. }) => {
            let reason = Reason::EndedCommand { stop: stop.clone(), probe: kubelet::commands_probe(said) };
            return Ruling { reason, ..ruling };
        }
        (Cause::RuntimeStopTimeout, Reason::StopTimeout(stop)) => kubelet::rule(said, found, Some(stop)),
        (Cause::RuntimeKill, Reason::RuntimeKill { .. }) | (Cause::KubeletDeletion, Reason::PodCleanUp) => {
            kubelet::rule(said, found, None)
        }
        _ => None,
    };
    by_api.unwrap_or(ruling)
}

/// A controller has said by then that it deleted a pod.
const SETTLED_MS: u64 = 5_000;

/// Whether the Kubernetes API may know more of a kill that was judged so: why the kubelet asked for it.
#[must_use]
pub fn may_api_explain(judgement: &Judgement, incident: &Incident) -> bool {
    let is_runtimes = match (judgement.cause, &judgement.reason) {
        (Cause::RuntimeStopTimeout, Reason::StopTimeout(_)) | (Cause::RuntimeKill, Reason::RuntimeKill { .. }) => true,
        (Cause::KubeletDeletion, Reason::PodCleanUp) => true,
        // The kubelet may not have written the pod's status yet.
        (Cause::KubeletEviction, _) => judgement.confidence < Confidence::Likely,
        // Who wanted it may still come out.
        (Cause::KubeletDeletion, Reason::Deletion(deletion)) => {
            matches!(deletion.by, DeletedBy::Request | DeletedBy::Unknown)
                && deletion.asked_before_ms.is_none_or(|before_ms| before_ms < SETTLED_MS)
        }
        _ => false,
    };
    is_runtimes && is_in_pod(incident) && !is_of_sandbox(incident)
}

fn is_of_sandbox(incident: &Incident) -> bool {
    incident.container.as_ref().and_then(|container| container.pod.as_ref()).is_some_and(|pod| pod.sandbox)
}

/// The rule that holds. Nothing is surer than the path, by which it is known who sent the signal at all.
fn rule(case: &Case, found: Option<&FoundRequester>) -> Ruling {
    let incident = &case.incident;
    if let Some(oom) = &incident.oom {
        let (cause, confidence) = oom::by_oom(incident, oom);
        return Ruling { cause, confidence, reason: oom::reason(incident, oom, cause) };
    }
    let sender = incident.sender.process.as_ref().filter(|_| incident.sender.kind == SenderKind::Process);
    let mut ruling = match sender {
        None => by_kernel(incident),
        Some(sender) => as_api_says(by_sender(incident, sender, found), case, found),
    };
    let by_path = match incident.signal.path_confidence {
        // The signal is the sender's, but whose wish it was is not to be seen.
        _ if incident.sender.traced => Confidence::Possible,
        path_confidence => path_confidence.unwrap_or(Confidence::Possible),
    };
    ruling.confidence = ruling.confidence.min(by_path);
    ruling
}

fn by_kernel(incident: &Incident) -> Ruling {
    let cause = kernel::by_path(incident.signal.path);
    let reason = match cause {
        Cause::CgroupKill => Reason::Forked,
        Cause::OtherKernel => kernel::part(incident).map_or(Reason::Plain, Reason::Kernel),
        _ => Reason::Plain,
    };
    Ruling { reason, ..Ruling::certain(cause) }
}

/// A process sent it. Who a program is rests on its executable's path: likely at most.
fn by_sender(incident: &Incident, sender: &Process, found: Option<&FoundRequester>) -> Ruling {
    if incident.signal.path == Some(SignalPath::Ptrace) {
        let debugger = origin::origin(incident).filter(|origin| matches!(origin, Origin::Debugger(_)));
        let reason = debugger.map_or(Reason::Plain, Reason::Origin);
        return Ruling { reason, ..Ruling::certain(Cause::Ptrace) };
    }
    if sender.pid == incident.victim.process.pid {
        // timeout(1) ends its process group, and is in it.
        let reason = managers::time_limit(incident).map_or(Reason::Plain, Reason::TimeLimit);
        return Ruling { reason, ..Ruling::certain(Cause::SelfKill) };
    }
    let by_program = |cause| Ruling { confidence: Confidence::Likely, ..Ruling::certain(cause) };
    match sender_class(incident) {
        Some(Class::OomDaemon) => return by_program(Cause::UserspaceOomKiller),
        Some(Class::Runtime) if incident.is_contained() => return by_runtime(incident, found),
        Some(Class::Kubelet) if is_in_pod(incident) => {
            return Ruling {
                reason: Reason::PodCleanUp,
                confidence: Confidence::Possible,
                ..by_program(Cause::KubeletDeletion)
            };
        }
        Some(Class::ServiceManager) => {
            let request = stop::stop_requests(incident, Class::ServiceManager).next_back();
            let reason = request.map_or(Reason::Plain, |last| Reason::StopTimeout(StopRequest::of(last, last)));
            return Ruling { reason, ..by_program(Cause::ServiceManagerKill) };
        }
        _ => {}
    }
    if same_container(incident) {
        // That the cgroup which both are in is a container's may be its name's word alone.
        let confirmed = incident.container.as_ref().is_some_and(|container| container.confirmed);
        let confidence = if confirmed { Confidence::Certain } else { Confidence::Likely };
        let reason = match managers::time_limit(incident) {
            None if requester::is_by_exec(incident) => Reason::Exec { manager: managers::manager(incident) },
            limit => limit.map_or_else(|| by_itself(incident), Reason::TimeLimit),
        };
        return Ruling { cause: Cause::SameContainerKill, confidence, reason };
    }
    let reason = managers::time_limit(incident).map_or_else(|| by_itself(incident), Reason::TimeLimit);
    let is_write = incident.signal.path == Some(SignalPath::CgroupKill);
    Ruling { reason, ..Ruling::certain(if is_write { Cause::CgroupKill } else { Cause::ProcessKill }) }
}

/// What there is to say of a process that killed by itself.
fn by_itself(incident: &Incident) -> Reason {
    let managed = managers::manager(incident).map(|manager| match managers::stop(incident) {
        Some(stop) => Reason::ManagerStop { manager, stop },
        None => Reason::Manager(manager),
    });
    managed.or_else(|| origin::origin(incident).map(Reason::Origin)).unwrap_or(Reason::Plain)
}

/// A runtime killed a container, or what it had started itself.
fn by_runtime(incident: &Incident, found: Option<&FoundRequester>) -> Ruling {
    if starting::is_given_up(incident) {
        let reason = Reason::GivenUp { limit: own_limit(incident) };
        return Ruling { cause: Cause::RuntimeKill, confidence: Confidence::Likely, reason };
    }
    let ended = end_by_runtime(incident, found);
    if !starting::is_shims_command(incident) {
        return ended;
    }
    let stop = match ended.reason {
        Reason::StopTimeout(stop) => Some(stop),
        _ => None,
    };
    let reason = Reason::EndedCommand { stop, probe: None };
    // Nothing else on a Kubernetes node has a command ended: exec of kubectl leaves it running (CRI's ExecSync has a time-out, Exec none).
    let cause = if is_in_pod(incident) { Cause::KubeletProbeFailure } else { ended.cause };
    Ruling { cause, confidence: Confidence::Likely, reason }
}

/// The memory limit of the victim's container, as the kernel or its runtime has it.
fn own_limit(incident: &Incident) -> Option<u64> {
    let container = incident.container.as_ref()?;
    let levels = incident.memory.iter().flat_map(|memory| &memory.levels);
    let kernels = levels.filter(|level| container.owns(&level.path)).find_map(|level| level.limit_bytes);
    kernels.or_else(|| container.limits.as_ref()?.memory_bytes)
}

fn is_in_pod(incident: &Incident) -> bool {
    let is_pods = |path: &String| Placement::parse(path).in_pod;
    incident.container.as_ref().is_some_and(|container| container.pod.is_some())
        || incident.victim.process.cgroup.as_ref().is_some_and(is_pods)
}

/// A runtime killed a container.
fn end_by_runtime(incident: &Incident, found: Option<&FoundRequester>) -> Ruling {
    let mut stops = stop::stop_requests(incident, Class::Runtime);
    let first = stops.next();
    let Some((first, last)) = first.map(|first| (first, stops.next_back().unwrap_or(first))) else {
        let is_known = stop::is_own_signal_known(incident) || !stop::are_other_signals(incident);
        let is_stop = |signal: u32| stop::is_stop_signal(incident, signal);
        let after_stop_signal = !is_known || incident.preceding.iter().any(|p| is_stop(p.signal));
        let reason = Reason::RuntimeKill { after_stop_signal };
        let confidence = if is_known { Confidence::Likely } else { Confidence::Possible };
        return Ruling { cause: Cause::RuntimeKill, confidence, reason };
    };
    // A stop signal that came before is of something else then.
    if found.is_some_and(|found| requester::gives_no_grace(&found.requester)) {
        let reason = Reason::RuntimeKill { after_stop_signal: true };
        return Ruling { cause: Cause::RuntimeKill, confidence: Confidence::Likely, reason };
    }
    let request = StopRequest::of(first, last);
    Ruling {
        cause: Cause::RuntimeStopTimeout,
        confidence: stop::confidence(incident, last),
        reason: Reason::StopTimeout(request),
    }
}

/// Why the path of the sender's executable proves nothing, where it is that of a program that would.
fn unproven(incident: &Incident, sender: &Process) -> Option<Unproven> {
    let is_believed = senders::program_class(sender).is_none() || class::class_in(incident, sender).is_some();
    let own = sender.namespaces.filter(|_| !is_believed)?;
    match (own.user_level, own.on_host, sender.uid) {
        (1.., _, _) => Some(Unproven::OwnUserNamespace),
        (0, Some(false), _) => Some(Unproven::OwnMountNamespace),
        (0, _, Some(uid)) if uid != 0 => Some(Unproven::User(uid)),
        _ => None,
    }
}

#[cfg(test)]
pub mod tests;
