use super::*;
use crate::memory::recorder::warning::Alarm;
use crate::memory::verdict::{Kind, LimitFor, LimitReached, Sure};
use crate::node::gauge::Reading;
use crate::run::flight::room::MOST_IN_REGION;

const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";

fn docker(number: u64) -> String {
    format!("/docker/{number:064x}")
}

fn book(most: usize) -> Book {
    let mut book = Book::default();
    book.room.set_most(most);
    book
}

/// Follows it, if there is room.
fn follow(book: &mut Book, path: &str, id: u64, now: Tenths) -> Result<bool, Refused> {
    let scope = book.admits(path)?;
    Ok(book.follow(path, id, scope, now))
}

fn point(at: Tenths, usage: u64) -> Point {
    Point::of(&Reading { usage: usage << 20, ..Reading::default() }, at, None, false)
}

#[test]
fn a_user_and_a_container_take_nobody_elses_room() {
    let mut book = book(1000);
    let user = "/user.slice/user-1000.slice/user@1000.service/app.slice";
    let mut refused = 0;
    for number in 0..500 {
        refused += u32::from(follow(&mut book, &format!("{user}/a{number}.scope"), number, 1).is_err());
        let inner = format!("/docker/{ID}/docker/{number:064x}");
        refused += u32::from(follow(&mut book, &inner, 10_000 + number, 1).is_err());
    }
    assert_eq!(refused, 2 * (500 - MOST_IN_REGION as u32));
    assert_eq!(follow(&mut book, &docker(1), 20_000, 1), Ok(false));
    assert_eq!(follow(&mut book, "/system.slice/ssh.service", 20_001, 1), Ok(false));
    for number in 0..500 {
        book.leave(&format!("{user}/a{number}.scope"), 2);
    }
    assert_eq!(follow(&mut book, &format!("{user}/b.scope"), 30_000, 3), Ok(false));
}

#[test]
fn no_more_than_there_is_room_for_and_units_have_half() {
    let mut book = book(10);
    for number in 0..20 {
        let unit = follow(&mut book, &format!("/system.slice/a{number}.service"), number, 1);
        assert_eq!(unit.is_ok(), number < 5, "{number}");
    }
    for number in 0..20 {
        assert_eq!(follow(&mut book, &docker(number), 100 + number, 1).is_ok(), number < 5, "{number}");
    }
    assert_eq!(book.room.taken(), 10);
}

#[test]
fn what_is_gone_is_kept_for_a_while_and_goes_on_where_it_is_started_again() {
    let mut book = book(4096);
    let path = docker(1);
    assert_eq!(follow(&mut book, &path, 7, 1), Ok(false));
    book.push(&path, point(10, 5), None);
    // The same one again is no other.
    assert_eq!(follow(&mut book, &path, 7, 2), Ok(false));
    assert!(book.room.has(7));
    book.leave(&path, 20);
    assert!(!book.room.has(7));
    assert_eq!(book.timeline(&path, u64::MAX).unwrap().points.len(), 1);
    assert_eq!(follow(&mut book, &path, 8, 30), Ok(true));
    // Its end was not seen.
    assert_eq!(follow(&mut book, &path, 9, 40), Ok(true));
    assert!(book.room.has(9) && !book.room.has(8));
    book.leave(&path, 50);
    book.forget(50 + KEPT);
    assert_eq!(book.timeline(&path, u64::MAX), None);
    for number in 0..1000 {
        assert_eq!(follow(&mut book, &docker(number), number, 1), Ok(false));
        book.leave(&docker(number), 2);
    }
    assert!(book.followed.len() <= MOST_GONE + 1);
    assert_eq!(book.room.taken(), 0);
}

#[test]
fn a_cgroup_below_has_the_timeline_of_the_one_that_is_followed() {
    let mut book = book(10);
    let path = docker(1);
    follow(&mut book, &path, 7, 1).unwrap();
    book.push(&path, point(10, 5), None);
    book.push(&path, point(30, 9), None);
    for (of, found) in [(path.clone(), true), (format!("{path}/a/b"), true), (format!("{path}x"), false)] {
        assert_eq!(book.timeline(&of, u64::MAX).map(|timeline| timeline.cgroup == path), found.then_some(true), "{of}");
    }
    // What comes after the kill led to nothing.
    let timeline = book.timeline(&path, 2_000_000_000).unwrap();
    assert_eq!(
        timeline.points.iter().map(|point| (point.before_ms, point.usage_bytes >> 20)).collect::<Vec<_>>(),
        [(1000, 5)]
    );
    let rows = book.rows(5_000_000_000, WallClock { offset_ns: 0 });
    assert_eq!((rows.len(), rows[0].latest.before_ms, rows[0].held_bytes >> 20), (1, 2000, 9));
    assert_eq!(rows[0].series, [(4000, 5 << 20, 5 << 20), (2000, 9 << 20, 9 << 20)]);
}

#[test]
fn a_container_that_its_path_does_not_tell_is_followed_by_name() {
    let mut book = book(10);
    assert_eq!(follow(&mut book, "/jobs/web", 1, 1), Err(Refused::NoScope));
    assert!(book.room.name("/jobs/web"));
    assert_eq!(follow(&mut book, "/jobs/web", 1, 1), Ok(false));
    assert_eq!(book.rows(1, WallClock { offset_ns: 0 }), []);
    // The name is there before the one before is known to be gone.
    book.leave("/jobs/web", 2);
    assert_eq!(follow(&mut book, "/jobs/web", 2, 3), Ok(true));
}

/// Has it judged as one that climbs, and meets its limit an hour later.
fn climbing(book: &mut Book, path: &str, now: Tenths, rules: Option<Rules>) -> Option<Raised> {
    let verdict = Verdict {
        lives: 1,
        limit_for: LimitFor::default(),
        verdict: Kind::Climbing,
        confidence: Sure::Likely,
        since: None,
        bytes_per_hour: Some(1e8),
        limit_reached_at: Some(LimitReached { median: 7200.0, low: 7000.0, high: None }),
        advised_limit_bytes: None,
        why: String::new(),
    };
    book.judged(path, now, 3600.0, verdict, rules)
}

#[test]
fn what_has_no_limit_any_more_comes_to_none() {
    let mut book = book(10);
    let path = docker(1);
    follow(&mut book, &path, 7, 1).unwrap();
    book.push(&path, of_limit(10, 100, 1000, false), None);
    book.push(&path, of_limit(10_000, 600, 1000, false), None);
    climbing(&mut book, &path, 10_000, None);
    let reached = |book: &Book| {
        let rows = book.rows(1_001_000_000_000, WallClock { offset_ns: 0 });
        rows[0].outlook.as_ref().map(|outlook| outlook.limit_reached_at.is_some())
    };
    assert_eq!(reached(&book), Some(true));
    book.push(&path, point(10_010, 600), None);
    assert_eq!(reached(&book), Some(false));
    climbing(&mut book, &path, 10_020, None);
    assert_eq!(reached(&book), Some(false));
}

fn of_limit(at: Tenths, usage: u64, limit: u64, restart: bool) -> Point {
    let reading = Reading { usage: usage << 20, limit: Some(limit << 20), ..Reading::default() };
    Point::of(&reading, at, None, restart)
}

#[test]
fn a_forecast_is_not_shown_where_it_is_not_made_again() {
    for (usage, limit, stays) in [(600, 1000, true), (300, 1000, true), (100, 1000, false), (600, 4000, false)] {
        let mut book = book(10);
        let path = docker(1);
        follow(&mut book, &path, 7, 1).unwrap();
        book.push(&path, of_limit(10, 100, 1000, false), None);
        book.push(&path, of_limit(10_000, 600, 1000, false), None);
        assert!(book.take_to_judge(&path, 10_000, 0.0).is_some());
        climbing(&mut book, &path, 10_000, None);
        book.push(&path, of_limit(10_010, usage, limit, false), None);
        assert_eq!(book.take_to_judge(&path, 10_010, 0.0), None);
        let rows = book.rows(1_001_000_000_000, WallClock { offset_ns: 0 });
        assert_eq!(rows[0].outlook.is_some(), stays, "{usage} of {limit}");
    }
}

#[test]
fn what_was_seen_is_of_this_life() {
    const RULES: Rules = Rules { near_for: 300, within_s: 4.0 * 3600.0 };
    for (restart, expected) in [(false, true), (true, false)] {
        let mut book = book(10);
        let path = docker(1);
        follow(&mut book, &path, 7, 1).unwrap();
        // For three hours, and then for four minutes.
        book.push(&path, of_limit(10, 600, 1000, false), None);
        book.push(&path, of_limit(108_000, 650, 1000, restart), None);
        book.push(&path, of_limit(110_400, 700, 1000, false), None);
        assert_eq!(book.take_to_judge(&path, 110_400, 0.0).is_some(), expected, "{restart}");
        // A forecast looks as far ahead as it was seen.
        assert_eq!(climbing(&mut book, &path, 110_400, Some(RULES)), None);
        let raised = climbing(&mut book, &path, 111_000, Some(RULES));
        let is_forecast = raised.is_some_and(|raised| matches!(raised.alarm, Alarm::Forecast { .. }));
        assert_eq!(is_forecast, expected, "{restart}");
    }
}

#[test]
fn who_took_the_machine_is_counted_once_and_by_what_is_in_use() {
    let mut book = book(100);
    let manager = "/user.slice/user-1000.slice/user@1000.service";
    let pod = "/kubepods/burstable/pod2f1c8b1a-0c1d-4b5e-9a77-0123456789ab";
    // With what is in use, and the most that was.
    for (number, (path, usage, peak)) in [
        (manager.to_owned(), 300, 300),
        (format!("{manager}/app.slice/a.scope"), 290, 290),
        (format!("/docker/{ID}"), 200, 200),
        (format!("/docker/{ID}/docker/{}", "a".repeat(64)), 190, 190),
        (pod.to_owned(), 450, 450),
        (format!("{pod}/{ID}"), 400, 400),
        (format!("{pod}/{}", "b".repeat(64)), 40, 40),
        ("/system.slice/a.service".to_owned(), 60, 3000),
    ]
    .into_iter()
    .enumerate()
    {
        follow(&mut book, &path, number as u64, 1).unwrap();
        let reading = Reading { usage: usage << 20, peak: Some(peak << 20), ..Reading::default() };
        book.push(&path, Point::of(&reading, 10, None, false), None);
    }
    assert_eq!(book.hog(2_000_000_000), None, "the largest has 400 of 1000");
    book.leave("/system.slice/a.service", 10);
    book.leave(manager, 10);
    // Its scope is nobody else's now.
    let hog = |book: &Book| book.hog(2_000_000_000).map(|hog| (hog.of_bytes >> 20, hog.usage_bytes >> 20));
    assert_eq!(hog(&book), None, "the largest has 400 of 930");
    book.leave(&format!("/docker/{ID}"), 10);
    book.leave(&format!("{manager}/app.slice/a.scope"), 10);
    assert_eq!(hog(&book), Some((630, 400)));
}
