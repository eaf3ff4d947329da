use std::ffi::{c_char, c_int, c_void};
use std::fs;

use rusqlite::ffi;

use super::*;
use crate::store::Identity;
use crate::store::tests::{Place, entries, named, read};
use crate::text::nanoseconds;

/// One that keeps, and what it says. It is not confined, as the whole of this process would be.
fn keeper(path: &Path) -> (Keeper, BufReader<UnixStream>) {
    let (out, said) = UnixStream::pair().unwrap();
    said.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let bounds = Bounds { days: 36_500, ..Bounds::DEFAULT };
    let keeper = Keeper { out, path: path.to_owned(), bounds, writer: None, looked: None, since_look: 0 };
    (keeper, BufReader::new(said))
}

fn keep(keeper: &mut Keeper, number: u32) {
    assert!(keeper.keep(&entries([named(number, "web", "nginx")])).is_ok());
}

fn ids(path: &Path) -> Vec<String> {
    let history = History::open(path).unwrap();
    read(&history, &crate::store::Selection::default()).into_iter().map(|incident| incident.id).collect()
}

fn notice(said: &mut BufReader<UnixStream>) -> String {
    match protocol::take(said).unwrap() {
        Some(Said::Notice(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_moved_or_removed_is_begun_anew_and_that_is_said() {
    let place = Place::new();
    let (path, aside) = (place.path(), place.path().with_file_name("aside.db"));
    let (mut keeper, mut said) = keeper(&path);
    keep(&mut keeper, 1);
    // Its log stays where it was, with all that was written.
    fs::rename(&path, &aside).unwrap();
    keep(&mut keeper, 2);
    assert!(notice(&mut said).contains("was moved or removed"));
    assert_eq!(ids(&path), ["00000002-test"]);
    assert_eq!(ids(&aside), ["00000001-test"]);
    fs::remove_file(&path).unwrap();
    keep(&mut keeper, 3);
    assert!(notice(&mut said).contains("was moved or removed"));
    assert_eq!(ids(&path), ["00000003-test"]);
    // All of it.
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    keep(&mut keeper, 4);
    assert!(notice(&mut said).contains("was moved or removed"));
    keep(&mut keeper, 5);
    assert_eq!(ids(&path), ["00000005-test", "00000004-test"]);
    // Nothing more was said.
    drop(keeper);
    assert_eq!(protocol::take::<Said>(&mut said).unwrap(), None);
}

#[test]
fn another_history_in_its_place_goes_on_as_it_is() {
    let place = Place::new();
    let elsewhere = Place::new();
    elsewhere.writer().append(&entries([named(1, "web", "nginx")])).unwrap();
    elsewhere.writer().settle().unwrap();
    let (mut keeper, mut said) = keeper(&place.path());
    keep(&mut keeper, 2);
    fs::rename(elsewhere.path(), place.path()).unwrap();
    keep(&mut keeper, 3);
    assert!(notice(&mut said).contains("was moved or removed"));
    assert_eq!(ids(&place.path()), ["00000003-test", "00000001-test"]);
    assert!(keeper.writer.as_ref().unwrap().check().is_ok());
}

#[test]
fn answers_are_of_the_file_that_is_there() {
    let place = Place::new();
    let path = place.path();
    let (mut keeper, _said) = keeper(&path);
    keep(&mut keeper, 1);
    let (own, asked) = UnixStream::pair().unwrap();
    own.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let place_of = path.clone();
    let answers = std::thread::spawn(move || answer(asked, &place_of));
    let mut out = own.try_clone().unwrap();
    let mut lines = BufReader::new(own);
    let mut first = |number: u64| {
        let before = nanoseconds(&named(100, "web", "nginx").time).unwrap();
        let key = Identity::of(&named(1, "web", "nginx")).key().to_owned();
        protocol::put(&mut out, &Question { number, key, before, lives: false }).unwrap();
        let answer: Answer = protocol::take(&mut lines).unwrap().unwrap();
        answer.earlier.and_then(|earlier| earlier.first)
    };
    assert_eq!(first(1), Some(named(1, "web", "nginx").time));
    fs::remove_file(&path).unwrap();
    // There is none.
    assert_eq!(first(2), None);
    keep(&mut keeper, 2);
    assert_eq!(first(3), Some(named(2, "web", "nginx").time));
    drop((out, lines));
    answers.join().unwrap();
}

/// Refuses every pragma, and nothing else (sqlite.org/c3ref/set_authorizer.html).
extern "C" fn no_pragma(
    _: *mut c_void,
    action: c_int,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
) -> c_int {
    if action == ffi::SQLITE_PRAGMA { ffi::SQLITE_DENY } else { ffi::SQLITE_OK }
}

#[test]
fn what_is_on_the_disk_is_kept_though_its_size_cannot_be_found_out() {
    let place = Place::new();
    let (mut keeper, _said) = keeper(&place.path());
    keep(&mut keeper, 1);
    let writer = keeper.writer.as_ref().unwrap();
    // SAFETY: the connection is open, and the function needs nothing.
    unsafe { ffi::sqlite3_set_authorizer(writer.db().handle(), Some(no_pragma), std::ptr::null_mut()) };
    writer.is_beyond().unwrap_err();
    keeper.try_keep(&entries([named(2, "web", "nginx")])).unwrap();
    drop(keeper);
    assert_eq!(ids(&place.path()), ["00000002-test", "00000001-test"]);
}
