//! The contract: what one line of `oomtrace --json` is. `oomtrace schema` prints the JSON Schema of [`Record`].
//!
//! Unknown or not applicable is `null`, never a made-up value. Times are RFC 3339 UTC with nanoseconds, sizes bytes,
//! pids the host's; a duration says its unit in its name.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::event::Disposition;
pub use asking::{Asker, Asking, Contact, Requester};
pub use effect::Effect;
pub use lost::{Limited, Lost};
pub use memory::*;
pub use place::{ContainerPlace, On, PodPlace};
pub use runtime::Runtime;
pub use unwritten::{OutputName, Unwritten};

mod asking;
mod effect;
mod lost;
mod memory;
mod place;
mod runtime;
mod unwritten;

/// Version of the contract; a field that changes its meaning or goes away makes a new one.
pub const SCHEMA: u32 = 1;

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// Every hook is attached: kills from now on are seen. Always the first line.
    Ready(Ready),
    /// A kill.
    Incident(Incident),
    /// A signal that `--signal` asked for, other than SIGKILL. An incident without a verdict: a process may handle it.
    Signal(Incident),
    /// A runtime says something else of an incident that was put out before.
    Contradiction(Contradiction),
    /// Events that were not recorded, by kind, or records that an output could not take.
    Lost(Lost),
}

/// What oomtrace can see on this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ready {
    /// Version of the contract.
    pub schema: u32,
    /// oomtrace's own version.
    pub version: String,
    /// The host's name.
    pub node: Option<String>,
    /// The kernel's id of this boot.
    pub boot_id: Option<String>,
    /// Hooks that are attached.
    pub attached: Vec<String>,
    /// What cannot be seen on this node, in words.
    pub missing: Vec<String>,
    /// What oomtrace is confined by while it watches. Null: not known.
    #[serde(default)]
    pub sandbox: Option<Sandbox>,
}

/// What oomtrace itself may still do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sandbox {
    /// Capabilities that are held.
    pub capabilities: Vec<String>,
    /// A program that is run gains no privileges.
    pub no_new_privs: bool,
    /// System calls are filtered.
    pub seccomp: bool,
}

/// What a runtime says of a container's end that is not what the kernel did. It comes after its incident, because a runtime
/// takes its time, and a verdict does not wait for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contradiction {
    /// The incident's id.
    pub incident: String,
    /// When the runtime said it.
    pub time: String,
    pub container: Container,
    /// What it says, and what the kernel did.
    pub fact: String,
    pub source: Source,
}

/// One kill episode: one verdict, one victim, any collateral.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// Version of the contract.
    pub schema: u32,
    /// Sortable by time, and unique across reboots and nodes.
    pub id: String,
    /// When the signal was generated.
    pub time: String,
    /// The host's name.
    pub node: Option<String>,
    /// The kernel's id of this boot.
    pub boot_id: Option<String>,
    /// Null for a signal that is not a kill.
    pub verdict: Option<Verdict>,
    pub victim: Victim,
    /// Further victims of the same episode.
    pub collateral: Vec<Collateral>,
    /// The victim's container.
    pub container: Option<Container>,
    /// The victim's systemd unit.
    pub unit: Option<String>,
    pub sender: Sender,
    /// Who asked the runtime to kill.
    pub requester: Option<Requester>,
    /// OOM only: the process whose allocation ran into the limit. Neither the victim nor a killer, but it may be the
    /// victim.
    pub trigger: Option<Process>,
    pub signal: Signal,
    /// Stop signals that the victim got before.
    pub preceding: Vec<Preceding>,
    pub oom: Option<Oom>,
    pub memory: Option<Memory>,
    pub attribution: Attribution,
    /// What could not be seen, in words.
    pub missing: Vec<String>,
    /// For the judge only: the verdict's evidence says it in words.
    #[serde(skip)]
    pub init_end: Option<InitEnd>,
    /// For the judge only, like [`Self::init_end`]: what others than the kernel say, which the verdict passes on.
    #[serde(skip)]
    pub noted: Vec<Evidence>,
    /// For the judge only: who may have asked a runtime.
    #[serde(skip)]
    pub asking: Asking,
}

/// Why the init of a pid namespace ended whose other processes the kernel then killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitEnd {
    pub init: Process,
    /// What killed it, when that was a SIGKILL that was seen.
    pub killed: Option<InitKilled>,
    /// How it ended, as wait(2) gives it.
    pub status: Option<u32>,
    /// It was the first process of the container, and not that of a namespace that was made within it.
    pub of_container: bool,
}

/// The SIGKILL that ended an init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitKilled {
    /// None: the kernel by itself.
    pub by: Option<Process>,
    /// Milliseconds before the sweep.
    pub before_ms: u64,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    pub cause: Cause,
    pub confidence: Confidence,
    /// One sentence.
    pub summary: String,
    pub evidence: Vec<Evidence>,
    pub advice: Vec<Advice>,
}

/// Why the victim died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
pub enum Cause {
    OomContainerLimit,
    OomPodLimit,
    OomUnitLimit,
    OomSliceLimit,
    OomHost,
    OomConstrained,
    UserspaceOomKiller,
    RuntimeKill,
    RuntimeStopTimeout,
    ServiceManagerKill,
    KubeletProbeFailure,
    KubeletEviction,
    KubeletPreemption,
    KubeletDeletion,
    SameContainerKill,
    ProcessKill,
    SelfKill,
    CgroupKill,
    PidNamespaceExit,
    ParentExit,
    RlimitCpu,
    RlimitRttime,
    /// A timer that the victim had set for itself.
    Timer,
    Ptrace,
    BpfProgram,
    OtherKernel,
}

impl SignalPath {
    /// The OOM killer's own signal to a process that it chose.
    #[must_use]
    pub const fn is_oom_killers(self) -> bool {
        matches!(self, Self::OomKill | Self::OomGroup)
    }
}

/// How sure the verdict is. `certain` only when the kernel itself says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Possible,
    Likely,
    Certain,
}

/// A fact that the verdict rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    pub fact: String,
    pub source: Source,
}

/// Where a fact comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Kernel,
    Cgroup,
    Procfs,
    Runtime,
    Kubernetes,
    Kmsg,
}

/// Something to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Advice {
    pub action: String,
    pub why: String,
    /// A command that does it.
    pub command: Option<String>,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// The thread group's id.
    pub pid: u32,
    /// The thread that was seen.
    pub tid: Option<u32>,
    pub ppid: Option<u32>,
    pub comm: String,
    /// Path of the executable in the process's own mount namespace.
    pub exe: Option<String>,
    pub cmdline: Option<Vec<String>>,
    pub cmdline_truncated: bool,
    /// In the host's user namespace.
    pub uid: Option<u32>,
    /// The host's name of that. Null for a process in a container, or in namespaces of its own: its users are not the host's.
    pub user: Option<String>,
    /// When the process started.
    pub started: Option<String>,
    /// Path of its cgroup: on the default hierarchy, or on that of the memory controller where only that one tells
    /// processes apart.
    pub cgroup: Option<String>,
    /// Its pid in its innermost pid namespace.
    pub pid_in_namespace: Option<u32>,
    /// For the judge only: where it runs, as the kernel has it. None in recordings of before, and where this kernel's layout is not
    /// known.
    #[serde(skip)]
    pub home: Option<Home>,
}

/// The namespaces that say what a path and a uid are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// Its mount namespace; none when it has given it up.
    pub mount: Option<u32>,
    /// It is the host's: that of the machine's first process. None when either is not known.
    pub on_host: Option<bool>,
    /// Depth of its user namespace, 0 = the initial one.
    pub user_level: u32,
    /// Who made that.
    pub user_owner: u32,
}

/// The process that was killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Victim {
    #[serde(flatten)]
    pub process: Process,
    /// It was the first process of its container, which ends with it: the one that its runtime started, or where that is not known
    /// the first of the container's own pid namespace. Not the first of a namespace that was made within the container.
    pub container_init: bool,
    pub exit: Option<Exit>,
    /// It was not the first process of its container, and that one ended right after it, as a shell does that passes its
    /// child's status on.
    pub container_exit: Option<Exit>,
    /// For the judge only: the process whose end that is.
    #[serde(skip)]
    pub exited_init: Option<u32>,
}

impl Victim {
    /// It was the first process of a pid namespace, whoever made that: the kernel drops a signal that it has no handler for.
    #[must_use]
    pub fn is_pid_1(&self) -> bool {
        self.process.pid_in_namespace == Some(1) && self.process.pid != 1
    }
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// As wait(2) gives it.
    pub status: u32,
    /// Exit code, when it exited.
    pub code: Option<u32>,
    /// Signal, when one killed it.
    pub signal: Option<u32>,
    /// From the signal to the exit, in microseconds.
    pub after_us: Option<u64>,
}

/// A further victim of the same episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Collateral {
    pub process: Process,
    pub role: Role,
}

/// Why a further victim died too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// memory.oom.group is set above it.
    OomGroup,
    /// It shared the victim's memory.
    SharedMm,
    /// Its pid namespace's init ended.
    PidNamespace,
    /// It was in the cgroup whose processes were killed: by one write to cgroup.kill, or one by one by the same sender.
    CgroupKill,
    /// The same call killed it: kill(-PGID), or kill(-1), which is for every process that the sender may signal.
    ProcessGroup,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    pub id: String,
    pub name: Option<String>,
    /// Who made it; null when its cgroup does not tell and nobody says.
    pub runtime: Option<Runtime>,
    pub image: Option<String>,
    pub init_pid: Option<u32>,
    pub pod: Option<Pod>,
    pub labels: Option<BTreeMap<String, String>>,
    /// Path of the container's own cgroup.
    pub cgroup: String,
    /// Its runtime says that the container has this cgroup. False: only the cgroup's name says so, which whoever made the cgroup
    /// chose.
    #[serde(default = "confirmed")]
    pub confirmed: bool,
    /// The user whose own runtime it is of, by a uid of the host; null: the machine's.
    #[serde(default)]
    pub user: Option<u32>,
    /// As its runtime has them; the kernel's are in [`Incident::memory`].
    #[serde(default)]
    pub limits: Option<Limits>,
    /// As its runtime writes it: `always`, `on-failure:3`.
    #[serde(default)]
    pub restart_policy: Option<String>,
    /// The signal that its runtime stops it by, as that has it; null: SIGTERM, or not known.
    #[serde(default)]
    pub stop_signal: Option<String>,
    /// How long its runtime then waits before it kills, in seconds, unless whoever asks says otherwise; null: not known.
    #[serde(default)]
    pub stop_timeout_s: Option<u64>,
    /// The container that this one runs in: Docker in Docker, kind.
    #[serde(default)]
    pub outer: Option<Box<Container>>,
}

/// Digits of the ids that most runtimes make; other ids are names, which are unique within one runtime's one namespace alone.
const ID_LEN: usize = 64;

/// Of what was written before it was asked.
const fn confirmed() -> bool {
    true
}

impl Container {
    /// Both are the same container: by its whole identity, never by its name or id alone, which somebody else's may have, too.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        // On a node with several hierarchies one container may have several paths; which of them it has, its runtime has confirmed.
        let same_place = self.cgroup == other.cgroup || (self.confirmed && other.confirmed && self.id.len() == ID_LEN);
        same_place && (&self.id, &self.runtime, self.user) == (&other.id, &other.runtime, other.user)
    }

    /// A limit on the cgroup at `path` is the container's own: below its cgroup only crun's `container` is.
    #[must_use]
    pub fn owns(&self, path: &str) -> bool {
        path.strip_prefix(self.cgroup.as_str()).is_some_and(|rest| rest.is_empty() || rest == "/container")
    }

    /// It, and those that it runs in, the innermost first.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |container| container.outer.as_deref())
    }
}

/// The memory limits that a container was given by its runtime. Null: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    pub memory_bytes: Option<u64>,
    /// Memory and swap together.
    pub memory_and_swap_bytes: Option<u64>,
    /// The soft limit: Docker's --memory-reservation, memory.low or memory.soft_limit_in_bytes.
    pub reservation_bytes: Option<u64>,
}

/// A Kubernetes pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pod {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub uid: Option<String>,
    pub qos: Option<Qos>,
}

/// A pod's quality of service class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Qos {
    Guaranteed,
    Burstable,
    BestEffort,
}

/// Who generated the signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sender {
    pub kind: SenderKind,
    /// Null when it was the kernel.
    pub process: Option<Process>,
    /// Parents, nearest first.
    pub ancestors: Vec<Process>,
    /// The sender's container.
    pub container: Option<Container>,
    /// The sender's systemd unit.
    pub unit: Option<String>,
    pub login: Option<Login>,
}

/// A process, or the kernel by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SenderKind {
    Process,
    Kernel,
}

/// The person behind a sender, as far as the kernel knows one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// Audit login uid: who logged in, whatever sudo came after.
    pub uid: Option<u32>,
    pub user: Option<String>,
    /// Audit session.
    pub session: Option<u32>,
    pub tty: Option<String>,
}

/// The signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    pub number: u32,
    pub name: String,
    /// `si_code`, when there was a siginfo.
    pub code: Option<i32>,
    /// It went to the whole process, not to one thread.
    pub group: bool,
    /// What it did; null for a SIGKILL, which the verdict is about, and when it is not known.
    #[serde(default)]
    pub effect: Option<Effect>,
    pub path: Option<SignalPath>,
    /// Functions, innermost first.
    pub kernel_stack: Vec<String>,
    /// For the judge only: how sure the path is; null = no signal was seen.
    #[serde(skip)]
    pub path_confidence: Option<Confidence>,
}

/// The way a signal took through the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalPath {
    Kill,
    Tkill,
    Tgkill,
    RtSigqueueinfo,
    PidfdSendSignal,
    CgroupKill,
    OomKill,
    OomGroup,
    OomSharedMm,
    PidNamespaceExit,
    ParentDeath,
    Ptrace,
    PidfdAutokill,
    RlimitCpu,
    RlimitRttime,
    /// timer_create(2), any clock.
    PosixTimer,
    /// mq_notify(3).
    MessageQueue,
    /// F_SETSIG of fcntl(2), or a USB device.
    AsyncIo,
    Sysrq,
    BpfSendSignal,
    ForceSignal,
    /// It ended by SIGKILL, and no signal that was seen explains it.
    Unseen,
    OtherKernel,
}

/// A signal that came before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Preceding {
    pub signal: u32,
    pub name: String,
    pub time: String,
    /// How long before the kill, in milliseconds.
    pub before_ms: u64,
    /// What the victim had set up for the signal.
    pub disposition: Option<Disposition>,
    pub sender: Process,
}

/// How much of what happened could be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    Full,
    Partial,
    None,
}
