//! Processes of containers that were killed, as long as their container may end because of it: a shell passes its child's 137 on.

use std::collections::VecDeque;

use crate::correlate::episode::{Episode, Kill, KilledBefore};
use crate::correlate::path;
use crate::correlate::rules::home;
use crate::event::{BootNs, Task};

/// How many are remembered.
const MEMBERS: usize = 64;
/// How long before the end a child may have been killed: a shell may go on for a while.
const CHILD_NS: BootNs = 60_000_000_000;
/// And one that is no child: what passes its end on does so at once.
const OTHER_NS: BootNs = 1_000_000_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Members(VecDeque<KilledBefore>);

impl Members {
    /// Remembers those of a kill that is complete.
    pub fn remember(&mut self, episode: &Episode) {
        if episode.exited.is_some() {
            return;
        }
        self.0.extend(members(episode));
        let excess = self.0.len().saturating_sub(MEMBERS);
        self.0.drain(..excess);
    }

    /// The latest that was killed in the pid namespace of `init` before it ended `at`, of those that are remembered and those of episodes
    /// that are open: a child of its, if one was.
    pub fn before<'a>(&self, init: &Task, at: BootNs, open: impl Iterator<Item = &'a Episode>) -> Option<KilledBefore> {
        let of_open: Vec<KilledBefore> = open.filter(|episode| episode.exited.is_none()).flat_map(members).collect();
        let within = |member: &&KilledBefore, most: BootNs| at.checked_sub(member.at).is_some_and(|age| age <= most);
        let all = || {
            let of_init = |member: &&KilledBefore| {
                member.ns_level == init.ns_level && member.home.is_some() && member.home == home(init)
            };
            self.0.iter().chain(&of_open).filter(of_init)
        };
        let child = all().filter(|member| member.ppid == init.key.pid && within(member, CHILD_NS));
        let other = all().filter(|member| within(member, OTHER_NS));
        child.max_by_key(|member| member.at).or_else(|| other.max_by_key(|member| member.at)).cloned()
    }
}

/// The victims of a kill that lived in a pid namespace, and were not its first process.
fn members(episode: &Episode) -> Vec<KilledBefore> {
    let is_oom = episode.is_oom();
    let member = |kill: &Kill| {
        let task = kill.victim().filter(|task| task.ns_level > 0 && !task.is_namespace_init())?;
        let signal = kill.signal.as_ref();
        let by_process = |signal: &&crate::event::Signal| {
            kill.path.is_some_and(|found| path::is_by_process(found.path, signal.info))
        };
        let by = signal.filter(by_process).map(|signal| (signal.sender.key, signal.sender.comm.clone()));
        let at = signal.map(|signal| signal.at).or(kill.ending.map(|ending| ending.at))?;
        let (key, comm, ppid, ns_level) = (task.key, task.comm.clone(), task.ppid, task.ns_level);
        Some(KilledBefore { key, comm, ppid, at, by, is_oom, home: home(task), ns_level })
    };
    // Another signal that was asked for is no kill.
    let is_kill = episode.first().is_none_or(|signal| signal.number == crate::node::signals::SIGKILL);
    if is_kill { episode.kills().filter_map(member).collect() } else { Vec::new() }
}

#[cfg(test)]
mod tests;
