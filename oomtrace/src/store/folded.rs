//! Like incidents on one line, by the columns of the history: a million are looked through without reading one of them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::store::folding::{Like, Program, program};
use crate::store::place::read_process;
use crate::store::select::{Conditions, Selection};
use crate::store::{History, Identity, StoreError};
use crate::words::folded::{APART_NS, Folded};

/// A line of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The last incident of it, for [`History::incident`].
    pub seq: i64,
    pub folded: Folded,
}

impl History {
    /// The incidents that are asked for, like ones on one line where no more than [`APART_NS`] lies between each and the next; the latest
    /// first. `last` of the selection counts lines: each of them is whole.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn folded(&self, selection: &Selection) -> Result<Vec<Line>, StoreError> {
        let db = self.db();
        let mut lines = Lines { most: selection.last.unwrap_or(usize::MAX), ..Lines::default() };
        let mut known = Known { db, programs: HashMap::new(), is_container: HashMap::new() };
        let mut read = || {
            let conditions = Conditions::of(db, selection)?;
            let sql = format!(
                "SELECT seq, at, who, cause, limit_bytes, routine, sender, process FROM incident{} ORDER BY at DESC, seq DESC",
                conditions.clause(db)?
            );
            conditions.each(db, &sql, |row| Ok(lines.take(row.get(0)?, row.get(1)?, known.like(row)?)))
        };
        read().map_err(StoreError::of("read", self.path()))?;
        Ok(lines.all)
    }
}

/// What the rows of an incident refer to, each read once.
struct Known<'a> {
    db: &'a Connection,
    programs: HashMap<i64, Option<Program>>,
    is_container: HashMap<i64, bool>,
}

impl Known<'_> {
    fn like(&mut self, row: &Row<'_>) -> rusqlite::Result<Like<i64, i64>> {
        let who = row.get(2)?;
        let sender = match row.get::<_, Option<i64>>(6)? {
            Some(sender) => self.program(sender)?,
            None => None,
        };
        let victim = if self.is_container(who)? { None } else { self.program(row.get(7)?)? };
        let limit = row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned);
        Ok(Like { of: who, cause: row.get(3)?, limit, is_routine: row.get(5)?, sender, victim })
    }

    fn program(&mut self, id: i64) -> rusqlite::Result<Option<Program>> {
        if let Some(known) = self.programs.get(&id) {
            return Ok(known.clone());
        }
        let mut find = self.db.prepare_cached("SELECT comm, exe, uid, cgroup FROM process WHERE id = ?1")?;
        let found = find.query_row([id], |row| read_process(row, 0)).optional()?.map(|process| program(&process));
        self.programs.insert(id, found.clone());
        Ok(found)
    }

    fn is_container(&mut self, who: i64) -> rusqlite::Result<bool> {
        if let Some(known) = self.is_container.get(&who) {
            return Ok(*known);
        }
        let mut find = self.db.prepare_cached("SELECT key FROM who WHERE id = ?1")?;
        let key = find.query_row([who], |row| row.get::<_, String>(0)).optional()?;
        let is_container = key.is_some_and(|key| Identity::is_containers(&key));
        self.is_container.insert(who, is_container);
        Ok(is_container)
    }
}

/// Lines that are made of incidents, the latest first.
#[derive(Default)]
struct Lines {
    most: usize,
    all: Vec<Line>,
    /// The line of each kind that may grow.
    growing: HashMap<Like<i64, i64>, usize>,
    /// When the earliest was of those that are on a line.
    earliest: i64,
}

impl Lines {
    /// Takes the one before all others; whether there may be more to come.
    fn take(&mut self, seq: i64, at: i64, like: Like<i64, i64>) -> ControlFlow<()> {
        let is_full = self.all.len() >= self.most;
        // None of them grows any more.
        if is_full && self.earliest.saturating_sub(at) > APART_NS {
            return ControlFlow::Break(());
        }
        let line = self.growing.get(&like).and_then(|number| self.all.get_mut(*number));
        if let Some(Line { folded, .. }) = line
            && folded.first.saturating_sub(at) <= APART_NS
        {
            (folded.count, folded.first) = (folded.count + 1, at);
            self.earliest = at;
        } else if !is_full {
            self.growing.insert(like, self.all.len());
            self.all.push(Line { seq, folded: Folded { count: 1, first: at, last: at } });
            self.earliest = at;
        } else {
            // Another line's, which lies before all that are shown.
            self.growing.remove(&like);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Incident;
    use crate::store::Entry;
    use crate::store::tests::{Place, named};

    fn at(number: u32, name: &str, minute: u32) -> Incident {
        let mut incident = named(number, name, "app:1");
        incident.time = format!("2026-11-20T{:02}:{:02}:00Z", minute / 60, minute % 60);
        incident
    }

    fn lines(place: &Place, last: Option<usize>) -> Vec<(String, u64, i64)> {
        let history = place.history();
        let found = history.folded(&Selection { last, ..Selection::default() }).unwrap();
        let line = |line: &Line| {
            let incident = history.incident(line.seq).unwrap().unwrap();
            let minutes = (line.folded.last - line.folded.first) / 60_000_000_000;
            (incident.container.unwrap().name.unwrap(), line.folded.count, minutes)
        };
        found.iter().map(line).collect()
    }

    #[test]
    fn a_crowd_of_like_ones_hides_no_other() {
        let place = Place::new();
        // One that was killed alone, and two restart loops beside one another.
        let loops = (0..40).flat_map(|n| [at(1 + 2 * n, "web", 10 + 5 * n), at(2 + 2 * n, "api", 11 + 5 * n)]);
        let all = std::iter::once(at(0, "db", 0)).chain(loops).chain([at(900, "web", 300)]);
        place.writer().append(&all.map(|incident| Entry::Incident(Box::new(incident))).collect::<Vec<_>>()).unwrap();
        let line = |name: &str, count, minutes| (name.to_owned(), count, minutes);
        let expected = [line("web", 1, 0), line("api", 40, 195), line("web", 40, 195), line("db", 1, 0)];
        assert_eq!(lines(&place, None), expected);
        // Lines count, and those that are there are whole.
        assert_eq!(lines(&place, Some(4)), expected);
        assert_eq!(lines(&place, Some(3)), expected[..3]);
        assert_eq!(lines(&place, Some(2)), expected[..2]);
        assert_eq!(lines(&place, Some(1)), expected[..1]);
    }

    #[test]
    fn what_is_not_alike_is_not_counted_together() {
        let place = Place::new();
        let mut all: Vec<Incident> = (0..6).map(|number| at(number, "web", number)).collect();
        all[1].verdict.as_mut().unwrap().cause = crate::model::Cause::OomHost;
        all[2].sender.process.as_mut().unwrap().exe = Some("/usr/bin/python3".to_owned());
        all[3].sender.process.as_mut().unwrap().uid = Some(4711);
        let same = at(6, "web", 7);
        all.push(same);
        place
            .writer()
            .append(&all.into_iter().map(|incident| Entry::Incident(Box::new(incident))).collect::<Vec<_>>())
            .unwrap();
        let counts: Vec<u64> = lines(&place, None).into_iter().map(|(_, count, _)| count).collect();
        assert_eq!(counts, [4, 1, 1, 1]);
    }
}
