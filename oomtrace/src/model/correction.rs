//! What becomes known of an incident after it was put out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Container, NamedMissing, Verdict};

/// More is known of an incident that was put out before: a verdict does not wait for the Kubernetes API for longer than a moment. What it
/// has takes the place of the same fields of the incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Correction {
    /// The incident's id.
    pub incident: String,
    /// When it became known.
    pub time: String,
    /// The judgement from here on.
    pub verdict: Verdict,
    /// The victim's container, with what is known of its pod by now.
    pub container: Option<Container>,
    /// What is not known even now, in words.
    pub missing: Vec<String>,
    /// Entries of `missing` that have a name, for programs. Empty when there are none.
    #[serde(default)]
    pub missing_parts: Vec<NamedMissing>,
}
