//! The history: incidents on disk, found again.
//!
//! One SQLite file, in WAL mode and with `synchronous=FULL`: an incident that was acknowledged has been synced to its disk, whoever
//! reads does so while it is written and after its writer has died, and `sqlite3 history.db` opens it. Incidents are kept whole, as
//! the JSON that was put out; besides that are columns that are looked for ([`schema`]).
//!
//! A watching oomtrace has it written by a process of its own ([`keeper`]): a watching process may neither make nor remove files, and
//! what a disk does to a memory-mapped file or to SQLite must not end it.

mod count;
mod counted;
mod exits;
mod file_id;
mod folded;
mod folding;
pub mod identity;
pub mod keeper;
mod latest;
mod lives;
mod place;
pub mod protocol;
mod read;
mod rescue;
mod retain;
pub mod schema;
mod select;
mod share;
pub mod sink;
mod tally;
mod trust;
mod write;

use std::path::{Path, PathBuf};

pub use count::{By, Group};
pub use folded::{Line, Shown};
pub use folding::Folding;
pub use identity::{Identity, What};
pub use latest::{Latest, Latests};
pub use read::{CANDIDATES, Candidate, History, Kept};
pub use rescue::{Rescued, rescue};
pub use retain::Bounds;
pub use select::Selection;
pub use share::{OF_PLACE, OF_USER, Of, Rest};
pub use write::{Entry, Writer};

/// Where the history is, unless it is said where.
pub const DEFAULT_PATH: &str = "/var/lib/oomtrace/history.db";

/// Why the history cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is no history at {}", path.display())]
    Absent { path: PathBuf },
    #[error("{} is not a history of oomtrace's", path.display())]
    Foreign { path: PathBuf },
    #[error("{} was written by a newer oomtrace (its form is {found}, this one knows {known}); it is left as it is", path.display())]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("{} is damaged: {error}", path.display())]
    Damaged { path: PathBuf, error: rusqlite::Error },
    #[error("cannot {what} the history {}: {error}", path.display())]
    Sqlite { what: &'static str, path: PathBuf, error: rusqlite::Error },
    #[error("cannot {what} {}: {error}", path.display())]
    File { what: &'static str, path: PathBuf, error: std::io::Error },
    #[error("an incident cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{} is not read or written as a history: {why}", path.display())]
    Untrusted { path: PathBuf, why: String },
    #[error("{beginning} is the beginning of several incidents' ids")]
    Ambiguous {
        beginning: String,
        /// Some of them, the latest first.
        candidates: Vec<Candidate>,
    },
}

/// That so many records of a history cannot be read, and why that may be; nothing of none.
#[must_use]
pub fn unreadable(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 incident cannot be read: it is damaged, or a newer oomtrace has written it".to_owned()),
        count => {
            Some(format!("{count} incidents cannot be read: they are damaged, or a newer oomtrace has written them"))
        }
    }
}

/// The file whose name is that one's and the suffix: `history.db-wal`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The history at `path` has commits in its log alone.
fn has_log(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

impl StoreError {
    /// What SQLite said while the history at `path` was to be opened, read, written …
    fn of(what: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |error| {
            let path = path.to_owned();
            match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
                    Self::Damaged { path, error }
                }
                _ => Self::Sqlite { what, path, error },
            }
        }
    }

    /// The file is broken, and not only out of reach.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

#[cfg(test)]
pub(crate) mod tests;
