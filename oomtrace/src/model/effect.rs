//! What a signal did.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a signal other than SIGKILL did to its process, as the kernel had it when it was generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It ends the process: that is its default action, and there is no handler.
    Ends,
    /// It stops the process, which SIGCONT continues.
    Stops,
    /// It lets a stopped process go on.
    Continues,
    /// A handler of the process takes it. What that makes of it, only the process knows.
    Handled,
    /// Nothing: the process ignores it, its default action is nothing, or it is the first process of a pid namespace and has no
    /// handler for it.
    Ignored,
    /// It waits: the process blocks it, or takes it by sigwait(3) or signalfd(2).
    Blocked,
    /// Nothing: the same signal was waiting already.
    AlreadyPending,
    /// Nothing: the process was ending already.
    AlreadyEnding,
}
