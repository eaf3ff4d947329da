//! What the node knows, for whoever makes names of ids.

use crate::container::clients::{Clients, Socket};
use crate::event::ProcessKey;
use crate::node::clock::WallClock;
use crate::node::identity::Identity;
use crate::node::processes::Details;
use crate::resolve::facts::Facts;

/// What is known of connections.
#[derive(Clone, Copy)]
pub struct Connections<'a> {
    pub clients: &'a Clients,
    pub sockets: &'a [Socket],
    /// They are seen on this node.
    pub seen: bool,
    /// Who listens was looked at; not in recordings of before.
    pub verified: bool,
}

/// What the node adds to an episode.
pub struct Context<'a> {
    pub identity: &'a Identity,
    /// The wall clock at the episode.
    pub clock: WallClock,
    pub facts: &'a mut dyn Facts,
    /// The ends of processes are seen.
    pub sees_exits: bool,
    /// The host's mount namespace, when it is known.
    pub host_mount: Option<u32>,
    pub connections: Connections<'a>,
    /// Processes that `/proc` was asked about and of which it did not answer in time.
    pub late: Vec<u32>,
}

impl Context<'_> {
    /// What `/proc` says of the process.
    pub fn process(&mut self, key: ProcessKey, comm: Option<&str>) -> Details {
        let details = self.facts.process(key, comm).clone();
        if details.late && !self.late.contains(&key.pid) {
            self.late.push(key.pid);
        }
        details
    }
}
