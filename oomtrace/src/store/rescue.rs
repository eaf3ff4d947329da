//! What is done about a history that is damaged: it is moved aside, and what can be read of it goes into a new one.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::model::Incident;
use crate::store::write::Entry;
use crate::store::{Bounds, StoreError, Writer, beside, trust};

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// Where the damaged file is now.
    pub aside: PathBuf,
    /// Incidents that were read from it.
    pub saved: u64,
}

/// Incidents that go into the new one at a time.
const STEP: usize = 256;
/// Rows that are tried one by one where reading them in order fails.
const MOST_TRIED: usize = 2_000_000;

/// Moves the history at `path` aside, makes a new one, and copies what can be read.
///
/// # Errors
/// When it cannot be moved, or no new one can be made or written.
pub fn rescue(path: &Path, bounds: Bounds, now: jiff::Timestamp) -> Result<(Writer, Rescued), StoreError> {
    // `history.db.corrupt-20261126T031405`
    let aside = beside(path, &format!(".corrupt-{}", now.strftime("%Y%m%dT%H%M%S")));
    // Its log has commits that are nowhere else. The index beside that is made anew.
    for suffix in ["-wal", ""] {
        let from = beside(path, suffix);
        match std::fs::rename(&from, beside(&aside, suffix)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !suffix.is_empty() => {}
            Err(error) => return Err(StoreError::File { what: "move aside", path: from, error }),
            Ok(()) => {}
        }
    }
    // Whatever is left of it is of no use without the file.
    _ = std::fs::remove_file(beside(path, "-shm"));
    let mut writer = Writer::open(path, bounds)?;
    let mut saved = 0;
    // One that cannot even be opened has nothing to give.
    if let Ok(damaged) = open_damaged(&aside) {
        let mut step = Vec::new();
        salvage(&damaged, &mut |incident| {
            step.push(Entry::Incident(Box::new(incident)));
            saved += 1;
            if step.len() >= STEP { writer.append(&std::mem::take(&mut step)) } else { Ok(()) }
        })?;
        step.extend(exits(&damaged));
        writer.append(&step)?;
    }
    Ok((writer, Rescued { aside, saved }))
}

fn open_damaged(path: &Path) -> rusqlite::Result<Connection> {
    // To read its log it may write beside it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(path, flags)?;
    trust::harden(&db)?;
    db.execute_batch("PRAGMA query_only = ON;")?;
    Ok(db)
}

/// Ends that are no kills, up to the damage, if there is any among them.
fn exits(damaged: &Connection) -> Vec<Entry> {
    let Ok(mut all) = damaged.prepare("SELECT json FROM exit ORDER BY at") else { return Vec::new() };
    let Ok(found) = all.query_map([], |row| row.get::<_, String>(0)) else { return Vec::new() };
    let read = found.map_while(Result::ok).filter_map(|json| serde_json::from_str(&json).ok());
    read.map(|exited| Entry::Exit(Box::new(exited))).collect()
}

/// Gives each incident that can be read, in their order.
fn salvage(damaged: &Connection, save: &mut impl FnMut(Incident) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let Ok(mut one) = damaged.prepare("SELECT json FROM record WHERE seq = ?1") else { return Ok(()) };
    for seq in numbers(damaged) {
        let json = one.query_row([seq], |row| row.get::<_, String>(0));
        if let Some(incident) = json.ok().and_then(|json| serde_json::from_str(&json).ok()) {
            save(incident)?;
        }
    }
    Ok(())
}

/// Rows that may be there: from the beginning up to the damage, from the end back to it, and whatever number lies between.
fn numbers(damaged: &Connection) -> Vec<i64> {
    let (mut numbers, is_whole) = scan(damaged, "SELECT seq FROM record ORDER BY seq");
    if is_whole {
        return numbers;
    }
    let last = numbers.last().copied().unwrap_or_default();
    let (from_end, _) = scan(damaged, &format!("SELECT seq FROM record WHERE seq > {last} ORDER BY seq DESC"));
    let until = from_end.last().copied().unwrap_or_else(|| highest(damaged, last));
    numbers.extend((last.saturating_add(1)..until).take(MOST_TRIED));
    numbers.extend(from_end.into_iter().rev());
    numbers
}

/// What `sql` gives until it fails, and whether it came to its end.
fn scan(damaged: &Connection, sql: &str) -> (Vec<i64>, bool) {
    let mut found = Vec::new();
    let Ok(mut all) = damaged.prepare(sql) else { return (found, false) };
    let Ok(mut rows) = all.query([]) else { return (found, false) };
    loop {
        match rows.next().and_then(|row| row.map(|row| row.get(0)).transpose()) {
            Ok(Some(seq)) => found.push(seq),
            Ok(None) => return (found, true),
            Err(_) => return (found, false),
        }
    }
}

/// Behind the highest number that another table knows of.
fn highest(damaged: &Connection, last: i64) -> i64 {
    let known = |sql: &str| damaged.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).ok().flatten();
    let most =
        ["SELECT max(seq) FROM incident", "SELECT max(incident) FROM member"].into_iter().filter_map(known).max();
    most.map_or(last, |most| most.saturating_add(1))
}
