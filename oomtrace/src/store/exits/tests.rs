use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::model::{Container, ExitedAfter, Process, SCHEMA};
use crate::store::tests::{Place, entries, incident};
use crate::store::{Entry, Selection, Writer, rescue, schema};

const START: &str = "2026-11-20T00:00:00Z";

/// Number `number`, a minute after the one before.
pub(in crate::store) fn exited(number: u32, name: &str, user: Option<u32>) -> Exited {
    let at = START.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(number.into());
    let container = Container {
        id: format!("{number:064x}"),
        name: Some(name.to_owned()),
        confirmed: true,
        user,
        ..Container::default()
    };
    Exited {
        schema: SCHEMA,
        id: format!("{number:08}-exit"),
        time: format!("{at:.9}"),
        node: Some("node-1".to_owned()),
        boot_id: None,
        process: Process { pid: 1000 + number, comm: "sh".to_owned(), ..Process::default() },
        container_init: true,
        container: Some(container),
        unit: None,
        code: 137,
        why: "exited with 137 by itself: no SIGKILL ended it".to_owned(),
        after: Some(ExitedAfter {
            incident: Some("x".to_owned()),
            pid: 12,
            comm: "worker".to_owned(),
            is_child: true,
            is_oom: true,
            by_pid: None,
            by_comm: None,
            before_ms: 3,
        }),
    }
}

fn kept(exits: impl IntoIterator<Item = Exited>) -> Vec<Entry> {
    exits.into_iter().map(|exited| Entry::Exit(Box::new(exited))).collect()
}

fn ids(history: &History, identity: Option<&Identity>) -> Vec<String> {
    history.exits(identity).unwrap().found.into_iter().map(|exited| exited.id).collect()
}

#[test]
fn what_cannot_be_read_is_counted() {
    let place = Place::new();
    place.writer().append(&kept([exited(1, "web", None), exited(2, "api", None)])).unwrap();
    let damaged = rusqlite::Connection::open(place.path()).unwrap();
    damaged.execute("UPDATE exit SET json = '{' WHERE id = '00000001-exit'", []).unwrap();
    let exits = place.history().exits(None).unwrap();
    assert_eq!((exits.found, exits.unreadable.len()), (vec![exited(2, "api", None)], 1));
}

#[test]
fn an_exit_is_read_back_once_by_what_it_was_of_and_by_its_id_and_is_no_kill() {
    let place = Place::new();
    let mut writer = place.writer();
    // As another oomtrace on the node has it.
    let again = Exited { id: "other".to_owned(), ..exited(1, "web", None) };
    writer.append(&kept([exited(1, "web", None), exited(2, "api", None), exited(1, "web", None), again])).unwrap();
    let history = place.history();
    assert_eq!(history.exits(None).unwrap().found, [exited(2, "api", None), exited(1, "web", None)]);
    // Made anew, it has another id.
    let identity = Identity::of_exit(&exited(9, "web", None));
    assert_eq!(history.exits(Some(&identity)).unwrap().found, [exited(1, "web", None)]);
    assert_eq!(history.exit_by_id("00000002").unwrap(), Some(exited(2, "api", None)));
    assert_eq!((history.exit_by_id("0000").unwrap(), history.exit_by_id("").unwrap()), (None, None));
    assert_eq!(history.count(&crate::store::Selection::default()).unwrap(), 0);
}

#[test]
fn however_many_there_are_no_other_goes_for_them() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.append(&entries([incident(0)])).unwrap();
    writer.append(&kept((0..50).map(|number| exited(number, "loud", None)).chain([exited(0, "web", None)]))).unwrap();
    let history = place.history();
    let loud = ids(&history, Some(&Identity::of_exit(&exited(0, "loud", None))));
    assert_eq!((loud.len(), loud.first().map(String::as_str)), (20, Some("00000049-exit")));
    // Of a user, who calls them as they like.
    let many = (100..1_300).map(|number| exited(number, &format!("x{number}"), Some(1000)));
    writer.append(&kept(many)).unwrap();
    let now = nanoseconds(&exited(1_300, "", None).time).unwrap();
    writer.retain(now).unwrap();
    let left = ids(&place.history(), None);
    assert_eq!(left.len(), 1_000 + 20 + 1);
    assert!(left.contains(&"00000049-exit".to_owned()) && !left.contains(&"00000100-exit".to_owned()));
    // Their share of a small history is small, and goes to root's containers first.
    let mut writer = Writer::open(&place.path(), Bounds { days: 1_000, bytes: 1 << 20 }).unwrap();
    writer.retain(now).unwrap();
    let left = ids(&place.history(), None);
    assert!(left.len() < 200 && left.contains(&"00000049-exit".to_owned()), "{}", left.len());
    assert_eq!(place.history().count(&crate::store::Selection { routine: true, ..Default::default() }).unwrap(), 1);
    // What is too old goes.
    let mut writer = Writer::open(&place.path(), Bounds { days: 1, bytes: 64 << 20 }).unwrap();
    writer.retain(now + 2 * 86_400 * 1_000_000_000).unwrap();
    assert!(ids(&place.history(), None).is_empty());
}

#[test]
fn an_older_history_is_read_as_it_is_and_brought_forward_by_a_writer() {
    let place = Place::new();
    place.writer().append(&entries([incident(1)])).unwrap();
    // As it was before there were any.
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.execute_batch(
        "DROP INDEX incident_at; ALTER TABLE incident DROP COLUMN alike; CREATE INDEX incident_at ON incident(at);
         DROP TABLE tally; DROP TABLE exit; DROP INDEX incident_quarter; CREATE INDEX incident_quarter ON incident(quarter, routine); PRAGMA user_version = 1",
    )
    .unwrap();
    drop(db);
    let history = place.history();
    assert_eq!((ids(&history, None), history.exit_by_id("0").unwrap()), (Vec::new(), None));
    assert_eq!(history.by_id("00000001").unwrap(), Some(incident(1)));
    assert_eq!(history.folded(&Selection::default()).unwrap().len(), 1);
    place.writer().append(&kept([exited(3, "web", None)])).unwrap();
    let history = place.history();
    assert_eq!((ids(&history, None).len(), history.form()), (1, schema::VERSION));
    assert_eq!(history.by_id("00000001").unwrap(), Some(incident(1)));
}

#[test]
fn they_are_saved_from_a_damaged_history() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.append(&kept([exited(1, "web", None)])).unwrap();
    writer.append(&entries([incident(1)])).unwrap();
    drop(writer);
    let (writer, rescued) = rescue(&place.path(), Bounds::DEFAULT, START.parse().unwrap()).unwrap();
    drop(writer);
    assert_eq!((rescued.saved, ids(&place.history(), None).len()), (1, 1));
}
