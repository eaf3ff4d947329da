//! Who is connected to runtimes' sockets: behind the runtime that kills stands one of them.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::event::decode::prefix;
use crate::event::{BootNs, Connect, Disconnect, ProcessKey};
use crate::placement::Runtime;

/// Clients that are remembered; each takes a KiB or two. Those that have ended go first.
const CAPACITY: usize = 1024;
/// Those of one container, pod or user: however many processes it has connect, it pushes out no other's.
const SHARE: usize = 128;
/// Names of a cgroup's path, from the root, that say whose share a client takes: nobody but root makes another so far up.
const SHARE_LEVELS: u32 = 3;
/// Contacts of one client that are remembered.
const CONTACTS: usize = 8;
/// How long one that has ended is remembered: a runtime does what it was asked to within this time.
const ENDED_NS: BootNs = 60_000_000_000;
/// One that had ended for so long may be forgotten without a loss.
const DONE_NS: BootNs = 5_000_000_000;
/// One that is forgotten while it lives may still ask, over the connection that it has.
const FORGOTTEN_NS: BootNs = 3_600_000_000_000;
/// `/proc` gives a start in ticks of 10 ms.
const TICK_NS: BootNs = 10_000_000;
/// Times in which clients may have been missed that are remembered apart.
const GAPS: usize = 32;
/// Those that are no further apart are one.
const GAP_NS: BootNs = 2_000_000_000;

/// A socket that runtimes listen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// As it was bound.
    pub path: String,
    pub runtime: Runtime,
}

/// A process that has connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub key: ProcessKey,
    /// Which of the sockets.
    pub socket: u32,
    /// Each time that it was seen to connect or to write, the latest last.
    pub contacts: VecDeque<Contact>,
    /// There were more before those.
    pub more: bool,
    /// It was there before oomtrace was.
    pub stood: bool,
    pub ended: Option<BootNs>,
    /// Its end will be seen.
    pub followed: bool,
    pub seen: Seen,
    /// Whose share of [`CAPACITY`] it takes.
    share: String,
}

/// A client turned to the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    pub at: BootNs,
    /// Over a connection that was there already.
    pub wrote: bool,
}

/// What was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// By the kernel side, when it connected.
    Connecting(Box<Connect>),
    /// In `/proc`, when oomtrace started.
    ExistingClient(ExistingClient),
}

/// A connection that was there before oomtrace was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExistingClient {
    pub pid: u32,
    /// Start of the process as `/proc` gives it, in nanoseconds on `CLOCK_BOOTTIME`, to a tick.
    pub start: BootNs,
    pub socket: u32,
    pub comm: String,
    pub uid: Option<u32>,
    /// The path that says most about where it lives.
    pub cgroup: Option<String>,
    /// The user whose socket it is; none when it is not known to be the runtime's own.
    #[serde(default)]
    pub owner: Option<u32>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Clients {
    /// A process may be a client of more than one socket.
    known: HashMap<(ProcessKey, u32), Client>,
    /// When clients may have been missed, the latest last.
    gaps: VecDeque<(BootNs, BootNs)>,
    /// Pids that the kernel side need follow no more.
    forgotten: Vec<u32>,
}

impl Clients {
    pub fn connect(&mut self, connect: Connect) {
        let Connect { at, socket, wrote, followed, .. } = connect;
        let key = connect.task.key;
        // One that was there before has a start that is known to a tick only.
        let before = self.known.keys().find(|(known, s)| *s == socket && is_same(*known, key)).copied();
        let before = before.and_then(|before| self.known.remove(&before));
        let (mut contacts, more, stood) =
            before.map_or_else(Default::default, |client| (client.contacts, client.more, client.stood));
        contacts.push_back(Contact { at, wrote });
        let is_full = contacts.len() > CONTACTS;
        if is_full {
            contacts.pop_front();
        }
        let share = share(connect.task.memory_path.as_deref(), connect.task.cgroup_path.as_deref());
        self.make_room(at, &share);
        let more = more || is_full;
        let seen = Seen::Connecting(Box::new(connect));
        let client = Client { key, socket, contacts, more, stood, ended: None, followed, seen, share };
        self.known.insert((key, socket), client);
    }

    pub fn disconnect(&mut self, disconnect: Disconnect) {
        for client in self.known.values_mut().filter(|client| is_same(client.key, disconnect.key)) {
            client.ended.get_or_insert(disconnect.at);
        }
    }

    /// Takes those that were connected before.
    pub fn standing(&mut self, standing: &[ExistingClient]) {
        for standing in standing {
            let key = ProcessKey { pid: standing.pid, start: standing.start };
            let socket = standing.socket;
            let known = self.known.iter_mut().find(|((known, s), _)| *s == socket && is_same(*known, key));
            if let Some((_, client)) = known {
                client.stood = true;
                continue;
            }
            let share = share(None, standing.cgroup.as_deref());
            self.make_room(0, &share);
            let client = Client {
                key,
                socket,
                contacts: VecDeque::new(),
                more: false,
                stood: true,
                ended: None,
                followed: true,
                seen: Seen::ExistingClient(standing.clone()),
                share,
            };
            self.known.insert((key, socket), client);
        }
    }

    /// At `at` clients, or their ends, were missed.
    pub fn missed(&mut self, at: BootNs) {
        self.gap(at, at);
    }

    /// Those that may have asked for something by `at`, the latest first.
    #[must_use]
    pub fn by(&self, at: BootNs) -> Vec<&Client> {
        let is_there = |client: &&Client| {
            let had_come = client.stood || client.contacts.front().is_some_and(|contact| contact.at <= at);
            had_come && client.ended.is_none_or(|ended| at.saturating_sub(ended) < ENDED_NS)
        };
        let mut all: Vec<&Client> = self.known.values().filter(is_there).collect();
        let latest = |client: &Client| client.contacts.iter().rev().find(|contact| contact.at <= at).map(|c| c.at);
        all.sort_unstable_by_key(|client| (std::cmp::Reverse(latest(client)), client.key, client.socket));
        all
    }

    /// When clients may have been missed before `at`: from, and to.
    pub fn gaps(&self, at: BootNs) -> impl Iterator<Item = (BootNs, BootNs)> {
        self.gaps.iter().filter(move |(from, _)| *from <= at).map(move |(from, to)| (*from, (*to).min(at)))
    }

    /// Pids that the kernel side need follow no more, since the last call.
    pub fn take_forgotten(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.forgotten)
    }

    fn make_room(&mut self, now: BootNs, share: &str) {
        self.known.retain(|_, client| client.ended.is_none_or(|ended| now.saturating_sub(ended) < ENDED_NS));
        while self.known.values().filter(|client| client.share == share).count() >= SHARE {
            self.forget_one(now, share);
        }
        while self.known.len() >= CAPACITY {
            let mut sizes: HashMap<&str, usize> = HashMap::new();
            for client in self.known.values() {
                *sizes.entry(&client.share).or_default() += 1;
            }
            let Some(largest) = sizes.into_iter().max_by_key(|(share, size)| (*size, *share)) else { return };
            let largest = largest.0.to_owned();
            self.forget_one(now, &largest);
        }
    }

    /// Forgets one client of those with that share: one that has ended, else the one that was silent for longest.
    fn forget_one(&mut self, now: BootNs, share: &str) {
        let of_share = self.known.iter().filter(|(_, client)| client.share == share);
        let first = |(_, client): &(&(ProcessKey, u32), &Client)| {
            (client.ended.is_none(), client.ended, client.contacts.back().map(|contact| contact.at), client.key)
        };
        let Some(key) = of_share.min_by_key(first).map(|(key, _)| *key) else { return };
        match self.known.remove(&key).and_then(|client| client.ended) {
            Some(ended) if now.saturating_sub(ended) >= DONE_NS => {}
            Some(_) => self.gap(now, now),
            None => {
                self.gap(now, now.saturating_add(FORGOTTEN_NS));
                // Where the process writes again it is recorded again.
                if self.known.keys().all(|(known, _)| *known != key.0) {
                    self.forgotten.push(key.0.pid);
                }
            }
        }
    }

    fn gap(&mut self, from: BootNs, to: BootNs) {
        match self.gaps.back_mut() {
            Some(last) if from <= last.1.saturating_add(GAP_NS) => last.1 = last.1.max(to),
            _ => self.gaps.push_back((from, to)),
        }
        // The oldest become one, so that none is lost.
        if self.gaps.len() > GAPS
            && let Some((from, _)) = self.gaps.pop_front()
            && let Some(oldest) = self.gaps.front_mut()
        {
            oldest.0 = from;
        }
    }
}

/// Whose share a process takes, by where it lives.
fn share(memory: Option<&str>, default: Option<&str>) -> String {
    let path = memory.filter(|path| *path != "/").or(default).unwrap_or("/");
    prefix(path, SHARE_LEVELS)
}

fn is_same(a: ProcessKey, b: ProcessKey) -> bool {
    a.pid == b.pid && a.start.abs_diff(b.start) <= TICK_NS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::fixture;

    fn connect(at: BootNs, pid: u32) -> Connect {
        connect_from("/", at, pid)
    }

    fn connect_from(cgroup: &str, at: BootNs, pid: u32) -> Connect {
        let mut task = fixture::signal(10, pid).victim;
        task.key.start = 1;
        task.memory_path = Some(cgroup.to_owned());
        fixture::connect(at, task)
    }

    fn standing(pid: u32, start: BootNs) -> ExistingClient {
        ExistingClient { pid, start, socket: 0, comm: "kubelet".to_owned(), uid: None, cgroup: None, owner: Some(0) }
    }

    fn pids(clients: &Clients, at: BootNs) -> Vec<u32> {
        clients.by(at).iter().map(|client| client.key.pid).collect()
    }

    #[test]
    fn only_who_had_connected_may_have_asked_and_the_latest_comes_first() {
        let mut clients = Clients::default();
        clients.connect(connect(10, 1));
        clients.connect(connect(20, 2));
        clients.connect(connect(30, 1));
        assert_eq!(pids(&clients, 5), [0; 0]);
        assert_eq!(pids(&clients, 15), [1]);
        assert_eq!(pids(&clients, 25), [2, 1]);
        assert_eq!(pids(&clients, 40), [1, 2]);
    }

    #[test]
    fn each_contact_is_kept_and_that_there_were_more() {
        let mut clients = Clients::default();
        let of = |clients: &Clients| {
            let client = clients.by(BootNs::MAX)[0].clone();
            (client.contacts.iter().map(|contact| contact.at).collect::<Vec<_>>(), client.more)
        };
        clients.connect(connect(1, 1));
        clients.connect(connect(2, 1));
        assert_eq!(of(&clients), (vec![1, 2], false));
        (3..=9).for_each(|at| clients.connect(connect(at, 1)));
        assert_eq!(of(&clients), ((2..=9).collect(), true));
    }

    #[test]
    fn who_has_ended_is_forgotten_after_a_while() {
        let mut clients = Clients::default();
        clients.connect(connect(10, 1));
        clients.disconnect(Disconnect { at: 20, key: ProcessKey { pid: 1, start: 1 } });
        assert_eq!(pids(&clients, 30), [1]);
        assert_eq!(pids(&clients, 20 + ENDED_NS), [0; 0]);
    }

    #[test]
    fn who_was_there_before_is_known_until_it_ends() {
        let mut clients = Clients::default();
        let start = 7 * TICK_NS;
        clients.standing(&[standing(1, start)]);
        assert_eq!(pids(&clients, 0), [1]);
        clients.disconnect(Disconnect { at: 20, key: ProcessKey { pid: 1, start: start + 3 } });
        assert_eq!(pids(&clients, 20 + ENDED_NS), [0; 0]);
    }

    #[test]
    fn who_was_there_before_and_connects_again_was_there_before() {
        for standing_first in [true, false] {
            let mut clients = Clients::default();
            if standing_first {
                clients.standing(&[standing(1, 0)]);
                clients.connect(connect(10, 1));
            } else {
                clients.connect(connect(10, 1));
                clients.standing(&[standing(1, 0)]);
            }
            let all = clients.by(20);
            assert_eq!((all.len(), all[0].stood, all[0].contacts.len()), (1, true, 1));
        }
    }

    #[test]
    fn a_flood_takes_the_room_of_its_own_container_only() {
        let mut clients = Clients::default();
        clients.connect(connect_from("/docker/web/deep/below", 1, 1));
        clients.connect(connect_from("/docker/web/deep/beside", 1, 2));
        for pid in 3..3 + 3 * u32::try_from(SHARE).unwrap() {
            clients.connect(connect_from(&format!("/docker/evil/{}/x/{pid}", "deep"), u64::from(pid), pid));
        }
        assert_eq!(clients.known.len(), SHARE + 2);
        assert!(pids(&clients, BootNs::MAX - 1).ends_with(&[1, 2]));
        // What it pushed out lived: it may ask yet.
        assert_eq!(clients.take_forgotten().len(), 2 * SHARE);
        assert_eq!(clients.gaps(BootNs::MAX).count(), 1);
    }

    #[test]
    fn the_largest_share_gives_way_when_all_is_full() {
        let mut clients = Clients::default();
        clients.connect(connect_from("/docker/web", 1, 1));
        for pid in 2..2 + 3 * u32::try_from(CAPACITY).unwrap() {
            clients.connect(connect_from(&format!("/docker/evil{}", pid % 16), u64::from(pid), pid));
        }
        assert_eq!(clients.known.len(), CAPACITY);
        assert!(pids(&clients, BootNs::MAX - 1).contains(&1));
    }

    #[test]
    fn who_is_done_is_forgotten_without_a_gap() {
        let mut clients = Clients::default();
        for pid in 0..2 * u32::try_from(SHARE).unwrap() {
            let at = u64::from(pid) * 100_000_000;
            clients.connect(connect(at, pid));
            clients.disconnect(Disconnect { at, key: ProcessKey { pid, start: 1 } });
        }
        assert_eq!((clients.gaps(BootNs::MAX).count(), clients.take_forgotten().len()), (0, 0));
    }

    #[test]
    fn gaps_are_few_and_cover_what_they_covered() {
        let mut clients = Clients::default();
        (0..1000).for_each(|n| clients.missed(n * 2 * GAP_NS));
        assert_eq!(clients.gaps.len(), GAPS);
        assert_eq!((clients.gaps[0].0, clients.gaps[GAPS - 1].1), (0, 999 * 2 * GAP_NS));
        // Later than what is asked about.
        assert_eq!(clients.gaps(0).collect::<Vec<_>>(), [(0, 0)]);
    }
}
