//! Reads the history: while it is written, and after its writer has died.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::model::Incident;
use crate::resolve::case::EarlierByCause;
use crate::store::file_id::FileId;
use crate::store::select::{Conditions, Selection};
use crate::store::{StoreError, has_log, schema, trust};

/// A writer that recovers after a crash is waited for.
const BUSY: Duration = Duration::from_secs(2);

/// The history, open for reading. What is read is as it was at the beginning of each call.
#[derive(Debug)]
pub struct History {
    db: Connection,
    path: PathBuf,
    /// What was opened.
    id: FileId,
    /// As its writer's version has it: `schema::VERSION`, or one before it.
    form: u32,
    /// Its log could not be read: what is in there alone is missing.
    pub without_log: bool,
}

/// An incident, where several may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: String,
    /// When it was, as RFC 3339 has it.
    pub time: String,
    /// What it is of, quoted.
    pub name: String,
}

/// What there is of an incident that the history has, or had a moment ago.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept {
    Whole(Box<Incident>),
    /// It was removed meanwhile: the bounds were reached.
    Gone,
    /// It is damaged, or a newer oomtrace has written it.
    Unreadable,
}

/// Candidates that are named.
pub const CANDIDATES: usize = 10;

impl History {
    /// Opens the history at `path`. Needs the right to read the file and those beside it, and no other; a file system that nobody can
    /// write to will do.
    ///
    /// # Errors
    /// When there is none, it cannot be opened, is damaged, is not oomtrace's, or others can write to it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => StoreError::Absent { path: path.to_owned() },
            _ => StoreError::File { what: "read", path: path.to_owned(), error },
        })?;
        // A pipe is waited for without end.
        if !metadata.is_file() {
            return Err(StoreError::Foreign { path: path.to_owned() });
        }
        trust::must_be_own(&metadata, path)?;
        trust::parts_must_be_own(path)?;
        let id = FileId::of(&metadata);
        match open_uri(path, id, "mode=ro") {
            Err(StoreError::Sqlite { error, .. }) if is_out_of_reach(&error) => {
                must_be_readable(path)?;
                open_alone(path, id, error)
            }
            opened => opened,
        }
    }

    /// What is read is not what is at the path any more: the file there is another one, or there is none.
    #[must_use]
    pub fn is_moved(&self) -> bool {
        self.id.is_gone_from(&self.path)
    }

    /// The incident with that id, or whose id alone begins so.
    ///
    /// # Errors
    /// When several do, or the history cannot be read.
    pub fn by_id(&self, id: &str) -> Result<Option<Incident>, StoreError> {
        let failed = StoreError::of("read", &self.path);
        // As a range, which the index answers; whatever is in the text is compared as it is.
        let after = format!("{id}\u{10ffff}");
        let find = || {
            let mut find = self.db.prepare_cached("SELECT seq, id FROM incident WHERE id >= ?1 AND id < ?2 LIMIT 2")?;
            find.query_map([id, &after], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<Vec<(i64, String)>, _>>()
        };
        let found = find().map_err(&failed)?;
        match found.as_slice() {
            [] => Ok(None),
            [(seq, found), rest @ ..] if rest.is_empty() || found == id => self.incident(*seq),
            _ => {
                let candidates = self.candidates(id, &after).map_err(&failed)?;
                Err(StoreError::Ambiguous { beginning: id.to_owned(), candidates })
            }
        }
    }

    /// The latest of those whose ids lie in that range.
    fn candidates(&self, from: &str, after: &str) -> rusqlite::Result<Vec<Candidate>> {
        let sql = format!(
            "SELECT incident.id, at, who.name FROM incident JOIN who ON who.id = incident.who
             WHERE incident.id >= ?1 AND incident.id < ?2 ORDER BY at DESC LIMIT {CANDIDATES}"
        );
        let read = |row: &rusqlite::Row<'_>| {
            let time = Timestamp::from_nanosecond(row.get::<_, i64>(1)?.into()).unwrap_or_default();
            Ok(Candidate { id: row.get(0)?, time: format!("{time:.9}"), name: row.get(2)? })
        };
        self.db.prepare(&sql)?.query_map([from, after], read)?.collect()
    }

    /// The latest incidents that are asked for, the latest first, as numbers, each of which is given to [`Self::incident`]: eight bytes each,
    /// whatever the incidents hold.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn seqs(&self, selection: &Selection) -> Result<Vec<i64>, StoreError> {
        let find = || {
            let conditions = Conditions::of(&self.db, selection)?;
            let limit = selection.last.map(|last| format!(" LIMIT {last}")).unwrap_or_default();
            let sql =
                format!("SELECT seq FROM incident{} ORDER BY at DESC, seq DESC{limit}", conditions.clause(&self.db)?);
            conditions.query(&self.db, &sql, |row| row.get(0))
        };
        find().map_err(StoreError::of("read", &self.path))
    }

    /// How many are asked for, whatever `last` says.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn count(&self, selection: &Selection) -> Result<u64, StoreError> {
        let count = || {
            let conditions = Conditions::of(&self.db, selection)?;
            let sql = format!("SELECT count(*) FROM incident{}", conditions.clause(&self.db)?);
            conditions.query(&self.db, &sql, |row| row.get(0))
        };
        let counted = count().map_err(StoreError::of("read", &self.path))?;
        Ok(counted.into_iter().next().unwrap_or_default())
    }

    /// One incident; none when it was removed meanwhile.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn incident(&self, seq: i64) -> Result<Option<Incident>, StoreError> {
        let failed = StoreError::of("read", &self.path);
        let find = || {
            let mut find = self.db.prepare_cached("SELECT json FROM record WHERE seq = ?1")?;
            find.query_row([seq], |row| row.get::<_, String>(0)).optional()
        };
        Ok(find().map_err(failed)?.map(|json| serde_json::from_str(&json)).transpose()?)
    }

    /// The same for a list, which is not to end where one cannot be read.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn kept(&self, seq: i64) -> Result<Kept, StoreError> {
        match self.incident(seq) {
            Ok(Some(incident)) => Ok(Kept::Whole(Box::new(incident))),
            Ok(None) => Ok(Kept::Gone),
            Err(StoreError::Json(error)) => {
                log::debug!("incident {seq} of the history: {error}");
                Ok(Kept::Unreadable)
            }
            Err(error) => Err(error),
        }
    }

    /// Kills of the identity with that [`Identity::key`](crate::store::Identity::key) before that time, in nanoseconds since 1970; routine
    /// ones are none.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn causes(&self, key: &str, before: i64) -> Result<EarlierByCause, StoreError> {
        let find = || {
            let time = |ns: Option<i64>| Some(format!("{:.9}", Timestamp::from_nanosecond(ns?.into()).ok()?));
            let kept_since = self.db.prepare_cached("SELECT min(at) FROM incident")?.query_row([], |row| row.get(0))?;
            let mut find = self.db.prepare_cached(
                "SELECT coalesce(word, ''), count(*), min(at), max(at) FROM incident
                 JOIN who ON who.id = incident.who LEFT JOIN word ON word.id = incident.cause
                 WHERE who.key = ?1 AND routine = 0 AND at < ?2 GROUP BY incident.cause",
            )?;
            let mut rows = find.query(params![key, before])?;
            let (mut causes, mut first, mut last) = (Vec::new(), None::<i64>, None::<i64>);
            while let Some(row) = rows.next()? {
                causes.push((row.get(0)?, row.get(1)?));
                let (from, to): (i64, i64) = (row.get(2)?, row.get(3)?);
                first = Some(first.map_or(from, |first| first.min(from)));
                last = last.max(Some(to));
            }
            let kept_since = time(kept_since);
            Ok(EarlierByCause { causes, first: time(first), last: time(last), kept_since, lives: Vec::new() })
        };
        find().map_err(StoreError::of("read", &self.path))
    }

    pub(super) const fn db(&self) -> &Connection {
        &self.db
    }

    pub(super) const fn form(&self) -> u32 {
        self.form
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Neither the file nor its contents are wrong: what SQLite wants beside it cannot be had.
fn is_out_of_reach(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, ReadOnly};
    matches!(error.sqlite_error_code(), Some(CannotOpen | ReadOnly))
}

/// Names the missing permission: SQLite says only that it cannot open the file. Asked by its name, as closing it would release the
/// locks that another connection of this process has on it.
pub(super) fn must_be_readable(path: &Path) -> Result<(), StoreError> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    match accessat(CWD, path, Access::READ_OK, AtFlags::EACCESS) {
        Err(rustix::io::Errno::ACCESS) => {
            let error = std::io::Error::from(rustix::io::Errno::ACCESS);
            Err(StoreError::File { what: "read", path: path.to_owned(), error })
        }
        // Where it is not this, or cannot be asked, SQLite's word stands.
        _ => Ok(()),
    }
}

fn open_uri(path: &Path, id: FileId, parameters: &str) -> Result<History, StoreError> {
    let failed = StoreError::of("open", path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(uri(path, parameters), flags).map_err(&failed)?;
    db.busy_timeout(BUSY).map_err(&failed)?;
    trust::harden(&db).map_err(&failed)?;
    db.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;")
        .map_err(&failed)?;
    rusqlite::vtab::array::load_module(&db).map_err(&failed)?;
    let found = schema::version(&db, path)?;
    trust::parts_must_be_own(path)?;
    match found {
        0 => Err(StoreError::Absent { path: path.to_owned() }),
        found if found > schema::VERSION => {
            Err(StoreError::Newer { path: path.to_owned(), found, known: schema::VERSION })
        }
        form => Ok(History { db, path: path.to_owned(), id, form, without_log: false }),
    }
}

/// On a file system that cannot be written to, or without the right to. A log that was left by a crash is read into this process's own
/// memory, which nobody who writes may be there for: nobody can be.
fn open_alone(path: &Path, id: FileId, why: rusqlite::Error) -> Result<History, StoreError> {
    if !has_log(path) {
        return open_uri(path, id, "mode=ro&immutable=1");
    }
    let is_read_only =
        rustix::fs::statvfs(path).is_ok_and(|fs| fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    if !is_read_only {
        return Err(StoreError::of("open", path)(why));
    }
    let mut history = open_uri(path, id, "mode=ro&immutable=1")?;
    history.without_log = true;
    Ok(history)
}

/// `file:` and the path, in which what has a meaning in a URI is written as its number.
fn uri(path: &Path, parameters: &str) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    let path: String = path
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| if is_plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") })
        .collect();
    format!("file:{path}?{parameters}")
}
