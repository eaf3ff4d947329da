//! Groups raw events into kill episodes. Pure and deterministic: the only time it knows is that of the events and of
//! [`Correlator::advance`], so a recording gives the same episodes as the live kernel did.
//!
//! The rules it keeps (kernel facts: mm/oom_kill.c and kernel/signal.c, 5.4 to 7.3):
//! - An OOM kill is a SIGKILL made by the kernel, followed in the same context by `mark_victim` for the same process.
//!   A `mark_victim` without that SIGKILL is a process that was dying already, and no incident.
//! - Processes that share the victim's memory get their SIGKILL after `mark_victim`, and none of their own;
//!   `memory.oom.group` members get the pair each. All in the context of one trigger.
//! - One kill(2) for a process group, or for all processes, is one episode, with the kill right before of a member, or of a child that has
//!   left the group, by the group's own leader, as timeout(1) does it; so are a sender's calls for one process after
//!   the other of a cgroup that it is not in itself, as a runtime or a service manager makes them.
//! - A cgroup that is killed as one takes along what is forked into it meanwhile: the kernel kills such a child in its
//!   parent's context, also before the first of those that were there.
//! - When the init of a pid namespace ends, the kernel kills the rest in its context: collateral of init's own kill.
//! - An episode is complete when its victim has ended, or has not for two seconds. What may still come is waited for: the
//!   kernel may write to a slow console in between, or the caller stand still.
//! - Only the SIGKILL that ends a process is a kill: not one that the kernel ignored, nor one for a process that is
//!   dying already.
//! - A process that ended by SIGKILL, for which the kernel side saw none, is an episode, too: a tracer can end it without a signal
//!   (PTRACE_CONT), and the kernel itself (seccomp's strict mode, an error of its own). So is one whose SIGKILL was lost.
//! - Everything is keyed by thread group and its start time, never by thread.

mod earlier;
pub mod effect;
mod episode;
mod exited;
mod open;
pub mod path;
mod recent;
mod rules;

use crate::correlate::effect::effect;
use crate::correlate::path::{Path, Reach};
use crate::event::{
    BootNs, CgroupKey, Cmdline, Event, Exit, Info, MarkVictim, OomChoice, ProcessKey, Signal, Task, Unseen,
};
use crate::model::{Effect, Role, SignalPath};
use crate::node::signals::SIGKILL;
use earlier::EarlierSignals;
pub use episode::{Earlier, Ending, Episode, ExitedAsKilled, InitExit, Kill, KilledBefore};
use exited::Members;
use open::{Open, OpenSet};
use recent::Recent;
use rules::{
    belongs, home, is_from_outside, is_kill, is_of_killed_cgroup, is_orphaned, is_sweep, is_timeouts, may_be_oom,
    may_go_on_to_own_group, role, settle,
};

/// How long an episode waits for its next event. `mark_victim` follows its SIGKILL within the same spinlock section,
/// microseconds later.
const QUIET_NS: BootNs = 10_000_000;
/// How long one call that kills many, as a write to `cgroup.kill` or kill(2) for a process group, waits for its next victim: they
/// follow each other within microseconds, but the caller may be preempted in between, be out of its CPU quota for the rest of
/// a period (100 ms, kernel/sched/fair.c), or be on a virtual CPU that stands still.
const CALL_NS: BootNs = 110_000_000;
/// How long a kill of timeout(1)'s waits for the one of its group, which is certain to follow: what it has killed takes its processor, and on
/// a busy machine it gets that back late. Its own end ends the wait, which that very call makes; its command's end does not: that mostly comes
/// between the two.
const GROUP_NS: BootNs = 500_000_000;
/// How long a SIGKILL that the stack shows to be the OOM killer's waits for its mark, which is certain to follow unless
/// the victim was marked before. On a host that is short of CPU, a virtual one may stand still between the two.
const MARK_NS: BootNs = 250_000_000;
/// How long an OOM kill of more than one process waits for the next: a member of a cgroup with memory.oom.group, or one that shares
/// the victim's memory. The kernel writes a line to the console before, and a serial one takes tens of milliseconds for it.
const CONSOLE_NS: BootNs = 300_000_000;
/// How long an episode waits for its victim's end. One that lives longer is stuck in the kernel or frozen, which is worth
/// saying soon.
const EXIT_NS: BootNs = 2_000_000_000;

/// How long an episode in a container waits, after its victim has ended, for the container's init: a shell or a small init
/// ends with its child within milliseconds.
const INIT_NS: BootNs = 12_000_000;

/// How long after the start the end of a process that was there before may be that of a kill from before.
const STARTING_NS: BootNs = 5_000_000_000;

/// Episodes that are open at once. Whoever can kill more processes of his own, and keep them from ending, has the oldest of them
/// reported sooner.
const OPEN: usize = 4096;
/// Killed processes remembered, so that a second SIGKILL for one of them is no second incident.
const KILLED: usize = 4096;
/// Inits of pid namespaces whose end is remembered.
const INITS: usize = 256;

/// What the probe can deliver; the correlator needs it to know what to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hooks {
    pub signal_generate: bool,
    pub mark_victim: bool,
    pub process_exit: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Correlator {
    hooks: Hooks,
    open: OpenSet,
    earlier: EarlierSignals,
    /// Kept whole only for the inits of pid namespaces: their end explains the sweep that follows.
    killed: Recent<Option<Box<Earlier>>>,
    /// How inits of pid namespaces ended.
    ended: Recent<Ending>,
    /// The OOM killer's latest choice. It makes one at a time (`oom_lock`).
    choice: Option<OomChoice>,
    /// When all hooks were attached.
    since: BootNs,
    /// Processes of containers that were killed.
    members: Members,
}

impl Correlator {
    #[must_use]
    pub fn new(hooks: Hooks) -> Self {
        Self {
            hooks,
            open: OpenSet::default(),
            earlier: EarlierSignals::default(),
            killed: Recent::new(KILLED),
            ended: Recent::new(INITS),
            choice: None,
            since: 0,
            members: Members::default(),
        }
    }

    /// All hooks are attached since then: kills from before were not seen.
    #[must_use]
    pub fn watching_since(self, since: BootNs) -> Self {
        Self { since, ..self }
    }

    /// Takes one event; gives the episodes that are complete by it.
    pub fn take(&mut self, event: Event) -> Vec<Episode> {
        let at = event.at();
        let mut done = Vec::new();
        // Before time moves on: a virtual CPU may have stood still between a SIGKILL and its mark.
        match event {
            Event::Signal(signal) => self.signal(*signal, &mut done),
            Event::MarkVictim(mark) => self.mark(*mark, &mut done),
            // The SIGKILL comes next, in the same context; without one, the chosen process was dying already.
            Event::Oom(choice) => self.choice = Some(*choice),
            Event::Exit(exit) => self.exit(*exit),
            Event::Unseen(unseen) => self.unseen(*unseen),
            Event::ExitedAsKilled(exit) => self.exited_as_killed(*exit),
            Event::Deliver(deliver) => self.cmdline(deliver.key, deliver.cmdline),
            // No part of a kill.
            Event::Cgroup(_) | Event::Connect(_) | Event::Disconnect(_) => {}
        }
        let mut due = self.advance(at);
        let beyond = self.open.take_beyond(OPEN);
        due.extend(self.complete(beyond));
        // What was due came first.
        due.append(&mut done);
        due
    }

    /// Time has come to `now` (`CLOCK_BOOTTIME`); gives the episodes that have waited long enough.
    pub fn advance(&mut self, now: BootNs) -> Vec<Episode> {
        let due = self.open.take_due(now);
        self.complete(due)
    }

    fn complete(&mut self, episodes: Vec<Episode>) -> Vec<Episode> {
        let settled: Vec<Episode> = episodes.into_iter().map(settle).collect();
        settled.iter().for_each(|episode| self.members.remember(episode));
        settled
    }

    /// When [`Self::advance`] may have something to give; none while no episode is open.
    #[must_use]
    pub fn deadline(&self) -> Option<BootNs> {
        self.open.earliest()
    }

    /// Gives what is still open: nothing more will come.
    pub fn finish(&mut self) -> Vec<Episode> {
        self.advance(BootNs::MAX)
    }

    fn signal(&mut self, signal: Signal, done: &mut Vec<Episode>) {
        let key = signal.victim.key;
        if signal.number != SIGKILL {
            let path = path::classify(&signal);
            if !signal.preceding {
                self.asked_for(signal.clone(), done);
            }
            // A timer's signal is nobody's request, over whomever it came. A terminal's comes from a kernel thread.
            if path::is_by_process(path.path, signal.info) || signal.sender.kernel_thread {
                self.earlier.insert(signal);
            }
            return;
        }
        if !is_kill(&signal) || self.killed.get(&key).is_some() {
            log::debug!("SIGKILL to {} from {} is not what ends it", key.pid, signal.sender.key.pid);
            return;
        }
        let path = path::classify(&signal);
        let earlier = signal.victim.is_namespace_init().then(|| {
            let mut signal = signal.clone();
            signal.slim();
            Box::new(Earlier { signal, path })
        });
        self.killed.insert(key, earlier);
        self.kill(signal, path);
    }

    /// A signal other than SIGKILL that is wanted for itself. One that ends its process waits for that end.
    fn asked_for(&mut self, signal: Signal, done: &mut Vec<Episode>) {
        let path = path::classify(&signal);
        let (at, victim, sender, tid) = (signal.at, signal.victim.key, signal.sender.key, signal.sender.tid);
        let ends = self.hooks.process_exit && effect(&signal) == Some(Effect::Ends);
        let episode = Episode::of(Kill::by(signal, path));
        if ends {
            self.open
                .push(victim, Open { episode, tid, sender, until: at, exit_by: at.saturating_add(EXIT_NS), bytes: 0 });
        } else {
            done.push(episode);
        }
    }

    /// A signal that ends its victim: part of an open episode, or a new one.
    fn kill(&mut self, signal: Signal, path: Path) {
        let (at, victim, sender) = (signal.at, signal.victim.key, signal.sender.key);
        let role = if is_sweep(&signal, path) { Role::PidNamespace } else { role(path.path, &signal) };
        let tid = signal.sender.tid;
        // A choice of its own: one context may choose again and again, until enough is free.
        let choice = self
            .choice
            .take_if(|choice| choice.trigger_tid == tid && choice.chosen == victim && signal.info == Info::Kernel);
        let of_init = (role == Role::PidNamespace).then(|| self.open.of_chosen(sender)).flatten();
        let cgroup = signal.victim.cgroup;
        let at_fork = path.path == SignalPath::CgroupKill && path::is_at_fork(&signal);
        let adopts = path.path == SignalPath::CgroupKill && !at_fork;
        let joins = |open: &Open| match at_fork {
            true => is_of_killed_cgroup(open, cgroup, at),
            false => choice.is_none() && belongs(open, &signal, path),
        };
        if let Some(number) = of_init.or_else(|| self.open.find(joins)) {
            let until = at.saturating_add(patience(&signal, path));
            self.open.add(number, victim, role, Kill::by(signal, path), until);
            if adopts {
                self.adopt(number, cgroup, at);
            }
            return;
        }
        let wait = match signal.info {
            // It may be the OOM killer, or the first of a sweep.
            Info::Kernel => patience(&signal, path),
            Info::None | Info::Real(_) if is_timeouts(&signal) => GROUP_NS,
            Info::None | Info::Real(_) if is_of_many(&signal, path) => CALL_NS,
            // It may be the first of a cgroup whose processes are killed one by one.
            Info::None | Info::Real(_) if is_from_outside(&signal) || may_go_on_to_own_group(&signal) => QUIET_NS,
            Info::None | Info::Real(_) => 0,
        };
        let mut episode = Episode::of(Kill { choice, ..Kill::by(signal, path) });
        if role == Role::PidNamespace {
            episode.init_killed_by = self.killed.get(&sender).cloned().flatten();
            episode.init_ending = self.ended.get(&sender).copied();
            episode.init_asked = self.earlier.latest(sender, at).cloned();
        }
        episode.preceding = self.earlier.take(victim, at);
        let until = at.saturating_add(wait);
        let exit_by = if self.hooks.process_exit { at.saturating_add(EXIT_NS) } else { 0 };
        let number = self.open.push(victim, Open { episode, tid, sender, until, exit_by, bytes: 0 });
        if adopts {
            self.adopt(number, cgroup, at);
        }
    }

    /// Whoever kills a cgroup has killed the children that were forked into it meanwhile, too.
    fn adopt(&mut self, number: u64, cgroup: CgroupKey, at: BootNs) {
        let of_this = |open: &Open| is_orphaned(open) && is_of_killed_cgroup(open, cgroup, at);
        while let Some(orphans) = self.open.find(of_this) {
            self.open.absorb(number, orphans, Role::CgroupKill);
        }
    }

    fn mark(&mut self, mark: MarkVictim, done: &mut Vec<Episode>) {
        if !self.hooks.signal_generate {
            done.push(Episode::of(Kill { mark: Some(mark), ..Kill::default() }));
            return;
        }
        let until = mark.at.saturating_add(if mark.goes_on() { CONSOLE_NS } else { QUIET_NS });
        let victim = mark.victim.as_ref().map(|v| v.key);
        let of_victim = |kill: &Kill| {
            kill.mark.is_none()
                && may_be_oom(kill)
                && kill.signal.as_ref().is_some_and(|s| match victim {
                    Some(key) => s.victim.key == key,
                    None => s.victim.tid == mark.victim_tid,
                })
        };
        let in_context = |open: &Open| open.tid == mark.trigger.tid && open.sender == mark.trigger.key;
        let mut found = None;
        for open in self.open.iter_mut().filter(|open| in_context(open)) {
            let Episode { chosen, collateral, .. } = &mut open.episode;
            if of_victim(chosen) {
                open.until = until;
                chosen.mark = Some(mark);
                return;
            }
            let Some((role, kill)) = collateral.iter_mut().find(|(_, kill)| of_victim(kill)) else { continue };
            // Besides the chosen one only members of a cgroup that is killed as one are marked.
            if *role == Role::OomGroup || mark.is_group_kill() {
                open.until = until;
                *role = Role::OomGroup;
                kill.mark = Some(mark);
                return;
            }
            found = victim.or_else(|| Some(kill.victim()?.key));
            break;
        }
        if let Some(key) = found {
            self.open.split(key, mark, until);
            return;
        }
        // The choice was of one that was dying already: it says nothing of what this context may do later.
        self.choice.take_if(|choice| choice.trigger_tid == mark.trigger.tid);
        log::debug!("mark_victim for thread {} without a SIGKILL: it was dying already", mark.victim_tid);
    }

    /// A process ended: its episode is complete, but for the sweep of its pid namespace.
    fn exit(&mut self, exit: Exit) {
        let Exit { at, task, status, cmdline } = exit;
        let ending = Ending { at, status };
        if task.is_namespace_init() {
            self.ended.insert(task.key, ending);
        }
        self.cmdline(task.key, cmdline);
        if let Some(kill) = self.open.kill_of(task.key) {
            kill.ending = Some(ending);
        }
        if task.is_namespace_init() {
            self.init_ended(&task, ending);
        }
        let wait = match &task {
            init if init.is_namespace_init() => QUIET_NS,
            member if member.ns_level > 0 && home(member).is_some() => INIT_NS,
            _ => 0,
        };
        self.open.chosen_ended(task.key, at.saturating_add(wait));
        self.open.sender_ended(task.key, at);
    }

    /// A process ended by SIGKILL, and its SIGKILL is not recorded: that end is an episode, unless something that is known explains it.
    fn unseen(&mut self, unseen: Unseen) {
        let Unseen { exit, lost, .. } = &unseen;
        let key = exit.task.key;
        let by_kernel_thread = exit.task.kernel_thread;
        // Killed before all was attached, it may end a little later.
        let may_be_from_before = !lost && key.start < self.since && exit.at < self.since.saturating_add(STARTING_NS);
        let is_explained = self.killed.get(&key).is_some() || self.open.kill_of(key).is_some();
        if !self.hooks.signal_generate || by_kernel_thread || may_be_from_before || is_explained {
            return self.exit(unseen.exit);
        }
        let exit = exit.clone();
        let mut episode =
            Episode::of(Kill { path: Some(Path::UNSEEN), unseen: Some(Box::new(unseen)), ..Kill::default() });
        episode.preceding = self.earlier.take(key, exit.at);
        self.killed.insert(key, None);
        let (at, tid) = (exit.at, exit.task.tid);
        self.open.push(key, Open { episode, tid, sender: key, until: at, exit_by: 0, bytes: 0 });
        self.exit(exit);
    }

    /// The init of a pid namespace ended by exit(137): worth saying where no SIGKILL for it explains that. It waits for the episode of
    /// what was killed in it right before.
    fn exited_as_killed(&mut self, exit: Exit) {
        let (key, at, tid) = (exit.task.key, exit.at, exit.task.tid);
        let is_told = self.hooks.signal_generate && self.killed.get(&key).is_none() && exit.task.is_namespace_init();
        if is_told {
            let after = self.members.before(&exit.task, at, self.open.iter().map(|open| &open.episode));
            let ending = Some(Ending { at, status: exit.status });
            let unseen = Unseen { exit: exit.clone(), lost: false, tracer: None, seccomp: false, pending: false };
            let chosen = Kill { unseen: Some(Box::new(unseen)), ending, ..Kill::default() };
            let episode = Episode { exited: Some(ExitedAsKilled { after }), ..Episode::of(chosen) };
            let until = at.saturating_add(INIT_NS);
            self.open.push(key, Open { episode, tid, sender: key, until, exit_by: 0, bytes: 0 });
        }
        self.exit(exit);
    }

    /// A container's init ended by itself: it goes with a process of it that was killed right before.
    fn init_ended(&mut self, init: &Task, ending: Ending) {
        let lived_with = |victim: &Task| {
            !victim.is_namespace_init()
                && victim.ns_level == init.ns_level
                && home(victim).is_some()
                && home(victim) == home(init)
        };
        for open in self.open.iter_mut() {
            let Episode { chosen, init_exit, .. } = &mut open.episode;
            // A victim that still lives is swept because of its init, not the other way round.
            if chosen.ending.is_some() && chosen.victim().is_some_and(lived_with) && init_exit.is_none() {
                *init_exit = Some(InitExit { init: init.key, level: init.ns_level, ending });
            }
        }
    }

    /// A victim's arguments came: those read first are from before anything could change.
    fn cmdline(&mut self, key: ProcessKey, cmdline: Option<Cmdline>) {
        if let Some(cmdline) = cmdline {
            self.open.add_cmdline(key, cmdline);
        }
    }
}

/// How long an episode waits after `signal`, which came by `path`.
fn patience(signal: &Signal, path: Path) -> BootNs {
    match path.path {
        killers if killers.is_oom_killers() => MARK_NS,
        _ if is_of_many(signal, path) => CALL_NS,
        _ => QUIET_NS,
    }
}

/// One call killed more than its victim, or may have.
fn is_of_many(signal: &Signal, path: Path) -> bool {
    path.path == SignalPath::CgroupKill || path::reach(signal) != Reach::One
}

#[cfg(test)]
pub mod fixture;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unseen_tests;
#[cfg(test)]
mod wait_tests;
