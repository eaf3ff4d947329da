//! A part of the contract: the judgement of an incident.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
