//! Writes the history.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::model::{Correction, Exited, Incident};
use crate::store::file_id::FileId;
use crate::store::folding::alike;
use crate::store::place::{Place, process_row, who_row, word_row};
use crate::store::retain::{self, Bounds};
use crate::store::{Identity, StoreError, beside, exits, schema, tally, trust};
use crate::text::nanoseconds;

/// Another process that writes, or has a reader in the way of a checkpoint, is waited for.
const BUSY: Duration = Duration::from_secs(5);
/// Nanoseconds of a quarter of an hour.
pub const QUARTER_NS: i64 = 900 * 1_000_000_000;

/// What goes into the history.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Incident(Box<Incident>),
    Correction(Box<Correction>),
    Exit(Box<Exited>),
}

/// The history, open for writing. One process writes at a time; others wait for a transaction's length.
#[derive(Debug)]
pub struct Writer {
    db: Connection,
    path: PathBuf,
    /// What was opened.
    id: FileId,
    /// The files that SQLite has beside it, as they were then.
    parts: Vec<(PathBuf, FileId)>,
    bounds: Bounds,
}

impl Writer {
    /// Opens the history at `path`, and makes it, its directory too (mode 0700), where there is none.
    ///
    /// # Errors
    /// When it cannot be made or opened, is damaged, is not oomtrace's, others can write to it, or a newer oomtrace has written it.
    pub fn open(path: &Path, bounds: Bounds) -> Result<Self, StoreError> {
        let file = make(path)?;
        let metadata = file.metadata();
        let metadata = metadata.map_err(|error| StoreError::File { what: "read", path: path.to_owned(), error })?;
        trust::must_be_own(&metadata, path)?;
        trust::parts_must_be_own(path)?;
        let id = FileId::of(&metadata);
        schema::must_be_ours(file, path)?;
        let failed = StoreError::of("open", path);
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut db = Connection::open_with_flags(path, flags).map_err(&failed)?;
        db.busy_timeout(BUSY).map_err(&failed)?;
        trust::harden(&db).map_err(&failed)?;
        // What the file says of itself is looked at before anything is written to it.
        schema::version(&db, path)?;
        trust::parts_must_be_own(path)?;
        // auto_vacuum counts before the first table, and the rest is not kept in the file but for WAL.
        db.execute_batch(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -1024; PRAGMA journal_size_limit = 4194304; PRAGMA cell_size_check = ON;",
        )
        .map_err(&failed)?;
        // A reader without the right to write needs the -wal and the -shm file to be there, and leaving them costs nothing.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(&failed)?;
        schema::migrate(&mut db, path)?;
        tally::keep(&db).map_err(&failed)?;
        let parts = ["-wal", "-shm"].map(|suffix| beside(path, suffix)).into_iter();
        let parts = parts.filter_map(|part| FileId::at(&part).map(|id| (part, id))).collect();
        Ok(Self { db, path: path.to_owned(), id, parts, bounds })
    }

    /// What is written is not found at the path any more: the file there is another one, or there is none.
    #[must_use]
    pub fn is_moved(&self) -> bool {
        self.id.is_gone_from(&self.path)
    }

    /// Lets a file be that was moved or removed. Its log is taken into it, for whoever has moved it, unless a reader stands in the way; and
    /// what is left of it at the old path is removed, which SQLite would take for parts of the next one there.
    pub fn leave(self) {
        _ = self.settle();
        let Self { db, parts, .. } = self;
        drop(db);
        for (part, id) in parts {
            if FileId::at(&part) == Some(id) {
                // One that stays has nothing in it by now, but where a reader stood in the way.
                _ = std::fs::remove_file(part);
            }
        }
    }

    /// Looks at every page, which takes about a second for a quarter of a gigabyte.
    ///
    /// # Errors
    /// When something is wrong with one.
    pub fn check(&self) -> Result<(), StoreError> {
        let failed = StoreError::of("read", &self.path);
        let said: String = self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(&failed)?;
        if said == "ok" {
            return Ok(());
        }
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        Err(failed(rusqlite::Error::SqliteFailure(code, Some(said))))
    }

    /// Keeps all of `entries`, or none. When this returns, they are on the disk. An incident that is there already is not kept twice; a
    /// correction of one that is not there is dropped.
    ///
    /// # Errors
    /// When they cannot be written: the disk is full, or broken; or the file is.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        let failed = StoreError::of("write", &self.path);
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        for entry in entries {
            match entry {
                Entry::Incident(incident) => insert(&transaction, incident, &self.path)?,
                Entry::Correction(correction) => correct(&transaction, correction, &self.path)?,
                Entry::Exit(exited) => {
                    exits::insert(&transaction, exited, &serde_json::to_string(exited)?).map_err(&failed)?;
                }
            }
        }
        transaction.commit().map_err(&failed)
    }

    /// Removes what is beyond the bounds; how many incidents that were. `now_ns` is since 1970.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn retain(&mut self, now_ns: i64) -> Result<u64, StoreError> {
        retain::retain(&mut self.db, self.bounds, now_ns).map_err(StoreError::of("shorten", &self.path))
    }

    /// It is larger than it may be, by more than is worth looking for each time.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_beyond(&self) -> Result<bool, StoreError> {
        retain::is_beyond(&self.db, self.bounds).map_err(StoreError::of("measure", &self.path))
    }

    /// Has everything in the one file, and an empty log beside it, so that a copy of the file is whole; where nobody reads just now.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn settle(&self) -> Result<(), StoreError> {
        // A reader that holds it up is no error: the first column says so.
        self.db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(StoreError::of("write", &self.path))
    }

    #[cfg(test)]
    pub(super) const fn db(&self) -> &Connection {
        &self.db
    }
}

/// Makes the file and its directory, where they are not there: for their owner alone, and never through a link.
pub(super) fn make(path: &Path) -> Result<File, StoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        let failed = |error| StoreError::File { what: "make the directory", path: parent.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
    }
    let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags)
        .open(path);
    let file = opened.map_err(|error| StoreError::File { what: "open", path: path.to_owned(), error })?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        Ok(_) => Err(StoreError::Foreign { path: path.to_owned() }),
        Err(error) => Err(StoreError::File { what: "read", path: path.to_owned(), error }),
    }
}

fn insert(db: &Transaction<'_>, incident: &Incident, path: &Path) -> Result<(), StoreError> {
    let failed = StoreError::of("write", path);
    let json = serde_json::to_string(incident)?;
    if is_known(db, incident).map_err(&failed)? {
        return Ok(());
    }
    (|| {
        let columns = Columns::of(db, incident)?;
        let seq = db
            .prepare_cached(
                "INSERT INTO incident(id, at, quarter, who, place, cause, confidence, routine, pid, process, sender, sender_pid,
                 exit_status, limit_bytes, started, alike)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?
            .insert(params![
                incident.id, columns.at, columns.at.div_euclid(QUARTER_NS), columns.who, columns.place, columns.cause,
                columns.confidence, columns.routine, columns.pid, columns.process, columns.sender, columns.sender_pid,
                columns.exit_status, columns.limit, columns.started, columns.alike
            ])?;
        for other in &incident.collateral {
            let process = process_row(db, &other.process)?;
            db.prepare_cached("INSERT INTO member(incident, process, pid) VALUES (?1, ?2, ?3)")?
                .execute(params![seq, process, other.process.pid])?;
        }
        db.prepare_cached("INSERT INTO record(seq, json) VALUES (?1, ?2)")?.execute(params![seq, json])?;
        Ok(())
    })()
    .map_err(&failed)
}

/// Two that watch one node see one kill, whose time each reckons from its own reading of the clocks: a pid is killed once in a second.
pub(super) const SAME_NS: i64 = 500_000_000;

/// It is there already: by its id, or as another oomtrace on this node has seen it.
fn is_known(db: &Transaction<'_>, incident: &Incident) -> rusqlite::Result<bool> {
    let process = &incident.victim.process;
    let at = nanoseconds(&incident.time).unwrap_or_default();
    let started = process.started.as_deref().and_then(nanoseconds);
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM incident WHERE id = ?1) OR EXISTS (
             SELECT 1 FROM incident JOIN process ON process.id = incident.process JOIN place ON place.id = incident.place
             WHERE incident.pid = ?2 AND at BETWEEN ?3 AND ?4 AND process.comm = ?5 AND place.node IS ?6
             AND (started IS NULL OR ?7 IS NULL OR abs(started - ?7) < ?8))",
    )?
    .query_row(
        params![
            incident.id,
            process.pid,
            at.saturating_sub(SAME_NS),
            at.saturating_add(SAME_NS),
            process.comm,
            incident.node,
            started,
            SAME_NS
        ],
        |row| row.get(0),
    )
}

/// The incident as the correction leaves it, its first verdict beside it.
fn correct(db: &Transaction<'_>, correction: &Correction, path: &Path) -> Result<(), StoreError> {
    let failed = StoreError::of("write", path);
    let found = db
        .prepare_cached("SELECT seq, json, first_verdict FROM incident JOIN record USING (seq) WHERE id = ?1")
        .and_then(|mut found| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?));
            found.query_row([&correction.incident], read).optional()
        });
    let Some((seq, json, first)): Option<(i64, String, Option<String>)> = found.map_err(&failed)? else {
        return Ok(());
    };
    let mut incident: Incident = serde_json::from_str(&json)?;
    let first = match first {
        Some(first) => first,
        None => serde_json::to_string(&incident.verdict)?,
    };
    incident.correct(correction.clone());
    let json = serde_json::to_string(&incident)?;
    (|| {
        let columns = Columns::of(db, &incident)?;
        db.prepare_cached(
            "UPDATE incident SET who = ?2, place = ?3, cause = ?4, confidence = ?5, alike = ?6 WHERE seq = ?1",
        )?
        .execute(params![
            seq,
            columns.who,
            columns.place,
            columns.cause,
            columns.confidence,
            columns.alike
        ])?;
        db.prepare_cached("UPDATE record SET json = ?2, first_verdict = ?3 WHERE seq = ?1")?
            .execute(params![seq, json, first])
    })()
    .map(drop)
    .map_err(&failed)
}

/// What is looked for.
struct Columns {
    at: i64,
    who: i64,
    place: i64,
    cause: Option<i64>,
    confidence: Option<&'static str>,
    routine: bool,
    pid: u32,
    process: i64,
    sender: Option<i64>,
    sender_pid: Option<u32>,
    exit_status: Option<u32>,
    limit: Option<i64>,
    started: Option<i64>,
    alike: Option<i64>,
}

impl Columns {
    fn of(db: &Transaction<'_>, incident: &Incident) -> rusqlite::Result<Self> {
        let victim = &incident.victim;
        let verdict = incident.verdict.as_ref();
        let sender = incident.sender.process.as_ref();
        let limit = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref()?.limit_bytes);
        Ok(Self {
            // Times are oomtrace's own. One that cannot be read counts as the oldest of all: nobody finds it by its time, and it is the
            // first to go when the bounds are looked at next.
            at: nanoseconds(&incident.time).unwrap_or_default(),
            who: who_row(db, &Identity::of(incident))?,
            place: Place::of(incident).row(db)?,
            cause: verdict.map(|verdict| word_row(db, &verdict.cause.name())).transpose()?,
            confidence: verdict.map(|verdict| verdict.confidence.name()),
            routine: incident.routine.is_some(),
            pid: victim.process.pid,
            process: process_row(db, &victim.process)?,
            sender: sender.map(|sender| process_row(db, sender)).transpose()?,
            sender_pid: sender.map(|sender| sender.pid),
            exit_status: victim.exit.as_ref().map(|exit| exit.status),
            limit: limit.and_then(|limit| i64::try_from(limit).ok()),
            started: victim.process.started.as_deref().and_then(nanoseconds),
            alike: alike(incident),
        })
    }
}
