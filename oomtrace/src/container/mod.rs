//! cgroup → container. The path gives the id and, for most naming schemes, the runtime; the runtime gives the rest.

pub mod clients;
pub mod containerds;
pub mod directory;
pub mod labels;
pub mod list;
pub mod metadata;
pub mod pod_usage;
pub mod readers;
pub mod runtime;
pub mod sockets;
pub mod sources;
pub mod statement;
pub mod tracker;

/// May stand in a path or in a request. An id comes from a cgroup's name, which any process with the right to make cgroups
/// chooses.
fn is_plain(id: &str) -> bool {
    id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// May be the name of a directory in one of a runtime's, and leads nowhere else.
fn is_file_name(id: &str) -> bool {
    is_plain(id) && !id.is_empty() && !id.starts_with('.')
}

/// A task that ends with whoever waits for it.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl AbortOnDrop {
    fn of(task: tokio::task::JoinHandle<()>) -> Self {
        Self(task)
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
