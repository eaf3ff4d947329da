//! Groups raw events into kill episodes. Pure and deterministic: the only time it knows is that of the events and of
//! [`Correlator::advance`], so a recording gives the same episodes as the live kernel did.
//!
//! The rules it keeps (kernel facts: mm/oom_kill.c and kernel/signal.c, 5.4 to 7.3):
//! - An OOM kill is a SIGKILL made by the kernel, followed in the same context by `mark_victim` for the same process.
//!   A `mark_victim` without that SIGKILL is a process that was dying already, and no incident.
//! - Processes that share the victim's memory get their SIGKILL after `mark_victim`, and none of their own;
//!   `memory.oom.group` members get the pair each. All in the context of one trigger.
//! - Only the SIGKILL that ends a process is a kill: not one that the kernel ignored, nor one for a process that is
//!   dying already.
//! - Everything is keyed by thread group and its start time, never by thread.

use std::collections::{HashMap, VecDeque};

use super::model::{Role, SignalPath};
use super::path::{self, Path};
use crate::probe::event::{BootNs, Event, Info, MarkVictim, Outcome, ProcessKey, Signal};

/// How long an episode waits for its next event. `mark_victim` follows its SIGKILL within the same spinlock section,
/// microseconds later; oom.group members and `cgroup.kill` victims follow each other as fast.
const QUIET_NS: BootNs = 10_000_000;
/// How long a SIGKILL that the stack shows to be the OOM killer's waits for its mark, which is certain to follow unless
/// the victim was marked before. On a host that is short of CPU, a virtual one may stand still between the two.
const MARK_NS: BootNs = 250_000_000;

/// Killed processes remembered, so that a second SIGKILL for one of them is no second incident.
const KILLED: usize = 4096;
/// Processes whose stop signals are remembered.
const PRECEDED: usize = 512;
/// Stop signals remembered for one process, the latest.
const PRECEDING_PER_PROCESS: usize = 4;

const SIGKILL: u32 = 9;

/// What the probe can deliver; the correlator needs it to know what to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hooks {
    pub signal_generate: bool,
    pub mark_victim: bool,
}

/// One process of an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Kill {
    /// None when only `mark_victim` is attached.
    pub signal: Option<Signal>,
    pub path: Option<Path>,
    pub mark: Option<MarkVictim>,
}

/// A signal that a process got, and from whom, in short.
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    pub signal: Signal,
    pub path: Path,
}

/// One kill episode, or one other signal that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// The process that was chosen.
    pub chosen: Kill,
    /// Further victims, in the order of their kills.
    pub collateral: Vec<(Role, Kill)>,
    /// Stop signals that the victim got before, oldest first.
    pub preceding: Vec<Signal>,
    /// The sweep of a pid namespace: what had killed its init, if that was seen.
    pub init_killed_by: Option<Box<Earlier>>,
}

impl Episode {
    /// When the first signal (or mark) was made.
    #[must_use]
    pub fn at(&self) -> BootNs {
        let signal = self.chosen.signal.as_ref().map(|s| s.at);
        signal.or(self.chosen.mark.as_ref().map(|m| m.at)).unwrap_or_default()
    }

    /// The OOM killer made it.
    #[must_use]
    pub fn is_oom(&self) -> bool {
        self.chosen.mark.is_some()
            || self.chosen.path.is_some_and(|p| matches!(p.path, SignalPath::OomKill | SignalPath::OomGroup))
    }
}

/// An episode that may grow.
#[derive(Debug)]
struct Open {
    episode: Episode,
    /// The context that makes the signals: one thread.
    tid: u32,
    sender: ProcessKey,
    /// When it is complete unless something more comes.
    until: BootNs,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Correlator {
    hooks: Hooks,
    open: Vec<Open>,
    preceding: Recent<VecDeque<Signal>>,
    /// Kept whole only for the inits of pid namespaces: their end explains the sweep that follows.
    killed: Recent<Option<Box<Earlier>>>,
}

impl Correlator {
    #[must_use]
    pub fn new(hooks: Hooks) -> Self {
        Self { hooks, open: Vec::new(), preceding: Recent::new(PRECEDED), killed: Recent::new(KILLED) }
    }

    /// Takes one event; gives the episodes that are complete by it.
    pub fn take(&mut self, event: Event) -> Vec<Episode> {
        let at = event.at();
        let mut done = Vec::new();
        // Before time moves on: a virtual CPU may have stood still between a SIGKILL and its mark.
        match event {
            Event::Signal(signal) => self.signal(*signal, &mut done),
            Event::MarkVictim(mark) => self.mark(*mark, &mut done),
        }
        let mut due = self.advance(at);
        // What was due came first.
        due.append(&mut done);
        due
    }

    /// Time has come to `now` (`CLOCK_BOOTTIME`); gives the episodes that have waited long enough.
    pub fn advance(&mut self, now: BootNs) -> Vec<Episode> {
        let (done, open) = std::mem::take(&mut self.open).into_iter().partition::<Vec<_>, _>(|o| o.until <= now);
        self.open = open;
        done.into_iter().map(|open| settle(open.episode)).collect()
    }

    /// When [`Self::advance`] will have something to give; none while no episode is open.
    #[must_use]
    pub fn deadline(&self) -> Option<BootNs> {
        self.open.iter().map(|open| open.until).min()
    }

    /// Gives what is still open: nothing more will come.
    pub fn finish(&mut self) -> Vec<Episode> {
        self.advance(BootNs::MAX)
    }

    fn signal(&mut self, signal: Signal, done: &mut Vec<Episode>) {
        let key = signal.victim.key;
        if signal.number != SIGKILL {
            if !signal.preceding && signal.outcome == Outcome::Delivered {
                done.push(standalone(signal.clone()));
            }
            self.remember(signal);
            return;
        }
        if !is_kill(&signal) || self.killed.get(&key).is_some() {
            log::debug!("SIGKILL to {} from {} is not what ends it", key.pid, signal.sender.key.pid);
            return;
        }
        let path = path::classify(&signal);
        let earlier = signal.victim.is_namespace_init().then(|| Box::new(Earlier { signal: signal.clone(), path }));
        self.killed.insert(key, earlier);
        self.kill(signal, path, done);
    }

    /// Keeps a signal that may turn out to have come before a kill, without the parts that only a kill needs.
    fn remember(&mut self, mut signal: Signal) {
        (signal.stack, signal.symbols) = (Vec::new(), Vec::new());
        let signals = self.preceding.entry(signal.victim.key);
        if signals.len() == PRECEDING_PER_PROCESS {
            signals.pop_front();
        }
        signals.push_back(signal);
    }

    /// A signal that ends its victim: part of an open episode, or a new one.
    fn kill(&mut self, signal: Signal, path: Path, done: &mut Vec<Episode>) {
        let kill = Kill { signal: None, path: Some(path), mark: None };
        if let Some(open) = self.open.iter_mut().find(|open| belongs(open, &signal, path)) {
            open.until = signal.at.saturating_add(patience(path));
            let role = role(path.path);
            open.episode.collateral.push((role, Kill { signal: Some(signal), ..kill }));
            return;
        }
        let wait = match signal.info {
            // It may be the OOM killer, or the first of a sweep.
            Info::Kernel => true,
            // It may be the first of a cgroup.
            Info::None => path.path == SignalPath::CgroupKill,
            Info::Real(_) => false,
        };
        let init_killed_by = (path.path == SignalPath::PidNamespaceExit)
            .then(|| self.killed.get(&signal.sender.key).cloned().flatten())
            .flatten();
        let (tid, sender, at) = (signal.sender.tid, signal.sender.key, signal.at);
        let preceding = match self.preceding.get(&signal.victim.key) {
            Some(_) => self.preceding.remove(&signal.victim.key).unwrap_or_default().into(),
            None => Vec::new(),
        };
        let chosen = Kill { signal: Some(signal), ..kill };
        let episode = Episode { chosen, collateral: Vec::new(), preceding, init_killed_by };
        if wait {
            self.open.push(Open { episode, tid, sender, until: at.saturating_add(patience(path)) });
        } else {
            done.push(episode);
        }
    }

    fn mark(&mut self, mark: MarkVictim, done: &mut Vec<Episode>) {
        if !self.hooks.signal_generate {
            let chosen = Kill { signal: None, path: None, mark: Some(mark) };
            done.push(Episode { chosen, collateral: Vec::new(), preceding: Vec::new(), init_killed_by: None });
            return;
        }
        let victim = mark.victim.as_ref().map(|v| v.key);
        for open in &mut self.open {
            if open.tid != mark.trigger.tid || open.sender != mark.trigger.key {
                continue;
            }
            let of_victim = |kill: &Kill| {
                kill.mark.is_none()
                    && kill.signal.as_ref().is_some_and(|s| match victim {
                        Some(key) => s.victim.key == key,
                        None => s.victim.tid == mark.victim_tid,
                    })
            };
            let Episode { chosen, collateral, .. } = &mut open.episode;
            if of_victim(chosen) {
                open.until = mark.at.saturating_add(QUIET_NS);
                chosen.mark = Some(mark);
                return;
            }
            if let Some((role, kill)) = collateral.iter_mut().find(|(_, kill)| of_victim(kill)) {
                open.until = mark.at.saturating_add(QUIET_NS);
                // Only members of a cgroup that is killed as one are marked besides the chosen one.
                *role = Role::OomGroup;
                kill.mark = Some(mark);
                return;
            }
        }
        log::debug!("mark_victim for thread {} without a SIGKILL: it was dying already", mark.victim_tid);
    }
}

/// A signal that was asked for and is no kill.
fn standalone(signal: Signal) -> Episode {
    let path = path::classify(&signal);
    let chosen = Kill { signal: Some(signal), path: Some(path), mark: None };
    Episode { chosen, collateral: Vec::new(), preceding: Vec::new(), init_killed_by: None }
}

/// This SIGKILL is what ends its victim: the kernel did not ignore it, and the process was not dying of something else.
///
/// `complete_signal` (kernel/signal.c) has set SIGNAL_GROUP_EXIT and `group_exit_code = 9` by the time of the
/// tracepoint, unless the process was exiting already; before 6.0 such a signal still counts as delivered.
fn is_kill(signal: &Signal) -> bool {
    signal.outcome == Outcome::Delivered && signal.victim.group_exit.is_some_and(|status| status & 0x7f == SIGKILL)
}

/// `signal` belongs to an episode that is open: one context goes on killing for one reason.
fn belongs(open: &Open, signal: &Signal, path: Path) -> bool {
    if open.tid != signal.sender.tid || open.sender != signal.sender.key || open.until <= signal.at {
        return false;
    }
    let Some(first) = open.episode.chosen.path else { return false };
    match (first.path, path.path) {
        (SignalPath::CgroupKill, SignalPath::CgroupKill) => true,
        (SignalPath::PidNamespaceExit, SignalPath::PidNamespaceExit) => true,
        // Without symbols an OOM kill is known by its mark, and what shares its memory by that.
        (_, SignalPath::OomKill | SignalPath::OomGroup | SignalPath::OtherKernel) => {
            signal.info == Info::Kernel && open.episode.is_oom()
        }
        _ => false,
    }
}

/// How long an episode waits after a kill by `path`.
fn patience(path: Path) -> BootNs {
    let awaits_mark = matches!(path.path, SignalPath::OomKill | SignalPath::OomGroup) && path.seen_on_stack;
    if awaits_mark { MARK_NS } else { QUIET_NS }
}

/// Corrects what could not be known when it came: without symbols, a kernel-made kill in the context of an OOM victim
/// that was neither marked nor shares memory is the sweep of that victim's pid namespace.
fn settle(mut episode: Episode) -> Episode {
    let marked: Vec<u64> = std::iter::once(&episode.chosen)
        .chain(episode.collateral.iter().map(|(_, kill)| kill))
        .filter(|kill| kill.mark.is_some())
        .filter_map(|kill| Some(kill.signal.as_ref()?.victim.mm))
        .collect();
    for (role, kill) in &mut episode.collateral {
        let unseen = kill.path.is_none_or(|path| !path.seen_on_stack);
        let alone = kill.signal.as_ref().is_none_or(|s| !marked.contains(&s.victim.mm));
        if *role == Role::SharedMm && unseen && alone {
            *role = Role::PidNamespace;
        }
    }
    episode
}

fn role(path: SignalPath) -> Role {
    match path {
        SignalPath::CgroupKill => Role::CgroupKill,
        SignalPath::PidNamespaceExit => Role::PidNamespace,
        SignalPath::OomGroup => Role::OomGroup,
        _ => Role::SharedMm,
    }
}

/// The latest entries of a map: what is remembered about processes must not grow with them.
#[derive(Debug)]
struct Recent<T> {
    entries: HashMap<ProcessKey, T>,
    order: VecDeque<ProcessKey>,
    capacity: usize,
}

impl<T> Recent<T> {
    fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), capacity }
    }

    fn get(&self, key: &ProcessKey) -> Option<&T> {
        self.entries.get(key)
    }

    fn remove(&mut self, key: &ProcessKey) -> Option<T> {
        self.order.retain(|k| k != key);
        self.entries.remove(key)
    }

    fn insert(&mut self, key: ProcessKey, value: T) {
        if self.entries.insert(key, value).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }

    fn entry(&mut self, key: ProcessKey) -> &mut T
    where
        T: Default,
    {
        if !self.entries.contains_key(&key) {
            self.insert(key, T::default());
        }
        self.entries.entry(key).or_default()
    }
}

#[cfg(test)]
pub mod fixture;
#[cfg(test)]
mod tests;
