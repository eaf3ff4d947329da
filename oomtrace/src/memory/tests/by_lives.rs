//! What a life is taken for, by those before it.

use super::*;

/// What a life that has ended would have come to is nothing to come.
#[test]
fn a_life_that_has_just_begun_has_no_forecast_of_the_one_before() {
    let newborn = || curve(0.05, |_| 60.0);
    let said = judge(followed(crashes(2, true), newborn()));
    assert_eq!((said.verdict, said.limit_reached_at), (Kind::Climbing, None), "{said:?}");
    assert!(said.why.starts_with("the life before this one, which is 2 min old: "), "{}", said.why);
    // Three that went alike say when this one will.
    let said = judge(followed(crashes(4, true), newborn()));
    let reached = said.limit_reached_at.unwrap();
    assert!(said.verdict == Kind::Leak && reached.median > START + 3600.0 * 16.0, "{said:?}");
}

#[test]
fn what_was_mended_comes_to_no_limit() {
    let said = judge(followed(crashes(3, true), curve(30.0, |_| 70.0)));
    assert_eq!(said.limit_reached_at, None, "{said:?}");
    assert!(said.why.contains("earlier lives climbed by") && said.why.ends_with("this one does not"), "{}", said.why);
}

#[test]
fn a_warm_up_that_was_there_before_does_not_come_to_the_limit() {
    let warm_up = |hours: f64, at: f64| {
        let mut life = curve(hours, |t| 100.0 + 300.0 * (1.0 - (-t / 3.0).exp()));
        life.iter_mut().for_each(|sample| sample.t += 3600.0 * at);
        life[0].restart = true;
        life
    };
    let first = judge(warm_up(1.5, 0.0));
    assert_eq!((first.verdict, first.limit_reached_at.is_some()), (Kind::Climbing, true), "{first:?}");
    let second = judge([warm_up(20.0, 0.0), warm_up(1.5, 20.1)].concat());
    assert_eq!((second.verdict, second.limit_reached_at), (Kind::Climbing, None), "{second:?}");
    assert!(second.why.contains("an earlier life climbed as far"), "{second:?}");
}

/// Usage that climbs beside what the program itself holds: kernel memory.
pub fn with_kernel(mut all: Vec<Sample>, each: f64) -> Vec<Sample> {
    for (index, sample) in all.iter_mut().enumerate() {
        sample.usage = sample.usage.map(|usage| usage + index as f64 * each * MIB);
    }
    all
}

#[test]
fn kernel_memory_that_climbs_is_said_also_after_a_spike() {
    let said = judge(followed(late_spike(), with_kernel(curve(120.0, |_| 110.0), 0.1)));
    assert_eq!((said.verdict, said.limit_reached_at.is_some()), (Kind::Climbing, true), "{said:?}");
    assert!(said.why.contains("kernel memory"), "{}", said.why);
}

/// Three lives of four hours, and one of six that has risen by as much within three of them and then no more.
#[test]
fn a_life_that_outlasts_those_before_is_judged_by_itself() {
    let mended = curve(6.0, |t| 60.0 + 100.0 * t.min(3.0));
    let said = judge(followed(crashes(3, true), mended));
    assert_eq!((said.verdict, said.limit_reached_at), (Kind::WarmUp, None), "{said:?}");
    assert!(!said.why.contains("too short"), "{}", said.why);
}

#[test]
fn a_restart_of_what_was_mended_brings_no_leak_back() {
    let mended = followed(crashes(3, true), curve(120.0, |_| 300.0));
    let said = judge(followed(mended, curve(0.05, |_| 300.0)));
    assert_eq!((said.verdict, said.limit_reached_at), (Kind::Steady, None), "{said:?}");
    assert!(said.why.starts_with("the life before this one") && said.why.contains("this one does not"), "{}", said.why);
}

/// A life that warms up within half an hour and stays there for hours, and then deployments that end within their warm-up.
#[test]
fn warm_ups_of_short_lives_are_no_leak_where_an_earlier_life_came_to_rest() {
    let life = |hours: f64| curve(hours, |t| 100.0 + 400.0 * t.min(0.5));
    let deployed = |count: usize| (0..count).fold(life(12.0), |all, _| followed(all, life(0.4)));
    let said = judge(deployed(3));
    assert_eq!((said.verdict, said.limit_reached_at), (Kind::Climbing, None), "{said:?}");
    assert!(said.why.contains("an earlier life climbed as far"), "{}", said.why);
    // Neither is one that has just begun.
    let said = judge(followed(deployed(4), curve(0.05, |_| 100.0)));
    assert_eq!((said.verdict, said.limit_reached_at), (Kind::Climbing, None), "{said:?}");
    // Lives that climb on are a leak, also where each was ended long before its limit.
    let leaks = |hours: f64| curve(hours, |t| 60.0 + 20.0 * t);
    let said = judge(followed(followed(followed(leaks(12.0), leaks(3.0)), leaks(3.0)), leaks(3.0)));
    assert_eq!(said.verdict, Kind::Leak, "{said:?}");
}
