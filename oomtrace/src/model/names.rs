//! How values are called where they are no JSON: as the contract has them.

use clap::ValueEnum as _;

use crate::model::{Cause, Confidence};

impl Cause {
    /// `oom_container_limit`.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

impl Confidence {
    /// `likely`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }

    /// A clause with the confidence behind it, where it is not certain: `podman stop timed out after 1 s (likely)`.
    #[must_use]
    pub fn behind(self, clause: String) -> String {
        match self {
            Self::Certain => clause,
            Self::Likely | Self::Possible => format!("{clause} ({})", self.name()),
        }
    }
}
