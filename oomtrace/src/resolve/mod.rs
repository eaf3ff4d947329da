//! From an episode to an incident: ids become names, and those who may have asked are listed. Nothing is decided here.

pub mod asking;
pub mod assemble;
pub mod facts;
pub mod gfp;
pub mod oom;
