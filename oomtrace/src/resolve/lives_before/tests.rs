use super::*;
use crate::judge::tests::{in_container, oom};
use crate::model::{LimitLevel, OomScope};

const MIB: u64 = 1 << 20;

fn point(before_ms: u64, mib: u64, restart: bool) -> TimelinePoint {
    TimelinePoint {
        before_ms,
        usage_bytes: mib * MIB,
        peak_bytes: mib * MIB,
        limit_bytes: Some(64 * MIB),
        restart,
        ..TimelinePoint::default()
    }
}

#[test]
fn a_life_begins_anew_or_after_the_kill_before() {
    let timeline = [point(9000, 1, false), point(6000, 2, true), point(3000, 3, false), point(0, 4, false)];
    let times = |since| last_life(&timeline, since).iter().map(|point| point.before_ms).collect::<Vec<_>>();
    assert_eq!(times(None), [6000, 3000, 0]);
    assert_eq!(times(Some(2500)), [0]);
    assert_eq!(times(Some(8000)), [6000, 3000, 0]);
    assert_eq!(last_life(&timeline[..1], None).len(), 1);
    assert!(last_life(&[], Some(1)).is_empty());
}

fn kept(level: LimitLevel, life: Life) -> KeptLife {
    KeptLife { level, owner: "/a".to_owned(), life }
}

#[test]
fn limits_of_what_was_made_anew_are_those_of_one_thing() {
    use LimitLevel::{Container, Pod};
    // Each of so many seconds, ten after the one before.
    let in_a_row = |lasted_s: f64, all: &[(LimitLevel, u64)]| -> Vec<KeptLife> {
        let life = |(number, (level, mib)): (usize, &(LimitLevel, u64))| {
            let points = vec![(lasted_s as f32, 1.0, None), (0.0, 1.0, Some((mib * MIB) as f32))];
            let ended_before_s = 10.0 * (all.len() - number) as f64;
            kept(*level, Life { points, ended_before_s, ..Life::default() })
        };
        all.iter().enumerate().map(life).collect()
    };
    let mut incident = in_container(oom(&[("/a", 64, Some(64))], Some((0, Container)), OomScope::Memcg));
    incident.memory.as_mut().unwrap().timeline = Some(vec![point(8000, 1, true), point(0, 64, false)]);
    let of = |kills: u64, smaller: &[u64], kept: Vec<KeptLife>, incident: &Incident| {
        let mut before = LimitsBefore { kills, smaller: smaller.iter().map(|mib| mib * MIB).collect() };
        add_limits(&mut before, &kept, incident, None);
        (before.kills, before.smaller.iter().map(|bytes| bytes / MIB).collect::<Vec<_>>())
    };
    let raised = [(Container, 16), (Container, 32), (Container, 32), (Container, 64)];
    assert_eq!(of(0, &[], in_a_row(8.0, &raised), &incident), (1, vec![16, 32]));
    // What this run has seen is in the history as well.
    assert_eq!(of(3, &[32], in_a_row(8.0, &raised), &incident), (3, vec![16, 32]));
    // Replicas side by side: each but the last was not over when the next one began.
    assert_eq!(of(0, &[], in_a_row(300.0, &raised), &incident), (1, Vec::new()));
    // It was lowered in between: what was before is another story.
    let lowered = [(Container, 16), (Container, 128), (Container, 32), (Container, 64), (Container, 64)];
    assert_eq!(of(0, &[], in_a_row(8.0, &lowered), &incident), (2, vec![32]));
    // Another's limit, a larger one, and one that nobody knows.
    let unknown = kept(Container, Life { ended_before_s: 10.0, ..Life::default() });
    let others = in_a_row(8.0, &[(Pod, 16), (Container, 128)]).into_iter().chain([unknown]).collect();
    assert_eq!(of(0, &[], others, &incident), (0, Vec::new()));
    // One program in another cgroup, which is no container.
    let elsewhere =
        || in_a_row(8.0, &raised).into_iter().map(|kept| KeptLife { owner: "/b".to_owned(), ..kept }).collect();
    assert_eq!(of(0, &[], elsewhere(), &incident), (1, vec![16, 32]));
    incident.container = None;
    assert_eq!(of(0, &[], elsewhere(), &incident), (0, Vec::new()));
    // When it began nobody knows.
    incident.memory.as_mut().unwrap().timeline = None;
    assert_eq!(of(0, &[], in_a_row(8.0, &raised), &incident), (0, Vec::new()));
}

#[test]
fn lives_of_before_this_run_come_first_and_none_that_ran_beside_it() {
    use LimitLevel::{Container, Pod};
    let life = |began: f64, ended: f64| Life {
        ended_before_s: ended,
        points: vec![((began - ended) as f32, 1.0, None)],
        ..Life::default()
    };
    let kept = |level, began, ended| kept(level, life(began, ended));
    let history = [
        kept(Container, 900.0, 800.0),
        kept(Container, 700.0, 600.0),
        // It is another's limit; they overlap; it ran beside.
        kept(Pod, 500.0, 450.0),
        kept(Container, 650.0, 440.0),
        kept(Container, 440.0, 330.0),
        kept(Container, 50.0, 5.0),
    ];
    let mut incident = oom(&[("/a", 64, Some(64))], Some((0, Container)), OomScope::Memcg);
    let ended = |before: Vec<Life>, incident: &Incident| {
        let mut lives = (before, None);
        add_kept(&mut lives, &history, incident);
        lives.0.iter().map(|life| life.ended_before_s).collect::<Vec<_>>()
    };
    assert!(ended(Vec::new(), &incident).is_empty());
    incident.memory.as_mut().unwrap().timeline = Some(vec![point(20_000, 1, false), point(0, 4, false)]);
    assert_eq!(ended(Vec::new(), &incident), [800.0, 440.0, 330.0]);
    // What this run has seen is in the history as well.
    assert_eq!(ended(vec![life(440.0, 330.0)], &incident), [800.0, 440.0, 330.0]);
    assert_eq!(ended(vec![life(440.0, 330.0); LIVES], &incident).len(), LIVES);
}

#[test]
fn lives_of_one_place_are_remembered_in_few_points() {
    let mut lives = LivesBefore::default();
    let mut incident = oom(&[("/a", 64, Some(64))], Some((0, LimitLevel::Container)), OomScope::Memcg);
    let timeline = (0..100).map(|n| point((100 - n) * 1000, n, n == 0)).collect();
    incident.memory.as_mut().unwrap().timeline = Some(timeline);
    assert_eq!(lives.take(&incident, 1_000_000_000_000), (Vec::new(), None));
    let (before, since) = lives.take(&incident, 1_200_000_000_000);
    assert_eq!((before.len(), since), (1, Some(200_000)));
    assert!(before[0].points.len() <= POINTS + 1);
    let samples: Vec<Sample> = before[0].samples().collect();
    assert!(samples[0].restart && !samples[1].restart);
    assert_eq!(samples.last().unwrap().t, -201.0);
    for n in 0..20 {
        lives.take(&incident, 1_300_000_000_000 + n);
    }
    assert_eq!(lives.take(&incident, 1_400_000_000_000).0.len(), LIVES);
    incident.memory.as_mut().unwrap().timeline = None;
    assert_eq!(lives.take(&incident, 1), (Vec::new(), None));
}

#[test]
fn a_life_whose_beginning_was_not_seen_says_so() {
    let first = |mib: u64, restart: bool| [point(6000, mib, restart), point(0, 64, false)];
    let began = |points: &[TimelinePoint], age: Option<f64>| Life::of(points, age).began;
    assert!(!began(&first(40, false), None), "it was there before");
    assert!(!began(&first(40, false), Some(3.0 * 86_400.0)));
    assert!(began(&first(40, false), Some(7.0)));
    assert!(began(&first(40, true), None) && began(&first(1, false), None));
    assert!(!began(&[], None));
}

#[test]
fn lives_are_compared_by_the_same_size() {
    let mut timeline = vec![point(6000, 40, true), point(0, 64, false)];
    for point in &mut timeline {
        (point.anon_bytes, point.file_bytes, point.shmem_bytes) = (Some(10 * MIB), Some(8 * MIB), Some(2 * MIB));
    }
    let held =
        |samples: Vec<Sample>| samples.iter().map(|sample| sample.held().unwrap() / MIB as f64).collect::<Vec<_>>();
    // All but page cache: with the kernel's own memory.
    assert_eq!(held(Life::of(&timeline, None).samples().collect()), [34.0, 58.0]);
    assert_eq!(held(samples(&timeline).collect()), [34.0, 58.0]);
    timeline[0].file_bytes = None;
    assert_eq!(held(Life::of(&timeline, None).samples().collect()), held(samples(&timeline).collect()));
}
