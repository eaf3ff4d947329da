//! What the judge says: everything that words, advice and outputs need, so that nothing is decided twice.

pub mod requester;

use std::borrow::Cow;

use crate::judge::course::Course;
use crate::judge::judgement::requester::{FoundBy, RequesterUnseen, Via};
use crate::judge::memory_use::MemoryUse;
use crate::kubernetes::said::{Deletion, Disruption, EventSaid, OwnerSaid};
use crate::model::{
    Attribution, Cause, Confidence, Container, Disposition, Elevation, Preceding, Probe, ProbeKind, Requester, Routine,
};
use crate::placement::ContainerPlace;
use crate::resolve::limits_before::LimitsBefore;

/// The judgement of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub cause: Cause,
    pub confidence: Confidence,
    pub reason: Reason,
    /// Who asked the runtime that killed, or that ran the command which did.
    pub requester: Option<Requester>,
    /// By what it asked.
    pub via: Option<Via>,
    /// What the requester's command line asks for, where its program is a runtime's client: `docker rm -f`.
    pub asked_for: Option<String>,
    /// The container that the requester lives in, by its cgroup's path.
    pub requesters_place: Option<ContainerPlace>,
    /// When the requester turned to the runtime, in milliseconds before the kill; none: not seen.
    pub requester_came_before_ms: Option<u64>,
    /// How the sender became the user that it is.
    pub elevation: Option<Elevation>,
    /// The sender's executable has the path of a runtime, service manager or OOM daemon, and is not believed to be one.
    pub unproven: Option<Unproven>,
    /// What most of the memory was that ran out, where that can be said.
    pub memory_use: Option<MemoryUse>,
    /// A limit was hit, and nobody could read what filled it.
    pub memory_unseen: bool,
    /// What kind of death by memory it was, by its curve.
    pub course: Option<Course>,
    /// What the requester was found by.
    pub found_by: Vec<FoundBy>,
    /// What the Kubernetes API says of the kill.
    pub by_api: Vec<ApiFact>,
    /// What could not be seen of the requester.
    pub requester_unseen: Option<RequesterUnseen>,
    /// Why nobody needs to be woken for it.
    pub routine: Option<Routine>,
    pub attribution: Attribution,
    /// The Kubernetes API server's minor version, where it is known: what can be changed depends on it.
    pub server_minor: Option<u32>,
    /// What the limit that was hit has killed before, in this run and as the history has it.
    pub limits_before: LimitsBefore,
    /// The victim's container has been removed since: nothing can be set on it any more.
    pub is_removed: bool,
    /// systemd is not the machine's first process: nobody listens to systemctl.
    pub without_systemd: bool,
}

/// What there is to say of a cause besides its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The cause, the signal's path and the OOM killer's facts say it all.
    Plain,
    /// A runtime, or the service manager, asked it to stop, and killed it when it had not.
    StopTimeout(StopRequest),
    /// A runtime killed it, and no request to stop explains that.
    RuntimeKill {
        /// A stop signal came before, from somebody else or too long ago.
        after_stop_signal: bool,
    },
    /// A runtime ended a command that it had brought into the container itself, as at the time-out of a probe.
    EndedCommand {
        /// What asked the command to end before.
        stop: Option<StopRequest>,
        /// The probe whose command it was, where only one can be it.
        probe: Option<Probe>,
    },
    /// A runtime ended the process that was to become the container's first: the container did not start.
    GivenUp {
        /// The container's memory limit, in bytes.
        limit: Option<u64>,
    },
    /// The kubelet ended what was left in a pod's cgroup, to remove that.
    PodCleanUp,
    /// A probe failed, as the Kubernetes API says.
    Probe(ProbeFailure),
    /// The kubelet evicted the pod.
    Eviction(Eviction),
    /// The pod had to go for another one.
    Preemption(Preemption),
    /// The pod was deleted, or its time was up.
    Deletion(PodDeletion),
    /// What its spec has run right after its start failed, so that the kubelet stopped it.
    PostStart(PostStart),
    /// The sender was brought into the container by exec.
    Exec {
        /// It manages the victim besides.
        manager: Option<Manager>,
    },
    /// The sender is the victim's parent, and a program that manages processes.
    Manager(Manager),
    /// A program that manages processes asked the victim, a child of its own, to stop, and killed it when it had not.
    ManagerStop { manager: Manager, stop: StopRequest },
    /// timeout(1) ended its command.
    TimeLimit(TimeLimit),
    /// What stands behind a process that killed by itself.
    Origin(Origin),
    /// A memory limit was hit.
    Limit {
        holder: LimitHolder,
        /// Somebody set it below what was in use.
        lowered: bool,
        /// The victim was still the runtime itself: the container did not start.
        starting: bool,
    },
    /// Somebody asked for an OOM kill: no memory need have run out.
    Sysrq,
    /// The multi-generation LRU could not keep the pages that were in use.
    MinTtl,
    /// It was forked into a cgroup that was being killed.
    Forked,
    /// A part of the kernel that has no cause of its own.
    Kernel(KernelPart),
}

/// Whose limit it was, as far as the cause does not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitHolder {
    /// The container, pod, unit or cgroup above the victim that the cause names.
    Level,
    /// The victim's own memory cgroup, which is no container's, pod's or unit's.
    OwnCgroup,
    /// A container that the victim's runs in.
    OuterContainer(Box<Container>),
}

/// The stop signal that a runtime sent before it killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopRequest {
    /// The last one's name.
    pub signal: String,
    /// How long the last one came before the kill, in milliseconds.
    pub before_ms: u64,
    /// How long the first one came before the kill, in milliseconds.
    pub first_before_ms: u64,
    /// What the victim had set up for it.
    pub disposition: Option<Disposition>,
}

/// A probe for which the kubelet had a container killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFailure {
    pub kind: ProbeKind,
    /// As the pod's spec has it.
    pub probe: Option<Probe>,
    /// How often it failed, as the kubelet's Event counts.
    pub failures: Option<u32>,
    /// What the kubelet said of the last failure.
    pub said: Option<String>,
    pub stop: Option<StopRequest>,
}

/// An eviction by the kubelet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// What the node was short of: `memory`, `ephemeral-storage`, `inodes`, `pids`. None: the pod exceeded a limit of its own.
    pub resource: Option<String>,
    /// In the kubelet's words.
    pub message: String,
    /// The pod's containers that used more than they asked for, and how much, as the kubelet has it.
    pub usage: Vec<(String, String)>,
    /// The memory that the victim's container asks for.
    pub request_bytes: Option<u64>,
    pub stop: Option<StopRequest>,
}

/// A postStart hook that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostStart {
    pub stop: Option<StopRequest>,
}

/// A preemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preemption {
    /// The pod that got the room: `namespace/name`.
    pub for_pod: Option<String>,
    /// By the kubelet, for a pod that the node cannot do without; else by the scheduler.
    pub by_kubelet: bool,
    /// In the API's words.
    pub message: String,
    pub stop: Option<StopRequest>,
}

/// A pod's deletion, or the end of its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodDeletion {
    pub by: DeletedBy,
    /// How long before the kill it was asked for, in milliseconds, to the second.
    pub asked_before_ms: Option<u64>,
    /// The grace that it was given, in seconds; and what its own spec gives it.
    pub grace_s: Option<u64>,
    pub own_grace_s: Option<u64>,
    /// The victim's container has a preStop hook, whose time counts.
    pub pre_stop: bool,
    /// In the API's words.
    pub message: Option<String>,
    pub stop: Option<StopRequest>,
}

/// Who or what wanted a pod deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletedBy {
    /// Somebody or something deleted this very pod, as `kubectl delete pod` does.
    Request,
    /// Something made the pod, and the API has not said whether that wanted it gone.
    Unknown,
    /// The eviction API was asked, as `kubectl drain` does; the node is cordoned as it does, too.
    EvictionApi { cordoned: bool },
    /// Nothing says so, but the node is cordoned, as it is by `kubectl drain`.
    Drain,
    /// Its controller replaces it by one of a later revision.
    Rollout,
    /// Its controller wants fewer.
    ScaleDown,
    /// Its controller deleted it; whether for a later revision or for fewer of them is not known.
    Controller,
    /// What made it was deleted.
    OwnersDeletion,
    /// It is the node's own, and its manifest there was removed or changed.
    Manifest,
    /// Its time was up: `activeDeadlineSeconds`, of the pod or of its Job.
    Deadline,
    /// The node got a taint that the pod does not tolerate.
    Taint,
    /// The node shuts down.
    NodeShutdown,
    /// The control plane cleaned up.
    GarbageCollection,
}

/// A fact that the Kubernetes API has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiFact {
    /// The pod's own.
    Status {
        reason: String,
        message: Option<String>,
    },
    /// The condition `DisruptionTarget`.
    Disruption(Disruption),
    Event(EventSaid),
    Deletion(Deletion),
    Owner(OwnerSaid),
    /// The container before this one was OOM-killed: when it ended, in milliseconds before the kill.
    EarlierOomKill {
        before_ms: i64,
    },
}

/// A program that manages processes, and by what it ends them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    pub program: &'static str,
    pub limit: Cow<'static, str>,
}

/// The time limit of a command that timeout(1) runs, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeLimit {
    /// `5`, `1.5m`.
    pub duration: String,
    /// How long it waited after its first signal (`--kill-after`), where SIGKILL came only then.
    pub kill_after: Option<String>,
    /// Its time was not up yet: it had been asked to end itself, and passed that on.
    pub early: bool,
    /// Its whole command line.
    pub command: Vec<String>,
}

/// What stands behind a process that killed another by itself, as far as programs' names say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A person at a shell with a terminal.
    Shell(Shell),
    /// A job of a CI service's.
    Ci {
        service: &'static str,
        /// The service's own program sent the signal, as at a job's end; else a process that it had started did.
        by_runner: bool,
    },
    /// A job of cron's or of its like.
    Scheduler(&'static str),
    /// A command over ssh, without a terminal.
    Ssh,
    /// A debugger or a tracer, by its name.
    Debugger(&'static str),
}

/// A shell that somebody types into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shell {
    /// Its name.
    pub shell: String,
    /// The terminal, as the kernel names it: `pts2`.
    pub terminal: String,
    /// Nothing but `kill` and the like, and a program by which one becomes another user, is between it and the signal.
    pub by_hand: bool,
    /// The shell itself sent it, as its `kill` does.
    pub own: bool,
}

/// Why a path proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// It runs in a user namespace that is not the initial one.
    OwnUserNamespace,
    /// It runs in a mount namespace that is not the host's.
    OwnMountNamespace,
    /// It runs as this user.
    User(u32),
}

/// Parts of the kernel that send SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelPart {
    /// mq_notify(3).
    MessageQueue,
    /// F_SETSIG of fcntl(2).
    AsyncIo,
    /// CLONE_PIDFD_AUTOKILL.
    PidfdAutokill,
    AppArmor,
    /// The secure attention key.
    SecureAttentionKey,
    /// hwpoison.
    BrokenMemory,
    /// reboot(2) within a pid namespace.
    NamespaceReboot,
    /// The exit signal that clone(2) was given.
    ChildsExitSignal,
}

/// Runtimes count the time that a stop gives in seconds.
const LEAST_GRACE_MS: u64 = 900;

impl StopRequest {
    /// It gave no time: `docker stop -t 0`, `terminationGracePeriodSeconds: 0`.
    #[must_use]
    pub const fn is_without_grace(&self) -> bool {
        self.first_before_ms < LEAST_GRACE_MS
    }

    /// That began with `first` and whose last signal was `last`.
    #[must_use]
    pub fn of(first: &Preceding, last: &Preceding) -> Self {
        Self {
            signal: last.name.clone(),
            before_ms: last.before_ms,
            first_before_ms: first.before_ms,
            disposition: last.disposition,
        }
    }
}

impl Reason {
    /// What asked the victim to stop before, where a runtime killed it.
    #[must_use]
    pub const fn stop(&self) -> Option<&StopRequest> {
        match self {
            Self::StopTimeout(stop) | Self::ManagerStop { stop, .. } => Some(stop),
            Self::EndedCommand { stop, .. } => stop.as_ref(),
            Self::Probe(ProbeFailure { stop, .. })
            | Self::Eviction(Eviction { stop, .. })
            | Self::Preemption(Preemption { stop, .. })
            | Self::PostStart(PostStart { stop })
            | Self::Deletion(PodDeletion { stop, .. }) => stop.as_ref(),
            _ => None,
        }
    }

    /// How sure it is by itself, however sure the cause is: what a program is called, and by what command line, is its own choice.
    #[must_use]
    pub const fn confidence(&self) -> Confidence {
        match self {
            Self::Manager(_)
            | Self::ManagerStop { .. }
            | Self::TimeLimit(_)
            | Self::Origin(_)
            | Self::Exec { manager: Some(_) } => Confidence::Likely,
            _ => Confidence::Certain,
        }
    }

    /// The program that manages the victim, where the sender is one.
    #[must_use]
    pub fn manager(&self) -> Option<&Manager> {
        match self {
            Self::Manager(manager) | Self::ManagerStop { manager, .. } => Some(manager),
            Self::Exec { manager } => manager.as_ref(),
            _ => None,
        }
    }
}
