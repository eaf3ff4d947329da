//! Files and sockets of others: endless, blocking, slow, or not what they seem.

use crate::Scenario;

pub const ALL: &[Scenario] = &[];
