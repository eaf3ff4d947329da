//! Curves whose truth is known, and what is said of them. Figures that only look as if by chance, so that a failure is one again.

use crate::memory::climb::MIB;
use crate::memory::lives::lives;
use crate::memory::sample::{Sample, cleaned};
use crate::memory::verdict::{self, Kind, Sure, Verdict};

mod by_lives;
mod by_sampling;

const START: f64 = 1_760_000_000.0;
const LIMIT: f64 = 512.0;

/// As a file is judged.
fn judge(samples: Vec<Sample>) -> Verdict {
    verdict::judge(&cleaned(samples))
}

/// Noise between −1 and 1 (xorshift64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// Anonymous memory in MiB by the hour, one sample every two minutes, and 20 MiB of page cache.
fn curve(hours: f64, anon: impl Fn(f64) -> f64) -> Vec<Sample> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let count = (hours * 30.0) as u32;
    let sample = |index: u32| {
        let t = f64::from(index) / 30.0;
        let anon = anon(t) + 2.0 * noise.next();
        Sample {
            t: START + 3600.0 * t,
            anon: Some(anon * MIB),
            file: Some(20.0 * MIB),
            usage: Some((anon + 21.0) * MIB),
            limit: Some(LIMIT * MIB),
            ..Sample::default()
        }
    };
    (0..=count).map(sample).collect()
}

/// From 0 to 1 in each period.
fn saw(t: f64, period: f64) -> f64 {
    (t / period).fract()
}

/// From that hour on.
fn step(t: f64, at: f64, by: f64) -> f64 {
    if t < at { 0.0 } else { by }
}

fn day(t: f64) -> f64 {
    (t / 24.0 * std::f64::consts::TAU).sin()
}

/// Lives that climb to the limit, one after the other.
fn crashes(count: u32, is_marked: bool) -> Vec<Sample> {
    let mut all: Vec<Sample> = Vec::new();
    for number in 0..count {
        let mut life = curve(4.0, |t| 60.0 + 105.0 * t);
        let begin = all.last().map_or(0.0, |last| last.t + 120.0 - START);
        life.iter_mut().for_each(|sample| sample.t += begin);
        life[0].restart = is_marked && number > 0;
        all.extend(life);
    }
    all.truncate(all.len() - 40);
    all
}

/// Flat for so many hours, and then a climb for so many, to twice of it.
fn late(flat: f64, climb: f64) -> Vec<Sample> {
    curve(flat + climb, |t| 150.0 + 150.0 * (t - flat).max(0.0) / climb)
}

fn late_spike() -> Vec<Sample> {
    curve(24.0, |t| if t > 23.8 { 400.0 } else { 110.0 })
}

/// More by day, and half of that on the two days of a weekend.
fn week(t: f64) -> f64 {
    let is_weekend = (96.0..144.0).contains(&t);
    (if is_weekend { 20.0 } else { 40.0 }) * (1.0 + day(t))
}

/// One life after another.
fn followed(mut first: Vec<Sample>, mut next: Vec<Sample>) -> Vec<Sample> {
    let begin = first.last().unwrap().t + 120.0 - START;
    next.iter_mut().for_each(|sample| sample.t += begin);
    next[0].restart = true;
    first.extend(next);
    first
}

/// 720 samples, each of which is of two minutes.
fn day_of(anon: impl Fn(f64) -> f64) -> Vec<Sample> {
    let mut all = curve(24.0, anon);
    all.pop();
    all
}

#[test]
fn each_shape_is_called_by_its_name() {
    let with_cache = |mut all: Vec<Sample>| {
        for (index, sample) in all.iter_mut().enumerate() {
            sample.file = Some((20.0 + index as f64 * 0.25).min(400.0) * MIB);
            sample.usage = Some(sample.anon.unwrap() + sample.file.unwrap());
        }
        all
    };
    for (what, curve, expected) in [
        ("flat", curve(24.0, |_| 120.0), Kind::Steady),
        ("a day's load", curve(48.0, |t| 200.0 + 60.0 * day(t)), Kind::Steady),
        ("a leak", curve(30.0, |t| 80.0 + 8.0 * t), Kind::Leak),
        ("a leak of a day, whose last sample is of its last minutes", day_of(|t| 80.0 + 8.0 * t), Kind::Leak),
        ("a slow leak", curve(72.0, |t| 150.0 + 0.6 * t), Kind::Leak),
        ("a leak under a collector", curve(30.0, |t| 80.0 + 6.0 * t + 90.0 * saw(t, 0.7)), Kind::Leak),
        ("a leak in steps", curve(48.0, |t| 80.0 + 12.0 * (t / 3.0).floor()), Kind::Leak),
        ("a leak behind a start", curve(72.0, |t| 200.0 * (1.0 - (-20.0 * t).exp()) + 1.5 * t), Kind::Leak),
        ("a leak by night", curve(200.0, |t| 80.0 + 12.0 * (t / 24.0).floor()), Kind::Leak),
        ("a leak that begins half-way", curve(48.0, |t| 100.0 + 9.0 * (t - 24.0).max(0.0)), Kind::Leak),
        ("a leak under a day's load", curve(96.0, |t| 150.0 + 1.5 * t + 40.0 * day(t)), Kind::Leak),
        ("crashes that are marked", crashes(4, true), Kind::Leak),
        ("crashes that are not", crashes(4, false), Kind::Leak),
        ("two lives", crashes(2, true), Kind::Climbing),
        (
            "three releases",
            curve(72.0, |t| 100.0 + step(t, 10.0, 30.0) + step(t, 20.0, 50.0) + step(t, 60.0, 40.0)),
            Kind::Climbing,
        ),
        ("two releases", curve(48.0, |t| 100.0 + step(t, 15.0, 40.0) + step(t, 32.0, 40.0)), Kind::Climbing),
        ("flat for days, and a climb of two hours", late(72.0, 2.0), Kind::Climbing),
        ("flat for weeks, and a climb of thirty hours", late(400.0, 30.0), Kind::Leak),
        ("flat for most of a day, and a climb for the rest", late(20.0, 9.0), Kind::Climbing),
        ("a week with a weekend, and a leak", curve(170.0, |t| 150.0 + 1.2 * t + week(t)), Kind::Leak),
        ("a week with a weekend", curve(170.0, |t| 150.0 + week(t)), Kind::Steady),
        ("crashes, and then a mended version", followed(crashes(3, true), curve(30.0, |_| 70.0)), Kind::Steady),
        ("a spike that ended a life", followed(late_spike(), curve(12.0, |_| 110.0)), Kind::Spike),
        ("a few hours", curve(5.0, |t| 80.0 + 30.0 * t), Kind::Climbing),
        ("half a day", curve(8.0, |t| 200.0 + 60.0 * day(t - 4.0)), Kind::Climbing),
        ("a warm-up", curve(12.0, |t| 60.0 + 200.0 * (1.0 - (-t / 1.0).exp())), Kind::WarmUp),
        ("a slow warm-up", curve(24.0, |t| 60.0 + 250.0 * (1.0 - (-t / 9.0).exp())), Kind::WarmUp),
        ("a collector", curve(24.0, |t| 120.0 + 90.0 * saw(t, 0.7)), Kind::Sawtooth),
        ("batches", curve(48.0, |t| 100.0 + 200.0 * (saw(t, 6.0) - 0.3).max(0.0)), Kind::Sawtooth),
        ("a spike", curve(24.0, |t| if (10.0..10.3).contains(&t) { 350.0 } else { 110.0 }), Kind::Spike),
        ("a spike at the end", curve(24.0, |t| if t > 23.8 { 480.0 } else { 110.0 }), Kind::Spike),
        ("page cache", with_cache(curve(24.0, |_| 80.0)), Kind::Cache),
        ("five points", curve(0.15, |_| 80.0), Kind::TooShort),
        ("nothing", Vec::new(), Kind::TooShort),
    ] {
        let verdict = judge(curve);
        assert_eq!(verdict.verdict, expected, "{what}: {verdict:?}");
    }
}

/// Half of the way to the limit.
fn forecast(anon: impl Fn(f64) -> f64 + Copy, reached: f64) -> Verdict {
    let verdict = judge(curve(reached / 2.0, anon));
    let found = verdict.limit_reached_at.unwrap_or_else(|| panic!("{verdict:?}"));
    let truth = START + 3600.0 * reached;
    let left = 1800.0 * reached;
    assert!((found.median - truth).abs() < 0.1 * left, "{} h off", (found.median - truth) / 3600.0);
    assert!(found.low <= truth && truth <= found.high.unwrap(), "{found:?}, {truth}");
    verdict
}

#[test]
fn a_limit_is_reached_when_it_is_said_to_be() {
    // What counts is all but the page cache: 1 MiB of the kernel's own is in usage.
    let verdict = forecast(|t| 80.0 + 431.0 / 60.0 * t, 60.0);
    assert_eq!((verdict.verdict, verdict.advised_limit_bytes), (Kind::Leak, None));
    assert!((verdict.bytes_per_hour.unwrap() / (431.0 / 60.0 * MIB) - 1.0).abs() < 0.02);
    // The top of the sawtooth is what meets it.
    forecast(|t| 80.0 + 351.0 / 60.0 * t + 80.0 * saw(t, 0.7), 60.0);
    // Faster and faster.
    forecast(|t| 80.0 + 431.0 * (t / 60.0).powi(2), 60.0);
}

#[test]
fn a_limit_that_is_advised_has_room_and_wastes_little() {
    for (what, curve, most) in [
        ("flat", curve(24.0, |_| 300.0), 303.0),
        ("a collector", curve(24.0, |t| 120.0 + 90.0 * saw(t, 0.7)), 213.0),
        ("a spike", curve(24.0, |t| if (10.0..10.3).contains(&t) { 350.0 } else { 110.0 }), 353.0),
    ] {
        let advised = judge(curve).advised_limit_bytes.unwrap() as f64 / MIB;
        assert!(advised > most && advised < 1.25 * most, "{what}: {advised}");
    }
    // It was cut off at its limit: more than that is needed.
    let full = judge(curve(24.0, |t| if t > 23.8 { LIMIT - 1.0 } else { 110.0 }));
    assert!(full.advised_limit_bytes.unwrap() as f64 > 1.2 * LIMIT * MIB);
}

#[test]
fn usage_alone_says_less() {
    let alone = |mut all: Vec<Sample>| {
        all.iter_mut().for_each(|sample| (sample.anon, sample.file) = (None, None));
        judge(all)
    };
    let leak = alone(curve(30.0, |t| 80.0 + 8.0 * t));
    assert_eq!((leak.verdict, leak.confidence), (Kind::Leak, Sure::Possible));
    // Nothing but page cache lives at its limit.
    let cache = alone(curve(30.0, |t| (100.0 + 50.0 * t).min(LIMIT - 22.0)));
    assert_eq!((cache.verdict, cache.limit_reached_at), (Kind::Cache, None));
}

#[test]
fn lives_begin_where_everything_falls() {
    let count = |samples: &[Sample]| lives(&cleaned(samples.to_vec())).len();
    assert_eq!(count(&crashes(3, false)), 3);
    assert_eq!(count(&curve(24.0, |t| 120.0 + 90.0 * saw(t, 0.7))), 1);
    assert_eq!(count(&curve(24.0, |t| if t > 12.0 { 40.0 } else { 300.0 })), 1, "its page cache is still there");
    assert_eq!(count(&[]), 0);
}

#[test]
fn no_curve_is_too_odd() {
    let odd = [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300];
    for t in odd {
        for size in odd {
            let sample = |index: u32| Sample {
                t: t * f64::from(index),
                anon: Some(size),
                limit: Some(size),
                ..Sample::default()
            };
            let mut all: Vec<Sample> = (0..40).map(sample).collect();
            all.extend(curve(1.0, |_| size));
            let verdict = judge(all);
            assert!(!verdict.why.is_empty());
            serde_json::to_string(&verdict).unwrap();
        }
    }
}

#[test]
fn the_order_of_samples_is_nothing() {
    let mut all = curve(30.0, |t| 80.0 + 8.0 * t);
    let before = judge(all.clone());
    all.reverse();
    all.extend_from_within(..100);
    assert_eq!(judge(all), before);
}

/// A collector that runs when what lives has doubled: its crest meets the limit, and not its floor.
#[test]
fn a_crest_that_grows_with_the_floor_meets_the_limit_first() {
    let live = |t: f64| 50.0 + 2.0 * t;
    let said = judge(curve(60.0, |t| live(t) * (1.0 + saw(t, 0.7))));
    let reached = said.limit_reached_at.unwrap();
    // Twice of it is the limit then.
    let truth = START + 3600.0 * (LIMIT / 2.0 - 50.0) / 2.0;
    let left = truth - (START + 3600.0 * 60.0);
    assert!((reached.median - truth).abs() < 0.15 * left, "{} h off", (reached.median - truth) / 3600.0);
    assert!(reached.low <= truth && reached.high.unwrap() >= truth, "{reached:?}");
}

/// The nearer it is, the less may its straight line be taken for it.
#[test]
fn what_gets_faster_is_forecast_from_where_it_is() {
    let level = |t: f64| 150.0 * 2_f64.powf(t / 34.0);
    let truth = 34.0 * (LIMIT / 150.0).log2();
    for left in [12.0, 6.0, 3.0] {
        let said = judge(curve(truth - left, level));
        let reached = said.limit_reached_at.unwrap();
        let off = (reached.median - START) / 3600.0 - truth;
        assert!(off.abs() < 0.35 * left, "{left} h before, {off} h off: {}", said.why);
        assert!(said.why.contains("faster and faster"), "{}", said.why);
    }
}

#[test]
fn page_cache_alone_is_a_curve() {
    let only_cache = |grows: f64| {
        let all = curve(30.0, |t| 20.0 + grows * t);
        all.into_iter().map(|sample| Sample { t: sample.t, file: sample.anon, ..Sample::default() }).collect::<Vec<_>>()
    };
    assert_eq!(judge(only_cache(8.0)).verdict, Kind::Cache);
    let still = judge(only_cache(0.0));
    assert!(still.verdict == Kind::Steady && still.why.contains("page cache alone is known"), "{still:?}");
}

#[test]
fn an_earlier_limit_cut_nothing_off_that_is_there_now() {
    let under = |limit: f64, mut all: Vec<Sample>| {
        all.iter_mut().for_each(|sample| sample.limit = Some(limit * MIB));
        all
    };
    let said = judge(followed(under(1024.0, curve(24.0, |_| 500.0)), under(512.0, curve(24.0, |_| 200.0))));
    assert_eq!(said.advised_limit_bytes.map(|bytes| bytes >> 20), Some(592), "{said:?}");
}

#[test]
fn kernel_memory_that_climbs_is_said() {
    let said = judge(by_lives::with_kernel(curve(30.0, |_| 100.0), 0.2));
    assert_eq!((said.verdict, said.confidence), (Kind::Climbing, Sure::Possible), "{said:?}");
    assert!(said.why.contains("kernel memory") && said.limit_reached_at.is_some(), "{said:?}");
}

/// What came before the climb is none of the periods that it was seen over.
#[test]
fn periods_are_those_of_the_climb() {
    for (slope, swing) in [(15.0, 30.0), (25.0, 60.0), (40.0, 90.0)] {
        let said = judge(curve(10.0, |t| 120.0 + swing * saw(t, 1.1) + slope * (t - 7.0).max(0.0)));
        assert_eq!(said.verdict, Kind::Climbing, "{said:?}");
    }
    let said = judge(curve(10.0, |t| 120.0 + 60.0 * saw(t, 1.1) + 15.0 * t));
    assert_eq!(said.verdict, Kind::Leak, "{said:?}");
    assert!(said.why.contains("over 8 periods") || said.why.contains("over 9 periods"), "{}", said.why);
}
