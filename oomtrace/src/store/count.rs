//! How many incidents there were, by what they have in common.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::identity::NOT_OF_CONTAINERS;
use crate::store::select::{Conditions, Selection};
use crate::store::write::QUARTER_NS;
use crate::store::{History, StoreError, tally};

/// What incidents have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
pub enum By {
    /// The cause.
    Cause,
    /// The container, however often it was made anew: by its Compose service, its pod's owner, or its name. Processes of the host are in none.
    Container,
    /// The container's image.
    Image,
    /// The pod's namespace.
    Namespace,
    /// The pod.
    Pod,
    /// The systemd unit.
    Unit,
    /// The victim's name.
    Comm,
    /// The victim's user, by its number on the host.
    Uid,
    /// The node.
    Node,
    /// The hour of the day and date.
    Hour,
    /// The day.
    Day,
}

/// Incidents that have something in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// What they have in common: a name; for hours and days the time at which they begin. Null: none has such a thing.
    pub key: Option<String>,
    /// How many.
    pub count: u64,
    /// The time of the first. Null: an hour or a day without any.
    pub first: Option<String>,
    /// The time of the last.
    pub last: Option<String>,
}

/// How many, and when the first and the last was, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Sum {
    count: u64,
    first: i64,
    last: i64,
}

impl Sum {
    fn add(&mut self, more: Self) {
        self.count += more.count;
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
    }

    fn group(self, key: Option<String>) -> Group {
        let time = |ns| timestamp(ns).map(|time| format!("{time:.9}"));
        Group { key, count: self.count, first: time(self.first), last: time(self.last) }
    }
}

impl History {
    /// How many there were of each, most first; hours and days in their order, those between without any as well. `zone` is whose hours
    /// and days they are.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn count_by(&self, selection: &Selection, by: By, zone: &TimeZone) -> Result<Vec<Group>, StoreError> {
        let counted = match by {
            By::Hour | By::Day => self.by_time(selection, by, zone),
            _ => self.by_name(selection, by),
        };
        counted.map_err(StoreError::of("read", self.path()))
    }

    /// What was counted while it was written, where that is all that is asked for.
    fn tally(&self, selection: &Selection, column: &str) -> Option<String> {
        tally::of(column).filter(|_| self.form() >= tally::SINCE && selection.is_everything())
    }

    fn by_name(&self, selection: &Selection, by: By) -> rusqlite::Result<Vec<Group>> {
        let db = self.db();
        let (column, table, name) = names(by);
        let conditions = Conditions::of(db, selection)?;
        let counted = match self.tally(selection, column) {
            Some(kept) => kept,
            None => format!(
                "SELECT {column} AS id, count(*) AS count, min(at) AS first, max(at) AS last FROM incident{} GROUP BY {column}",
                conditions.clause(db)?
            ),
        };
        // Two containers may have one name and be two; what is in none is nothing that has one.
        let (name, apart) = match by {
            By::Container => {
                let of_none: Vec<String> =
                    NOT_OF_CONTAINERS.iter().map(|prefix| format!("named.key LIKE '{prefix}%'")).collect();
                let of_none = of_none.join(" OR ");
                (
                    format!("CASE WHEN NOT ({of_none}) THEN {name} END"),
                    format!("CASE WHEN NOT ({of_none}) THEN found.id END, "),
                )
            }
            _ => (name.to_owned(), String::new()),
        };
        let sql = format!(
            "SELECT {name}, sum(found.count), min(found.first), max(found.last) FROM ({counted}) AS found
             LEFT JOIN {table} AS named ON named.id = found.id GROUP BY {apart}{name}"
        );
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, Sum { count: row.get(1)?, first: row.get(2)?, last: row.get(3)? }))
        };
        let rows: Vec<(Option<String>, Sum)> = conditions.query(db, &sql, read)?;
        let mut groups: Vec<Group> = rows.into_iter().map(|(key, sum)| sum.group(key)).collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| b.last.cmp(&a.last)).then_with(|| a.key.cmp(&b.key)));
        Ok(groups)
    }

    fn by_time(&self, selection: &Selection, by: By, zone: &TimeZone) -> rusqlite::Result<Vec<Group>> {
        let db = self.db();
        let conditions = Conditions::of(db, selection)?;
        let sql = match self.tally(selection, "quarter") {
            Some(kept) => format!("{kept} ORDER BY id"),
            None => format!(
                "SELECT quarter, count(*), min(at), max(at) FROM incident{} GROUP BY quarter ORDER BY quarter",
                conditions.clause(db)?
            ),
        };
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, i64>(0)?, Sum { count: row.get(1)?, first: row.get(2)?, last: row.get(3)? }))
        };
        let rows = conditions.query(db, &sql, read)?;
        let mut groups: Vec<(Timestamp, Timestamp, Option<Sum>)> = Vec::new();
        for (quarter, sum) in rows {
            let Some(at) = timestamp(quarter.saturating_mul(QUARTER_NS)) else { continue };
            if let Some((_, _, Some(all))) = groups.last_mut().filter(|(from, to, _)| *from <= at && at < *to) {
                all.add(sum);
                continue;
            }
            let Some((from, to)) = span(at, by, zone) else { continue };
            // So that a chart has a place for each.
            while let Some((_, before, _)) = groups.last().copied().filter(|(_, before, _)| *before < from)
                && groups.len() < MOST
            {
                match span(before, by, zone) {
                    Some((from, to)) if to > before => groups.push((from, to, None)),
                    _ => break,
                }
            }
            groups.push((from, to, Some(sum)));
        }
        let group = |(from, _, sum): (Timestamp, Timestamp, Option<Sum>)| {
            let key = Some(format!("{from:.9}"));
            match sum {
                Some(sum) => sum.group(key),
                None => Group { key, count: 0, first: None, last: None },
            }
        };
        Ok(groups.into_iter().map(group).collect())
    }
}

/// By which column of `incident` they are counted, which table that is of, and what is a name there.
const fn names(by: By) -> (&'static str, &'static str, &'static str) {
    match by {
        By::Cause => ("cause", "word", "named.word"),
        By::Container => ("who", "who", "named.name"),
        By::Comm => ("process", "process", "named.comm"),
        // One that is not known is -1.
        By::Uid => ("process", "process", "CASE WHEN named.uid >= 0 THEN CAST(named.uid AS TEXT) END"),
        By::Unit => ("place", "place", "named.unit"),
        By::Image => ("place", "place", "named.image"),
        By::Namespace => ("place", "place", "named.namespace"),
        By::Pod => (
            "place",
            "place",
            "CASE WHEN named.pod IS NOT NULL THEN coalesce(named.namespace, '') || '/' || named.pod END",
        ),
        // Hours and days are no names, and are counted by their quarters.
        By::Node | By::Hour | By::Day => ("place", "place", "named.node"),
    }
}

/// Hours and days without any incident are listed as long as there are no more than these.
const MOST: usize = 20_000;

fn timestamp(ns: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(ns.into()).ok()
}

/// The hour or the day that `at` is in, by that zone's clock.
fn span(at: Timestamp, by: By, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let there = at.to_zoned(zone.clone());
    if by == By::Day {
        let from = there.start_of_day().ok()?;
        let to = from.tomorrow().ok()?.start_of_day().ok()?;
        return Some((from.timestamp(), to.timestamp()));
    }
    // An hour is 60 minutes long whatever a clock change does; zones differ by quarters.
    let into = i64::from(there.minute()) * 60 + i64::from(there.second());
    let from = Timestamp::from_second(at.as_second() - into).ok()?;
    Some((from, Timestamp::from_second(from.as_second() + 3600).ok()?))
}
