//! Keeps the history within its bounds.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use crate::store::{exits, place};

/// How much is kept: whatever is beyond either goes, the oldest first. By the size, whoever has more than a share loses their own oldest first:
/// a container that is killed every second takes nothing of what is known of the others, and neither does a user who makes ten thousand of
/// them, or as many units or programs (`Identity::holder`).
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
const STEP: usize = 500;
/// Of one and the same holder there is at the most one byte in so many, once the history is full.
const SHARE: u64 = 4;
const FEW: usize = 20;
/// After so many what only they had is removed as well: of many names it is as much again, for which others would have to go.
const SWEEP: usize = 200;
/// Pages that are given back to the file system with it.
const PAGES: u32 = 2048;
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// How many incidents were removed.
pub fn retain(db: &mut Connection, bounds: Bounds, now_ns: i64) -> rusqlite::Result<u64> {
    let oldest = now_ns.saturating_sub(i64::from(bounds.days).saturating_mul(DAY_NS));
    // They have a share of their own: however many there are, no incident goes for them.
    let exits = exits::retain(db, bounds, oldest)?;
    let (mut removed, mut shares, mut unswept) = (0, None, 0);
    loop {
        let beyond = used_bytes(db)?.saturating_sub(bounds.bytes);
        let gone = if beyond == 0 {
            remove(db, (i64::MIN, oldest), |_| true, (STEP, u64::MAX))?
        } else {
            let shares: &mut Shares = match &mut shares {
                Some(shares) => shares,
                none => none.insert(Shares::read(db)?),
            };
            let gone = match shares.fullest() {
                Some((holder, surplus)) => {
                    // What was of it before that is gone.
                    let span = (shares.gone_until(holder), i64::MAX);
                    remove(db, span, |who| shares.is_of(holder, who), (FEW, surplus.min(beyond)))?
                }
                None => remove(db, (i64::MIN, i64::MAX), |_| true, (FEW, beyond))?,
            };
            gone.iter().for_each(|gone| shares.took(*gone));
            unswept += gone.len();
            if unswept >= SWEEP {
                unswept = 0;
                remove_unused(db)?;
            }
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

/// How many bytes of records are whose.
#[derive(Default)]
struct Shares {
    /// By the numbers that the history has for identities.
    holders: HashMap<i64, usize>,
    of: Vec<Share>,
    all: u64,
}

#[derive(Clone, Copy)]
struct Share {
    bytes: u64,
    /// Older ones were removed.
    gone_until: i64,
}

impl Shares {
    fn read(db: &Connection) -> rusqlite::Result<Self> {
        let mut own = Self::default();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let sql =
            "SELECT incident.who, sum(octet_length(json)) FROM incident JOIN record USING (seq) GROUP BY incident.who";
        let mut sums = db.prepare_cached(sql)?;
        let mut rows = sums.query([])?;
        while let Some(row) = rows.next()? {
            let (who, bytes): (i64, u64) = (row.get(0)?, row.get(1)?);
            let holder = place::identity(db, who)?.holder();
            let number = *numbers.entry(holder).or_insert(own.of.len());
            if number == own.of.len() {
                own.of.push(Share { bytes: 0, gone_until: i64::MIN });
            }
            own.holders.insert(who, number);
            own.all = own.all.saturating_add(bytes);
            own.of.iter_mut().skip(number).take(1).for_each(|share| share.bytes = share.bytes.saturating_add(bytes));
        }
        Ok(own)
    }

    /// Whoever has more than a share, and the most of all; and how many bytes are to go until they have no more than that.
    fn fullest(&self) -> Option<(usize, u64)> {
        let (holder, share) = self.of.iter().enumerate().max_by_key(|(_, share)| share.bytes)?;
        // What goes is missing from the whole as well.
        let surplus = share.bytes.saturating_mul(SHARE).saturating_sub(self.all).div_ceil(SHARE - 1);
        (surplus > 0).then_some((holder, surplus))
    }

    fn is_of(&self, holder: usize, who: i64) -> bool {
        self.holders.get(&who) == Some(&holder)
    }

    fn gone_until(&self, holder: usize) -> i64 {
        self.of.get(holder).map_or(i64::MIN, |share| share.gone_until)
    }

    fn took(&mut self, Gone { who, at, bytes }: Gone) {
        self.all = self.all.saturating_sub(bytes);
        let share = self.holders.get(&who).and_then(|holder| self.of.get_mut(*holder));
        if let Some(share) = share {
            (share.bytes, share.gone_until) = (share.bytes.saturating_sub(bytes), share.gone_until.max(at));
        }
    }
}

/// Of whom one was that was removed, when, and its bytes.
#[derive(Clone, Copy)]
struct Gone {
    who: i64,
    at: i64,
    bytes: u64,
}

/// The oldest incidents of that span: a walk along the index of their times, without a look at the rows, which ends where it is broken off.
const OLDEST: &str = "SELECT seq, who, at FROM incident WHERE at >= ?1 AND at < ?2 ORDER BY at";
const BYTES: &str = "SELECT coalesce(octet_length(json), 0) FROM record WHERE seq = ?1";

/// The oldest incidents of those from then on and before then that are of whom it is asked for: so many at a time, and no more than it takes for
/// so many bytes of records, but one.
fn remove(
    db: &mut Connection,
    (since, before): (i64, i64),
    is_of: impl Fn(i64) -> bool,
    (most, bytes): (usize, u64),
) -> rusqlite::Result<Vec<Gone>> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut found: Vec<(i64, Gone)> = Vec::new();
    let mut sum: u64 = 0;
    {
        let mut oldest = transaction.prepare_cached(OLDEST)?;
        let mut size = transaction.prepare_cached(BYTES)?;
        let mut rows = oldest.query([since, before])?;
        while found.len() < most && sum < bytes {
            let Some(row) = rows.next()? else { break };
            let (seq, who, at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if is_of(who) {
                let own: u64 = size.query_row([seq], |row| row.get(0)).optional()?.unwrap_or_default();
                sum = sum.saturating_add(own.max(1));
                found.push((seq, Gone { who, at, bytes: own }));
            }
        }
    }
    for (seq, _) in &found {
        for table in [
            "DELETE FROM record WHERE seq = ?1",
            "DELETE FROM member WHERE incident = ?1",
            "DELETE FROM incident WHERE seq = ?1",
        ] {
            transaction.prepare_cached(table)?.execute([seq])?;
        }
    }
    transaction.commit()?;
    Ok(found.into_iter().map(|(_, gone)| gone).collect())
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
        for (sql, step) in [
            (OLDEST, "SEARCH incident USING COVERING INDEX incident_at (at>? AND at<?)"),
            // Each record by its number.
            (BYTES, "SEARCH record USING INTEGER PRIMARY KEY (rowid=?)"),
        ] {
            assert_eq!(plan(writer.db(), sql), [step]);
        }
    }
}
