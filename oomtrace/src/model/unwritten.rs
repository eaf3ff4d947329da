//! What an output could not take.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where oomtrace writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputName {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The file that `oomtrace record` writes.
    Recording,
    /// The history.
    History,
    /// None of these: oomtrace's own selftest.
    Selftest,
}

impl OutputName {
    /// As a person calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
            Self::Recording => "the recording",
            Self::History => "the history",
            Self::Selftest => "the selftest",
        }
    }
}

impl std::fmt::Display for OutputName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was seen, and an output could not take: nobody read it, or its disk was full. It stands where that would have stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unwritten {
    /// Which output.
    pub output: OutputName,
    /// Incidents; in a recording, SIGKILLs.
    pub kills: u64,
    /// Other records; on standard error, lines; in a recording, other events and answers.
    pub others: u64,
}
