//! Curves that were written after the rule was read, and before anything was changed in it; it was mended by them later.

use super::curve::{Class, Curve, Need, Watch, a_limit, day, weekday};
use super::random::{Drift, Random};

pub const CLASSES: &[Class] = &[
    ("leak faster and faster", faster),
    ("leak by request, under a week's load", by_week),
    ("leak of connections, at random incidents", incidents),
    ("leak under rare full collections", full_collections),
    ("leak beside a batch each six hours", beside_batches),
    ("memory that returns slowly after the day's peak", hysteresis),
    ("buffer pool that fills over two days, by load", pool),
    ("three releases, each wants more", releases),
    ("entries that expire after a day", expiry),
    ("a model loaded anew each 12 h", reload),
    ("a batch on Sundays", sundays),
];

fn begin(base: f64, life: f64) -> f64 {
    base * (1.0 - 0.5 * (-life * 60.0 / 5.0).exp())
}

fn faster(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let hours = random.between(100.0, 200.0);
    let mut noise = Drift::new(0.2, base * 0.01);
    let watch = Watch::new(limit, 240.0, random);
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let lost = (limit - base) * (life / hours).powf(1.4);
        Need::anon(begin(base, life) + lost + noise.at(hour, random))
    })
}

fn by_week(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let rate = (limit - base) / random.between(6.0, 12.0) / 8.5;
    let mut noise = Drift::new(0.2, base * 0.01);
    let (mut lost, mut last) = (0.0, 0.0);
    let watch = Watch::new(limit, 300.0, random);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let load = day(clock + hour) * weekday(clock + hour);
        lost += rate * load * (hour - last);
        last = hour;
        Need::anon(begin(base, life) + lost + 0.05 * base * load + noise.at(hour, random))
    })
}

fn incidents(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let hours = random.between(100.0, 220.0);
    let a_day = random.between(4.0, 9.0);
    let each = (limit - base) / (hours / 24.0 * a_day);
    let mut noise = Drift::new(0.2, base * 0.01);
    let (mut lost, mut last) = (0.0, 0.0);
    let watch = Watch::new(limit, 240.0, random);
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        if random.chance(a_day / 24.0 * (hour - last)) {
            lost += each * random.between(0.4, 1.6);
        }
        last = hour;
        Need::anon(begin(base, life) + lost + noise.at(hour, random))
    })
}

fn full_collections(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.3);
    let old = limit * random.between(0.2, 0.3);
    let rate = (limit - base - old) / random.between(90.0, 200.0);
    let period = random.between(3.0, 7.0);
    let (mut filled, mut last) = (0.0, 0.0);
    let mut noise = Drift::new(0.1, base * 0.02);
    let watch = Watch::new(limit, 240.0, random);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        filled += (hour - last) / period * (0.4 + day(clock + hour));
        last = hour;
        if filled >= 1.0 {
            filled = 0.0;
        }
        Need::anon(begin(base, life) + rate * life + old * filled + noise.at(hour, random))
    })
}

fn beside_batches(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let work = limit * random.between(0.1, 0.2);
    let rate = (limit - base - work) / random.between(80.0, 180.0);
    let runs = random.between(0.5, 2.5);
    let mut noise = Drift::new(0.2, base * 0.01);
    let watch = Watch::new(limit, 240.0, random);
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let since = hour.rem_euclid(6.0);
        let batch = if since < runs { work * (0.5 + 0.5 * since / runs) } else { 0.0 };
        Need::anon(begin(base, life) + rate * life + batch + noise.at(hour, random))
    })
}

fn hysteresis(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let swing = limit * random.between(0.1, 0.3);
    let release = random.between(4.0, 12.0);
    let (mut held, mut last) = (0.0_f64, 0.0);
    let mut noise = Drift::new(0.3, swing * 0.03);
    let watch = Watch::new(limit, random.between(50.0, 170.0), random);
    let clock = watch.begins;
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let wanted = swing * day(clock + hour) * weekday(clock + hour);
        held = wanted.max(held * (-(hour - last) / release).exp());
        last = hour;
        Need::anon(begin(base, life) + held + noise.at(hour, random))
    })
}

fn pool(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.1, 0.2);
    let size = limit * random.between(0.4, 0.6);
    let hours = random.between(15.0, 25.0);
    let (mut held, mut last) = (0.0_f64, 0.0);
    let mut noise = Drift::new(0.2, base * 0.02);
    let watch = Watch::new(limit, random.between(96.0, 180.0), random);
    let clock = watch.begins;
    watch.healthy(class, false, &[], random, |hour, life, random| {
        // The fuller it is, the more of what is asked for is there.
        held += (size - held) / hours * day(clock + hour) * (hour - last);
        last = hour;
        Need::anon(begin(base, life) + held + noise.at(hour, random))
    })
}

fn releases(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.35);
    let hours = random.between(120.0, 190.0);
    let steps: Vec<(f64, f64)> = (1..=3)
        .map(|step| {
            (hours * (f64::from(step) * 0.24 + random.between(-0.08, 0.08)), limit * random.between(0.04, 0.12))
        })
        .collect();
    let mut noise = Drift::new(0.2, base * 0.015);
    let watch = Watch::new(limit, hours, random);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let more: f64 = steps.iter().filter(|(at, _)| hour >= *at).map(|(_, more)| more).sum();
        Need::anon(begin(base, life) + more + noise.at(hour, random))
    })
}

fn expiry(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.25);
    let most = limit * random.between(0.3, 0.5);
    let hours = random.between(18.0, 30.0);
    let watch = Watch::new(limit, random.between(70.0, 140.0), random);
    let clock = watch.begins;
    // What came in by each minute, by load.
    let mut came = vec![0.0];
    let mut noise = Drift::new(0.2, base * 0.02);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let minute = (hour * 60.0) as usize;
        while came.len() <= minute {
            let of = clock + came.len() as f64 / 60.0;
            came.push(came[came.len() - 1] + (0.4 + day(of)) / 60.0);
        }
        let gone = came[minute.saturating_sub((hours * 60.0) as usize)];
        let held = (came[minute] - gone) / (hours * 0.85);
        Need::anon(begin(base, life) + most * held + noise.at(hour, random))
    })
}

fn reload(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let model = limit * random.between(0.25, 0.4);
    let runs = random.between(0.1, 0.6);
    let mut noise = Drift::new(0.2, model * 0.01);
    let watch = Watch::new(limit, random.between(60.0, 150.0), random);
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let since = hour.rem_euclid(12.0);
        // The new one beside the old one.
        let second = if hour > 1.0 && since < runs { model * (since / runs) } else { 0.0 };
        Need::anon(begin(0.15 * limit + model, life) + second + noise.at(hour, random))
    })
}

fn sundays(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.35);
    let swing = limit * random.between(0.05, 0.15);
    let work = limit * random.between(0.1, 0.25);
    let runs = random.between(3.0, 9.0);
    let mut noise = Drift::new(0.4, swing * 0.06);
    let watch = Watch::new(limit, 18.0 * 24.0, random).every(120.0);
    let clock = watch.begins;
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let since = (clock + hour).rem_euclid(168.0) - 146.0;
        let batch = if (0.0..runs).contains(&since) { work * since / runs } else { 0.0 };
        Need::anon(begin(base, life) + swing * day(clock + hour) + batch + noise.at(hour, random))
    })
}
