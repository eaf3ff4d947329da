use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};

use super::*;
use crate::store::tests::{Place, entries, incident};
use crate::store::{Bounds, History, Selection, Writer, beside};

fn kept() -> Place {
    let place = Place::new();
    let mut writer = place.writer();
    writer.append(&entries([incident(1)])).unwrap();
    writer.settle().unwrap();
    place
}

/// Neither read nor written, and it is said why.
fn is_refused(place: &Place, why: &str) {
    let path = place.path();
    for error in [History::open(&path).unwrap_err(), Writer::open(&path, Bounds::DEFAULT).unwrap_err()] {
        assert!(matches!(error, StoreError::Untrusted { .. }) && error.to_string().contains(why), "{error}");
    }
}

#[test]
fn what_others_can_have_written_is_refused() {
    let place = kept();
    for mode in [0o666, 0o660, 0o622] {
        fs::set_permissions(place.path(), Permissions::from_mode(mode)).unwrap();
        is_refused(&place, &format!("(mode 0{mode:o})"));
        is_refused(&place, "chmod go-w");
    }
    fs::set_permissions(place.path(), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(place.history().count(&Selection::default()).unwrap(), 1);
    // Its log is as good as the file.
    fs::set_permissions(beside(&place.path(), "-wal"), Permissions::from_mode(0o666)).unwrap();
    is_refused(&place, "-wal");
    fs::set_permissions(beside(&place.path(), "-wal"), Permissions::from_mode(0o600)).unwrap();
    drop(place.writer());
    if nix::unistd::geteuid().is_root() {
        for part in ["", "-wal", "-shm"] {
            let file = beside(&place.path(), part);
            chown(&file, Some(12_345), None).unwrap();
            is_refused(&place, "it belongs to user 12345");
            is_refused(&place, "--history");
            chown(&file, Some(0), None).unwrap();
        }
        drop(place.writer());
    }
}

#[test]
fn what_would_run_in_it_is_refused_and_does_not() {
    for (made, why) in [
        ("CREATE TRIGGER t AFTER INSERT ON incident BEGIN DELETE FROM record; END", "a trigger in it, t,"),
        ("CREATE VIEW v AS SELECT 1", "a view in it, v,"),
        ("CREATE VIRTUAL TABLE f USING fts5(x)", "a virtual table in it, f,"),
        ("ALTER TABLE record RENAME TO r; CREATE VIEW record AS SELECT * FROM r", "a view in it, record,"),
    ] {
        let place = kept();
        let db = rusqlite::Connection::open(place.path()).unwrap();
        let made = db.execute_batch(made);
        drop(db);
        // Not every SQLite has the module.
        if made.is_ok() {
            is_refused(&place, why);
        }
    }
    // Made behind its back, it does not run all the same.
    let place = kept();
    let mut writer = place.writer();
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.execute_batch("CREATE TRIGGER t AFTER INSERT ON incident BEGIN DELETE FROM record; END").unwrap();
    drop(db);
    writer.append(&entries([incident(2)])).unwrap();
    let db = rusqlite::Connection::open(place.path()).unwrap();
    assert_eq!(db.query_row("SELECT count(*) FROM record", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
}
