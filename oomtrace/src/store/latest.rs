//! The last kill of each place: one query for all of them, so that a crowd of kills elsewhere hides none.

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use crate::filter::Filter;
use crate::model::Incident;
use crate::store::read::Kept;
use crate::store::select::{Conditions, Selection, nearest};
use crate::store::{History, StoreError, tally};

/// Places whose last kill is read, of each kind; those that were killed last.
pub const MOST: usize = 4096;

/// The last kill of a place, and how many there were.
#[derive(Clone, Debug, PartialEq)]
pub struct Latest {
    pub incident: Incident,
    /// Since the time that was asked for, with this one.
    pub count: u64,
}

/// What the history has of all places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latests {
    /// Of each cgroup that victims were in, the latest first.
    pub of_cgroups: Vec<Latest>,
    /// Of each container by what stays of it when it is made anew, the latest first.
    pub of_containers: Vec<Latest>,
    /// Places of both kinds that were left out: there are more than [`MOST`].
    pub left_out: usize,
    /// Those that cannot be read: damaged, or of a newer oomtrace.
    pub unreadable: usize,
    /// How many kills there were since the time that was asked for, and when the first of them was, in nanoseconds since 1970.
    pub count: u64,
    pub first: Option<i64>,
}

/// A place: a process or a place of the history to find the kill by, when it was, how many there were, and when the first of them was.
type Row = (i64, i64, u64, Option<i64>);

impl History {
    /// The last kill of each place before `until` that `filter` wants; routine ones are none. What was before `since` is found, and is not
    /// counted.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn latest_of_each(&self, filter: &Filter, since: Timestamp, until: Timestamp) -> Result<Latests, StoreError> {
        let failed = StoreError::of("read", self.path());
        let mut latests = Latests::default();
        let span = (nearest(since), nearest(until));
        let cgroups = self.places(filter, "process", &cgroup_groups, span).map_err(&failed)?;
        latests.count = cgroups.iter().map(|(_, _, count, _)| count).sum();
        latests.first = cgroups.iter().filter_map(|(.., first)| *first).min();
        let containers = self.places(filter, "place", &container_groups, span).map_err(&failed)?;
        latests.of_cgroups = self.read_each("process", &cgroups, &mut latests)?;
        latests.of_containers = self.read_each("place", &containers, &mut latests)?;
        Ok(latests)
    }

    fn places(
        &self,
        filter: &Filter,
        column: &str,
        grouped: &dyn Fn(&str) -> String,
        (since, until): (i64, i64),
    ) -> rusqlite::Result<Vec<Row>> {
        let db = self.db();
        let until_time = Timestamp::from_nanosecond(until.into()).ok();
        let selection = Selection { filter: filter.clone(), until: until_time, ..Selection::default() };
        let conditions = Conditions::of(db, &selection)?;
        let kept = tally::of(column).filter(|_| self.form() >= tally::SINCE && filter.is_everything());
        let own = format!("FROM incident WHERE incident.{column} = kept.id AND routine = 0 AND at < {until}");
        let found = match kept {
            // An index has what is beyond the bounds, which is little of it.
            Some(kept) => format!(
                "SELECT id,
                 CASE WHEN last < {until} THEN last ELSE (SELECT max(at) {own}) END AS last,
                 CASE WHEN first >= {since} AND last < {until} THEN count ELSE (SELECT count(*) {own} AND at >= {since}) END AS count,
                 CASE WHEN first >= {since} THEN first ELSE (SELECT min(at) {own} AND at >= {since}) END AS first
                 FROM ({kept}) AS kept"
            ),
            None => format!(
                "SELECT {column} AS id, max(at) AS last, sum(at >= {since}) AS count,
                 min(CASE WHEN at >= {since} THEN at END) AS first FROM incident{} GROUP BY {column}",
                conditions.clause(db)?
            ),
        };
        let sql = format!("SELECT id, last, count, first FROM ({}) ORDER BY last DESC", grouped(&found));
        conditions.query(db, &sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
    }

    fn read_each(&self, column: &str, rows: &[Row], latests: &mut Latests) -> Result<Vec<Latest>, StoreError> {
        let failed = StoreError::of("read", self.path());
        latests.left_out += rows.len().saturating_sub(MOST);
        let mut find = self
            .db()
            .prepare(&format!(
                "SELECT seq FROM incident WHERE {column} = ?1 AND routine = 0 AND at = ?2 ORDER BY seq DESC LIMIT 1"
            ))
            .map_err(&failed)?;
        let mut all = Vec::new();
        for (id, last, count, _) in rows.iter().take(MOST) {
            // Removed, or corrected, since it was counted.
            let Some(seq) = find.query_row([id, last], |row| row.get(0)).optional().map_err(&failed)? else { continue };
            match self.kept(seq)? {
                Kept::Whole(incident) => all.push(Latest { incident: *incident, count: *count }),
                Kept::Gone => {}
                Kept::Unreadable => latests.unreadable += 1,
            }
        }
        Ok(all)
    }
}

/// Of each cgroup, the process that was killed last in it.
fn cgroup_groups(found: &str) -> String {
    of_each(
        &format!("SELECT found.*, process.cgroup AS one FROM ({found}) AS found JOIN process ON process.id = found.id"),
        "one",
    )
}

/// By identity, and within that by pod and name: the kubelet makes another container each time.
fn container_groups(found: &str) -> String {
    of_each(
        &format!(
            "SELECT found.*, place.namespace, place.pod, place.name, place.runtime, place.confirmed, place.around,
         (SELECT who FROM incident WHERE incident.place = found.id AND routine = 0 AND at = found.last LIMIT 1) AS who
         FROM ({found}) AS found JOIN place ON place.id = found.id WHERE place.container IS NOT NULL"
        ),
        "namespace, pod, name, runtime, confirmed, around, who",
    )
}

/// One row for all that are equal in `by`: the latest of them, with the count and the first of all. As a window, and not as a group: beside
/// two extremes, SQLite says of no column whose row it is from (sqlite.org/lang_select.html, 2.5).
fn of_each(rows: &str, by: &str) -> String {
    format!(
        "SELECT id, last, all_count AS count, all_first AS first FROM (
             SELECT id, last, sum(count) OVER one AS all_count, min(first) OVER one AS all_first, row_number() OVER one AS number
             FROM ({rows}) WHERE last IS NOT NULL
             WINDOW one AS (PARTITION BY {by} ORDER BY last DESC, id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
         ) WHERE number = 1"
    )
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::store::Entry;
    use crate::store::tests::{Place, incident, named};

    /// In that cgroup, of the host's.
    fn of_host(number: u32, cgroup: &str) -> Incident {
        let mut incident = incident(number);
        (incident.container, incident.unit) = (None, None);
        incident.victim.process.cgroup = Some(cgroup.to_owned());
        incident
    }

    fn at(number: i64) -> Timestamp {
        incident(0).time.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(number)
    }

    fn found(latests: &[Latest]) -> Vec<(&str, u64)> {
        latests.iter().map(|latest| (&latest.incident.id[..8], latest.count)).collect()
    }

    #[test]
    fn a_crowd_of_others_hides_no_last_kill() {
        let place = Place::new();
        let mut web = named(1, "web", "app:1");
        web.victim.process.cgroup = Some("/docker/a".to_owned());
        let mut again = Incident { id: "00000002-test".to_owned(), time: incident(2).time, ..web.clone() };
        again.container.as_mut().unwrap().id = "b".repeat(64);
        again.victim.process.cgroup = Some("/docker/b".to_owned());
        let crowd = (3..2_503).map(|number| of_host(number, "/user.slice"));
        let routine = Incident { routine: Some(crate::model::Routine::Sandbox), ..of_host(2_600, "/other.slice") };
        let all = [web, again].into_iter().chain(crowd).chain([routine]);
        let mut writer = place.writer();
        writer.append(&all.map(|incident| Entry::Incident(Box::new(incident))).collect::<Vec<_>>()).unwrap();
        let history = place.history();
        let of = |filter: &Filter, since, until| history.latest_of_each(filter, at(since), at(until)).unwrap();
        let everything = of(&Filter::default(), 0, 9_999);
        assert_eq!(found(&everything.of_cgroups), [("00002502", 2_500), ("00000002", 1), ("00000001", 1)]);
        assert_eq!(found(&everything.of_containers), [("00000002", 2)]);
        assert_eq!((everything.count, everything.left_out), (2_502, 0));
        assert_eq!(everything.first, Some(i64::try_from(at(1).as_nanosecond()).unwrap()));
        // From before is found, and not counted; what comes after is neither.
        let bounded = of(&Filter::default(), 2, 11);
        assert_eq!(found(&bounded.of_cgroups), [("00000010", 8), ("00000002", 1), ("00000001", 0)]);
        assert_eq!(found(&bounded.of_containers), [("00000002", 1)]);
        // Counted by a filter, in place of what is kept.
        let web = Filter { containers: vec![glob::Pattern::new("web").unwrap()], ..Filter::default() };
        let filtered = of(&web, 2, 9_999);
        assert_eq!(found(&filtered.of_cgroups), [("00000002", 1), ("00000001", 0)]);
        assert_eq!(found(&filtered.of_containers), [("00000002", 1)]);
    }
    #[test]
    fn of_several_in_one_place_the_last_is_found_in_whatever_order_they_came() {
        // Hours of the first, second and third, each of another program and with another image.
        for hours in [[10, 20, 15], [20, 10, 15], [10, 15, 20], [20, 15, 10], [15, 20, 10]] {
            let place = Place::new();
            let all = hours.map(|hour| {
                let mut incident = named(hour, "web", &format!("app:{hour}"));
                incident.victim.process.cgroup = Some("/docker/a".to_owned());
                incident.victim.process.comm = format!("worker-{hour}");
                Entry::Incident(Box::new(incident))
            });
            place.writer().append(&all).unwrap();
            let everything = Filter::default();
            let counted = Filter { images: vec![glob::Pattern::new("app*").unwrap()], ..Filter::default() };
            for filter in [everything, counted] {
                let of = |since| place.history().latest_of_each(&filter, at(since), at(9_999)).unwrap();
                for (since, count) in [(0, 3), (12, 2), (30, 0)] {
                    let latests = of(since);
                    assert_eq!(found(&latests.of_cgroups), [("00000020", count)], "{hours:?} {since}");
                    assert_eq!(found(&latests.of_containers), [("00000020", count)], "{hours:?} {since}");
                }
            }
        }
    }

    #[test]
    fn what_was_removed_is_left_out_and_what_cannot_be_read_is_an_error() {
        let place = Place::new();
        place.writer().append(&[Entry::Incident(Box::new(incident(1)))]).unwrap();
        let history = place.history();
        let broken = rusqlite::Connection::open(place.path()).unwrap();
        broken
            .execute_batch(
                "DROP TABLE incident; CREATE TABLE incident(seq, process, routine, at); INSERT INTO incident VALUES ('x', 1, 0, 5);",
            )
            .unwrap();
        let read = |id| history.read_each("process", &[(id, 5, 1, None)], &mut Latests::default());
        assert_eq!(read(2).unwrap(), []);
        assert!(matches!(read(1), Err(StoreError::Sqlite { .. })));
    }
}
