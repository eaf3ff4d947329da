//! What the correlator gives: a kill episode, in raw facts.

use crate::correlate::path::Path;
use crate::event::{BootNs, CgroupKey, Cmdline, MarkVictim, OomChoice, ProcessKey, Signal, Task, Unseen};
use crate::model::Role;

/// One process of an episode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kill {
    /// None when only `mark_victim` is attached.
    pub signal: Option<Signal>,
    pub path: Option<Path>,
    pub mark: Option<MarkVictim>,
    /// The victim's arguments, read in its own context after the kill.
    pub cmdline: Option<Cmdline>,
    /// Why the OOM killer chose it, in its own words.
    pub choice: Option<OomChoice>,
    /// None when its end was not seen in time.
    pub ending: Option<Ending>,
    /// The end that is all that was seen of it.
    pub unseen: Option<Box<Unseen>>,
}

impl Kill {
    /// The process that was killed; none when only a thread id is known.
    #[must_use]
    pub fn victim(&self) -> Option<&Task> {
        let by_mark = || self.mark.as_ref()?.victim.as_ref();
        let by_end = || self.unseen.as_ref().map(|unseen| &unseen.exit.task);
        self.signal.as_ref().map(|s| &s.victim).or_else(by_mark).or_else(by_end)
    }

    /// Forgets what only a chosen victim's kill needs: there may be thousands of others.
    pub fn slim(&mut self) {
        if let Some(signal) = &mut self.signal {
            signal.slim();
            (signal.sender.exe, signal.sender.cgroup_path, signal.sender.memory_path) = (None, None, None);
        }
    }

    /// Bytes of the paths in what [`Self::slim`] leaves, which have any length.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let of = |task: &Task| {
            let texts = [&task.exe, &task.cgroup_path, &task.memory_path];
            texts.into_iter().flatten().map(String::len).sum::<usize>()
        };
        let arguments = self.cmdline.as_ref().map_or(0, |cmdline| cmdline.arguments.size());
        self.victim().map_or(0, of) + arguments
    }

    /// A kill that is known by its signal.
    #[must_use]
    pub fn by(signal: Signal, path: Path) -> Self {
        Self { signal: Some(signal), path: Some(path), ..Self::default() }
    }
}

/// How and when a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    pub at: BootNs,
    /// As wait(2) gives it.
    pub status: u32,
}

/// The end of the init of a pid namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitExit {
    pub init: ProcessKey,
    /// Depth of its pid namespace.
    pub level: u32,
    pub ending: Ending,
}

/// A process of a container that was killed before the container's first process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KilledBefore {
    pub key: ProcessKey,
    pub comm: String,
    pub ppid: u32,
    /// When its SIGKILL was made, or when it ended where that was not seen.
    pub at: BootNs,
    /// The process that sent it, and its name; none: the kernel.
    pub by: Option<(ProcessKey, String)>,
    /// The OOM killer chose it, or took it along.
    pub is_oom: bool,
    /// Where it lived, and at what depth of pid namespaces.
    pub home: Option<CgroupKey>,
    pub ns_level: u32,
}

/// The first process of a pid namespace ended by exit(137), and no SIGKILL ended it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitedAsKilled {
    /// The latest process of the namespace that was killed: a child, if one was.
    pub after: Option<KilledBefore>,
}

/// A signal that a process got, and from whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    pub signal: Signal,
    pub path: Path,
}

/// One kill episode, or one other signal that was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Episode {
    /// The process that was chosen.
    pub chosen: Kill,
    /// Further victims, in the order of their kills.
    pub collateral: Vec<(Role, Kill)>,
    /// Stop signals that the victim got before, oldest first.
    pub preceding: Vec<Signal>,
    /// The sweep of a pid namespace on its own: what had killed its init, if that was seen.
    pub init_killed_by: Option<Box<Earlier>>,
    /// The sweep of a pid namespace on its own: how its init ended.
    pub init_ending: Option<Ending>,
    /// The sweep of a pid namespace on its own: the last stop signal that its init got.
    pub init_asked: Option<Signal>,
    /// The init of the victim's pid namespace ended right after the victim.
    pub init_exit: Option<InitExit>,
    /// It is no kill: the chosen process only ended as if by one.
    pub exited: Option<ExitedAsKilled>,
}

impl Episode {
    /// An episode with one victim.
    #[must_use]
    pub fn of(chosen: Kill) -> Self {
        Self { chosen, ..Self::default() }
    }

    /// The signal that began it; none when only `mark_victim` is attached.
    #[must_use]
    pub fn first(&self) -> Option<&Signal> {
        self.chosen.signal.as_ref()
    }

    /// The chosen one's kill, then the others'.
    pub fn kills(&self) -> impl Iterator<Item = &Kill> {
        std::iter::once(&self.chosen).chain(self.collateral.iter().map(|(_, kill)| kill))
    }

    /// All of them from the last one on.
    pub fn latest_first(&self) -> impl Iterator<Item = &Kill> {
        self.collateral.iter().rev().map(|(_, kill)| kill).chain(std::iter::once(&self.chosen))
    }

    /// When the first signal (or mark) was made; the end, where that is all that was seen.
    #[must_use]
    pub fn at(&self) -> BootNs {
        let signal = self.chosen.signal.as_ref().map(|s| s.at);
        let end = || self.chosen.unseen.as_ref().map(|unseen| unseen.exit.at);
        signal.or(self.chosen.mark.as_ref().map(|m| m.at)).or_else(end).unwrap_or_default()
    }

    /// The OOM killer made it.
    #[must_use]
    pub fn is_oom(&self) -> bool {
        self.chosen.mark.is_some()
            || self.chosen.choice.is_some()
            || self.chosen.path.is_some_and(|p| p.path.is_oom_killers())
    }
}

#[cfg(test)]
mod tests;
