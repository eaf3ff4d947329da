//! Whether a history can be believed. What is read from it is said as what oomtrace saw: it counts only where nobody but root, or the user
//! who runs oomtrace, can have written it, and where nothing runs in it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::store::{StoreError, beside};
use crate::text::quote::quote;

/// Files that SQLite takes for parts of the database, by what stands behind its name (sqlite.org/tempfiles.html).
const PARTS: [&str; 3] = ["-wal", "-shm", "-journal"];
/// The group's and others' right to write.
const OTHERS_WRITE: u32 = 0o022;

/// Nobody else can have written the file at `path`, which `metadata` is of.
///
/// # Errors
/// When somebody can; it says who, and what to do.
pub fn must_be_own(metadata: &Metadata, path: &Path) -> Result<(), StoreError> {
    let quoted = quote(&path.to_string_lossy()).into_owned();
    let why = match (metadata.uid(), metadata.mode() & 0o7777) {
        (uid, _) if uid != 0 && uid != nix::unistd::geteuid().as_raw() => format!(
            "it belongs to user {uid}, who can have written anything into it; to look at a history of somebody else's, copy it \
             (cp {quoted} COPY) and name the copy with --history"
        ),
        (_, mode) if mode & OTHERS_WRITE != 0 => format!(
            "others may write to it (mode {mode:04o}), and can have made it say anything; if nobody has, take that right away: \
             chmod go-w {quoted}"
        ),
        _ => return Ok(()),
    };
    Err(StoreError::Untrusted { path: path.to_owned(), why })
}

/// The same of the files beside it: a log of somebody else's would be read as a part of it. Looked at before it is opened, and after, when
/// those that SQLite reads are there.
///
/// # Errors
/// As [`must_be_own`]; what cannot be looked at is not there, or is said when it is opened.
pub fn parts_must_be_own(path: &Path) -> Result<(), StoreError> {
    for part in PARTS.map(|part| beside(path, part)) {
        if let Ok(metadata) = std::fs::symlink_metadata(&part) {
            must_be_own(&metadata, &part)?;
        }
    }
    Ok(())
}

/// Whatever stands in the file, none of it runs: no trigger, no view, no function of its schema's.
///
/// # Errors
/// When SQLite refuses.
pub fn harden(db: &Connection) -> rusqlite::Result<()> {
    for (config, is_on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        db.set_db_config(config, is_on)?;
    }
    Ok(())
}

/// Nothing is in the file that runs when it is read or written: oomtrace makes no triggers, views or virtual tables.
///
/// # Errors
/// When there is one, by its name; or the file cannot be read.
pub fn must_be_plain(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = db
        .prepare(
            "SELECT CASE WHEN type = 'table' THEN 'virtual table' ELSE type END, name FROM sqlite_schema
             WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%' LIMIT 1",
        )
        .and_then(|mut found| {
            let named = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
            found.query_map([], named)?.next().transpose()
        });
    let Some((kind, name)) = found.map_err(StoreError::of("read", path))? else { return Ok(()) };
    let why = format!("there is a {kind} in it, {}, which no oomtrace made; move the file away", quote(&name));
    Err(StoreError::Untrusted { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests;
