//! The node that oomtrace runs on: its name and boot, its clocks, its users, its namespaces, its processes, its signals.

pub mod candidates;
pub mod cgroups;
pub mod clock;
pub mod files;
pub mod functions;
pub mod gauge;
pub mod identity;
pub mod mappings;
pub mod memory;
pub mod mounts;
pub mod namespaces;
pub mod oomd;
pub mod processes;
pub mod program_file;
pub mod shims;
pub mod signals;
mod status;
pub mod territory;
pub mod unix_sockets;
pub mod usage;
pub mod users;
pub mod warnings;
