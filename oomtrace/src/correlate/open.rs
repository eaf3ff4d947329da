//! The episodes that may still grow, found by their victims and by their deadlines.

use std::collections::{BTreeMap, HashMap};

use crate::correlate::episode::{Episode, Kill};
use crate::correlate::rules::is_timeouts;
use crate::event::{BootNs, Cmdline, MarkVictim, ProcessKey};
use crate::model::Role;
use crate::node::signals::SIGKILL;

/// No episode grows for longer: whoever kills without end is reported meanwhile.
const LONGEST: BootNs = 3_500_000_000;

/// Victims of one episode, and bytes of what is known of them: more are another episode. Paths are as long as whoever made them wished.
const MEMBERS: usize = 16_384;
const EPISODE_BYTES: usize = 2 << 20;
/// Bytes of what is known in all open episodes; the oldest are reported sooner.
const ALL_BYTES: usize = 10 << 20;

/// An episode that may grow.
#[derive(Debug)]
pub struct Open {
    pub episode: Episode,
    /// The context that makes the signals: one thread.
    pub tid: u32,
    pub sender: ProcessKey,
    /// When it is complete unless something more comes.
    pub until: BootNs,
    /// When it no longer waits for its victim's end; 0 = it does not.
    pub exit_by: BootNs,
    /// Bytes of text in its further victims.
    pub bytes: usize,
}

impl Open {
    /// Another victim may join it.
    pub const fn has_room(&self) -> bool {
        self.bytes < EPISODE_BYTES && self.episode.collateral.len() < MEMBERS
    }

    /// It is of a kill: another signal that was asked for is an episode of its own, which nothing joins.
    fn is_kill(&self) -> bool {
        self.episode.exited.is_none() && self.episode.first().is_none_or(|signal| signal.number == SIGKILL)
    }

    fn due(&self) -> BootNs {
        self.until.max(self.exit_by)
    }
}

/// Open episodes, numbered in the order of their first kills.
#[derive(Debug, Default)]
pub struct OpenSet {
    episodes: BTreeMap<u64, Open>,
    /// Where each victim is: its episode, and its place among the collateral.
    victims: HashMap<ProcessKey, (u64, Option<usize>)>,
    next: u64,
    /// Bytes of text in all further victims.
    bytes: usize,
    /// No episode is due before this.
    earliest: Option<BootNs>,
}

impl OpenSet {
    /// Adds an episode; its number.
    pub fn push(&mut self, victim: ProcessKey, open: Open) -> u64 {
        let number = self.next;
        self.note(open.due());
        self.victims.insert(victim, (number, None));
        self.episodes.insert(number, open);
        self.next += 1;
        number
    }

    /// Adds a further victim to the episode `number`, which then waits until `until`.
    pub fn add(&mut self, number: u64, victim: ProcessKey, role: Role, kill: Kill, until: BootNs) {
        let Some(open) = self.episodes.get_mut(&number) else { return };
        self.victims.insert(victim, (number, Some(open.episode.collateral.len())));
        open.until = open.until.max(until).min(open.episode.at().saturating_add(LONGEST));
        // The latest may still turn out to be an episode of its own.
        if let Some((_, previous)) = open.episode.collateral.last_mut() {
            previous.slim();
        }
        let bytes = kill.text_bytes();
        open.bytes += bytes;
        self.bytes += bytes;
        open.episode.collateral.push((role, kill));
    }

    /// The victims of the episode `from` turn out to be further ones of the episode `into`.
    pub fn absorb(&mut self, into: u64, from: u64, role: Role) {
        let Some(absorbed) = self.remove(from) else { return };
        let Episode { chosen, collateral, .. } = absorbed.episode;
        for (role, kill) in std::iter::once((role, chosen)).chain(collateral) {
            let Some(victim) = kill.victim().map(|task| task.key) else { continue };
            self.add(into, victim, role, kill, absorbed.until);
        }
    }

    /// A kill that was taken for collateral turns out to be an OOM kill of its own, by its mark: it becomes an episode, which
    /// waits until `until` and for its victim's end.
    pub fn split(&mut self, key: ProcessKey, mark: MarkVictim, until: BootNs) {
        let Some((number, Some(place))) = self.victims.get(&key).copied() else { return };
        let Some(open) = self.episodes.get_mut(&number) else { return };
        // The mark follows its SIGKILL before the context kills again.
        if place + 1 != open.episode.collateral.len() {
            return;
        }
        let Some((_, kill)) = open.episode.collateral.pop() else { return };
        let bytes = kill.text_bytes();
        open.bytes = open.bytes.saturating_sub(bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        let exit_by = if kill.ending.is_some() { 0 } else { open.exit_by };
        let (tid, sender) = (open.tid, open.sender);
        let episode = Episode::of(Kill { mark: Some(mark), ..kill });
        self.push(key, Open { episode, tid, sender, until, exit_by, bytes: 0 });
    }

    /// The kill whose chosen victim is `key`.
    pub fn of_chosen(&self, key: ProcessKey) -> Option<u64> {
        self.chosen(key).filter(|number| self.episodes.get(number).is_some_and(Open::is_kill))
    }

    /// The episode, of a kill or not, whose chosen victim is `key`.
    fn chosen(&self, key: ProcessKey) -> Option<u64> {
        self.victims.get(&key).filter(|(_, place)| place.is_none()).map(|(number, _)| *number)
    }

    /// The latest kill that `wanted` holds for.
    pub fn find(&self, wanted: impl Fn(&Open) -> bool) -> Option<u64> {
        self.episodes.iter().rev().find(|(_, open)| open.is_kill() && wanted(open)).map(|(number, _)| *number)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Open> {
        self.episodes.values()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Open> {
        // Whoever changes one may make it due sooner.
        self.earliest = self.earliest.map(|_| 0);
        self.episodes.values_mut()
    }

    /// The kill of a victim of an open episode.
    pub fn kill_of(&mut self, key: ProcessKey) -> Option<&mut Kill> {
        let (number, place) = *self.victims.get(&key)?;
        let episode = &mut self.episodes.get_mut(&number)?.episode;
        match place {
            None => Some(&mut episode.chosen),
            Some(place) => episode.collateral.get_mut(place).map(|(_, kill)| kill),
        }
    }

    /// Adds a victim's arguments, where none are known yet; of a further victim only while its episode has room for them.
    pub fn add_cmdline(&mut self, key: ProcessKey, cmdline: Cmdline) {
        let Some(&(number, place)) = self.victims.get(&key) else { return };
        let Some(open) = self.episodes.get_mut(&number) else { return };
        let has_room = open.has_room();
        let kill = match place {
            None => Some(&mut open.episode.chosen),
            Some(place) => open.episode.collateral.get_mut(place).map(|(_, kill)| kill).filter(|_| has_room),
        };
        let Some(kill) = kill.filter(|kill| kill.cmdline.is_none()) else { return };
        let bytes = if place.is_some() { cmdline.arguments.size() } else { 0 };
        kill.cmdline = Some(cmdline);
        open.bytes += bytes;
        self.bytes += bytes;
    }

    /// The victim of an episode has ended; it waits for nothing but further victims, at least until `until`.
    pub fn chosen_ended(&mut self, key: ProcessKey, until: BootNs) {
        let Some(open) = self.chosen(key).and_then(|number| self.episodes.get_mut(&number)) else { return };
        open.exit_by = 0;
        open.until = open.until.max(until);
        let due = open.due();
        self.note(due);
    }

    /// A process has ended, whatever ended it: where it is timeout(1), it has killed all that it will.
    pub fn sender_ended(&mut self, key: ProcessKey, at: BootNs) {
        let is_its = |open: &&mut Open| open.sender == key && open.is_kill() && open.until > at;
        let mut earliest = None;
        for open in self.episodes.values_mut().filter(is_its) {
            if open.episode.first().is_some_and(is_timeouts) {
                open.until = at;
                earliest = Some(earliest.map_or(open.due(), |earliest: BootNs| earliest.min(open.due())));
            }
        }
        if let Some(due) = earliest {
            self.note(due);
        }
    }

    /// When an episode may be due; none while none is open.
    pub fn earliest(&self) -> Option<BootNs> {
        self.earliest
    }

    /// Takes out the episodes that are due, in order.
    pub fn take_due(&mut self, now: BootNs) -> Vec<Episode> {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return Vec::new();
        }
        let due: Vec<u64> = self.episodes.iter().filter(|(_, o)| o.due() <= now).map(|(number, _)| *number).collect();
        let done: Vec<Episode> = due.iter().filter_map(|number| self.remove(*number)).map(|o| o.episode).collect();
        if !due.is_empty() {
            self.victims.retain(|_, (number, _)| due.binary_search(number).is_err());
        }
        self.earliest = self.episodes.values().map(Open::due).min();
        done
    }

    fn remove(&mut self, number: u64) -> Option<Open> {
        let open = self.episodes.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(open.bytes);
        Some(open)
    }

    /// Takes out the oldest episodes, so that no more than `limit` stay, and no more bytes than there is room for.
    pub fn take_beyond(&mut self, limit: usize) -> Vec<Episode> {
        let mut done = Vec::new();
        while self.episodes.len() > limit || self.bytes > ALL_BYTES {
            let Some((_, open)) = self.episodes.pop_first() else { break };
            self.bytes = self.bytes.saturating_sub(open.bytes);
            for victim in open.episode.kills().filter_map(Kill::victim) {
                self.victims.remove(&victim.key);
            }
            done.push(open.episode);
        }
        done
    }

    fn note(&mut self, due: BootNs) {
        self.earliest = Some(self.earliest.map_or(due, |earliest| earliest.min(due)));
    }
}

#[cfg(test)]
mod tests;
