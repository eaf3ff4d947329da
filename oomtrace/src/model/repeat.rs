use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The next incident is like ones before: the same cause, at the same place, of the same program and arguments, by the same sender. Each of them is put out
/// as any other; this comes before one of them when their number has doubled, or a second after it came last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeat {
    /// The id of the incident that is like others before.
    pub incident: String,
    /// The id of the first of them.
    pub first: String,
    /// How many there were, with this one.
    pub count: u64,
    /// From the first to this one, in milliseconds.
    pub within_ms: u64,
    /// From the last one before to this one, in milliseconds.
    pub since_last_ms: u64,
    /// The limit that each of them hit. Null: they are no OOM kills at a limit, or not at the same.
    #[serde(default)]
    pub limit_bytes: Option<u64>,
    /// From the end of the last victim to the start of this one, in milliseconds: how long whoever starts it again waited. Null: it was
    /// not started since, or that is not known.
    #[serde(default)]
    pub back_off_ms: Option<u64>,
}
