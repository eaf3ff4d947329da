use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why nobody needs to be woken for a kill: it is a part of something that went as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Routine {
    /// A pod's sandbox ended with its pod: it holds the pod's namespaces and runs nothing of anybody's (pause).
    Sandbox,
    /// The container's first process had ended as it should, by itself with status 0 or by a stop signal, or had been killed, which is an
    /// incident of its own; what it left behind was killed.
    Sweep,
    /// A runtime ended a program of its own.
    Helper,
}
