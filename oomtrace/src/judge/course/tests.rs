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
        .map(|back| Life { ended_before_s: f64::from(back) * 3.1 * 3600.0, ..Life::of(&timeline) })
        .collect();
    let found = course(&killed(timeline), &(lives, Some(11_000_000)), None).unwrap();
    assert_eq!((found.kind, found.lives), (CourseKind::Leak, 3), "{found:?}");
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
    let lives = vec![Life::of(&timeline), Life::of(&timeline)];
    let again = course(&killed(timeline), &(lives, Some(60_000)), None);
    assert_eq!(kind(again.as_ref()), Some((CourseKind::TooSmall, Confidence::Likely)));
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
    let Detail::Lowered { from, to, before_s } = found.detail else { panic!("{found:?}") };
    assert_eq!((found.kind, from / MIB, to / MIB), (CourseKind::LimitLowered, LIMIT, 256));
    assert!((40.0..61.0).contains(&before_s), "{before_s}");
    // There was room, and it was used up later.
    assert_ne!(kind(with_limits(50, 256).as_ref()).map(|found| found.0), Some(CourseKind::LimitLowered));
    assert_ne!(kind(with_limits(250, 700).as_ref()).map(|found| found.0), Some(CourseKind::LimitLowered));
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
fn too_little_says_nothing() {
    assert_eq!(of(Vec::new()), None);
    assert_eq!(of(vec![point(5.0, 3), point(0.0, LIMIT)]), None);
    let flat = of(curve(50, 3600.0, |_| 370));
    assert_eq!(flat, None);
}
