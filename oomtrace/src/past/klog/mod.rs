//! The kernel's log after the fact: where it is kept, and what it says of OOM kills.

pub mod kmsg;
pub mod lines;
pub mod oom;
pub mod record;
pub mod saved;
pub mod summary;
