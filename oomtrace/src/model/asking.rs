//! The contract's part about who asked a runtime to kill.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Confidence, Container, Login, Process};
use crate::model::{ContainerPlace, Runtime};

/// Who asked a runtime to kill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requester {
    /// The process that asked.
    pub process: Process,
    /// Its parents, nearest first.
    pub ancestors: Vec<Process>,
    /// The container that it runs in, as one that the runtime's socket is mounted into.
    pub container: Option<Container>,
    /// Its systemd unit.
    pub unit: Option<String>,
    /// Who logged in, as far as the kernel knows.
    pub login: Option<Login>,
    /// How the request went: the socket, or the runtime's process that it ran.
    pub via: String,
    /// How sure it is. Never `certain`: the kernel ties no request to the kill that came of it.
    pub confidence: Confidence,
}

/// Who may have asked: what the judge chooses from. No part of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// The latest first. Empty when no runtime made the kill.
    pub clients: Vec<Asker>,
    /// Connections are seen on this node.
    pub seen: bool,
    /// Between which times clients, or their ends, may have been missed, in milliseconds before the kill: from, and to.
    pub gaps: Vec<(u64, u64)>,
    /// The requester's container, as its runtime knows it.
    pub container: Option<Container>,
}

/// A process that was connected to a runtime's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    pub process: Process,
    pub ancestors: Vec<Process>,
    pub place: Option<ContainerPlace>,
    pub unit: Option<String>,
    pub login: Option<Login>,
    /// Path of the socket.
    pub socket: String,
    /// Whose socket.
    pub runtime: Runtime,
    /// The user who listens on it, if that is known.
    pub owner: Option<u32>,
    /// It is known to be the runtime's own; taken for it in recordings of before.
    pub verified: bool,
    /// Each time that it was seen to turn to the runtime, the latest first.
    pub contacts: Vec<Contact>,
    /// There were more, before those.
    pub more: bool,
    /// It was connected before oomtrace was there.
    pub stood: bool,
    /// Milliseconds before the kill; none when it had not ended.
    pub ended_before_ms: Option<u64>,
    /// Its end would have been seen.
    pub followed: bool,
}

/// A client turned to the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Milliseconds before the kill.
    pub before_ms: u64,
    /// It wrote over a connection that was there already.
    pub wrote: bool,
}
