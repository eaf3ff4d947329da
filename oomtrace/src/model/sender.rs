//! A part of the contract: who generated a signal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Container, Process};

/// Who generated the signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sender {
    /// A process, or the kernel by itself.
    pub kind: SenderKind,
    /// The process that sent it. Null when it was the kernel.
    pub process: Option<Process>,
    /// Its parents, nearest first.
    pub ancestors: Vec<Process>,
    /// The sender's container.
    pub container: Option<Container>,
    /// The sender's systemd unit.
    pub unit: Option<String>,
    /// Who logged in, as far as the kernel knows.
    pub login: Option<Login>,
    /// How the sender became the user that it is. Null: by no program that is known for it.
    #[serde(default)]
    pub elevation: Option<Elevation>,
    /// Somebody traced it (ptrace), and may have made it send the signal: nothing about who did is more than possible.
    #[serde(default)]
    pub traced: bool,
}

/// A program by which a person becomes another user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Elevation {
    /// The program: sudo, su, doas, pkexec or runuser.
    pub by: String,
    /// Who ran it. Null: nothing is left that says so.
    pub uid: Option<u32>,
    /// The host's name of that user.
    pub user: Option<String>,
}

/// A process, or the kernel by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SenderKind {
    /// A process made the signal, by a system call or a write.
    Process,
    /// The kernel made it, whatever process was running.
    Kernel,
}

/// The person behind a sender, as far as the kernel knows one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// Audit login uid: who logged in, whatever sudo came after.
    pub uid: Option<u32>,
    /// The host's name of that user.
    pub user: Option<String>,
    /// The audit session.
    pub session: Option<u32>,
    /// The terminal.
    pub tty: Option<String>,
}
