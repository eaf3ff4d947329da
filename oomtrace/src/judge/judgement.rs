//! What the judge says: everything that words, advice and outputs need, so that nothing is decided twice.

use std::borrow::Cow;

use crate::model::{
    Attribution, Cause, Confidence, Container, Disposition, Elevation, Evidence, Preceding, Requester, Routine,
};
use crate::placement::ContainerPlace;

/// The judgement of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub cause: Cause,
    pub confidence: Confidence,
    pub reason: Reason,
    /// Who asked the runtime that killed, or that ran the command which did.
    pub requester: Option<Requester>,
    /// The container that the requester lives in, by its cgroup's path.
    pub requesters_place: Option<ContainerPlace>,
    /// How the sender became the user that it is.
    pub elevation: Option<Elevation>,
    /// The sender's executable has the path of a runtime, service manager or OOM daemon, and is not believed to be one.
    pub unproven: Option<Unproven>,
    /// What the requester was found by.
    pub evidence: Vec<Evidence>,
    /// What could not be seen of the requester, in words.
    pub missing: Vec<String>,
    /// Why nobody needs to be woken for it.
    pub routine: Option<Routine>,
    pub attribution: Attribution,
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
    },
    /// A runtime ended the process that was to become the container's first: the container did not start.
    GivenUp {
        /// The container's memory limit, in bytes.
        limit: Option<u64>,
    },
    /// The kubelet ended what was left in a pod's cgroup, to remove that.
    PodCleanUp,
    /// The sender was brought into the container by exec.
    Exec {
        /// It manages the victim besides.
        manager: Option<Manager>,
    },
    /// The sender is the victim's parent, and a program that manages processes.
    Manager(Manager),
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

/// A program that manages processes, and by what it ends them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    pub program: &'static str,
    pub limit: Cow<'static, str>,
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

impl StopRequest {
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
    /// The program that manages the victim, where the sender is one.
    #[must_use]
    pub fn manager(&self) -> Option<&Manager> {
        match self {
            Self::Manager(manager) => Some(manager),
            Self::Exec { manager } => manager.as_ref(),
            _ => None,
        }
    }
}
