//! A part of the contract: a signal, and its way through the kernel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Confidence, Disposition, Effect, Process};

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

impl SignalPath {
    /// The OOM killer's own signal to a process that it chose.
    #[must_use]
    pub const fn is_oom_killers(self) -> bool {
        matches!(self, Self::OomKill | Self::OomGroup)
    }
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
