//! From an episode to a case: ids become names, and those who may have asked are listed. Nothing is decided here.

pub mod assemble;
pub mod case;
pub mod clients;
pub mod context;
pub mod detail;
pub mod facts;
mod gaps;
pub mod gfp;
pub mod given_ids;
pub mod limits_before;
pub mod lives_before;
pub mod oom;
mod senders;
mod statements;
mod tasks;
