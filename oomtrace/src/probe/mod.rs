//! The kernel probe: what this kernel offers, loading and attaching the programs, and reading what they send.

mod attach;
pub mod attach_error;
mod attach_types;
pub mod btf;
pub mod counter;
pub mod hook;
pub mod kallsyms;
pub mod layout;
pub mod load;
pub mod requirements;
pub mod ring;
pub mod signals;
pub mod sockets;
