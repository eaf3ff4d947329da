//! Ends of containers' first processes with 137 that no SIGKILL made: no kills, and kept so that whoever asks why a container ended has
//! the answer. A container can make as many as it likes, and a user as many containers: only so many of each are kept, and of all, and
//! those that any user can make push out none of the others.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::model::Exited;
use crate::store::place::who_row;
use crate::store::select::nearest;
use crate::store::write::SAME_NS;
use crate::store::{Bounds, History, Identity, StoreError};
use crate::text::nanoseconds;

/// The first form of a history that has them.
const SINCE_FORM: u32 = 2;
/// Of one identity, the latest.
const OF_ONE: u32 = 20;
/// Of all of root's containers, the latest; and as many of all others.
const OF_ALL: u32 = 1_000;
/// Their share of the history's size.
const SHARE: u64 = 16;
/// Removed at a time where they take too much.
const FEW: u32 = 20;

/// Keeps it, unless it is there already: by its id, or as another oomtrace on this node has seen it.
pub fn insert(db: &Transaction<'_>, exited: &Exited, json: &str) -> rusqlite::Result<()> {
    let at = nanoseconds(&exited.time).unwrap_or_default();
    let is_known: bool = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM exit WHERE id = ?1 OR (pid = ?2 AND node IS ?3 AND at BETWEEN ?4 AND ?5))",
        )?
        .query_row(
            params![exited.id, exited.process.pid, exited.node, at.saturating_sub(SAME_NS), at.saturating_add(SAME_NS)],
            |row| row.get(0),
        )?;
    if is_known {
        return Ok(());
    }
    let who = who_row(db, &Identity::of_exit(exited))?;
    db.prepare_cached("INSERT INTO exit(id, at, who, is_roots, node, pid, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![exited.id, at, who, is_roots(exited), exited.node, exited.process.pid, json])?;
    db.prepare_cached(
        "DELETE FROM exit WHERE seq IN (SELECT seq FROM exit WHERE who = ?1 ORDER BY at DESC, seq DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![who, OF_ONE])?;
    Ok(())
}

/// It is of a container that only root can have made.
fn is_roots(exited: &Exited) -> bool {
    let outermost = exited.container.as_ref().and_then(|container| container.chain().last());
    outermost.is_some_and(|container| container.confirmed && container.user.is_none())
}

/// Removes those from before `oldest`, in nanoseconds since 1970, and those that are too many or too large; how many.
pub fn retain(db: &mut Connection, bounds: Bounds, oldest: i64) -> rusqlite::Result<u64> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut removed = transaction.execute("DELETE FROM exit WHERE at < ?1", [oldest])?;
    for is_roots in [false, true] {
        removed += transaction.execute(
            "DELETE FROM exit WHERE seq IN
             (SELECT seq FROM exit WHERE is_roots = ?1 ORDER BY at DESC, seq DESC LIMIT -1 OFFSET ?2)",
            params![is_roots, OF_ALL],
        )?;
    }
    let size = "SELECT coalesce(sum(length(json)), 0) FROM exit";
    while transaction.query_row(size, [], |row| row.get::<_, u64>(0))? > bounds.bytes / SHARE {
        removed += transaction.execute(
            "DELETE FROM exit WHERE seq IN (SELECT seq FROM exit ORDER BY is_roots, at, seq LIMIT ?1)",
            [FEW],
        )?;
    }
    transaction.commit()?;
    Ok(removed as u64)
}

/// Ends that were kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exits {
    /// The latest first.
    pub found: Vec<Exited>,
    /// The numbers of those that cannot be read.
    pub unreadable: Vec<i64>,
}

impl History {
    /// Ends with 137 that no SIGKILL made, of that identity or of all, the latest first.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn exits(&self, identity: Option<&Identity>) -> Result<Exits, StoreError> {
        if self.form() < SINCE_FORM {
            return Ok(Exits::default());
        }
        let find = || {
            let mut find = self.db().prepare_cached(
                "SELECT exit.seq, exit.json FROM exit JOIN who ON who.id = exit.who WHERE ?1 IS NULL OR who.key = ?1
                 ORDER BY exit.at DESC, exit.seq DESC",
            )?;
            let key = identity.map(Identity::key);
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            find.query_map([key], row)?.collect::<Result<Vec<(i64, String)>, _>>()
        };
        let mut exits = Exits::default();
        for (seq, json) in find().map_err(StoreError::of("read", self.path()))? {
            match serde_json::from_str(&json) {
                Ok(exited) => exits.found.push(exited),
                Err(_) => exits.unreadable.push(seq),
            }
        }
        Ok(exits)
    }

    /// The same of that time, whosever they are, without those that cannot be read.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn exits_between(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> Result<Vec<Exited>, StoreError> {
        if self.form() < SINCE_FORM {
            return Ok(Vec::new());
        }
        let span = (since.map_or(i64::MIN, nearest), until.map_or(i64::MAX, nearest));
        let find = || {
            let sql = "SELECT json FROM exit WHERE at >= ?1 AND at < ?2 ORDER BY at DESC, seq DESC";
            let mut find = self.db().prepare_cached(sql)?;
            let rows = find.query_map(span, |row| row.get::<_, String>(0))?;
            rows.collect::<Result<Vec<String>, _>>()
        };
        let found = find().map_err(StoreError::of("read", self.path()))?;
        Ok(found.iter().filter_map(|json| serde_json::from_str(json).ok()).collect())
    }

    /// The one with that id, or whose id alone begins so.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn exit_by_id(&self, id: &str) -> Result<Option<Exited>, StoreError> {
        if self.form() < SINCE_FORM || id.is_empty() {
            return Ok(None);
        }
        let find = || {
            let after = format!("{id}\u{10ffff}");
            // One of that very id comes first, and none when several begin so.
            let sql = "SELECT json FROM exit WHERE id >= ?1 AND id < ?2 AND
                       (id = ?1 OR (SELECT count(*) FROM exit WHERE id >= ?1 AND id < ?2) = 1) ORDER BY id LIMIT 1";
            self.db().prepare_cached(sql)?.query_row([id, &after], |row| row.get::<_, String>(0)).optional()
        };
        let found = find().map_err(StoreError::of("read", self.path()))?;
        Ok(found.map(|json| serde_json::from_str(&json)).transpose()?)
    }
}

#[cfg(test)]
pub(super) mod tests;
