//! oomtrace says who killed a container: every OOM kill and every SIGKILL on a node, from inside the kernel.
//!
//! The modules stand in the order of the pipeline, and each uses only those above it, which `tests/layers.rs` holds them to: the
//! kernel side's events (`event`, `probe`), what the node adds (`node`), events that belong together (`correlate`), who they are
//! about (`container`, `resolve`), what it was (`judge`), in words (`words`), put out (`sink`); `run` feeds it all, live or from a
//! recording. `docs/architecture.md` says more.

// They panic where nobody reads, or a disk is full.
#![warn(clippy::print_stdout, clippy::print_stderr)]

/// Few things, of which those that were used longest ago are forgotten.
pub mod recent;

/// What the kernel side says, decoded.
pub mod event;

/// The JSON contract.
pub mod model;

/// What is known of each runtime before anything is asked.
pub mod profile;

/// What a cgroup's path says about who lives there.
pub mod placement;

/// Which parts of command lines are kept to oneself.
pub mod redact;

/// Bounded readers of `/proc`, cgroupfs, users and sockets.
pub mod node;

/// Sizes, times and names as people read them, and text that no terminal obeys.
pub mod text;

/// Memory over time: what a curve shows.
pub mod memory;

/// From the kernel to events: types, programs, hooks, the ring buffer.
pub mod probe;

/// What concerns this process itself: its memory, its privileges, its place before the OOM killer.
pub mod own;

/// Events to episodes, without a clock.
pub mod correlate;

/// Which incidents a person wants to see.
pub mod filter;

/// From a cgroup to its container: who is there, and what its runtime knows.
pub mod container;

/// What the Kubernetes API says of the pods of this node, and what is said to it.
pub mod kubernetes;

/// Episodes to cases: names, and who may have asked. Decides nothing.
pub mod resolve;

/// Cases to judgements: pure, and the only place that decides.
pub mod judge;

/// Judgements to sentences and advice.
pub mod words;

/// What is left of kills that nobody watched, and what follows from it.
pub mod past;

/// Renders and writes, one output apart from the other.
pub mod sink;

/// The history: what was put out, kept on disk, and found again.
pub mod store;

/// The pipeline and its two feeders: the live kernel, and a recording.
pub mod run;

/// What a live screen shows of it all.
pub mod screen;
