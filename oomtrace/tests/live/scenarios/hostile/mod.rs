//! What an unprivileged container or user does to blind oomtrace, to grow it, to stop it, or to have it accuse an innocent: one
//! file for each part of it that they attack.

mod identity;
mod output;
mod own_docker;
mod paths;
mod privacy;
mod reads;
mod requests;
mod ring;

use crate::Scenario;

/// The scenarios of each file.
pub const ALL: &[&[Scenario]] =
    &[reads::ALL, ring::ALL, output::ALL, own_docker::ALL, paths::ALL, identity::ALL, requests::ALL, privacy::ALL];
