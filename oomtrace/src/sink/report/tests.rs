use super::*;
use crate::judge::tests::{case, in_container, kill, oom};
use crate::model::{LimitLevel, OomScope, Record, TimelinePoint, VictimMemory};
use crate::words::conclude;
use jiff::tz::TimeZone;

const MIB: u64 = 1 << 20;
const NAME: &str = "<script>alert(1)</script>\x1b[2J\u{202e}\"'&| @all [x](https://e.example) `";

fn look() -> Look {
    Look { zone: TimeZone::UTC }
}

fn now() -> Timestamp {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

fn judged(incident: Incident) -> Incident {
    let Record::Incident(mut incident) = conclude(case(incident)) else { panic!("no incident") };
    incident.time = "2026-11-26T03:12:07.000000000Z".to_owned();
    incident
}

/// An OOM kill, with a curve.
fn climbing(name: &str) -> Incident {
    let mut incident =
        in_container(oom(&[("/docker/x", 512, Some(512))], Some((0, LimitLevel::Container)), OomScope::Memcg));
    incident.container.as_mut().unwrap().name = Some(name.to_owned());
    incident.victim.process.comm = name.chars().take(15).collect();
    incident.node = Some(name.to_owned());
    let memory = VictimMemory {
        anon_bytes: 400 * MIB,
        file_bytes: MIB,
        shmem_bytes: 0,
        swap_bytes: 0,
        page_tables_bytes: MIB,
        total_vm_bytes: 900 * MIB,
    };
    incident.oom.as_mut().unwrap().victim_memory = Some(memory);
    let mut incident = judged(incident);
    let points = (0..=60_u64).rev().map(|minute| TimelinePoint {
        before_ms: minute * 60_000,
        usage_bytes: (512 - minute * 6) * MIB,
        peak_bytes: (512 - minute * 6) * MIB,
        limit_bytes: Some(512 * MIB),
        ..TimelinePoint::default()
    });
    incident.memory.as_mut().unwrap().timeline = Some(points.collect());
    incident
}

#[test]
fn a_page_of_one_says_it_all_and_loads_nothing() {
    let report = Report { incidents: vec![climbing("web")], ..Report::default() };
    let page = report.html(&look(), now()).unwrap();
    for part in [
        "<!doctype html>",
        "<title>web: ",
        "What to do",
        "2026-11-26 03:12:07 +00:00",
        "<path class=\"use\"",
        "of a limit of 512 MiB",
        "oom_container_limit",
        "@page",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["<script", "http://", "src=", "url(", "javascript:", "@import"] {
        assert!(!page.contains(part), "{part}");
    }
    let markdown = report.markdown(&look());
    assert!(markdown.starts_with("# web: ") && markdown.contains("**What to do**"), "{markdown}");
}

#[test]
fn no_line_is_drawn_across_a_restart() {
    let mut incident = climbing("web");
    let points = incident.memory.as_mut().unwrap().timeline.as_mut().unwrap();
    points[30].restart = true;
    let page = Report { incidents: vec![incident], ..Report::default() }.html(&look(), now()).unwrap();
    let ends = |class: &str| -> Vec<(f64, f64)> {
        let begins = format!("<path class=\"{class}\" d=\"");
        let paths = page.split(&begins).skip(1).filter_map(|rest| rest.split('"').next());
        let x = |point: &str| point.trim_start_matches('M').split(' ').next().unwrap().parse().unwrap();
        paths.map(|path| (x(path.split(" L").next().unwrap()), x(path.rsplit(" L").next().unwrap()))).collect()
    };
    for class in ["use", "limit"] {
        let [first, second] = ends(class)[..] else { panic!("{class}: {:?}", ends(class)) };
        assert!(first.1 < second.0, "{class}: {first:?} {second:?}");
    }
}

#[test]
fn the_limit_that_is_said_is_the_last_one_and_dashed_where_it_is_drawn() {
    let most = 512 * MIB;
    // What the limit was before the last ten minutes, and in them.
    for (before, last, expected) in [
        (Some(most), Some(most), "to 512 MiB, of a limit of 512 MiB (dashed); the most"),
        (Some(2 * most), Some(most), "to 512 MiB, of a limit of 512 MiB (dashed); the most"),
        (Some(most), Some(1000 * most), "to 512 MiB, of a limit of 500 GiB; the most"),
        (Some(most), None, "to 512 MiB; the most"),
        (None, Some(most), "to 512 MiB, of a limit of 512 MiB (dashed); the most"),
        (None, Some(1000 * most), "to 512 MiB, of a limit of 500 GiB; the most"),
    ] {
        let mut incident = climbing("web");
        for point in incident.memory.as_mut().unwrap().timeline.as_mut().unwrap() {
            point.limit_bytes = if point.before_ms < 600_000 { last } else { before };
        }
        let page = Report { incidents: vec![incident], ..Report::default() }.html(&look(), now()).unwrap();
        assert!(page.contains(expected), "{before:?} {last:?}: {expected}");
        // What was drawn before is drawn.
        assert_eq!(page.contains("class=\"limit\""), before == Some(most) || last == Some(most), "{before:?} {last:?}");
    }
}

#[test]
fn all_times_are_of_one_zone_and_the_page_says_which() {
    let span = || Some(("2026-11-25T23:30:00Z".to_owned(), "2026-11-26T03:12:07Z".to_owned()));
    let of = |zone| Report { span: span(), ..Report::default() }.markdown(&Look { zone });
    let utc = of(TimeZone::UTC);
    assert!(utc.contains("2026-11-25 23:30 to 2026-11-26 03:12 · times are UTC"), "{utc}");
    let fixed = of(TimeZone::fixed(jiff::tz::offset(1)));
    assert!(fixed.contains("2026-11-26 00:30 to 2026-11-26 04:12 · times are local"), "{fixed}");
}

#[test]
fn what_others_have_named_stays_text() {
    let mut report = Report {
        incidents: vec![climbing(NAME), judged(in_container(kill("/usr/bin/<b>x</b>")))],
        ..Report::default()
    };
    report.notes.push(NAME.to_owned());
    report.span = Some((NAME.to_owned(), NAME.to_owned()));
    let page = report.html(&look(), now()).unwrap();
    assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"), "escaped as it is shown");
    for part in ["<script", "<b>x", "\x1b", "\u{202e}"] {
        assert!(!page.contains(part), "{part:?}");
    }
    let markdown = report.markdown(&look());
    for part in ["<script", "<b>x", "\x1b", "\u{202e}", " @all", "[x](http"] {
        assert!(!markdown.contains(part), "{part:?} in {markdown}");
    }
    // A cell ends where it ends.
    let row = markdown.lines().find(|line| line.starts_with("| 2026")).unwrap();
    assert_eq!(row.replace("\\|", "").matches('|').count(), 4, "{row}");
}

#[test]
fn several_are_counted_and_too_many_are_said() {
    let all: Vec<Incident> = (0..MAX_INCIDENTS + 3).map(|_| judged(kill("/usr/bin/bash"))).collect();
    let report = Report { incidents: all, ..Report::default() };
    let page = report.html(&look(), now()).unwrap();
    assert!(page.contains("<h1>500 kills</h1>") && page.contains("3 more are left out"));
    assert_eq!(page.matches("<article").count(), MAX_INCIDENTS);
    let nothing = Report::default().html(&look(), now()).unwrap();
    assert!(nothing.contains("<h1>No kills</h1>"));
}
