//! oomtrace says who killed a container: every OOM kill and every SIGKILL on a node, from inside the kernel.
//!
//! The one pipeline: `probe` (kernel hooks, decoding) → `incident` (correlation, names) → `container` (the runtime's
//! names) → `verdict` and `advice` (the judgement, pure) → `sink` (terminal, JSON). `node` is what the machine adds,
//! `watch` runs it all.

pub mod advice;
pub mod container;
pub mod explain;
pub mod incident;
pub mod node;
pub mod probe;
pub mod sink;
pub mod verdict;
pub mod watch;
