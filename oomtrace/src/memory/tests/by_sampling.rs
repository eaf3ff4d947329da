//! What is said of a curve by how it was looked at: how often, and when not at all.

use super::*;
use crate::memory::period::period;
use crate::memory::recorder::curve::Curve;
use crate::memory::recorder::point::Point;
use crate::memory::series::Series;
use crate::memory::verdict::LimitFor;
use crate::node::gauge::Reading;

/// A sample each so many minutes, with 5 MiB of noise; `t` in minutes.
fn each(minutes: f64, hours: f64, anon: impl Fn(f64) -> f64) -> Vec<Sample> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let sample = |index: u32| {
        let t = minutes * f64::from(index);
        let anon = anon(t) + 2.5 + 2.5 * noise.next();
        Sample { t: START + 60.0 * t, anon: Some(anon * MIB), limit: Some(LIMIT * MIB), ..Sample::default() }
    };
    (0..(hours * 60.0 / minutes) as u32).map(sample).collect()
}

/// Those between these hours are missing, and what comes later goes on from there: nothing grew meanwhile.
fn paused(mut all: Vec<Sample>, at: f64, hours: f64) -> Vec<Sample> {
    let late = all.iter_mut().filter(|sample| sample.t >= START + 3600.0 * at);
    late.for_each(|sample| sample.t += 3600.0 * hours);
    all
}

/// Those between these hours are missing.
fn unseen(mut all: Vec<Sample>, from: f64, to: f64) -> Vec<Sample> {
    all.retain(|sample| !(from..to).contains(&((sample.t - START) / 3600.0)));
    all
}

fn collector(minutes: f64) -> impl Fn(f64) -> f64 {
    move |t| 200.0 + 100.0 * saw(t, minutes)
}

#[test]
fn a_collectors_period_is_its_own_and_no_multiple_of_it() {
    for hours in [6.0, 12.0, 48.0, 200.0] {
        for minutes in [5.0, 7.0, 7.5, 10.0, 13.3, 15.0, 20.0, 30.0, 45.0, 90.0] {
            let all = each(1.0, hours, collector(minutes));
            let found = period(&Series::of(&all, Sample::held)).unwrap().hours * 60.0;
            assert!((found / minutes - 1.0).abs() < 0.1, "{minutes} min over {hours} h: {found} min");
            let said = judge(all);
            assert_eq!(said.verdict, Kind::Sawtooth, "{minutes} min over {hours} h: {said:?}");
            let every = if minutes < 90.0 { format!(" every {minutes:.0} min,") } else { " every 1.5 h,".to_owned() };
            assert!(said.why.contains(&every), "{minutes} min over {hours} h: {}", said.why);
        }
    }
}

#[test]
fn a_period_that_samples_do_not_tell_is_not_said() {
    for (each_minutes, minutes) in
        [(5.0, 7.0), (5.0, 8.0), (5.0, 12.0), (10.0, 15.0), (10.0, 7.0), (1.0, 2.0), (5.0, 6.0)]
    {
        let said = judge(each(each_minutes, 48.0, collector(minutes)));
        assert!(!said.why.contains("every"), "{minutes} min, each {each_minutes}: {}", said.why);
    }
}

/// Three weeks of a sample each 15 s are more than there are places.
#[test]
fn a_long_curve_has_the_same_period() {
    for minutes in [7.0, 45.0] {
        let all = each(0.25, 21.0 * 24.0, collector(minutes));
        let found = period(&Series::of(&all, Sample::held)).unwrap().hours * 60.0;
        assert!((found / minutes - 1.0).abs() < 0.1, "{minutes} min: {found} min");
    }
    let fast = period(&Series::of(&each(0.25, 21.0 * 24.0, collector(1.2)), Sample::held));
    assert_eq!(fast, None);
}

/// What the recorder keeps of a sawtooth is less than one point for each tooth of it, but for the last hours.
#[test]
fn the_recorder_makes_no_period_of_what_it_left_out() {
    for minutes in [3.0, 7.0, 20.0, 45.0] {
        let mut curve = Curve::default();
        for index in 0..48 * 360_u32 {
            let bytes = (collector(minutes)(f64::from(index) / 6.0) * MIB) as u64;
            let limit = Some(1 << 30);
            let reading = Reading { usage: bytes, anon: Some(bytes), file: Some(0), limit, ..Reading::default() };
            curve.push(Point::of(&reading, index * 100, None, false));
        }
        let said = verdict::judge(&curve.samples(START));
        assert!(!said.why.contains("every "), "{minutes}: {}", said.why);
    }
}

#[test]
fn a_leak_was_seen_for_a_day_without_its_gaps() {
    let climb = |hours: f64| each(5.0, hours, |t| 100.0 + t / 5.0);
    for (what, samples, expected, rate, gap) in [
        ("3 h, 20 h of nothing, and 3 h", paused(climb(6.0), 3.0, 20.0), Kind::Climbing, 12.0, "20 h, from 2.9 h"),
        ("8 h twice", paused(climb(16.0), 8.0, 20.0), Kind::Climbing, 12.0, "20 h, from 7.9 h"),
        ("an hour twice", paused(each(5.0, 2.0, |t| 100.0 + t), 1.0, 22.0), Kind::Climbing, 60.0, "22 h, from 55 min"),
        ("14 h twice", paused(climb(28.0), 14.0, 20.0), Kind::Leak, 12.0, "20 h, from 14 h"),
        ("it went on, 3 h twice", unseen(climb(26.0), 3.0, 23.0), Kind::Climbing, 12.0, "20 h, from 2.9 h"),
        (
            "it went on, an hour twice",
            unseen(each(5.0, 24.0, |t| 100.0 + t / 5.0), 1.0, 23.0),
            Kind::Climbing,
            12.0,
            "22 h, from 55 min",
        ),
        ("it went on meanwhile, 26 h", unseen(climb(34.0), 13.0, 21.0), Kind::Leak, 12.0, "8.1 h, from 13 h"),
    ] {
        let said = judge(samples);
        assert_eq!(said.verdict, expected, "{what}: {said:?}");
        let found = said.bytes_per_hour.unwrap() / MIB;
        assert!((found / rate - 1.0).abs() < 0.05, "{what}: {found} {}", said.why);
        assert!(said.why.contains(&format!("no samples for {gap}")), "{what}: {}", said.why);
        assert!(!said.why.contains("climbing for 26 h") || expected == Kind::Leak, "{what}: {}", said.why);
    }
    // When it is reached is counted from the end, wherever nobody looked.
    let said = judge(paused(climb(16.0), 8.0, 20.0));
    let (at, truth) = (said.limit_reached_at.unwrap(), START + 3600.0 * (36.0 + (LIMIT - 292.0) / 12.0));
    assert!((at.median - truth).abs() < 3600.0 && at.low < truth && at.high.unwrap() > truth, "{at:?} {truth}");
    assert!(said.since.is_some_and(|since| since - START < 900.0), "{said:?}");
}

#[test]
fn gaps_make_no_climb_and_samples_that_are_missing_make_no_gap() {
    let still = judge(unseen(each(5.0, 48.0, |_| 100.0), 10.0, 44.0));
    assert_eq!(still.verdict, Kind::Steady, "{still:?}");
    assert!(still.why.contains("no samples for 34 h, from 9.9 h after the first one on"), "{}", still.why);
    // It grew by much more than it does where it is seen: that is a step.
    let stepped = judge(unseen(each(5.0, 26.0, |t| 100.0 + t / 60.0 + step(t, 600.0, 200.0)), 3.0, 23.0));
    assert!(matches!(stepped.verdict, Kind::Steady | Kind::TooShort), "{stepped:?}");
    // Seen by day alone, as it rises.
    let mut days = each(5.0, 96.0, |t| 200.0 + 60.0 * day(t / 60.0 - 12.0));
    days.retain(|sample| (8.0..16.0).contains(&(((sample.t - START) / 3600.0) % 24.0)));
    let said = judge(days);
    assert_ne!(said.verdict, Kind::Leak, "{said:?}");
    let mut leak = each(5.0, 30.0, |t| 100.0 + t / 10.0);
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    leak.retain(|_| noise.next() < 0.4);
    let said = judge(leak);
    assert!(said.verdict == Kind::Leak && !said.why.contains("no samples"), "{said:?}");
}

/// Far below its limit it is a leak as well, and a limit that it outgrows in days fits nobody.
#[test]
fn what_rises_all_the_time_is_not_steady_for_its_limit_is_far() {
    for rate in [12.0, 60.0] {
        for limit in [None, Some(512.0), Some(8192.0)] {
            let mut all = each(5.0, 24.0 * 7.0, |t| 100.0 + rate * t / 1440.0);
            all.iter_mut().for_each(|sample| sample.limit = limit.map(|limit| limit * MIB));
            let said = judge(all);
            assert_eq!((said.verdict, said.advised_limit_bytes), (Kind::Leak, None), "{rate} {limit:?}: {said:?}");
        }
    }
}

#[test]
fn a_step_is_said_with_its_time_and_its_levels() {
    for (before, after, at, advised) in
        [(100.0, 400.0, 25.0, 480), (200.0, 350.0, 25.0, 416), (400.0, 100.0, 20.0, 124)]
    {
        let said = judge(each(5.0, 50.0, |t| if t < 60.0 * at { before } else { after }));
        assert_eq!((said.verdict, said.confidence), (Kind::Steady, Sure::Likely), "{said:?}");
        let how = if after > before { "up" } else { "down" };
        let by = f64::abs(after - before);
        let sizes = [by - 1.0, by].map(|by| format!("stepped {how} by {by:.0} MiB, from "));
        assert!(sizes.iter().any(|said_of| said.why.contains(said_of)), "{}", said.why);
        assert!(said.why.contains(&format!("{at:.0} h after its start")), "{}", said.why);
        assert!((said.since.unwrap() - START - 3600.0 * at).abs() < 600.0, "{said:?}");
        assert_eq!(said.advised_limit_bytes.map(|bytes| bytes >> 20), Some(advised), "{said:?}");
    }
    // What it had may come again.
    let said = judge(each(5.0, 30.0, |t| if t < 60.0 * 20.0 { 400.0 } else { 100.0 }));
    assert_eq!(said.advised_limit_bytes.map(|bytes| bytes >> 20), Some(480), "{said:?}");
    assert!(said.advice(|_| "so much".to_owned()).unwrap().contains("the most it had"), "{said:?}");
    let twice = judge(each(5.0, 60.0, |t| 100.0 + step(t, 1200.0, 200.0) - step(t, 2400.0, 150.0)));
    assert!(
        twice.why.contains("stepped down by 1") && twice.why.contains("(the 2nd change of its level)"),
        "{twice:?}"
    );
}

#[test]
fn a_limit_says_what_it_is_good_for() {
    let cache = |mut all: Vec<Sample>| {
        for (index, sample) in all.iter_mut().enumerate() {
            sample.file = Some((2.0 * index as f64).min(380.0) * MIB);
            sample.usage = Some(sample.anon.unwrap() + sample.file.unwrap());
        }
        all
    };
    for (what, samples, limit_for, contains) in [
        ("flat", each(5.0, 48.0, |_| 100.0), LimitFor::All, "a limit that fits: 1"),
        ("a warm-up", each(1.0, 25.0, |t| 100.0 + 300.0 * (1.0 - (-t / 90.0).exp())), LimitFor::SoFar, " or more"),
        ("page cache", cache(each(1.0, 25.0, |_| 120.0)), LimitFor::NoCache, "own memory alone"),
        ("it shrinks", each(5.0, 50.0, |t| 480.0 - t / 10.0), LimitFor::Before, "the most it had: 512"),
        ("a climb", each(1.0, 6.0, |t| 100.0 + t / 3.0), LimitFor::ItsEnd, "comes to any limit"),
        ("a leak", each(5.0, 48.0, |t| 100.0 + t / 12.0), LimitFor::ItsEnd, "no limit is advised: a leak"),
    ] {
        let said = judge(samples);
        let advice = said.advice(|bytes| format!("{} MiB", bytes >> 20)).unwrap();
        assert_eq!(said.limit_for, limit_for, "{what}: {said:?}");
        assert!(advice.contains(contains), "{what}: {advice}");
    }
}
