//! The places in the kernel that oomtrace attaches to, and what each is worth.

/// A place in the kernel that oomtrace attaches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    SignalGenerate,
    MarkVictim,
    SchedProcessExit,
    SignalDeliver,
    OomKillProcess,
    /// Four tracepoints: a cgroup comes, is renamed, goes, and is released.
    Cgroups,
    /// A connection to a Unix socket.
    UnixConnect,
}

impl Hook {
    pub const ALL: [Self; 7] = [
        Self::SignalGenerate,
        Self::MarkVictim,
        Self::SchedProcessExit,
        Self::SignalDeliver,
        Self::OomKillProcess,
        Self::Cgroups,
        Self::UnixConnect,
    ];

    /// As it is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignalGenerate => "signal_generate",
            Self::MarkVictim => "mark_victim",
            Self::SchedProcessExit => "sched_process_exit",
            Self::SignalDeliver => "signal_deliver",
            Self::OomKillProcess => "oom_kill_process",
            Self::Cgroups => "cgroups",
            Self::UnixConnect => "unix_connect",
        }
    }

    /// What is not seen without it.
    #[must_use]
    pub const fn cost(self) -> &'static str {
        match self {
            Self::SignalGenerate => {
                "no SIGKILL and no sender is seen, and an OOM kill cannot be told from a process that was dying already"
            }
            Self::SchedProcessExit => {
                "how a killed process ended, and when; the sweep of a container is not joined to the kill of its init"
            }
            Self::OomKillProcess => {
                "the OOM killer's own record: whose limit was hit is read off the memory counters instead"
            }
            Self::SignalDeliver => "the command line of a victim that is gone before /proc is read",
            Self::MarkVictim => {
                "an OOM kill is known by its kernel stack alone, without the victim's memory and limits"
            }
            Self::Cgroups => "a container that is gone before its runtime can be asked goes by its id",
            Self::UnixConnect => "who asked a runtime to kill",
        }
    }

    /// Whether this kernel may lack it with nothing wrong: something else shows the same less surely, or it only adds.
    #[must_use]
    pub const fn may_be_refused(self) -> bool {
        matches!(self, Self::OomKillProcess | Self::UnixConnect)
    }
}

/// What can be left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    Hook(Hook),
    /// A way to attach to a function.
    Kprobe,
    Fentry,
    /// Programs that read kernel memory by its types.
    TpBtf,
}

impl Absent {
    pub const ALL: [Self; 10] = [
        Self::Hook(Hook::SignalGenerate),
        Self::Hook(Hook::MarkVictim),
        Self::Hook(Hook::SchedProcessExit),
        Self::Hook(Hook::SignalDeliver),
        Self::Hook(Hook::OomKillProcess),
        Self::Hook(Hook::Cgroups),
        Self::Hook(Hook::UnixConnect),
        Self::Kprobe,
        Self::Fentry,
        Self::TpBtf,
    ];

    /// As it is asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hook(hook) => hook.name(),
            Self::Kprobe => "kprobe",
            Self::Fentry => "fentry",
            Self::TpBtf => "tp_btf",
        }
    }
}
