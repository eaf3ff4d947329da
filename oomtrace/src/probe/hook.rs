//! The places in the kernel that oomtrace attaches to, and what each is worth.

/// A place in the kernel that oomtrace attaches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    SignalGenerate,
    MarkVictim,
    SchedProcessExit,
    SignalDeliver,
    OomKillProcess,
}

impl Hook {
    pub const ALL: [Self; 5] =
        [Self::SignalGenerate, Self::MarkVictim, Self::SchedProcessExit, Self::SignalDeliver, Self::OomKillProcess];

    /// Program name, and name of the raw tracepoint.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignalGenerate => "signal_generate",
            Self::MarkVictim => "mark_victim",
            Self::SchedProcessExit => "sched_process_exit",
            Self::SignalDeliver => "signal_deliver",
            Self::OomKillProcess => "oom_kill_process",
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
        }
    }
}

/// What can be left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    Hook(Hook),
    /// A way to attach to a function.
    Kprobe,
    Fentry,
}

impl Absent {
    pub const ALL: [Self; 7] = [
        Self::Hook(Hook::SignalGenerate),
        Self::Hook(Hook::MarkVictim),
        Self::Hook(Hook::SchedProcessExit),
        Self::Hook(Hook::SignalDeliver),
        Self::Hook(Hook::OomKillProcess),
        Self::Kprobe,
        Self::Fentry,
    ];

    /// As it is asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hook(hook) => hook.name(),
            Self::Kprobe => "kprobe",
            Self::Fentry => "fentry",
        }
    }
}
