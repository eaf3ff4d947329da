//! What must not leave the node, and privileges that are not needed.

use crate::Scenario;

pub const ALL: &[Scenario] = &[];
