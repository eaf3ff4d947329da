//! Readers that stall or go, and disks that are full.

use crate::Scenario;

pub const ALL: &[Scenario] = &[];
