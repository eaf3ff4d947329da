//! oomtrace says who killed a container: every OOM kill and every SIGKILL on a node, from inside the kernel.
//!
//! The one pipeline: `probe` (kernel hooks, decoding) → `incident` (correlation, names) → `container` (the runtime's
//! names) → `verdict` and `advice` (the judgement, pure) → `sink` (terminal, JSON). `node` is what the machine adds, asked
//! for through `facts`; `watch` runs it all, and `recording` runs it again over what was recorded.

// They panic where nobody reads, or a disk is full.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod advice;
pub mod container;
pub mod explain;
pub mod facts;
pub mod files;
pub mod incident;
pub mod node;
pub mod own;
pub mod probe;
pub mod recording;
pub mod redact;
pub mod said;
pub mod sink;
pub mod verdict;
pub mod watch;
