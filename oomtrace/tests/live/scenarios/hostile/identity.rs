//! Processes, cgroups and executables that pretend to be a container, a runtime or somebody else.

use crate::Scenario;

pub const ALL: &[Scenario] = &[];
