//! The contract's part about who asked a runtime to kill.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Confidence, Container, Login, Process};

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
