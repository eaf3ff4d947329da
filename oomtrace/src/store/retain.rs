//! Keeps the history within its bounds.

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::store::exits;

/// How much is kept: whatever is beyond either goes, the oldest first. By the size, whoever has more than its share loses its own oldest first:
/// a container that is killed every second takes nothing of what is known of the others. Programs outside of containers and units go by their
/// paths: somebody with many of these has as many shares.
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
/// Of one and the same thing there is at the most one byte in so many, once the history is full.
const SHARE: u64 = 4;
const FEW: i64 = 20;
/// Pages that are given back to the file system with it.
const PAGES: u32 = 2048;
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// How many incidents were removed.
pub fn retain(db: &mut Connection, bounds: Bounds, now_ns: i64) -> rusqlite::Result<u64> {
    let oldest = now_ns.saturating_sub(i64::from(bounds.days).saturating_mul(DAY_NS));
    // They have a share of their own: however many there are, no incident goes for them.
    let exits = exits::retain(db, bounds, oldest)?;
    let (mut removed, mut shares) = (0, None);
    loop {
        let beyond = used_bytes(db)?.saturating_sub(bounds.bytes);
        let gone = if beyond == 0 {
            remove(db, oldest, None, (STEP, u64::MAX))?
        } else {
            let shares: &mut Shares = match &mut shares {
                Some(shares) => shares,
                none => none.insert(Shares::read(db)?),
            };
            let (who, bytes) = match shares.fullest() {
                Some((who, surplus)) => (Some(who), surplus.min(beyond)),
                None => (None, beyond),
            };
            let gone = remove(db, i64::MAX, who, (FEW, bytes))?;
            gone.iter().for_each(|gone| shares.took(*gone));
            gone
        };
        removed += gone.len() as u64;
        if gone.is_empty() {
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

/// Larger than it may be by a sixteenth: that much may come before the bounds are looked at again.
pub fn is_beyond(db: &Connection, bounds: Bounds) -> rusqlite::Result<bool> {
    Ok(used_bytes(db)? > bounds.bytes.saturating_add(bounds.bytes / 16))
}

/// How many bytes of records are of whom.
struct Shares {
    of: BTreeMap<i64, u64>,
    all: u64,
}

impl Shares {
    fn read(db: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT who, sum(octet_length(json)) FROM incident JOIN record USING (seq) GROUP BY who";
        let of: BTreeMap<i64, u64> =
            db.prepare_cached(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(Self { all: of.values().sum(), of })
    }

    /// Whoever has more than its share, and the most of all; and how many bytes are to go until it has no more than that.
    fn fullest(&self) -> Option<(i64, u64)> {
        let (who, bytes) = self.of.iter().max_by_key(|(_, bytes)| **bytes)?;
        // What goes is missing from the whole as well.
        let surplus = bytes.saturating_mul(SHARE).saturating_sub(self.all).div_ceil(SHARE - 1);
        (surplus > 0).then_some((*who, surplus))
    }

    fn took(&mut self, (who, bytes): (i64, u64)) {
        self.all = self.all.saturating_sub(bytes);
        self.of.entry(who).and_modify(|own| *own = own.saturating_sub(bytes));
    }
}

/// The oldest incidents: a walk along the index of their times, which ends at the limit.
const OLDEST: &str = "SELECT seq, who, coalesce(octet_length(json), 0) FROM incident LEFT JOIN record USING (seq)
    WHERE at < ?1 ORDER BY at LIMIT ?2";
/// Those of one and the same thing: no others are looked at, and no more records than are asked for.
const OLDEST_OF: &str = "SELECT seq, who, coalesce(octet_length(json), 0) FROM
    (SELECT seq, who, at FROM incident WHERE who = ?3 AND routine IN (0, 1) AND at < ?1 ORDER BY at LIMIT ?2)
    LEFT JOIN record USING (seq) ORDER BY at";

/// The oldest incidents of those before `before`, of `who` alone or of all: so many at a time, and no more than it takes for so many bytes of
/// records, but one. Of whom each was, and its bytes.
fn remove(
    db: &mut Connection,
    before: i64,
    who: Option<i64>,
    (most, bytes): (i64, u64),
) -> rusqlite::Result<Vec<(i64, u64)>> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let read =
        |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, i64, u64)> { Ok((row.get(0)?, row.get(1)?, row.get(2)?)) };
    let mut oldest = transaction.prepare_cached(if who.is_some() { OLDEST_OF } else { OLDEST })?;
    let found = match who {
        Some(who) => oldest.query_map(params![before, most, who], read)?,
        None => oldest.query_map(params![before, most], read)?,
    };
    let found: Vec<_> = found.collect::<Result<_, _>>()?;
    drop(oldest);
    let mut gone = Vec::new();
    let mut sum: u64 = 0;
    for (seq, who, own) in found {
        if sum >= bytes {
            break;
        }
        sum = sum.saturating_add(own.max(1));
        gone.push((who, own));
        for table in [
            "DELETE FROM record WHERE seq = ?1",
            "DELETE FROM member WHERE incident = ?1",
            "DELETE FROM incident WHERE seq = ?1",
        ] {
            transaction.prepare_cached(table)?.execute([seq])?;
        }
    }
    transaction.commit()?;
    Ok(gone)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{Place, plan};

    #[test]
    fn what_goes_is_found_by_an_index() {
        let place = Place::new();
        let writer = place.writer();
        for (sql, index) in [
            (OLDEST, "SEARCH incident USING COVERING INDEX incident_at (at<?)"),
            (OLDEST_OF, "SEARCH incident USING COVERING INDEX incident_who (who=? AND routine=? AND at<?)"),
        ] {
            let steps = plan(writer.db(), sql);
            assert!(steps.iter().any(|step| step == index), "{steps:?}");
            // Each record by its number.
            assert!(!steps.iter().any(|step| step.starts_with("SCAN incident") || step.starts_with("SCAN record")));
        }
    }
}
