//! What the history knows of an incident's victim.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kills of the same thing before this one, routine ones left out, as far as the history goes back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlierKills {
    /// How many.
    pub count: u64,
    /// How many of them had the same cause.
    pub same_cause: u64,
    /// The time of the first. Null: there was none.
    pub first: Option<String>,
    /// The time of the last.
    pub last: Option<String>,
    /// Since when the history is kept: the time of the oldest incident in it.
    pub kept_since: Option<String>,
}
