//! Keeps the history within its bounds.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::store::exits;

/// How much is kept: whatever is beyond either goes, the oldest first. By the size, whoever has more than its share loses its own oldest first:
/// a container that is killed every second takes nothing of what is known of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub days: u32,
    /// Of the file, without what its log holds for a moment (4 MiB).
    pub bytes: u64,
}

impl Bounds {
    /// Thirty days, and a quarter of a gigabyte: some 40,000 incidents.
    pub const DEFAULT: Self = Self { days: 30, bytes: 256 << 20 };
}

impl Default for Bounds {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Incidents that one transaction removes: whoever else writes waits for it.
const STEP: i64 = 500;
/// Of one and the same thing there is at the most one incident in so many, once the history is full.
const SHARE: i64 = 4;
const FEW: i64 = 20;
/// Pages that are given back to the file system with it.
const PAGES: u32 = 2048;
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// How many incidents were removed.
pub fn retain(db: &mut Connection, bounds: Bounds, now_ns: i64) -> rusqlite::Result<u64> {
    let oldest = now_ns.saturating_sub(i64::from(bounds.days).saturating_mul(DAY_NS));
    // They have a share of their own: however many there are, no incident goes for them.
    let exits = exits::retain(db, bounds, oldest)?;
    let mut removed = 0;
    loop {
        let is_large = used_bytes(db)? > bounds.bytes;
        // One incident may have thousands of victims: by the size, only few are removed at a time.
        let step = if is_large {
            let who = fullest(db)?;
            remove(db, i64::MAX, who, FEW)?
        } else {
            remove(db, oldest, None, STEP)?
        };
        removed += step;
        if step == 0 {
            break;
        }
    }
    if removed + exits > 0 {
        remove_unused(db)?;
    }
    while free_pages(db)? > 0 {
        let before = free_pages(db)?;
        db.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        if free_pages(db)? >= before {
            break;
        }
    }
    Ok(removed)
}

fn pragma(db: &Connection, name: &str) -> rusqlite::Result<u64> {
    db.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}

fn free_pages(db: &Connection) -> rusqlite::Result<u64> {
    pragma(db, "freelist_count")
}

fn used_bytes(db: &Connection) -> rusqlite::Result<u64> {
    Ok(pragma(db, "page_count")?.saturating_sub(free_pages(db)?).saturating_mul(pragma(db, "page_size")?))
}

/// Whoever has more than its share of the incidents, and the most of all.
fn fullest(db: &Connection) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT who FROM incident GROUP BY who HAVING count(*) * ?1 > (SELECT count(*) FROM incident)
               ORDER BY count(*) DESC LIMIT 1";
    db.prepare_cached(sql)?.query_row([SHARE], |row| row.get(0)).optional()
}

/// The oldest incidents of those before `before`, of `who` alone or of all, so many at a time.
fn remove(db: &mut Connection, before: i64, who: Option<i64>, most: i64) -> rusqlite::Result<u64> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let seqs: Vec<i64> = transaction
        .prepare_cached("SELECT seq FROM incident WHERE at < ?1 AND (?2 IS NULL OR who = ?2) ORDER BY at LIMIT ?3")?
        .query_map(params![before, who, most], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for seq in &seqs {
        for table in [
            "DELETE FROM record WHERE seq = ?1",
            "DELETE FROM member WHERE incident = ?1",
            "DELETE FROM incident WHERE seq = ?1",
        ] {
            transaction.prepare_cached(table)?.execute([seq])?;
        }
    }
    transaction.commit()?;
    Ok(seqs.len() as u64)
}

/// What no incident refers to any more.
fn remove_unused(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "DELETE FROM place WHERE NOT EXISTS (SELECT 1 FROM incident WHERE incident.place = place.id);
         DELETE FROM who WHERE NOT EXISTS (SELECT 1 FROM incident WHERE incident.who = who.id)
            AND NOT EXISTS (SELECT 1 FROM exit WHERE exit.who = who.id);
         DELETE FROM process WHERE NOT EXISTS (SELECT 1 FROM incident WHERE incident.process = process.id)
            AND NOT EXISTS (SELECT 1 FROM incident WHERE incident.sender = process.id)
            AND NOT EXISTS (SELECT 1 FROM member WHERE member.process = process.id);",
    )?;
    transaction.commit()
}
