//! cgroup → container. The path gives the id and, for most naming schemes, the runtime; the runtime gives the rest.

pub mod bundle;
pub mod directory;
pub mod docker;
pub mod naming;
pub mod placement;
