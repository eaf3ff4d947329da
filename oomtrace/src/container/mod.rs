//! cgroup → container. The path gives the id and, for most naming schemes, the runtime; the runtime gives the rest.

pub mod bundle;
pub mod directory;
pub mod docker;
pub mod naming;
pub mod placement;

/// May stand in a path or in a request. An id comes from a cgroup's name, which any process with the right to make cgroups
/// chooses.
fn is_plain(id: &str) -> bool {
    id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}
