//! The history's tables, and how an older form becomes this one.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rusqlite::Connection;

use crate::store::{DEFAULT_PATH, StoreError, beside, trust};

/// `oomt`, as SQLite's header has it (`PRAGMA application_id`): a file without it is not ours.
pub const APPLICATION: i32 = 0x6f6f_6d74;

/// The form that this oomtrace writes (`PRAGMA user_version`): how many of [`STEPS`] there were.
pub const VERSION: u32 = STEPS.len() as u32;

/// From nothing to this form, one step a version. A step that was released is never changed.
const STEPS: &[&str] = &[FIRST, SECOND, THIRD, FOURTH, FIFTH];

/// - `who`: what incidents are of, whatever came between (see `identity`).
/// - `place`: where victims were: a container with its labels, a unit, a node.
/// - `process`: what filters know of a process. An empty exe, a uid of -1 and an empty cgroup are unknown.
/// - `word`: causes.
/// - `incident`: one row each. Times are nanoseconds since 1970; `quarter` is the quarter of an hour since then, which every time zone's
///   hours are made of. `sender` is null for the kernel.
/// - `member`: further victims.
/// - `record`: the incident's JSON, as it is now, and its first verdict, where that was corrected.
const FIRST: &str = "
CREATE TABLE who(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE place(
    id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, node TEXT, unit TEXT, memory_cgroup TEXT,
    container TEXT, name TEXT, runtime TEXT, image TEXT, namespace TEXT, pod TEXT, confirmed INTEGER,
    labels TEXT, around TEXT
);
CREATE INDEX place_hash ON place(hash);
CREATE TABLE process(
    id INTEGER PRIMARY KEY, comm TEXT NOT NULL, exe TEXT NOT NULL, uid INTEGER NOT NULL, cgroup TEXT NOT NULL,
    UNIQUE(comm, exe, uid, cgroup)
);
CREATE TABLE word(id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
CREATE TABLE incident(
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, quarter INTEGER NOT NULL,
    who INTEGER NOT NULL, place INTEGER NOT NULL, cause INTEGER, confidence TEXT, routine INTEGER NOT NULL,
    pid INTEGER NOT NULL, process INTEGER NOT NULL, sender INTEGER, sender_pid INTEGER,
    exit_status INTEGER, limit_bytes INTEGER, started INTEGER
);
CREATE INDEX incident_at ON incident(at);
CREATE INDEX incident_quarter ON incident(quarter, routine);
CREATE INDEX incident_who ON incident(who, routine, at, cause);
CREATE INDEX incident_cause ON incident(cause, routine, at);
CREATE INDEX incident_place ON incident(place, routine, at, cause, who);
CREATE INDEX incident_process ON incident(process, routine, at);
CREATE INDEX incident_pid ON incident(pid);
CREATE INDEX incident_sender ON incident(sender, sender_pid);
CREATE TABLE member(incident INTEGER NOT NULL, process INTEGER NOT NULL, pid INTEGER NOT NULL);
CREATE INDEX member_incident ON member(incident);
CREATE INDEX member_process ON member(process, incident);
CREATE INDEX member_pid ON member(pid, incident);
CREATE TABLE record(seq INTEGER PRIMARY KEY, json TEXT NOT NULL, first_verdict TEXT);
";

/// - `exit`: ends of containers' first processes with 137 that no SIGKILL made, as JSON. `is_roots`: in a container that only root can have
///   made.
/// - Counts by hour have the first and the last kill of each: the index has their times.
const SECOND: &str = "
CREATE TABLE exit(
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, who INTEGER NOT NULL, is_roots INTEGER NOT NULL, node TEXT,
    pid INTEGER NOT NULL, json TEXT NOT NULL
);
CREATE INDEX exit_at ON exit(is_roots, at);
CREATE INDEX exit_who ON exit(who, at);
CREATE INDEX exit_pid ON exit(pid, at);
DROP INDEX incident_quarter;
CREATE INDEX incident_quarter ON incident(quarter, routine, at);
";

/// - `tally`: how many incidents that are not routine there are of each cause, identity, place, process and quarter of an hour, and when the
///   first and the last of them was; see `tally`, whose kinds these are. -1 is no cause.
const THIRD: &str = "
CREATE TABLE tally(
    kind INTEGER NOT NULL, id INTEGER NOT NULL, count INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY(kind, id)
) WITHOUT ROWID;
INSERT INTO tally SELECT 0, coalesce(cause, -1), count(*), min(at), max(at) FROM incident WHERE routine = 0 GROUP BY cause;
INSERT INTO tally SELECT 1, who, count(*), min(at), max(at) FROM incident WHERE routine = 0 GROUP BY who;
INSERT INTO tally SELECT 2, place, count(*), min(at), max(at) FROM incident WHERE routine = 0 GROUP BY place;
INSERT INTO tally SELECT 3, process, count(*), min(at), max(at) FROM incident WHERE routine = 0 GROUP BY process;
INSERT INTO tally SELECT 4, quarter, count(*), min(at), max(at) FROM incident WHERE routine = 0 GROUP BY quarter;
";

/// - `alike`: a hash of what like kills have in common (`folding`); null in what was kept before, which is like no other.
/// - Lists go by the time, and by that: the index has both.
const FOURTH: &str = "
ALTER TABLE incident ADD COLUMN alike INTEGER;
DROP INDEX incident_at;
CREATE INDEX incident_at ON incident(at, routine, who, alike);
";

/// - Whoever looks for what is rare among the latest passes many by: the index has what filters ask of them.
const FIFTH: &str = "
DROP INDEX incident_at;
CREATE INDEX incident_at ON incident(at, routine, who, alike, place, cause, process, sender);
";

/// The file, which is at `path`, is a history, or was one before it was damaged: it begins as such a file does, is where histories are kept, has a
/// database's log beside it, or the zeros of blocks that a machine wrote no more when it went down. Nothing else is ever moved aside.
///
/// # Errors
/// When it is something else, or cannot be read.
pub fn must_be_ours(file: File, path: &Path) -> Result<(), StoreError> {
    // `PRAGMA application_id` is at offset 68 of the header of 100 bytes, big-endian (sqlite.org/fileformat2.html).
    const MAGIC: &[u8] = b"SQLite format 3\0";
    const HEADER: u64 = 100;
    let failed = |error| StoreError::File { what: "read", path: path.to_owned(), error };
    let mut header = Vec::new();
    file.take(HEADER).read_to_end(&mut header).map_err(failed)?;
    // Which application's it is says `version`.
    let is_ours = header.starts_with(MAGIC)
        || header.get(68..72) == Some(&APPLICATION.to_be_bytes())
        || header.iter().all(|byte| *byte == 0)
        || is_log(&beside(path, "-wal"))
        || path == Path::new(DEFAULT_PATH);
    if is_ours { Ok(()) } else { Err(StoreError::Foreign { path: path.to_owned() }) }
}

/// A database's log: what it belongs to was a database, whatever has become of its beginning.
fn is_log(path: &Path) -> bool {
    // The last bit says in which order checksums are computed (sqlite.org/fileformat2.html, 4.1).
    const MAGIC: u32 = 0x377f_0682;
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && u32::from_be_bytes(magic) & !1 == MAGIC
}

/// The form of the file; 0 when it is empty.
///
/// # Errors
/// When it cannot be read, is not oomtrace's, or something runs in it.
pub fn version(db: &Connection, path: &Path) -> Result<u32, StoreError> {
    let failed = StoreError::of("read", path);
    let number = |pragma: &str| db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i32>(0));
    let application = number("application_id").map_err(&failed)?;
    let version = number("user_version").map_err(&failed)?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(&failed)?;
    if application != APPLICATION && !(application == 0 && version == 0 && tables == 0) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    trust::must_be_plain(db, path)?;
    u32::try_from(version).map_err(|_| StoreError::Foreign { path: path.to_owned() })
}

/// Brings the file to this oomtrace's form, each step whole or not at all.
///
/// # Errors
/// When a newer oomtrace has written it, or it cannot be written.
pub fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    migrate_by(db, path, STEPS)
}

pub(super) fn migrate_by(db: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let found = version(db, path)?;
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    let failed = StoreError::of("write", path);
    for (step, number) in steps.iter().zip(1..=known).skip(found as usize) {
        let step = format!("{step}; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {number};");
        let transaction = db.transaction().map_err(&failed)?;
        transaction.execute_batch(&step).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
    }
    Ok(())
}
