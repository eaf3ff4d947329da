//! Signals and stacks that look like another path than they took.

use crate::Scenario;

pub const ALL: &[Scenario] = &[];
