//! Connections that make an innocent look like the one who asked.

use crate::Scenario;

pub const ALL: &[Scenario] = &[];
