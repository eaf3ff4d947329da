//! Curves that are no leaks, by what services do. They were written before their author had read the rule; what it said wrongly of them was
//! looked at later, and the rule mended by it: they hold nothing out any more.

use super::curve::{Class, Curve, Need, Watch, a_limit, begin, day, weekday};
use super::random::{Drift, Random};

pub const CLASSES: &[Class] = &[
    ("steady, each 15 s", steady),
    ("daily period", daily),
    ("daily period, each 15 s to 5 min, jitter, gaps", gappy),
    ("daily period, in 4 MiB", quantised),
    ("office hours", office),
    ("weekly period, busy Monday", weekly),
    ("warm-up, exponential", warm_exponential),
    ("warm-up, a cache that fills by the logarithm", warm_logarithm),
    ("JIT warm-up, then a plateau", jit),
    ("LRU cache, full after 30 h", lru),
    ("a spike each night", cron),
    ("one batch: grows, is released", batch),
    ("GC sawtooth, level floor, amplitude by load", gc),
    ("prefork workers, recycled", workers),
    ("one step, a changed setting", step),
    ("random walk within bounds", walk),
    ("page cache grows", page_cache),
    ("tmpfs fills to its size", tmpfs),
    ("load rises for a week and returns", campaign),
    ("deployed daily, the same warm-up", deployed),
    ("connections rise to a plateau", connections),
    ("fragmentation that saturates", fragmentation),
];

fn steady(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.8);
    let mut noise = Drift::new(random.between(0.02, 1.0), base * random.between(0.002, 0.02));
    let watch = Watch::new(limit, random.between(30.0, 72.0), random).every(15.0);
    watch.healthy(class, false, &[], random, |hour, life, random| Need {
        anon: begin(base, life) + noise.at(hour, random),
        file: base * 0.1,
        shmem: 0.0,
    })
}

fn by_day(class: &'static str, random: &mut Random, hours: f64, change: impl Fn(Watch, &mut Random) -> Watch) -> Curve {
    let limit = a_limit(random).max(512.0);
    let base = limit * random.between(0.2, 0.5);
    let swing = limit * random.between(0.08, 0.35);
    let mut noise = Drift::new(random.between(0.1, 1.0), swing * random.between(0.02, 0.08));
    let watch = Watch::new(limit, hours, random);
    let watch = change(watch, random);
    let clock = watch.begins;
    watch.healthy(class, true, &[], random, |hour, life, random| {
        Need::anon(begin(base, life) + swing * day(clock + hour) + noise.at(hour, random))
    })
}

fn daily(class: &'static str, random: &mut Random) -> Curve {
    let hours = random.between(4.0, 9.0) * 24.0;
    by_day(class, random, hours, |watch, _| watch)
}

fn gappy(class: &'static str, random: &mut Random) -> Curve {
    let every = [15.0, 60.0, 300.0][(random.unit() * 3.0) as usize];
    let hours = if every < 60.0 { 80.0 } else { 170.0 };
    let mut curve = by_day(class, random, hours, |watch, random| Watch {
        jitter: 0.8,
        missing: random.between(0.05, 0.25),
        ..watch.every(every)
    });
    // The collector was away for a while.
    for _ in 0..4 {
        let first = curve.samples[0].t;
        let from = first + random.between(0.1, 0.95) * hours * 3600.0;
        let to = from + random.between(0.3, 5.0) * 3600.0;
        curve.samples.retain(|sample| sample.t < from || sample.t > to);
    }
    curve
}

fn quantised(class: &'static str, random: &mut Random) -> Curve {
    by_day(class, random, 120.0, |watch, _| Watch { quantum: 4.0, ..watch })
}

fn office(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let swing = limit * random.between(0.1, 0.4);
    let mut noise = Drift::new(0.5, swing * 0.06);
    let watch = Watch::new(limit, 216.0, random);
    let clock = watch.begins;
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let time = clock + hour;
        let of_day = time.rem_euclid(24.0);
        let edge = |at: f64| 1.0 / (1.0 + (-(of_day - at) * 2.5).exp());
        let works = if time.rem_euclid(168.0) < 120.0 { edge(8.5) - edge(18.0) } else { 0.04 };
        Need::anon(begin(base, life) + swing * works + noise.at(hour, random))
    })
}

fn weekly(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let swing = limit * random.between(0.1, 0.32);
    let mut noise = Drift::new(1.0, swing * 0.05);
    let watch = Watch::new(limit, random.between(15.0, 22.0) * 24.0, random).every(300.0);
    let clock = watch.begins;
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let time = clock + hour;
        Need::anon(begin(base, life) + swing * day(time) * weekday(time) + noise.at(hour, random))
    })
}

fn warm_exponential(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.1, 0.3);
    let rise = limit * random.between(0.15, 0.5);
    let tau = random.between(0.5, 12.0);
    let mut noise = Drift::new(0.2, base * 0.015);
    let watch = Watch::new(limit, random.between(60.0, 120.0), random);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        Need::anon(begin(base, life) + rise * (1.0 - (-life / tau).exp()) + noise.at(hour, random))
    })
}

fn warm_logarithm(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.1, 0.25);
    let tau = random.between(0.1, 1.0);
    let hours = random.between(96.0, 170.0);
    let rise = limit * random.between(0.2, 0.5) / (1.0 + hours / tau).ln();
    let mut noise = Drift::new(0.3, base * 0.015);
    let watch = Watch::new(limit, hours, random);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        Need::anon(begin(base, life) + rise * (1.0 + life / tau).ln() + noise.at(hour, random))
    })
}

fn jit(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.3);
    let (code, heap) = (limit * random.between(0.05, 0.12), limit * random.between(0.1, 0.25));
    let (quick, slow) = (random.between(0.15, 0.6), random.between(2.0, 5.0));
    let mut noise = Drift::new(0.1, base * 0.02);
    let watch = Watch::new(limit, 60.0, random);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let warm = heap * (1.0 - (-life / quick).exp()) + code * (1.0 - (-life / slow).exp());
        Need::anon(begin(base, life) + warm + noise.at(hour, random))
    })
}

fn lru(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.08, 0.2);
    let cache = limit * random.between(0.4, 0.65);
    let full = random.between(26.0, 34.0);
    let mut noise = Drift::new(0.2, base * 0.02);
    let (mut held, mut last) = (0.0_f64, 0.0);
    let watch = Watch::new(limit, random.between(80.0, 140.0), random);
    let clock = watch.begins;
    watch.healthy(class, false, &[], random, |hour, life, random| {
        // By load, of which a day has 0.6 of the most on average.
        held = (held + cache / full * (0.5 + day(clock + hour)) * (hour - last)).min(cache);
        last = hour;
        Need::anon(begin(base, life) + held + noise.at(hour, random))
    })
}

fn cron(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let spike = limit * random.between(0.2, 0.5);
    let (at, runs) = (random.between(0.0, 5.0), random.between(0.2, 1.0));
    let mut noise = Drift::new(0.3, base * 0.01);
    let watch = Watch::new(limit, random.between(5.0, 9.0) * 24.0, random);
    let clock = watch.begins;
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let since = (clock + hour - at).rem_euclid(24.0);
        // It grows for a while, and returns what it had at its end.
        let work = if since < runs { spike * (since / runs * 1.4).min(1.0) * random.between(0.92, 1.0) } else { 0.0 };
        Need::anon(begin(base, life) + work + noise.at(hour, random))
    })
}

fn batch(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.35);
    let most = limit * random.between(0.25, 0.5);
    let hours = random.between(40.0, 96.0);
    let from = hours * random.between(0.2, 0.7);
    let runs = random.between(3.0, 10.0);
    let mut noise = Drift::new(0.2, base * 0.015);
    let watch = Watch::new(limit, hours, random);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let since = hour - from;
        let work = if since > 0.0 && since < runs { most * since / runs } else { 0.0 };
        Need::anon(begin(base, life) + work + noise.at(hour, random))
    })
}

fn gc(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.35);
    let young = limit * random.between(0.15, 0.4);
    let period = random.between(0.1, 1.5);
    let (mut filled, mut last) = (0.0, 0.0);
    let mut noise = Drift::new(0.2, base * 0.01);
    let watch = Watch::new(limit, random.between(3.0, 7.0) * 24.0, random);
    let clock = watch.begins;
    watch.healthy(class, true, &[], random, |hour, life, random| {
        filled += (hour - last) / period * random.between(0.6, 1.4);
        last = hour;
        if filled >= 1.0 {
            filled = random.between(0.0, 0.1);
        }
        let size = young * (0.25 + 0.75 * day(clock + hour));
        Need::anon(begin(base, life) + size * filled + noise.at(hour, random))
    })
}

fn workers(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let number = random.between(3.0, 9.0).floor();
    let each = limit * 0.5 / number;
    let period = random.between(2.0, 14.0);
    let mut grown: Vec<f64> = (0..number as usize).map(|_| 0.0).collect();
    let mut speed: Vec<f64> = grown.iter().map(|_| random.between(0.8, 1.2)).collect();
    let mut last = 0.0;
    let mut noise = Drift::new(0.1, limit * 0.004);
    let watch = Watch::new(limit, random.between(60.0, 140.0), random);
    let clock = watch.begins;
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let mut sum = begin(limit * 0.1, life) + noise.at(hour, random);
        for (grown, speed) in grown.iter_mut().zip(&mut speed) {
            *grown += (hour - last) / period * *speed * (0.5 + day(clock + hour));
            if *grown >= 1.0 {
                (*grown, *speed) = (0.0, random.between(0.8, 1.2));
            }
            sum += each * (0.45 + 0.7 * *grown);
        }
        last = hour;
        Need::anon(sum)
    })
}

fn step(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let rise = base * random.between(0.2, 0.9);
    let hours = random.between(48.0, 120.0);
    let at = hours * random.between(0.15, 0.85);
    let mut noise = Drift::new(0.3, base * 0.015);
    let watch = Watch::new(limit, hours, random);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let more = rise * (1.0 - (-(hour - at).max(0.0) / 0.05).exp());
        Need::anon(begin(base, life) + more + noise.at(hour, random))
    })
}

fn walk(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.3, 0.5);
    let bound = limit * random.between(0.08, 0.2);
    let mut position = 0.0_f64;
    let mut last = 0.0_f64;
    // It wanders from one bound to the other within so many hours.
    let hours = random.between(6.0, 30.0);
    let watch = Watch::new(limit, random.between(60.0, 150.0), random);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        position += bound * ((hour - last).max(0.0) / hours).sqrt() * 2.0 * random.normal();
        last = hour;
        if position.abs() > bound {
            position = position.signum() * (2.0 * bound - position.abs());
        }
        Need::anon(begin(base, life) + position)
    })
}

fn page_cache(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.4);
    let rate = limit / random.between(10.0, 100.0);
    let mut noise = Drift::new(0.2, base * 0.015);
    let watch = Watch::new(limit, random.between(48.0, 110.0), random);
    watch.healthy(class, false, &[], random, |hour, life, random| Need {
        anon: begin(base, life) + noise.at(hour, random),
        file: rate * life,
        shmem: 0.0,
    })
}

fn tmpfs(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.1, 0.3);
    let size = limit * random.between(0.2, 0.5);
    let full = random.between(4.0, 18.0);
    let mut noise = Drift::new(0.2, base * 0.015);
    let watch = Watch::new(limit, random.between(48.0, 96.0), random);
    watch.healthy(class, false, &[], random, |hour, life, random| Need {
        anon: begin(base, life) + noise.at(hour, random),
        file: base * 0.2,
        shmem: (size * life / full).min(size),
    })
}

fn campaign(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.35);
    let swing = limit * random.between(0.06, 0.15);
    let growth = random.between(0.6, 1.6);
    let from = random.between(24.0, 60.0);
    let mut noise = Drift::new(1.0, swing * 0.06);
    let watch = Watch::new(limit, 14.0 * 24.0, random).every(120.0);
    let clock = watch.begins;
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let since = hour - from;
        let more = if since < 0.0 {
            0.0
        } else if since < 168.0 {
            since / 168.0
        } else {
            (1.0 - (since - 168.0) / 30.0).max(0.0)
        };
        // Sessions are held for a while, by night as well.
        let load = day(clock + hour) * (1.0 + growth * more) + 0.4 * growth * more;
        Need::anon(begin(base, life) + swing * load + noise.at(hour, random))
    })
}

fn deployed(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.3);
    let rise = limit * random.between(0.15, 0.45);
    let tau = random.between(1.0, 7.0);
    let mut noise = Drift::new(0.2, base * 0.02);
    let deploys: Vec<f64> = (1..7).map(|day| f64::from(day) * 24.0 + random.between(-6.0, 6.0)).collect();
    let watch = Watch::new(limit, 160.0, random);
    watch.healthy(class, true, &deploys, random, |hour, life, random| {
        Need::anon(begin(base, life) + rise * (1.0 - (-life / tau).exp()) + noise.at(hour, random))
    })
}

fn connections(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.3);
    let most = random.between(100.0, 600.0).floor();
    let each = limit * random.between(0.25, 0.5) / most;
    let hours = random.between(3.0, 9.0);
    let mut open = 0.0_f64;
    let mut last = 0.0;
    let mut noise = Drift::new(0.2, base * 0.01);
    let watch = Watch::new(limit, random.between(48.0, 100.0), random);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        // Clients come as they like, some leave; the pool's size is the bound.
        let expected = most / hours * (hour - last);
        open += (expected * random.between(0.0, 2.0)).round() + if random.chance(expected.fract()) { 1.0 } else { 0.0 };
        if open >= most {
            open = most - (random.unit() * 3.0).floor();
        }
        last = hour;
        Need::anon(begin(base, life) + each * open + noise.at(hour, random))
    })
}

fn fragmentation(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let creep = base * random.between(0.2, 0.6);
    let tau = random.between(10.0, 40.0);
    let swing = base * random.between(0.0, 0.15);
    let mut noise = Drift::new(0.4, base * 0.012);
    let watch = Watch::new(limit, random.between(6.0, 10.0) * 24.0, random);
    let clock = watch.begins;
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let held = creep * (1.0 - (-life / tau).exp());
        Need::anon(begin(base, life) + held + swing * day(clock + hour) + noise.at(hour, random))
    })
}
