//! The contract: what one line of `oomtrace --json` is. `oomtrace schema` prints the JSON Schema of [`Record`].
//!
//! Unknown or not applicable is `null`, never a made-up value. Times are RFC 3339 UTC with nanoseconds, sizes bytes,
//! pids the host's; a duration says its unit in its name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::event::Disposition;
pub use candidate::{Candidate, Candidates, Skipped};
pub use compose::Compose;
pub use container::{Container, Limits};
pub use contradiction::Contradiction;
pub use correction::Correction;
pub use course::{Course, CourseKind};
pub use earlier::EarlierKills;
pub use effect::Effect;
pub use event::KernelEvent;
pub use exited::{Exited, ExitedAfter};
pub use incident::{Attribution, Collateral, Incident, InitEnd, InitKilled, Role};
pub use lost::{Limited, Lost};
pub use memory::*;
pub use missing::{MissingPart, NamedMissing};
pub use place::{ContainerPlace, On, PodPlace};
pub use pod::*;
pub use process::{Exit, Namespaces, Process, Victim};
pub use ready::{Ready, Sandbox};
pub use repeat::Repeat;
pub use requester::Requester;
pub use routine::Routine;
pub use runtime::Runtime;
pub use sender::{Elevation, Login, Sender, SenderKind};
pub use signal::{Preceding, Signal, SignalPath};
pub use timeline::{Hog, Timeline, TimelinePoint};
pub use unwritten::{OutputName, Unwritten};
pub use user_frame::UserFrame;
pub use verdict::{Advice, Cause, Confidence, Evidence, Source, Verdict};
pub use warning::{Reached, Warning, WarningKind};
pub use why::*;

mod candidate;
mod compose;
mod container;
mod contradiction;
mod correction;
mod course;
mod earlier;
mod effect;
mod event;
mod exited;
mod incident;
mod lost;
mod memory;
mod missing;
mod names;
mod place;
mod pod;
mod process;
mod ready;
mod repeat;
mod requester;
mod routine;
mod runtime;
pub mod seen;
mod sender;
mod signal;
mod timeline;
mod unseen;
mod unwritten;
mod user_frame;
mod verdict;
mod warning;
mod why;

/// Version of the contract; a field that changes its meaning or goes away makes a new one.
pub const SCHEMA: u32 = 1;

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// Every hook is attached: kills from now on are seen. Always the first line.
    Ready(Ready),
    /// The incident that comes next is like one before.
    Repeat(Repeat),
    /// A kill.
    Incident(Incident),
    /// A signal that `--signal` asked for, other than SIGKILL. An incident without a verdict: a process may handle it.
    Signal(Incident),
    /// A container's first process ended with 137, and no SIGKILL ended it.
    Exit(Exited),
    /// A runtime or the kubelet says something else of an incident that was put out before.
    Contradiction(Contradiction),
    /// A memory limit is nearly met, or will be soon.
    Warning(Warning),
    /// More is known of an incident that was put out before.
    Correction(Correction),
    /// One of the kernel side's events, with --raw alone.
    Event(KernelEvent),
    /// Events that were not recorded, by kind, or records that an output could not take.
    Lost(Lost),
}
<<<<<<< HEAD

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

/// What a runtime or the kubelet says of a container's end that is not what the kernel did. It comes after its incident, because they
/// take their time, and a verdict does not wait for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contradiction {
    /// The incident's id.
    pub incident: String,
    /// When it was said.
    pub time: String,
    /// The container whose end it is about.
    pub container: Container,
    /// What it says, and what the kernel did.
    pub fact: String,
    /// Who says so: the runtime, or the kubelet by the Kubernetes API.
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
    /// The judgement. Null for a signal that is not a kill.
    pub verdict: Option<Verdict>,
    /// The process that was killed: a thread group, never a single thread.
    pub victim: Victim,
    /// Further victims of the same episode. Empty when there are none.
    pub collateral: Vec<Collateral>,
    /// The victim's container.
    pub container: Option<Container>,
    /// The victim's systemd unit: a service or a scope.
    pub unit: Option<String>,
    /// Who generated the signal: a process, or the kernel by itself.
    pub sender: Sender,
    /// Who asked the runtime to kill, as opposed to the runtime that did. Null when no runtime killed, or nobody was seen.
    pub requester: Option<Requester>,
    /// OOM only: the process whose allocation ran into the limit. Neither the victim nor a killer, but it may be the
    /// victim.
    pub trigger: Option<Process>,
    /// The signal, and the path that it took through the kernel.
    pub signal: Signal,
    /// Stop signals that the victim got before, the oldest first.
    pub preceding: Vec<Preceding>,
    /// OOM only: what the OOM killer went by. Null when the OOM killer did not send the signal.
    pub oom: Option<Oom>,
    /// OOM only: what was in use at that instant, from the victim's cgroup to the root. Null when the victim's mark was not seen.
    pub memory: Option<Memory>,
    /// Whether everything that the verdict rests on could be seen.
    pub attribution: Attribution,
    /// What could not be seen, in words.
    pub missing: Vec<String>,
    /// Why the first process of the victim's pid namespace ended, when that is what the kernel killed the victim for.
    #[serde(default)]
    pub init_end: Option<InitEnd>,
    /// Why nobody needs to be woken for it; text leaves such kills out unless --all is given. Null: somebody may want to know.
    #[serde(default)]
    pub routine: Option<Routine>,
    /// What the history has of kills of the same thing before: of the same Compose service, pod's owner, container's name, unit, or program.
    /// Null: no history is kept, it did not answer in time, or the kill is routine.
    #[serde(default)]
    pub earlier: Option<EarlierKills>,
}

impl Incident {
    /// The victim lives in a container: by its cgroup, or by a pid namespace of its own.
    #[must_use]
    pub fn is_contained(&self) -> bool {
        let process = &self.victim.process;
        self.container.is_some() || process.pid_in_namespace.is_some_and(|pid| pid != process.pid)
    }

    /// The process with that pid is its victim, or one of the others that were killed with it.
    #[must_use]
    pub fn has_victim(&self, pid: u32) -> bool {
        self.victim.process.pid == pid || self.collateral.iter().any(|other| other.process.pid == pid)
    }
}

/// Why the first process of a pid namespace ended, whose other processes the kernel then killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InitEnd {
    /// The first process of the pid namespace.
    pub init: Process,
    /// The SIGKILL that ended it. Null: none was seen.
    pub killed: Option<InitKilled>,
    /// Its exit status as wait(2) gives it. Null: its end was not seen.
    pub status: Option<u32>,
    /// It was the first process of the container, and not that of a namespace that was made within it.
    pub of_container: bool,
    /// The last stop signal that it got before. Null: none was seen.
    #[serde(default)]
    pub asked: Option<Preceding>,
}

/// The SIGKILL that ended the first process of a pid namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InitKilled {
    /// The process that sent it. Null: the kernel by itself.
    pub by: Option<Process>,
    /// How long before the victim's own SIGKILL, in milliseconds.
    pub before_ms: u64,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Why the victim died.
    pub cause: Cause,
    /// How sure the cause is.
    pub confidence: Confidence,
    /// The answer in one sentence.
    pub summary: String,
    /// Why, in one clause: what the summary says of the cause, and how sure that is when it is not certain. It may be less sure than the
    /// cause: that a process sent the signal is certain, what that process is (`timeout`, a CI runner) is likely at the most.
    #[serde(default)]
    pub why: String,
    /// The facts that the verdict rests on.
    pub evidence: Vec<Evidence>,
    /// What to do about it. Empty when there is nothing to advise.
    pub advice: Vec<Advice>,
}

/// Why the victim died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
pub enum Cause {
    /// OOM kill: the container ran into its own memory limit.
    OomContainerLimit,
    /// OOM kill: the limit of the Kubernetes pod was hit, not that of one of its containers.
    OomPodLimit,
    /// OOM kill: the limit of a systemd service or scope was hit.
    OomUnitLimit,
    /// OOM kill: the limit of another cgroup was hit: a slice, a parent of pods or containers, or a cgroup made by hand.
    OomSliceLimit,
    /// OOM kill without a memory cgroup limit: the machine itself ran out of memory, or somebody asked for an OOM kill by sysrq-f.
    /// `oom.origin` says which.
    OomHost,
    /// OOM kill for a cpuset or a memory policy: the memory nodes that the trigger may use ran out, not the machine.
    OomConstrained,
    /// An OOM daemon in user space sent the signal: systemd-oomd, earlyoom, oomd or nohang.
    UserspaceOomKiller,
    /// A container runtime killed the container without a stop that explains it: docker kill, docker rm -f, and the like.
    RuntimeKill,
    /// A container runtime had sent a stop signal, and killed the container when its time-out ended.
    RuntimeStopTimeout,
    /// systemd sent the signal: a stop time-out, a watchdog, or KillMode=.
    ServiceManagerKill,
    /// A liveness or startup probe failed, and the kubelet had the container killed for it, as the Kubernetes API says; or, without the
    /// API, the command of an exec probe ran into its time-out and was itself killed.
    KubeletProbeFailure,
    /// The kubelet evicted the pod, because the node or the pod ran out of something. Needs the Kubernetes API.
    KubeletEviction,
    /// The pod was preempted for one of higher priority. Needs the Kubernetes API.
    KubeletPreemption,
    /// The pod was deleted, or its time was up, as the Kubernetes API says; or, without the API, the kubelet itself killed what was left in
    /// the cgroup of a pod that was deleted or had ended.
    KubeletDeletion,
    /// Another process in the victim's own container sent the signal: a supervisor, a worker's master, or a command that was
    /// brought in by exec.
    SameContainerKill,
    /// Another process on the host, or in another container, sent the signal: a person's kill -9, a script, a program.
    ProcessKill,
    /// The victim sent the signal to itself.
    SelfKill,
    /// A process that is not known as a runtime, service manager or OOM daemon wrote to cgroup.kill; or the victim was forked into
    /// a cgroup that was being killed.
    CgroupKill,
    /// The first process of the victim's pid namespace ended, and the kernel killed the others in it. The summary says why that
    /// process ended.
    PidNamespaceExit,
    /// The victim's parent ended, and the victim had asked to be killed then (PR_SET_PDEATHSIG).
    ParentExit,
    /// The victim used up its processor time (RLIMIT_CPU).
    RlimitCpu,
    /// The victim ran with a real-time policy for too long without a pause (RLIMIT_RTTIME).
    RlimitRttime,
    /// A timer that the victim had set for itself (timer_create).
    Timer,
    /// The victim's tracer killed it (PTRACE_KILL), or ended and had asked that its tracees be killed then (PTRACE_O_EXITKILL).
    Ptrace,
    /// A BPF program sent the signal (bpf_send_signal).
    BpfProgram,
    /// Another part of the kernel sent the signal, or no signal that was seen explains the end (`signal.path` is `unseen`). The
    /// summary says which part, where that is known.
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
    /// It fits what was seen, but something else may have done it.
    Possible,
    /// It rests on more than the kernel's word: on what a program is by its executable, on a command line, or on memory counters.
    Likely,
    /// The kernel itself says so.
    Certain,
}

/// A fact that the verdict rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The fact, in words.
    pub fact: String,
    /// Where it comes from.
    pub source: Source,
}

/// Where a fact comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The kernel side: the hooks, and the kernel stack.
    Kernel,
    /// Cgroups, and their memory counters.
    Cgroup,
    /// /proc.
    Procfs,
    /// The container runtime.
    Runtime,
    /// The Kubernetes API.
    Kubernetes,
    /// The kernel's log: after the fact alone.
    Kmsg,
    /// systemd, by its properties or in the journal: after the fact alone.
    Systemd,
    /// The record of who was logged in: after the fact alone.
    Logins,
}

/// Something to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Advice {
    /// What to do, in words.
    pub action: String,
    /// Why that helps.
    pub why: String,
    /// A command that does it, to be pasted into a shell. Null: no single command does it, or none that is safe to name.
    pub command: Option<String>,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Its pid on the host: the thread group's id.
    pub pid: u32,
    /// The thread that was seen, of those that it has.
    pub tid: Option<u32>,
    /// The parent's pid.
    pub ppid: Option<u32>,
    /// The name that the kernel has for it (comm): at most 15 bytes, and whatever the process chose.
    pub comm: String,
    /// Path of the executable in the process's own mount namespace.
    pub exe: Option<String>,
    /// Its arguments, the program's name first. Secrets of known shapes are masked unless --no-redact is given; --no-cmdline leaves
    /// all but the first out. Null: they could not be read.
    pub cmdline: Option<Vec<String>>,
    /// There were more arguments than are shown.
    pub cmdline_truncated: bool,
    /// Its user id in the host's user namespace.
    pub uid: Option<u32>,
    /// The host's name of that. Null for a process in a container, or in namespaces of its own: its users are not the host's.
    pub user: Option<String>,
    /// When the process started.
    pub started: Option<String>,
    /// Path of its cgroup: on the default hierarchy, or on that of the memory controller where only that one keeps
    /// processes apart.
    pub cgroup: Option<String>,
    /// Its pid in its innermost pid namespace.
    pub pid_in_namespace: Option<u32>,
    /// The namespaces that say what its executable's path and its uid are worth. Null: the kernel did not say.
    #[serde(default)]
    pub namespaces: Option<Namespaces>,
}

/// Namespaces of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Namespaces {
    /// The inode number of its mount namespace, as in /proc/PID/ns/mnt. Null: it has given it up, as an ending process does.
    pub mount: Option<u32>,
    /// That is the mount namespace of the machine's first process. Null: either is not known.
    pub on_host: Option<bool>,
    /// Depth of its user namespace; 0 is the initial one.
    pub user_level: u32,
    /// The user who made that user namespace, by a uid of the host.
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
    /// How it ended. Null: its end was not seen.
    pub exit: Option<Exit>,
    /// It was not the first process of its container, and that one ended right after it, as a shell does that passes its
    /// child's status on.
    pub container_exit: Option<Exit>,
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
    /// The exit status as wait(2) gives it: code and signal in one number.
    pub status: u32,
    /// The exit code, when it exited by itself.
    pub code: Option<u32>,
    /// The signal, when one killed it.
    pub signal: Option<u32>,
    /// The time from the signal to the exit, in microseconds.
    pub after_us: Option<u64>,
}

/// A further victim of the same episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Collateral {
    /// The process that died too.
    pub process: Process,
    /// Why it died too.
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
    /// It was in the cgroup that was killed as one, by a write to cgroup.kill.
    CgroupKill,
    /// It was in the same cgroup, whose processes the same sender killed one by one.
    OneByOne,
    /// The same call killed it, kill(-PGID) or kill(-1), or the next one: timeout(1) kills its command, then its process group.
    ProcessGroup,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    /// Its id, as its runtime has it: mostly 64 hexadecimal digits, for LXC and `ctr` a name.
    pub id: String,
    /// Its name, as its runtime has it. Null: not known, or the runtime gives none.
    pub name: Option<String>,
    /// Its runtime. Null: several runtimes name cgroups so, and none of them knows it.
    pub runtime: Option<Runtime>,
    /// The socket of the very containerd that has it, for a node may have several; of Docker's daemon, where that is not the one that its
    /// client asks by itself. Null: another runtime, Docker's usual socket, or not known.
    #[serde(default)]
    pub runtime_socket: Option<String>,
    /// The image that it was made of.
    pub image: Option<String>,
    /// Pid of its first process, on the host.
    pub init_pid: Option<u32>,
    /// The Kubernetes pod that it belongs to.
    pub pod: Option<Pod>,
    /// Its labels, as its runtime has them; secrets of known shapes are masked. Null: not known.
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
    /// Its memory limits as its runtime has them; those of the kernel are in `memory.levels`.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// When its runtime starts it again, as that writes it: `always`, `on-failure:3`.
    #[serde(default)]
    pub restart_policy: Option<String>,
    /// How often its runtime had started it again by itself when this life of it began. Null: not known.
    #[serde(default)]
    pub restart_count: Option<u32>,
    /// Its runtime removes it when it ends (`docker run --rm`). Null: not known.
    #[serde(default)]
    pub auto_remove: Option<bool>,
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

    /// It, and those that it runs in, the innermost first.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |container| container.outer.as_deref())
    }
}

/// The memory limits that a container's runtime was given. Null: none, or not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// The limit of memory.
    pub memory_bytes: Option<u64>,
    /// The limit of memory and swap together.
    pub memory_and_swap_bytes: Option<u64>,
    /// The soft limit: Docker's --memory-reservation, memory.low or memory.soft_limit_in_bytes.
    pub reservation_bytes: Option<u64>,
}

/// Who generated the signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sender {
    /// A process, or the kernel by itself.
    pub kind: SenderKind,
    /// The process that sent it. Null when it was the kernel.
    pub process: Option<Process>,
    /// Its parents, nearest first.
    pub ancestors: Vec<Process>,
    /// The sender's container.
    pub container: Option<Container>,
    /// The sender's systemd unit.
    pub unit: Option<String>,
    /// Who logged in, as far as the kernel knows.
    pub login: Option<Login>,
    /// How the sender became the user that it is. Null: by no program that is known for it.
    #[serde(default)]
    pub elevation: Option<Elevation>,
    /// Somebody traced it (ptrace), and may have made it send the signal: nothing about who did is more than possible.
    #[serde(default)]
    pub traced: bool,
}

/// A program by which a person becomes another user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Elevation {
    /// The program: sudo, su, doas, pkexec or runuser.
    pub by: String,
    /// Who ran it. Null: nothing is left that says so.
    pub uid: Option<u32>,
    /// The host's name of that user.
    pub user: Option<String>,
}

/// A process, or the kernel by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SenderKind {
    /// A process made the signal, by a system call or a write.
    Process,
    /// The kernel made it, whatever process was running.
    Kernel,
}

/// The person behind a sender, as far as the kernel knows one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// Audit login uid: who logged in, whatever sudo came after.
    pub uid: Option<u32>,
    /// The host's name of that user.
    pub user: Option<String>,
    /// The audit session.
    pub session: Option<u32>,
    /// The terminal.
    pub tty: Option<String>,
}

/// The signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// Its number; 9 is SIGKILL.
    pub number: u32,
    /// Its name: SIGKILL.
    pub name: String,
    /// `si_code`, when there was a siginfo.
    pub code: Option<i32>,
    /// It went to the whole process, not to one thread.
    pub group: bool,
    /// What it did; null for a SIGKILL, which the verdict is about, and when it is not known.
    #[serde(default)]
    pub effect: Option<Effect>,
    /// The way that it took through the kernel. Null: no signal was seen.
    pub path: Option<SignalPath>,
    /// Functions on the kernel stack when it was generated, innermost first. Empty without CAP_SYSLOG, which their names need.
    pub kernel_stack: Vec<String>,
    /// The same with the offset of each return address and the size of its function, as the kernel's log has them:
    /// `do_send_sig_info+0x1f/0x120`. Null without --stack, and without names.
    #[serde(default)]
    pub kernel_frames: Option<Vec<String>>,
    /// How sure the path is: `certain` when the kernel stack shows it or the siginfo proves it. Null: no signal was seen.
    #[serde(default)]
    pub path_confidence: Option<Confidence>,
}

/// The way a signal took through the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalPath {
    /// kill(2), to a process, a process group, or all processes.
    Kill,
    /// tkill(2), to a thread.
    Tkill,
    /// tgkill(2), to a thread of a process: pthread_kill(3), raise(3).
    Tgkill,
    /// rt_sigqueueinfo(2) or rt_tgsigqueueinfo(2): sigqueue(3).
    RtSigqueueinfo,
    /// pidfd_send_signal(2).
    PidfdSendSignal,
    /// A write to cgroup.kill (Linux 5.14), or a fork into a cgroup that was being killed.
    CgroupKill,
    /// The OOM killer, to the victim that it chose.
    OomKill,
    /// The OOM killer, to another member of a cgroup with memory.oom.group.
    OomGroup,
    /// The OOM killer, to another process that shares the victim's memory.
    OomSharedMm,
    /// The first process of a pid namespace ended, and the kernel killed the others.
    PidNamespaceExit,
    /// prctl(PR_SET_PDEATHSIG): the parent ended.
    ParentDeath,
    /// PTRACE_KILL, or PTRACE_O_EXITKILL at the tracer's end.
    Ptrace,
    /// The last descriptor of a CLONE_PIDFD_AUTOKILL process was closed.
    PidfdAutokill,
    /// RLIMIT_CPU was used up.
    RlimitCpu,
    /// RLIMIT_RTTIME was used up.
    RlimitRttime,
    /// timer_create(2), any clock.
    PosixTimer,
    /// mq_notify(3).
    MessageQueue,
    /// F_SETSIG of fcntl(2), or a USB device.
    AsyncIo,
    /// sysrq-i or sysrq-e, to all processes.
    Sysrq,
    /// bpf_send_signal() and its like, of a BPF program.
    BpfSendSignal,
    /// The kernel forced the signal on a thread for what that thread did (force_sig).
    ForceSignal,
    /// It ended by SIGKILL, and no signal that was seen explains it.
    Unseen,
    /// Another part of the kernel, or a path that is not known.
    OtherKernel,
}

/// A signal that came before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Preceding {
    /// Its number.
    pub signal: u32,
    /// Its name: SIGTERM.
    pub name: String,
    /// When it was generated.
    pub time: String,
    /// How long before the kill, in milliseconds.
    pub before_ms: u64,
    /// What the victim had set up for the signal.
    pub disposition: Option<Disposition>,
    /// The process that sent it.
    pub sender: Process,
}

/// How much of what happened could be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// Everything that the verdict rests on was seen.
    Full,
    /// A part was not seen; `missing` says which, and the confidence is lower where it matters.
    Partial,
    /// Neither the sender nor the path nor an OOM kill was seen: the end alone is known.
    None,
}
=======
>>>>>>> reading
