//! Curves that are leaks, by what services do. They were written before their author had read the rule; what it said wrongly of them was looked
//! at later, and the rule mended by it: they hold nothing out any more.

use super::curve::{Class, Curve, Need, Watch, a_limit, begin, day, weekday};
use super::random::{Drift, Random};

pub const CLASSES: &[Class] = &[
    ("linear, slow", slow),
    ("linear, fast, killed again and again", fast),
    ("linear, under a daily period", under_a_day),
    ("by request, so by day only", by_request),
    ("under a garbage collector's sawtooth", under_gc),
    ("in steps, an hourly job", hourly),
    ("in steps, a nightly job", nightly),
    ("begins after two days", late),
    ("killed three times, the same slope", killed_thrice),
    ("deployed daily, the same slope", deployed),
    ("under noise as great as a day's growth", under_noise),
    ("two leaks in one", two),
    ("files on tmpfs, never removed", tmpfs),
    ("slow, each 5 min, gaps, in 4 MiB", coarse),
];

fn slow(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.5);
    let rate = (limit - base) / random.between(120.0, 400.0);
    let mut noise = Drift::new(0.1, base * 0.01);
    let watch = Watch::new(limit, 240.0, random);
    watch.leak(class, 0.0, 1, random, |_, life, random| Need {
        anon: begin(base, life) + rate * life + noise.at(life, random),
        file: base * 0.2,
        shmem: 0.0,
    })
}

fn fast(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.5);
    let rate = (limit - base) / random.between(5.0, 20.0);
    let mut noise = Drift::new(0.05, base * 0.015);
    let watch = Watch::new(limit, 72.0, random).every(30.0);
    watch.leak(class, 0.0, usize::MAX, random, |hour, life, random| {
        Need::anon(begin(base, life) + rate * life + noise.at(hour, random))
    })
}

fn under_a_day(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let swing = limit * random.between(0.08, 0.2);
    let rate = (limit - base - swing) / random.between(84.0, 220.0);
    let mut noise = Drift::new(0.5, swing * 0.06);
    let watch = Watch::new(limit, 240.0, random);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let load = day(clock + hour) * weekday(clock + hour);
        Need::anon(begin(base, life) + swing * load + rate * life + noise.at(hour, random))
    })
}

fn by_request(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.45);
    // A day's load is worth 8.5 hours of the most.
    let rate = (limit - base) / random.between(3.5, 8.0) / 8.5;
    let swing = base * random.between(0.02, 0.1);
    let mut noise = Drift::new(0.2, base * 0.008);
    let (mut lost, mut last) = (0.0, 0.0);
    let watch = Watch::new(limit, 240.0, random);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let load = (day(clock + hour) - 0.05).max(0.0);
        lost += rate * load * (hour - last);
        last = hour;
        Need::anon(begin(base, life) + lost + swing * load + noise.at(hour, random))
    })
}

fn under_gc(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.35);
    let young = limit * random.between(0.12, 0.28);
    let rate = (limit - base - young) / random.between(72.0, 200.0);
    let period = random.between(0.15, 1.2);
    let (mut filled, mut last) = (0.0, 0.0);
    let mut noise = Drift::new(0.2, base * 0.01);
    let watch = Watch::new(limit, 240.0, random);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        // It fills by load, and is collected when it is full.
        filled += (hour - last) / period * (0.3 + 0.7 * day(clock + hour)) * random.between(0.6, 1.4);
        last = hour;
        if filled >= 1.0 {
            filled = random.between(0.0, 0.12);
        }
        Need::anon(begin(base, life) + rate * life + young * filled + noise.at(hour, random))
    })
}

fn in_steps(class: &'static str, random: &mut Random, every: f64, hours: f64, runs: f64, span: f64) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.5);
    let steps = span / every;
    let work = limit * random.between(0.03, 0.12);
    let step = (limit - base - work) / steps;
    let at = random.between(0.0, every);
    let (mut done, mut lost) = (0_i64, 0.0);
    let mut noise = Drift::new(0.3, base * 0.005);
    let watch = Watch::new(limit, hours, random);
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let number = ((hour - at) / every).floor() as i64 + 1;
        while done < number {
            done += 1;
            lost += step * random.between(0.6, 1.4);
        }
        let works = number > 0 && (hour - at).rem_euclid(every) < runs;
        Need::anon(begin(base, life) + lost + if works { work } else { 0.0 } + noise.at(hour, random))
    })
}

fn hourly(class: &'static str, random: &mut Random) -> Curve {
    let (runs, span) = (random.between(0.05, 0.25), random.between(60.0, 180.0));
    in_steps(class, random, 1.0, 200.0, runs, span)
}

fn nightly(class: &'static str, random: &mut Random) -> Curve {
    let (runs, span) = (random.between(0.3, 1.5), random.between(8.0, 16.0) * 24.0);
    in_steps(class, random, 24.0, 336.0, runs, span)
}

fn late(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.5);
    let swing = base * random.between(0.03, 0.15);
    let since = random.between(44.0, 56.0);
    let rate = (limit - base - swing) / random.between(50.0, 140.0);
    let mut noise = Drift::new(0.3, base * 0.008);
    let watch = Watch::new(limit, 220.0, random);
    let clock = watch.begins;
    watch.leak(class, since, 1, random, |hour, life, random| {
        let lost = rate * (life - since).max(0.0);
        Need::anon(begin(base, life) + swing * day(clock + hour) + lost + noise.at(hour, random))
    })
}

fn killed_thrice(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.4);
    let to_limit = random.between(14.0, 40.0);
    let rate = (limit - base) / to_limit;
    let swing = limit * random.between(0.0, 0.04);
    let mut noise = Drift::new(0.2, base * 0.01);
    // The fourth life is somewhere in its middle.
    let hours = to_limit * random.between(3.3, 3.8);
    let watch = Watch::new(limit, hours, random);
    let clock = watch.begins;
    watch.leak(class, 0.0, usize::MAX, random, |hour, life, random| {
        Need::anon(begin(base, life) + swing * day(clock + hour) + rate * life + noise.at(hour, random))
    })
}

/// The limit is reached after what is watched: the last deploy is the last one.
fn deployed(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let rate = (limit - base) / random.between(36.0, 90.0);
    let mut noise = Drift::new(0.2, base * 0.01);
    let deploys: Vec<f64> = (1..6).map(|day| f64::from(day) * 24.0 + random.between(-4.0, 4.0)).collect();
    let last = deploys.iter().copied().fold(0.0, f64::max);
    let watch = Watch::new(limit, last + random.between(12.0, 30.0), random);
    let mut curve = watch.leak(class, last, 1, random, |hour, _, random| {
        let born = deploys.iter().copied().filter(|at| *at <= hour).fold(0.0, f64::max);
        let life = hour - born;
        Need::anon(begin(base, life) + rate * life + noise.at(hour, random))
    });
    let first = curve.samples[0].t;
    for deploy in deploys {
        if let Some(sample) = curve.samples.iter_mut().find(|sample| sample.t >= first + deploy * 3600.0) {
            sample.restart = true;
        }
    }
    curve
}

fn under_noise(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let rate = (limit - base) / random.between(220.0, 400.0);
    // Nineteen of twenty are within a day's growth of each other.
    let mut noise = Drift::new(random.between(0.5, 2.0), rate * 24.0 / 4.0);
    let watch = Watch::new(limit, 288.0, random);
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        Need::anon(begin(base, life) + rate * life + noise.at(hour, random))
    })
}

fn two(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.4);
    let days = random.between(4.0, 9.0);
    let steady = (limit - base) * random.between(0.3, 0.6) / (days * 24.0);
    let by_day = (limit - base - steady * days * 24.0) / days / 8.5;
    let mut noise = Drift::new(0.2, base * 0.01);
    let (mut lost, mut last) = (0.0, 0.0);
    let watch = Watch::new(limit, 240.0, random);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        lost += (steady + by_day * (day(clock + hour) - 0.05).max(0.0)) * (hour - last);
        last = hour;
        Need::anon(begin(base, life) + lost + noise.at(hour, random))
    })
}

fn tmpfs(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.1, 0.3);
    let each = limit * random.between(0.0005, 0.003);
    let rate = (limit - base) / random.between(60.0, 180.0);
    let mut noise = Drift::new(0.2, base * 0.01);
    let (mut lost, mut last) = (0.0, 0.0);
    let watch = Watch::new(limit, 200.0, random);
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        // A file at a time.
        if random.chance(rate * (hour - last) / each) {
            lost += each;
        }
        last = hour;
        Need { anon: begin(base, life) + noise.at(hour, random), file: base * 0.3, shmem: lost }
    })
}

fn coarse(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random).max(512.0);
    let base = limit * random.between(0.2, 0.45);
    let rate = (limit - base) / random.between(100.0, 300.0);
    let mut noise = Drift::new(0.5, base * 0.01);
    let watch = Watch { jitter: 0.6, missing: 0.12, quantum: 4.0, ..Watch::new(limit, 240.0, random).every(300.0) };
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        Need::anon(begin(base, life) + rate * life + noise.at(hour, random))
    })
}
