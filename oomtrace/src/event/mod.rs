//! Typed events: what the kernel side recorded, decoded. Still facts only.

pub mod arguments;
pub mod decode;

pub use arguments::Arguments;

pub use oomtrace_common::event::CgroupKey;
use schemars::JsonSchema;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

/// Nanoseconds on `CLOCK_BOOTTIME`.
pub type BootNs = u64;

/// One raw event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A signal was generated.
    Signal(Box<Signal>),
    /// The OOM killer marked a victim.
    MarkVictim(Box<MarkVictim>),
    /// The OOM killer has chosen.
    Oom(Box<OomChoice>),
    /// A process ended.
    Exit(Box<Exit>),
    /// A process ended by a SIGKILL that was not seen.
    Unseen(Box<Unseen>),
    /// The first process of a pid namespace ended by exit(137), as if a SIGKILL had ended it.
    ExitedAsKilled(Box<Exit>),
    /// A victim's arguments, read when it took its SIGKILL.
    Deliver(Deliver),
    /// A cgroup came, was renamed, or went.
    Cgroup(CgroupChange),
    /// A process connected to a runtime's socket.
    Connect(Box<Connect>),
    /// A process that had connected ended.
    Disconnect(Disconnect),
}

impl Event {
    /// When it happened.
    #[must_use]
    pub fn at(&self) -> BootNs {
        match self {
            Self::Signal(s) => s.at,
            Self::MarkVictim(m) => m.at,
            Self::Oom(o) => o.at,
            Self::Exit(e) | Self::ExitedAsKilled(e) => e.at,
            Self::Unseen(u) => u.exit.at,
            Self::Deliver(d) => d.at,
            Self::Cgroup(c) => c.at,
            Self::Connect(c) => c.at,
            Self::Disconnect(d) => d.at,
        }
    }

    /// It is a part of a kill, and not of what is around kills.
    #[must_use]
    pub const fn is_of_kill(&self) -> bool {
        !matches!(self, Self::Cgroup(_) | Self::Connect(_) | Self::Disconnect(_))
    }
}

fn cgroup_key<S: Serializer>(key: &CgroupKey, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("CgroupKey", 3)?;
    fields.serialize_field("id", &key.id)?;
    fields.serialize_field("hierarchy", &key.hierarchy)?;
    fields.serialize_field("level", &key.level)?;
    fields.end()
}

/// As people write them: no reader of JSON has to keep 64 bits of a number.
fn addresses<S: Serializer>(addresses: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(addresses.iter().map(|address| format!("{address:#x}")))
}

/// A cgroup came, was renamed, or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CgroupChange {
    pub at: BootNs,
    #[serde(serialize_with = "cgroup_key")]
    pub cgroup: CgroupKey,
    /// Its path from now on; none when it is gone.
    pub path: Option<String>,
}

/// A process connected to a socket that is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connect {
    pub at: BootNs,
    /// Which socket, as user space numbered it.
    pub socket: u32,
    /// It wrote over a connection that was there already: its own, or one that was handed to it.
    pub wrote: bool,
    /// Its end will be seen.
    pub followed: bool,
    /// Who listens; none in recordings of before, and where this kernel's layout is not known.
    pub listener: Option<Listener>,
    pub task: Task,
    /// Its parents, nearest first.
    pub ancestors: Vec<Ancestor>,
    pub cmdline: Option<Arguments>,
    pub cmdline_truncated: bool,
    pub tty: Option<String>,
}

/// Who listens on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Listener {
    /// In the initial pid namespace.
    pub pid: u32,
    /// In the initial user namespace.
    pub uid: u32,
    /// Inode number of the mount namespace that the socket was bound in.
    pub mount: Option<u32>,
}

/// The end of a process that had connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Disconnect {
    pub at: BootNs,
    pub key: ProcessKey,
}

/// Identifies a process across pid reuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ProcessKey {
    /// Thread group id in the initial pid namespace.
    pub pid: u32,
    /// Start of the leader on `CLOCK_BOOTTIME`.
    pub start: BootNs,
}

/// Who made the signal, by its `siginfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Info {
    /// The kernel on behalf of the current task: cgroup.kill, PR_SET_PDEATHSIG, PTRACE_KILL … and on 7.3 kill(2).
    None,
    /// The kernel itself: OOM, the end of a pid namespace …
    Kernel,
    /// A system call, or `force_sig`; the value is `si_code`.
    Real(i32),
}

/// `si_pid` and `si_uid`: whoever made the siginfo wrote them, which the kernel does for kill(2) and tgkill(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Claimed {
    /// In the sender's innermost pid namespace; 0 from outside the victim's.
    pub pid: u32,
    /// In the victim's user namespace.
    pub uid: u32,
}

/// A process's hard limits of CPU time, none = no limit, and the time that the kernel compares with the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// `RLIMIT_CPU`.
    pub limit_s: Option<u64>,
    /// `RLIMIT_RTTIME`: without a sleep, of a thread that runs in real time.
    pub rttime_limit_us: Option<u64>,
    pub used_ns: u64,
}

/// What became of a signal at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Delivered,
    Ignored,
    AlreadyPending,
    /// A value that SIGKILL cannot have.
    Other(u32),
}

/// What a process has set up for a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It has no handler: the signal's default action ends it, unless it is the first process of a pid namespace, to which the
    /// signal does nothing.
    Default,
    /// It ignores the signal.
    Ignored,
    /// A handler takes the signal.
    Handled,
    /// It blocks the signal: the signal waits, or is taken by sigwait(3) or signalfd(2).
    Blocked,
}

/// The namespaces that a process is in, at the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Namespaces {
    /// Inode number of its mount namespace; none when it has given it up, as one that is exiting.
    pub mount: Option<u32>,
    /// Inode number of its user namespace.
    pub user: u32,
    /// Depth of that, 0 = the initial one.
    pub user_level: u32,
    /// Who made it, a uid of the initial one.
    pub user_owner: u32,
}

/// A process as seen through one of its threads, at the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    pub key: ProcessKey,
    pub tid: u32,
    pub ppid: u32,
    pub uid: u32,
    /// Pid in its innermost pid namespace.
    pub ns_pid: u32,
    /// Depth of that namespace, 0 = the initial one.
    pub ns_level: u32,
    /// Audit login uid.
    pub login_uid: Option<u32>,
    /// Audit session.
    pub session: Option<u32>,
    pub kernel_thread: bool,
    /// The thread is in do_exit.
    pub exiting: bool,
    /// The whole process was already ending, with this wait status.
    pub group_exit: Option<u32>,
    /// Its process group; of a signal's victim only.
    pub pgid: Option<u32>,
    /// Identity of the address space, for comparison only.
    #[serde(skip)]
    pub mm: u64,
    #[serde(serialize_with = "cgroup_key")]
    pub cgroup: CgroupKey,
    #[serde(serialize_with = "cgroup_key")]
    pub memory_cgroup: CgroupKey,
    /// Path on the default hierarchy, `/` the root; none when it could not be read, or not to its top.
    pub cgroup_path: Option<String>,
    /// Path on the memory hierarchy.
    pub memory_path: Option<String>,
    pub comm: String,
    /// Path of the executable in its own mount namespace.
    pub exe: Option<String>,
    /// Of a signal's victim and sender only; none in events of version 6 and before, and where the kernel's layout is not known.
    pub namespaces: Option<Namespaces>,
}

impl Task {
    /// It is the first process of a pid namespace other than the machine's: a container's init, or that of a namespace within one.
    #[must_use]
    pub fn is_namespace_init(&self) -> bool {
        self.ns_level > 0 && self.ns_pid == 1
    }

    /// The name of the process's first thread, which `/proc/<pid>` has too; other threads have names of their own.
    #[must_use]
    pub fn leader_comm(&self) -> Option<&str> {
        (self.tid == self.key.pid).then_some(self.comm.as_str())
    }
}

/// A parent of the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ancestor {
    pub key: ProcessKey,
    pub uid: u32,
    pub comm: String,
    /// As [`Task::namespaces`]; none of a connecting process's ancestors.
    pub namespaces: Option<Namespaces>,
}

/// A signal that the kernel generated for a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signal {
    pub at: BootNs,
    pub number: u32,
    pub info: Info,
    /// Who a real `siginfo` says it is from; none when there is none, and in events from before it was recorded.
    pub claimed: Option<Claimed>,
    /// What the victim may and did use of processors; none in events from before it was recorded.
    pub cpu: Option<Cpu>,
    /// Sent to the thread group, not to one thread.
    pub group: bool,
    pub outcome: Outcome,
    /// Recorded only for what may follow it.
    pub preceding: bool,
    /// Somebody traced the sender, and may have made it send this.
    pub sender_traced: bool,
    /// What the victim had set up for it; none for SIGKILL.
    pub disposition: Option<Disposition>,
    pub victim: Task,
    /// `current`: the sender, or on an OOM kill the trigger.
    pub sender: Task,
    pub ancestors: Vec<Ancestor>,
    pub cmdline: Option<Arguments>,
    pub cmdline_truncated: bool,
    pub tty: Option<String>,
    /// Return addresses, innermost first.
    #[serde(serialize_with = "addresses")]
    pub stack: Vec<u64>,
    /// Names of the functions in `stack`; empty when there are no symbols. Filled in after decoding.
    #[serde(skip)]
    pub symbols: Vec<String>,
    /// The same with the places in them, where they are asked for.
    #[serde(skip)]
    pub frames: Vec<String>,
    /// Something did not fit into the event.
    pub truncated: bool,
}

impl Signal {
    /// Forgets what takes room, and is not needed of one among thousands.
    pub fn slim(&mut self) {
        (self.ancestors, self.cmdline, self.tty) = (Vec::new(), None, None);
        (self.stack, self.symbols, self.frames) = (Vec::new(), Vec::new(), Vec::new());
    }
}

/// The arguments of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cmdline {
    pub arguments: Arguments,
    /// There were more.
    pub truncated: bool,
}

/// The end of a process that a SIGKILL ended, or of a pid namespace's init.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exit {
    pub at: BootNs,
    pub task: Task,
    /// As wait(2) gives it.
    pub status: u32,
    /// None on kernels where the memory is gone by then.
    pub cmdline: Option<Cmdline>,
}

/// The end of a process by a SIGKILL that is not recorded, and what is known of it instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unseen {
    pub exit: Exit,
    /// There was a SIGKILL, and no room for its event.
    pub lost: bool,
    /// Who traced it.
    pub tracer: Option<Ancestor>,
    /// It was in seccomp's strict mode.
    pub seccomp: bool,
    /// A SIGKILL was pending for it, and its sending was not seen.
    pub pending: bool,
}

/// A victim takes its SIGKILL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deliver {
    pub at: BootNs,
    pub key: ProcessKey,
    pub cmdline: Option<Cmdline>,
}

/// What the kernel's choice of a victim was limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// Nothing: the machine ran out.
    None,
    Cpuset,
    MemoryPolicy,
    Memcg,
    /// A value that no kernel from 5.4 to 7.3 has.
    Other(u32),
}

/// The OOM killer's own record of its choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OomChoice {
    pub at: BootNs,
    /// The thread in whose context the SIGKILL follows.
    pub trigger_tid: u32,
    pub chosen: ProcessKey,
    pub chosen_points: i64,
    /// The limit with swap, or the machine's memory, in pages: what oom_score_adj counts thousandths of.
    pub total_pages: u64,
    pub constraint: Constraint,
    /// -1 = asked for by sysrq-f.
    pub order: i32,
    pub gfp: u32,
    /// The cgroup whose limit was hit, and its path.
    pub owner: Option<(MemcgLevel, Option<String>)>,
}

/// One memory cgroup's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MemcgLevel {
    #[serde(serialize_with = "cgroup_key")]
    pub cgroup: CgroupKey,
    pub usage_bytes: u64,
    /// None = no limit.
    pub limit_bytes: Option<u64>,
    pub peak_bytes: u64,
    /// v1: memory+swap; v2: swap.
    pub swap_usage_bytes: u64,
    pub swap_limit_bytes: Option<u64>,
    /// memory.oom.group is set here: the OOM killer kills the cgroup as one.
    pub oom_group: bool,
}

impl MarkVictim {
    /// A cgroup that the victim is in is killed as one (memory.oom.group).
    #[must_use]
    pub fn is_group_kill(&self) -> bool {
        self.levels.iter().any(|level| level.oom_group)
    }

    /// The OOM killer may kill more than the one that it marked.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.is_group_kill() || self.sharers > 0
    }
}

/// The OOM killer marked a victim. Not a kill by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MarkVictim {
    pub at: BootNs,
    /// The victim; none when the kernel gave only a thread id that no SIGKILL had named.
    pub victim: Option<Task>,
    /// The thread that was marked.
    pub victim_tid: u32,
    pub trigger: Task,
    pub anon_bytes: u64,
    pub file_bytes: u64,
    pub shmem_bytes: u64,
    pub swap_bytes: u64,
    pub page_table_bytes: u64,
    pub total_vm_bytes: u64,
    pub oom_score_adj: i32,
    /// Users of the victim's memory besides its own threads; 0 = none, or not known.
    pub sharers: u32,
    /// From the victim's own memory cgroup up to the root.
    pub levels: Vec<MemcgLevel>,
    /// Where the trigger was in user space, innermost first; empty unless it was asked for.
    pub user_stack: Vec<UserFrame>,
}

/// A frame of a user stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserFrame {
    /// The return address.
    pub address: u64,
    /// The build id of the file that is mapped there, in hexadecimal digits, and the offset in the file; none where the kernel had no
    /// time to look, or the file has no build id.
    pub build: Option<(String, u64)>,
}
