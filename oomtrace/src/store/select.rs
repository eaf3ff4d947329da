//! What is looked for, and how SQLite finds it. Filters are decided once for each place and process, by the same code that decides
//! while watching; what is left for SQL is numbers.

use std::ops::ControlFlow;
use std::rc::Rc;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::vtab::array::Array;
use rusqlite::{Connection, ToSql, params_from_iter};

use crate::filter::Filter;
use crate::model::Process;
use crate::store::identity::Identity;
use crate::store::place::{Place, read_process, who};

/// Which incidents.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub filter: Filter,
    /// Of the same thing.
    pub identity: Option<Identity>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// The latest of them, so many; none: all.
    pub last: Option<usize>,
    /// Routine kills as well.
    pub routine: bool,
    /// The filter's containers may be named as counts name them, too: by a service of Compose's, a unit, a program …
    pub counted: bool,
}

impl Selection {
    /// All that are not routine are meant.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        let Self { filter, identity, since, until, last, routine, counted: _ } = self;
        let has_bounds = identity.is_some() || since.is_some() || until.is_some() || last.is_some();
        !has_bounds && !routine && filter.is_everything()
    }
}

/// An index that finds fewer rows than this leads the search; otherwise the search follows the time.
const FEW: i64 = 5_000;
/// The same where there are several: what each finds many of, both together may find none of, and then the time is followed to its end.
const FEW_OF_SEVERAL: i64 = 40_000;

/// Conditions in SQL, on rows of `incident`, and an index to begin with.
pub struct Conditions {
    clauses: Vec<String>,
    values: Vec<Box<dyn ToSql>>,
    /// Subqueries that give the `seq`s of all that match one clause, as a number in `clauses`.
    ways: Vec<(usize, String)>,
}

/// Nanoseconds since 1970, which 64 bits have from 1677 to 2262: what is before is before everything that is kept, and what is after, after it.
pub(super) fn nearest(time: Timestamp) -> i64 {
    let ends = if time < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX };
    i64::try_from(time.as_nanosecond()).unwrap_or(ends)
}

/// Numbers as one value, for `rarray`.
fn numbers(ids: Vec<i64>) -> Array {
    Rc::new(ids.into_iter().map(Value::Integer).collect())
}

impl Conditions {
    pub fn of(db: &Connection, selection: &Selection) -> rusqlite::Result<Self> {
        let mut own = Self { clauses: Vec::new(), values: Vec::new(), ways: Vec::new() };
        own.of_time(selection);
        if !selection.routine {
            own.clauses.push("routine = 0".to_owned());
        }
        if let Some(identity) = &selection.identity {
            let at = own.value(who(db, identity)?);
            own.indexed(format!("who = {at}"), format!("SELECT seq FROM incident WHERE who = {at}"));
        }
        own.of_filter(db, &selection.filter, selection.counted)?;
        Ok(own)
    }

    fn value(&mut self, value: impl ToSql + 'static) -> String {
        self.values.push(Box::new(value));
        format!("?{}", self.values.len())
    }

    fn indexed(&mut self, clause: String, way: String) {
        self.ways.push((self.clauses.len(), way));
        self.clauses.push(clause);
    }

    fn of_time(&mut self, selection: &Selection) {
        if let Some(since) = selection.since.map(nearest) {
            let at = self.value(since);
            self.clauses.push(format!("at >= {at}"));
        }
        if let Some(until) = selection.until.map(nearest) {
            let at = self.value(until);
            self.clauses.push(format!("at < {at}"));
        }
    }

    fn of_filter(&mut self, db: &Connection, filter: &Filter, counted: bool) -> rusqlite::Result<()> {
        if !filter.causes.is_empty() {
            let names = filter.causes.iter().map(|cause| cause.name());
            let mut find = db.prepare("SELECT id FROM word WHERE word = ?1")?;
            let mut ids = Vec::new();
            for name in names {
                ids.extend(find.query_map([name], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?);
            }
            // An index has those of one cause in the order of time, and those of several in none.
            let (plus, is) = match *ids.as_slice() {
                [one] => ("", format!("cause = {}", self.value(one))),
                _ => ("+", format!("cause IN rarray({})", self.value(numbers(ids)))),
            };
            self.indexed(format!("{plus}{is}"), format!("SELECT seq FROM incident WHERE {is}"));
        }
        if filter.is_of_containers() || !filter.units.is_empty() {
            self.of_places(db, filter, counted)?;
        }
        if !(filter.comms.is_empty() && filter.uids.is_empty()) {
            let at = self.value(numbers(processes(db, |process| filter.wants_process(process))?));
            self.of_victims("process", &at);
        }
        if !filter.pids.is_empty() {
            let at = self.value(numbers(filter.pids.iter().copied().map(i64::from).collect()));
            self.of_victims("pid", &at);
        }
        if !filter.cgroups.is_empty() {
            let is_below = |path: &Option<String>| path.as_deref().is_some_and(|path| filter.is_below_any(path));
            let place = self.value(numbers(places(db, |place| is_below(&place.memory_cgroup))?));
            let process = self.value(numbers(processes(db, |process| is_below(&process.cgroup))?));
            let way = format!(
                "SELECT seq FROM incident WHERE place IN rarray({place})
                 UNION ALL SELECT seq FROM incident WHERE process IN rarray({process})
                 UNION ALL SELECT incident FROM member WHERE process IN rarray({process})"
            );
            self.indexed(
                format!(
                    "(place IN rarray({place}) OR process IN rarray({process}) OR EXISTS
                     (SELECT 1 FROM member WHERE member.incident = seq AND member.process IN rarray({process})))"
                ),
                way,
            );
        }
        if !filter.senders.is_empty() {
            let called = numbers(processes(db, |process| filter.is_sender_called(Some(process)))?);
            let called = self.value(called);
            let pids: Vec<i64> = filter.senders.iter().filter_map(|pattern| pattern.as_str().parse().ok()).collect();
            let kernel = if filter.is_sender_called(None) { " OR sender IS NULL" } else { "" };
            let (mut clause, mut way) = (
                format!("sender IN rarray({called})"),
                format!("SELECT seq FROM incident WHERE sender IN rarray({called})"),
            );
            // No index leads with it: who asks for no pid does not wait for a walk through all of them.
            if !pids.is_empty() {
                let pids = self.value(numbers(pids));
                clause.push_str(&format!(" OR (sender IS NOT NULL AND sender_pid IN rarray({pids}))"));
                way.push_str(&format!(" UNION ALL SELECT seq FROM incident WHERE sender_pid IN rarray({pids})"));
            }
            let clause = format!("({clause}{kernel})");
            match kernel {
                "" => self.indexed(clause, way),
                _ => self.clauses.push(clause),
            }
        }
        Ok(())
    }

    /// A clause on where victims were; where it is `counted`, by the names of that as well.
    fn of_places(&mut self, db: &Connection, filter: &Filter, counted: bool) -> rusqlite::Result<()> {
        let at = self.value(numbers(wanted_places(db, filter)?));
        // Where many are there, the time leads: all of them in its order would be sorted for the sake of the last few.
        let is_at = format!("place IN rarray({at})");
        let of_place = format!("SELECT seq FROM incident WHERE {is_at}");
        let named = if counted { whose(db, filter)? } else { Vec::new() };
        if named.is_empty() {
            self.indexed(format!("+{is_at}"), of_place);
            return Ok(());
        }
        let who = self.value(numbers(named));
        let is_named = format!("who IN rarray({who})");
        let others = Filter { containers: Vec::new(), ..filter.clone() };
        let also = if others.is_of_containers() || !others.units.is_empty() {
            let others = self.value(numbers(wanted_places(db, &others)?));
            format!(" AND +place IN rarray({others})")
        } else {
            String::new()
        };
        self.indexed(
            format!("(+{is_at} OR (+{is_named}{also}))"),
            format!("{of_place} UNION ALL SELECT seq FROM incident WHERE {is_named}{also}"),
        );
        Ok(())
    }

    /// A clause on the victim or on one of the others.
    fn of_victims(&mut self, column: &str, at: &str) {
        self.indexed(
            format!(
                "({column} IN rarray({at}) OR EXISTS
                 (SELECT 1 FROM member WHERE member.incident = seq AND member.{column} IN rarray({at})))"
            ),
            format!(
                "SELECT seq FROM incident WHERE {column} IN rarray({at})
                 UNION ALL SELECT incident FROM member WHERE {column} IN rarray({at})"
            ),
        );
    }

    /// `WHERE …`, where there is anything to ask for. What few rows match is looked up; everything else is looked at row by row.
    pub fn clause(&self, db: &Connection) -> rusqlite::Result<String> {
        let mut clauses = self.clauses.clone();
        let mut few: Option<(i64, usize, &str)> = None;
        let most = if self.ways.len() > 1 { FEW_OF_SEVERAL } else { FEW };
        for (number, way) in &self.ways {
            let most = few.map_or(most, |(fewest, ..)| fewest);
            let bounded = format!("SELECT count(*) FROM (SELECT 1 FROM ({way}) LIMIT {most})");
            let rows: i64 = self.query(db, &bounded, |row| row.get(0))?.into_iter().next().unwrap_or(most);
            if rows < most {
                few = Some((rows, *number, way));
            }
        }
        if let Some((_, number, way)) = few
            && let Some(clause) = clauses.get_mut(number)
        {
            *clause = format!("seq IN ({way})");
            // A plus keeps SQLite from another index, which would find more.
            clauses.iter_mut().for_each(|clause| {
                for column in ["routine = ", "at >= ", "at < ", "cause = ", "who = "] {
                    if clause.starts_with(column) {
                        *clause = format!("+{clause}");
                    }
                }
            });
        }
        Ok(if clauses.is_empty() { String::new() } else { format!(" WHERE {}", clauses.join(" AND ")) })
    }

    /// Runs `sql`, which has [`Self::clause`] in it, until a row breaks off.
    pub fn each(
        &self,
        db: &Connection,
        sql: &str,
        mut take: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<ControlFlow<()>>,
    ) -> rusqlite::Result<()> {
        let mut statement = db.prepare(sql)?;
        // SQLite counts parameters up to the highest that a statement has.
        let values = self.values.iter().take(statement.parameter_count());
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if take(row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The same to its end, with what was read of each row.
    pub fn query<T>(
        &self,
        db: &Connection,
        sql: &str,
        mut read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let mut all = Vec::new();
        self.each(db, sql, |row| {
            all.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }
}

fn places(db: &Connection, wants: impl Fn(&Place) -> bool) -> rusqlite::Result<Vec<i64>> {
    let mut all = db.prepare(&format!("SELECT id, {} FROM place", Place::COLUMNS))?;
    let mut rows = all.query([])?;
    let mut wanted = Vec::new();
    while let Some(row) = rows.next()? {
        if wants(&Place::read(row, 1)?) {
            wanted.push(row.get(0)?);
        }
    }
    Ok(wanted)
}

/// Places that a filter on containers and units wants. Most rows are ruled out by their names, before their labels are parsed: a container that
/// is made anew each time has as many places as lives.
fn wanted_places(db: &Connection, filter: &Filter) -> rusqlite::Result<Vec<i64>> {
    const NAMED: [&str; 4] = ["container", "name", "image", "unit"];
    let mut all =
        db.prepare(&format!("SELECT id, around IS NULL, {}, {} FROM place", NAMED.join(", "), Place::COLUMNS))?;
    let mut rows = all.query([])?;
    let mut wanted = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get_ref(2 + at).ok().and_then(|value| value.as_str_or_null().ok().flatten());
        // What runs in another one may be wanted for that.
        let is_alone: bool = row.get(1)?;
        let may_be = !is_alone || filter.may_want_place(text(0), text(1), text(2), text(3));
        let is_wanted = if may_be && !(is_alone && filter.goes_by_names()) {
            let place = Place::read(row, 2 + NAMED.len())?;
            filter.wants_place(place.container.as_ref(), place.unit.as_deref())
        } else {
            may_be
        };
        if is_wanted {
            wanted.push(row.get(0)?);
        }
    }
    Ok(wanted)
}

/// Identities whose names are asked for as those of containers.
fn whose(db: &Connection, filter: &Filter) -> rusqlite::Result<Vec<i64>> {
    if filter.containers.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = db.prepare("SELECT id, name FROM who")?;
    let mut rows = all.query([])?;
    let mut wanted = Vec::new();
    while let Some(row) = rows.next()? {
        if filter.wants_name(&row.get::<_, String>(1)?) {
            wanted.push(row.get(0)?);
        }
    }
    Ok(wanted)
}

fn processes(db: &Connection, wants: impl Fn(&Process) -> bool) -> rusqlite::Result<Vec<i64>> {
    let mut all = db.prepare("SELECT id, comm, exe, uid, cgroup FROM process")?;
    let mut rows = all.query([])?;
    let mut wanted = Vec::new();
    while let Some(row) = rows.next()? {
        if wants(&read_process(row, 1)?) {
            wanted.push(row.get(0)?);
        }
    }
    Ok(wanted)
}
