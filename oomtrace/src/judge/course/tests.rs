use super::*;
use crate::judge::memory_use::KernelMemory;
use crate::judge::tests::{oom, oom_kill};
use crate::model::{Hog, LimitLevel, Memory};

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 512;

/// A point so many seconds before the kill.
fn point(before_s: f64, mib: u64) -> TimelinePoint {
    TimelinePoint {
        before_ms: (before_s * 1000.0) as u64,
        usage_bytes: mib * MIB,
        peak_bytes: mib * MIB,
        anon_bytes: Some(mib * MIB),
        file_bytes: Some(0),
        shmem_bytes: Some(0),
        limit_bytes: Some(LIMIT * MIB),
        ..TimelinePoint::default()
    }
}

/// So many points over so many seconds, with a size for each part of the time from 0 to 1; the last one is the kill at the limit.
fn curve(count: u32, span_s: f64, mib: impl Fn(f64) -> u64) -> Vec<TimelinePoint> {
    let at = |n: u32| f64::from(n) / f64::from(count);
    let mut points: Vec<_> = (0..count).map(|n| point(span_s * (1.0 - at(n)), mib(at(n)))).collect();
    points.push(point(0.0, LIMIT));
    points
}

fn killed(timeline: Vec<TimelinePoint>) -> Incident {
    let mut incident = oom(&[("/docker/x", LIMIT, Some(LIMIT))], Some((0, LimitLevel::Container)), OomScope::Memcg);
    incident.memory.as_mut().unwrap().timeline = Some(timeline);
    incident
}

fn of(timeline: Vec<TimelinePoint>) -> Option<Course> {
    course(&killed(timeline), &(Vec::new(), None), None)
}

fn kind(course: Option<&Course>) -> Option<(CourseKind, Confidence)> {
    course.map(|course| (course.kind, course.confidence))
}

#[test]
fn a_climb_is_a_leak_only_where_it_was_seen_for_long() {
    let climb = |at: f64| 100 + (at * 410.0) as u64;
    let short = of(curve(100, 3.0 * 3600.0, climb)).unwrap();
    assert_eq!((short.kind, short.lives), (CourseKind::Climbing, 1));
    let rate = short.bytes_per_hour.unwrap() / MIB as f64;
    assert!((130.0..145.0).contains(&rate), "{rate}");
    assert!(short.since_s.unwrap() > 2.5 * 3600.0);
    let long = of(curve(110, 30.0 * 3600.0, climb)).unwrap();
    assert_eq!((long.kind, long.advised_limit_bytes), (CourseKind::Leak, None));
}

#[test]
fn lives_that_climb_alike_are_a_leak() {
    let timeline = curve(60, 3.0 * 3600.0, |at| 100 + (at * 410.0) as u64);
    let lives: Vec<Life> = (1..=2)
        .rev()
        .map(|back| Life { ended_before_s: f64::from(back) * 3.1 * 3600.0, ..Life::of(&timeline, None) })
        .collect();
    let found = course(&killed(timeline), &(lives, Some(11_000_000)), None).unwrap();
    assert_eq!((found.kind, found.lives), (CourseKind::Leak, 3), "{found:?}");
}

#[test]
fn lives_are_counted_that_the_verdict_rests_on() {
    fn climb(at: f64) -> u64 {
        100 + (at * 410.0) as u64
    }
    fn flat(_: f64) -> u64 {
        120
    }
    let of = |hours: f64, mib: fn(f64) -> u64, before: &[fn(f64) -> u64]| {
        let lives = before.iter().enumerate().map(|(index, mib)| Life {
            ended_before_s: (hours + 3.1 * (before.len() - index - 1) as f64) * 3600.0 + 60.0,
            ..Life::of(&curve(60, 3.0 * 3600.0, mib), None)
        });
        let lives = (lives.collect(), Some((hours * 3_600_000.0) as u64 + 60_000));
        let found = course(&killed(curve(110, hours * 3600.0, mib)), &lives, None).unwrap();
        (found.kind, found.lives)
    };
    assert_eq!(of(3.0, climb, &[flat, flat, climb, climb]), (CourseKind::Leak, 3));
    assert_eq!(of(3.0, climb, &[climb, flat, climb, climb, flat]), (CourseKind::Leak, 4));
    assert_eq!(of(3.0, climb, &[flat, flat, flat, climb]), (CourseKind::Climbing, 1));
    // It was seen for long enough by itself.
    assert_eq!(of(30.0, climb, &[flat, flat]), (CourseKind::Leak, 1));
}

/// It met its limit as it started, whatever those before it did for days.
#[test]
fn a_short_life_is_not_taken_for_those_before_it() {
    let climb = |hours: f64, ended_s: f64| Life {
        ended_before_s: ended_s,
        ..Life::of(&curve(60, hours * 3600.0, |at| 100 + (at * 410.0) as u64), None)
    };
    let hit = |from: u64, span_s: f64, is_new: bool, before: Vec<Life>| {
        let mut timeline = curve(20, span_s, |at| from + (at * (LIMIT - from) as f64) as u64);
        timeline[0].restart = is_new;
        let found = course(&killed(timeline), &(before, Some((span_s * 1000.0) as u64 + 1000)), None);
        found.map(|found| (found.kind, found.lives))
    };
    let three = |span_s: f64| (0..3).rev().map(|back| climb(3.0, span_s + 1.0 + f64::from(back) * 11_000.0)).collect();
    assert_eq!(hit(50, 30.0, true, vec![climb(72.0, 31.0)]), Some((CourseKind::TooSmall, 1)));
    assert_eq!(hit(50, 30.0, true, three(30.0)), Some((CourseKind::TooSmall, 1)));
    // It was seen for its last half minute only, and rose as slowly as they did.
    assert_eq!(hit(500, 30.0, false, three(30.0)), Some((CourseKind::Leak, 3)));
    // Long enough to be judged, and it rose at once in the end.
    let mut timeline = curve(100, 1800.0, |at| if at < 0.94 { 120 } else { 120 + ((at - 0.94) * 6000.0) as u64 });
    timeline[0].restart = true;
    let found = course(&killed(timeline), &(three(1800.0), Some(1_801_000)), None);
    assert_eq!(kind(found.as_ref()), Some((CourseKind::Spike, Confidence::Likely)));
}

#[test]
fn a_rise_at_once_is_a_spike() {
    let found = of(curve(100, 3600.0, |_| 120)).unwrap();
    assert_eq!(kind(Some(&found)), Some((CourseKind::Spike, Confidence::Likely)));
    let Detail::Spike { usual, highest, within_s } = found.detail else { panic!("{found:?}") };
    assert_eq!((usual / MIB, highest / MIB), (120, LIMIT));
    assert!(within_s <= 36.0, "{within_s}");
}

#[test]
fn what_stood_still_has_two_points_and_its_rise_is_a_spike_too() {
    for (still_until_s, expected) in [(0.4, true), (30.0, true), (300.0, true), (1800.0, false)] {
        let found = of(vec![point(3600.0, 120), point(still_until_s, 120), point(0.0, LIMIT)]);
        assert_eq!(found.is_some_and(|found| found.kind == CourseKind::Spike), expected, "{still_until_s}");
    }
    // It was at its limit all the time.
    let found = of(vec![point(3600.0, 500), point(0.4, 500), point(0.0, LIMIT)]);
    assert_eq!(kind(found.as_ref()), Some((CourseKind::TooSmall, Confidence::Likely)));
}

#[test]
fn what_never_had_enough_is_too_small() {
    let near = of(curve(100, 3600.0, |at| 450 + (at * 911.0) as u64 % 40));
    assert_eq!(kind(near.as_ref()), Some((CourseKind::TooSmall, Confidence::Likely)));
    assert!(of(curve(20, 10.0, |at| (at * 500.0) as u64)).is_some());
    let mut timeline = curve(20, 10.0, |at| 50 + (at * 450.0) as u64);
    // Its beginning was not seen.
    assert_eq!(of(timeline.clone()), None);
    timeline[0].restart = true;
    let first = of(timeline.clone()).unwrap();
    assert_eq!(kind(Some(&first)), Some((CourseKind::TooSmall, Confidence::Possible)));
    assert!(first.advised_limit_bytes.unwrap() > LIMIT * MIB);
    // One of those before met its limit much later.
    let late = Life { ended_before_s: 9000.0, ..Life::of(&curve(60, 3600.0, |_| 120), None) };
    let lives = vec![late, Life::of(&timeline, None), Life::of(&timeline, None)];
    let again = course(&killed(timeline), &(lives, Some(60_000)), None);
    assert_eq!(kind(again.as_ref()), Some((CourseKind::TooSmall, Confidence::Likely)));
    assert_eq!((first.lives, again.unwrap().lives), (1, 3));
}

/// oomtrace was started shortly before the first kill: that life was seen for seconds, and may be days old.
#[test]
fn a_life_whose_beginning_was_not_seen_did_not_do_so_too() {
    let mut timeline = curve(20, 10.0, |at| 50 + (at * 450.0) as u64);
    let unseen = Life::of(&timeline, None);
    timeline[0].restart = true;
    let found = course(&killed(timeline), &(vec![unseen], Some(60_000)), None);
    assert_eq!(kind(found.as_ref()), Some((CourseKind::TooSmall, Confidence::Possible)));
    assert_eq!(found.unwrap().lives, 1);
}

/// What its program holds stays, and the kernel's memory for it climbs.
#[test]
fn lives_are_compared_by_what_was_held_in_each() {
    let mut timeline = curve(60, 3.0 * 3600.0, |at| 300 + (at * 210.0) as u64);
    timeline.iter_mut().for_each(|point| point.anon_bytes = Some(290 * MIB));
    let lives = (1..=3).rev();
    let lives = lives.map(|back| Life { ended_before_s: f64::from(back) * 11_160.0, ..Life::of(&timeline, None) });
    let found = course(&killed(timeline.clone()), &(lives.collect(), Some(11_000_000)), None).unwrap();
    assert_eq!((found.kind, found.lives), (CourseKind::Leak, 4), "{found:?}");
}

#[test]
fn a_limit_that_was_lowered_to_what_was_in_use_is_said_and_another_is_not() {
    let with_limits = |used: u64, to: u64| {
        let mut timeline = curve(50, 600.0, |_| used);
        for point in timeline.iter_mut().filter(|point| point.before_ms < 60_000) {
            point.limit_bytes = Some(to * MIB);
        }
        of(timeline)
    };
    let found = with_limits(250, 256).unwrap();
    let Detail::Lowered { from, to, before_s, .. } = found.detail else { panic!("{found:?}") };
    assert_eq!((found.kind, from / MIB, to / MIB), (CourseKind::LimitLowered, LIMIT, 256));
    assert!((40.0..61.0).contains(&before_s), "{before_s}");
    // There was room, and it was used up later.
    assert_ne!(kind(with_limits(50, 256).as_ref()).map(|found| found.0), Some(CourseKind::LimitLowered));
    assert_ne!(kind(with_limits(250, 700).as_ref()).map(|found| found.0), Some(CourseKind::LimitLowered));
}

#[test]
fn a_limit_that_was_lowered_is_blamed_only_while_it_holds_and_what_was_held_stays_near_it() {
    const DAYS: f64 = 21.0 * 86_400.0;
    let is_blamed = |span_s: f64, mib: fn(f64) -> u64, limit: fn(f64) -> u64, origin: Option<OomOrigin>| {
        let mut timeline = curve(100, span_s, mib);
        for point in &mut timeline {
            point.limit_bytes = Some(limit(1.0 - point.before_ms as f64 / 1000.0 / span_s) * MIB);
        }
        let mut incident = killed(timeline);
        incident.oom.as_mut().unwrap().origin = origin;
        let found = course(&incident, &(Vec::new(), None), None);
        kind(found.as_ref()).is_some_and(|(kind, _)| kind == CourseKind::LimitLowered)
    };
    assert!(is_blamed(600.0, |_| 250, |at| if at < 0.5 { 512 } else { 256 }, None));
    let raised_again = |at: f64| if (0.4..0.6).contains(&at) { 256 } else { 512 };
    assert!(!is_blamed(600.0, |_| 250, raised_again, None));
    let raised_in_part = |at: f64| match at {
        ..0.4 => 512,
        ..0.6 => 256,
        _ => 400,
    };
    assert!(!is_blamed(600.0, |_| 250, raised_in_part, None));
    let early = |at: f64| if at < 0.03 { 512 } else { 480 };
    assert!(is_blamed(DAYS, |_| 450, early, None));
    let anew = |at: f64| if at < 0.05 { 450 } else { 100 + (at * 370.0) as u64 };
    assert!(!is_blamed(DAYS, anew, early, None), "a leak that began anew");
    assert!(!is_blamed(DAYS, |at| 435 + (at * 45.0) as u64, early, None), "it would be at the old one, too");
    // The kernel says that the writing of the limit killed it.
    let late = |at: f64| if at < 0.95 { 512 } else { 100 };
    assert!(is_blamed(600.0, |_| 50, late, Some(OomOrigin::LimitLowered)));
    assert!(!is_blamed(600.0, |_| 50, late, None));
}

#[test]
fn what_no_process_has_for_itself_is_said_with_its_growth() {
    let mut timeline = curve(30, 1800.0, |at| 60 + (at * 400.0) as u64);
    for point in &mut timeline {
        (point.shmem_bytes, point.anon_bytes) = (Some(point.usage_bytes - 50 * MIB), Some(50 * MIB));
        point.file_bytes = point.shmem_bytes;
    }
    let found = |class| {
        let memory_use = MemoryUse { class, bytes: 460 * MIB, of_bytes: LIMIT * MIB };
        course(&killed(timeline.clone()), &(Vec::new(), None), Some(&memory_use))
    };
    let tmpfs = found(MemoryClass::Tmpfs).unwrap();
    let Detail::Grew { bytes, over_s } = tmpfs.detail else { panic!("{tmpfs:?}") };
    assert_eq!((tmpfs.kind, bytes / MIB, over_s), (CourseKind::Tmpfs, 452, 1800.0));
    // It is not known how that grew: what is known is that all of it climbed.
    let kernel = found(MemoryClass::Kernel(KernelMemory::Mixed)).unwrap();
    assert_eq!(kernel.kind, CourseKind::Climbing);
    let many = found(MemoryClass::ManyProcesses { count: 214, alike: None }).unwrap();
    assert_eq!((many.kind, many.detail), (CourseKind::ManyProcesses, Detail::Many { count: 214 }));
}

#[test]
fn a_neighbour_took_the_machine_unless_it_is_the_victims_own() {
    let mut incident = oom_kill();
    let hog = Hog { cgroup: "/docker/y".to_owned(), usage_bytes: 6 << 30, of_bytes: 8 << 30, ..Hog::default() };
    incident.memory = Some(Memory { hog: Some(hog), ..Memory::default() });
    let of = |cgroup: &str| {
        let mut incident = incident.clone();
        incident.victim.process.cgroup = Some(cgroup.to_owned());
        kind(course(&incident, &(Vec::new(), None), None).as_ref())
    };
    assert_eq!(of("/docker/x"), Some((CourseKind::Neighbour, Confidence::Likely)));
    assert_eq!(of("/docker/y"), None);
    assert_eq!(of("/docker/y/below"), None);
}

#[test]
fn what_meets_each_limit_as_fast_is_not_said_to_need_a_higher_one() {
    let rise = |mib: u64, span_s: f64| {
        let climb = |at: f64| 2 + (at * (mib - 4) as f64) as u64;
        let mut points: Vec<_> = curve(12, span_s, climb);
        points.last_mut().unwrap().usage_bytes = mib * MIB;
        points.iter_mut().for_each(|point| {
            point.limit_bytes = Some(mib * MIB);
            point.peak_bytes = point.peak_bytes.min(mib * MIB);
            point.anon_bytes = point.anon_bytes.map(|anon| anon.min(mib * MIB));
        });
        points[0].restart = true;
        points
    };
    let of = |before: &[(u64, f64)]| {
        let lives = before.iter().enumerate().map(|(number, (mib, span_s))| Life {
            ended_before_s: 100.0 * (before.len() - number) as f64,
            ..Life::of(&rise(*mib, *span_s), None)
        });
        course(&killed(rise(512, 16.0)), &(lives.collect(), Some(100_000)), None).unwrap()
    };
    for (before, expected) in [
        (vec![], (CourseKind::TooSmall, Confidence::Possible)),
        (vec![(512, 16.0), (512, 15.0)], (CourseKind::TooSmall, Confidence::Likely)),
        // What loads the same as slowly with less room was never seen to grow.
        (vec![(256, 1.5)], (CourseKind::TooSmall, Confidence::Possible)),
        (vec![(256, 8.0)], (CourseKind::Climbing, Confidence::Possible)),
        (vec![(256, 8.0), (256, 8.1), (256, 7.9)], (CourseKind::Climbing, Confidence::Possible)),
        (vec![(128, 4.0), (256, 8.0)], (CourseKind::Climbing, Confidence::Possible)),
        // Over before anybody could have seen how fast.
        (vec![(16, 0.5)], (CourseKind::TooSmall, Confidence::Possible)),
    ] {
        let found = of(&before);
        assert_eq!((found.kind, found.confidence), expected, "{before:?}: {found:?}");
        assert_eq!(found.advised_limit_bytes.is_none(), found.kind == CourseKind::Climbing);
    }
    // Those that were followed late are compared by how long they lived, as the one that is judged is.
    let late = Life { ended_before_s: 100.0, ..Life::of(&rise(256, 1.5), Some(8.0)) };
    let late = course(&killed(rise(512, 16.0)), &(vec![late], Some(100_000)), None).unwrap();
    assert_eq!(late.kind, CourseKind::Climbing);
    let Detail::Outgrew { lower, .. } = of(&[(256, 8.0), (128, 4.0)]).detail else { panic!("no lower limit") };
    assert_eq!(lower, 256 * MIB);
}

#[test]
fn what_a_command_took_is_no_limit_that_is_too_low() {
    let one = MemoryUse {
        class: MemoryClass::OneProcess { pid: 20, comm: "tail".to_owned(), is_victim: true },
        bytes: (LIMIT - 4) * MIB,
        of_bytes: LIMIT * MIB,
    };
    let of = |age_ms: i64, init: bool| {
        let mut points = curve(12, 29.0, |_| 2);
        points[0].restart = true;
        let mut incident = killed(points);
        incident.time = "2026-11-20T03:00:30Z".to_owned();
        let started: jiff::Timestamp = incident.time.parse().unwrap();
        let started = started.checked_sub(jiff::SignedDuration::from_millis(age_ms)).unwrap();
        incident.victim.process.started = Some(started.to_string());
        incident.victim.container_init = init;
        kind(course(&incident, &(Vec::new(), None), Some(&one)).as_ref())
    };
    let too_small = Some((CourseKind::TooSmall, Confidence::Possible));
    assert_eq!((of(86, false), of(29_000, false), of(29_000, true)), (None, too_small, too_small));
}

#[test]
fn too_little_says_nothing() {
    assert_eq!(of(Vec::new()), None);
    assert_eq!(of(vec![point(5.0, 3), point(0.0, LIMIT)]), None);
    let flat = of(curve(50, 3600.0, |_| 370));
    assert_eq!(flat, None);
}

#[test]
fn a_full_tmpfs_is_no_limit_that_is_too_low() {
    // It was full before anything was followed: nothing is seen to grow.
    let near = || curve(100, 3600.0, |_| LIMIT - 4);
    let tmpfs = MemoryUse { class: MemoryClass::Tmpfs, bytes: (LIMIT - 4) * MIB, of_bytes: LIMIT * MIB };
    assert_eq!(course(&killed(near()), &(Vec::new(), None), Some(&tmpfs)), None);
    assert_eq!(kind(of(near()).as_ref()), Some((CourseKind::TooSmall, Confidence::Likely)));
}
