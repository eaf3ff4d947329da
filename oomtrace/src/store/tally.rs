//! Counts that are kept while the history is written: whoever asks how many there are of everything need not wait until a million are counted.
//!
//! Triggers keep them, in each writer's own temporary schema: nothing stands in the file that runs.

use rusqlite::Connection;

/// The first form of the history that has it.
pub const SINCE: u32 = 3;

/// What is counted by: the number that `tally` has for it, and the column of `incident`. Each has an index that leads with it, `routine` and `at`.
pub const KINDS: [(u8, &str); 5] = [(0, "cause"), (1, "who"), (2, "place"), (3, "process"), (4, "quarter")];

/// The columns that a correction may change.
const CORRECTED: [&str; 3] = ["cause", "who", "place"];

/// What gives `id`, `count`, `first` and `last` of all incidents that are not routine, by a column of `incident`.
#[must_use]
pub fn of(column: &str) -> Option<String> {
    let (kind, _) = KINDS.iter().find(|(_, name)| *name == column)?;
    Some(format!("SELECT nullif(id, -1) AS id, count, first, last FROM tally WHERE kind = {kind}"))
}

/// Has what this connection writes counted.
///
/// # Errors
/// When SQLite refuses.
pub fn keep(db: &Connection) -> rusqlite::Result<()> {
    let all = || KINDS.iter().copied();
    let corrected = || all().filter(|(_, column)| CORRECTED.contains(column));
    let statements = |of: &mut dyn Iterator<Item = (u8, &str)>, one: fn(u8, &str) -> String| -> String {
        of.map(|(kind, column)| one(kind, column)).collect()
    };
    db.execute_batch(&format!(
        "CREATE TEMP TRIGGER tally_kept AFTER INSERT ON main.incident WHEN new.routine = 0 BEGIN {} END;
         CREATE TEMP TRIGGER tally_removed AFTER DELETE ON main.incident WHEN old.routine = 0 BEGIN {} END;
         CREATE TEMP TRIGGER tally_corrected AFTER UPDATE OF {} ON main.incident WHEN new.routine = 0 BEGIN {} {} END;",
        statements(&mut all(), added),
        statements(&mut all(), taken),
        CORRECTED.join(", "),
        statements(&mut corrected(), taken),
        statements(&mut corrected(), added),
    ))
}

fn added(kind: u8, column: &str) -> String {
    format!(
        "INSERT INTO tally(kind, id, count, first, last) VALUES ({kind}, coalesce(new.{column}, -1), 1, new.at, new.at)
         ON CONFLICT(kind, id) DO UPDATE SET
             count = count + 1, first = min(first, excluded.first), last = max(last, excluded.last);"
    )
}

fn taken(kind: u8, column: &str) -> String {
    // An index has them by their times.
    let left = |order: &str| {
        format!("SELECT at FROM incident WHERE {column} IS old.{column} AND routine = 0 ORDER BY at {order} LIMIT 1")
    };
    format!(
        "UPDATE tally SET count = count - 1, first = coalesce(({}), first), last = coalesce(({}), last)
             WHERE kind = {kind} AND id = coalesce(old.{column}, -1);
         DELETE FROM tally WHERE kind = {kind} AND id = coalesce(old.{column}, -1) AND count <= 0;",
        left("ASC"),
        left("DESC"),
    )
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::tests::{Place, plan};

    /// The same, counted anew.
    fn counted(db: &Connection, column: &str) -> Vec<(Option<i64>, i64, i64, i64)> {
        rows(
            db,
            &format!(
                "SELECT {column}, count(*), min(at), max(at) FROM incident WHERE routine = 0 GROUP BY 1 ORDER BY 1"
            ),
        )
    }

    fn rows(db: &Connection, sql: &str) -> Vec<(Option<i64>, i64, i64, i64)> {
        let mut all = db.prepare(sql).unwrap();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        all.query_map([], read).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn what_is_kept_removed_and_corrected_is_counted() {
        let place = Place::new();
        let writer = place.writer();
        let db = writer.db();
        let insert = |number: i64, cause: Option<i64>, routine: i64| {
            db.execute(
                "INSERT INTO incident(id, at, quarter, who, place, cause, routine, pid, process) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8)",
                rusqlite::params![format!("{routine}-{number}"), number * 7 % 50, number / 10, number % 3, number % 5, cause, routine, number % 2],
            )
            .unwrap();
        };
        let is_true = |what: &str| {
            for (_, column) in KINDS {
                let kept = rows(db, &format!("{} ORDER BY 1", of(column).unwrap()));
                assert_eq!(kept, counted(db, column), "{column} {what}");
            }
        };
        for number in 0..60 {
            insert(number, (number % 4 != 0).then_some(number % 4), 0);
            insert(number, Some(1), 1);
        }
        is_true("kept");
        db.execute("UPDATE incident SET cause = 9, who = 8, place = 7 WHERE seq % 6 = 1", []).unwrap();
        db.execute("UPDATE incident SET cause = NULL WHERE seq % 10 = 3", []).unwrap();
        is_true("corrected");
        for from in [0, 20, 60] {
            db.execute("DELETE FROM incident WHERE at < ?1", [from]).unwrap();
            is_true("removed");
        }
        assert_eq!(db.query_row("SELECT count(*) FROM tally", [], |row| row.get::<_, i64>(0)), Ok(0));
        // Nothing of it stands in the file.
        crate::store::trust::must_be_plain(db, std::path::Path::new("history.db")).unwrap();
    }

    #[test]
    fn first_and_last_are_found_by_an_index() {
        let place = Place::new();
        let writer = place.writer();
        for (_, column) in KINDS {
            let sql = format!("SELECT at FROM incident WHERE {column} IS ?1 AND routine = 0 ORDER BY at LIMIT 1");
            let steps = plan(writer.db(), &sql);
            assert!(steps.iter().all(|step| step.contains(&format!("({column}=? AND routine=?)"))), "{steps:?}");
        }
    }
}
