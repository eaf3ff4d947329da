//! Floods of events, in which no kill may be lost unseen.

use crate::Scenario;

pub const ALL: &[Scenario] = &[];
