//! A part of the contract: what oomtrace says at its start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What oomtrace can see on this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ready {
    /// Version of the contract.
    pub schema: u32,
    /// oomtrace's own version.
    pub version: String,
    /// The host's name.
    pub node: Option<String>,
    /// The kernel's id of this boot.
    pub boot_id: Option<String>,
    /// Hooks that are attached.
    pub attached: Vec<String>,
    /// What cannot be seen on this node, in words.
    pub missing: Vec<String>,
    /// What oomtrace is confined by while it watches. Null: not known.
    #[serde(default)]
    pub sandbox: Option<Sandbox>,
}

/// What oomtrace itself may still do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sandbox {
    /// Capabilities that are held.
    pub capabilities: Vec<String>,
    /// A program that is run gains no privileges.
    pub no_new_privs: bool,
    /// System calls are filtered.
    pub seccomp: bool,
}
