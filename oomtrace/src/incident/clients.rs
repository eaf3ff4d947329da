//! Who is connected to runtimes' sockets: behind the runtime that kills stands one of them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::container::placement::Runtime;
use crate::probe::event::{BootNs, Connect, Disconnect, ProcessKey};

/// Clients that are remembered; each takes a KiB or two. Those that have ended go first.
const CAPACITY: usize = 1024;
/// How long one that has ended is remembered: a runtime does what it was asked to within this time.
const ENDED_NS: BootNs = 60_000_000_000;
/// `/proc` gives a start in ticks of 10 ms.
const TICK_NS: BootNs = 10_000_000;

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
    /// Its first connection that was seen; none when it was there before oomtrace was.
    pub since: Option<BootNs>,
    pub ended: Option<BootNs>,
    pub seen: Seen,
}

/// What was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// By the kernel side, when it connected.
    Connecting(Box<Connect>),
    /// In `/proc`, when oomtrace started.
    Standing(Standing),
}

/// A connection that was there before oomtrace was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub pid: u32,
    /// Start of the process as `/proc` gives it, in nanoseconds on `CLOCK_BOOTTIME`, to a tick.
    pub start: BootNs,
    pub socket: u32,
    pub comm: String,
    pub uid: Option<u32>,
    /// The path that tells most about where it lives.
    pub cgroup: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Clients {
    /// A process may be a client of more than one socket.
    known: HashMap<(ProcessKey, u32), Client>,
}

impl Clients {
    pub fn connect(&mut self, connect: Connect) {
        let Connect { at, socket, .. } = connect;
        let key = connect.task.key;
        // One that was there before has a start that is known to a tick only.
        let standing = self.known.keys().find(|(known, s)| *s == socket && is_same(*known, key)).copied();
        let since = match standing.and_then(|standing| self.known.remove(&standing)) {
            Some(known) => known.since,
            None => Some(at),
        };
        self.make_room(at);
        self.known.insert(
            (key, socket),
            Client { key, socket, since, ended: None, seen: Seen::Connecting(Box::new(connect)) },
        );
    }

    pub fn disconnect(&mut self, disconnect: Disconnect) {
        for client in self.known.values_mut().filter(|client| is_same(client.key, disconnect.key)) {
            client.ended = Some(disconnect.at);
        }
    }

    /// Takes those that were connected before.
    pub fn standing(&mut self, standing: &[Standing]) {
        for standing in standing {
            let key = ProcessKey { pid: standing.pid, start: standing.start };
            let socket = standing.socket;
            let is_known = self.known.keys().any(|(known, s)| *s == socket && is_same(*known, key));
            if !is_known && self.known.len() < CAPACITY {
                let seen = Seen::Standing(standing.clone());
                self.known.insert((key, socket), Client { key, socket, since: None, ended: None, seen });
            }
        }
    }

    /// Those that may have asked for something by `at`, the latest first.
    #[must_use]
    pub fn by(&self, at: BootNs) -> Vec<&Client> {
        let is_there = |client: &&Client| {
            client.since.is_none_or(|since| since <= at)
                && client.ended.is_none_or(|ended| at.saturating_sub(ended) < ENDED_NS)
        };
        let mut all: Vec<&Client> = self.known.values().filter(is_there).collect();
        all.sort_unstable_by_key(|client| (std::cmp::Reverse(client.since), client.key, client.socket));
        all
    }

    fn make_room(&mut self, now: BootNs) {
        self.known.retain(|_, client| client.ended.is_none_or(|ended| now.saturating_sub(ended) < ENDED_NS));
        while self.known.len() >= CAPACITY {
            let first = |(_, client): &(&_, &Client)| (client.ended.is_none(), client.ended, client.since, client.key);
            let Some(key) = self.known.iter().min_by_key(first).map(|(key, _)| *key) else { return };
            self.known.remove(&key);
        }
    }
}

fn is_same(a: ProcessKey, b: ProcessKey) -> bool {
    a.pid == b.pid && a.start.abs_diff(b.start) <= TICK_NS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::correlate::fixture;

    fn connect(at: BootNs, pid: u32) -> Connect {
        let mut task = fixture::signal(10, pid).victim;
        task.key.start = 1;
        Connect { at, socket: 0, task, ancestors: Vec::new(), cmdline: None, cmdline_truncated: false, tty: None }
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
        assert_eq!(pids(&clients, 40), [2, 1]);
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
        let comm = "kubelet".to_owned();
        clients.standing(&[Standing { pid: 1, start, socket: 0, comm, uid: None, cgroup: None }]);
        assert_eq!(pids(&clients, 0), [1]);
        clients.disconnect(Disconnect { at: 20, key: ProcessKey { pid: 1, start: start + 3 } });
        assert_eq!(pids(&clients, 20 + ENDED_NS), [0; 0]);
    }

    #[test]
    fn a_storm_of_clients_takes_no_more_room() {
        let mut clients = Clients::default();
        for pid in 0..3 * u32::try_from(CAPACITY).unwrap() {
            clients.connect(connect(u64::from(pid), pid));
        }
        assert_eq!(clients.known.len(), CAPACITY);
    }
}
