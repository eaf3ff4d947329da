//! Curves by someone who had seen neither the rule nor the other classes. When they were opened the rule was done; it was mended by them
//! later.

use super::curve::{Class, Curve, Need, Sample, Truth, Watch, a_limit, day, weekday};
use super::random::{Drift, Random};

pub const CLASSES: &[Class] = &[
    ("unseen: leak of a sidecar of some MiB", sidecar),
    ("unseen: leak by traffic, nights and weekends quiet", by_traffic),
    ("unseen: leak that a deploy brings", after_deploy),
    ("unseen: leak that a flag turns on", after_flag),
    ("unseen: fragmentation, day by day", fragmentation),
    ("unseen: leak under a collector's teeth", under_teeth),
    ("unseen: leak that compounds", compounding),
    ("unseen: leak at bursts of errors", error_bursts),
    ("unseen: leak behind a big start", behind_start),
    ("unseen: leak in lives that end at the limit", lives),
    ("unseen: leak of pooled connections, in small steps", pool_steps),
    ("unseen: native leak below a still Java heap", below_heap),
    ("unseen: tmpfs that nobody cleans", tmpfs_leak),
    ("unseen: each nightly batch leaves some", batch_leaves),
    ("unseen: leak in tens of GiB", huge_leak),
    ("unseen: leak within hours", fast_leak),
    ("unseen: leak in sparse samples", sparse_leak),
    ("unseen: rhythm of the day with noise", daily),
    ("unseen: weekdays and weekend", weekly),
    ("unseen: cache that fills for days", slow_cache),
    ("unseen: cache with a cap", capped_cache),
    ("unseen: Java heap in steps to its plateau", heap_steps),
    ("unseen: nightly batch", nightly),
    ("unseen: load ramps for hours and goes", ramp),
    ("unseen: warm-up of five hours", warm_up),
    ("unseen: log rotation", log_rotation),
    ("unseen: slow decline", decline),
    ("unseen: release that wants more", release),
    ("unseen: page cache grows to the limit", page_cache),
    ("unseen: tmpfs up and down", tmpfs_use),
    ("unseen: cron each ten minutes", cron),
    ("unseen: limit is changed", limit_changed),
    ("unseen: sparse samples with gaps", sparse),
    ("unseen: counter glitches", glitches),
    ("unseen: small program", small),
    ("unseen: database of tens of GiB", database),
    ("unseen: workers replaced after some requests", recycled),
    ("unseen: teeth of hours", slow_teeth),
    ("unseen: six quiet hours", quiet),
    ("unseen: backlog that drains", backlog),
    ("unseen: peaks are kept", ratchet),
    ("unseen: restart each night", nightly_restart),
    ("unseen: training by epochs", training),
    ("unseen: builds", builds),
];

/// Noise as a service has it: of a moment, of minutes, and of hours.
struct Noise {
    white: f64,
    minutes: Drift,
    hours: Drift,
}

impl Noise {
    /// `rough` is the deviation in all, of `size`, about.
    fn new(size: f64, rough: f64) -> Self {
        let all = size * rough;
        Self { white: 0.25 * all, minutes: Drift::new(0.12, 0.6 * all), hours: Drift::new(4.0, 0.75 * all) }
    }

    fn at(&mut self, hour: f64, random: &mut Random) -> f64 {
        self.white * random.normal() + self.minutes.at(hour, random) + self.hours.at(hour, random)
    }
}

/// What has come together in a life.
#[derive(Default)]
struct Sum {
    total: f64,
    last: f64,
}

impl Sum {
    fn add(&mut self, life: f64, rate: f64) -> f64 {
        self.step(life);
        self.total += rate * self.last_step(life);
        self.last = life;
        self.total
    }

    /// Some come at random, `rate` an hour, each of about `each`.
    fn add_at_random(&mut self, life: f64, rate: f64, each: f64, random: &mut Random) -> f64 {
        self.step(life);
        if random.chance(rate * self.last_step(life)) {
            self.total += each * random.between(0.4, 1.6);
        }
        self.last = life;
        self.total
    }

    /// Begins anew with a life.
    fn step(&mut self, life: f64) {
        if life < self.last {
            *self = Self::default();
        }
    }

    fn last_step(&self, life: f64) -> f64 {
        life - self.last
    }
}

/// Teeth of about `hours` each.
struct Teeth {
    hours: f64,
    from: f64,
    until: f64,
}

impl Teeth {
    fn new(hours: f64) -> Self {
        Self { hours, from: 0.0, until: 0.0 }
    }

    /// From 0 to 1 within a tooth.
    fn at(&mut self, hour: f64, random: &mut Random) -> f64 {
        while hour >= self.until {
            self.from = self.until;
            self.until += self.hours * random.between(0.75, 1.25);
        }
        (hour - self.from) / (self.until - self.from)
    }
}

/// A program that comes up within `minutes`.
fn start(base: f64, life: f64, minutes: f64) -> f64 {
    base * (1.0 - 0.7 * (-life * 60.0 / minutes).exp())
}

/// What users do: some by night, less at the weekend.
fn load(clock: f64) -> f64 {
    (0.08 + 0.92 * day(clock)) * weekday(clock)
}

/// Of `load`, in a week.
fn mean_load() -> f64 {
    (0..1680).map(|at| load(f64::from(at) / 10.0)).sum::<f64>() / 1680.0
}

fn smooth(at: f64) -> f64 {
    let at = at.clamp(0.0, 1.0);
    at * at * (3.0 - 2.0 * at)
}

fn one_of(of: &[f64], random: &mut Random) -> f64 {
    of[(random.unit() * of.len() as f64) as usize]
}

/// Whole stretches were not seen.
fn cut_gaps(samples: &mut Vec<Sample>, count: usize, random: &mut Random) {
    let (Some(first), Some(last)) = (samples.first().map(|at| at.t), samples.last().map(|at| at.t)) else { return };
    for _ in 0..count {
        let from = random.between(first + 3600.0, last - 3600.0);
        let until = from + 3600.0 * random.between(0.5, 7.0);
        samples.retain(|at| at.t < from || at.t > until || at.t >= last);
    }
}

fn sidecar(class: &'static str, random: &mut Random) -> Curve {
    let limit = one_of(&[48.0, 64.0, 128.0], random);
    let base = random.between(11.0, 0.45 * limit);
    let rate = (limit - base) / random.between(18.0, 55.0);
    let file = random.between(1.0, 6.0);
    let mut noise = Noise::new(base, 0.008);
    let hours = random.between(24.0, 44.0);
    let watch = Watch { jitter: 0.05, ..Watch::new(limit, hours, random).every(15.0) };
    watch.leak(class, 0.0, 1, random, |hour, life, random| Need {
        anon: start(base, life, 1.0) + rate * life + noise.at(hour, random),
        file,
        shmem: 0.0,
    })
}

fn by_traffic(class: &'static str, random: &mut Random) -> Curve {
    let limit = one_of(&[2048.0, 4096.0, 8192.0], random);
    let base = limit * random.between(0.2, 0.4);
    let per_load = base * random.between(0.08, 0.2);
    let rate = (limit - base) / random.between(120.0, 290.0) / mean_load();
    let mut noise = Noise::new(base, 0.012);
    let mut lost = Sum::default();
    let watch = Watch::new(limit, 240.0, random).every(300.0);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let load = load(clock + hour);
        Need::anon(start(base, life, 4.0) + lost.add(life, rate * load) + per_load * load + noise.at(hour, random))
    })
}

/// Marks the first sample after `hour` as the first one of a life.
fn restart_at(curve: &mut Curve, hour: f64) {
    let at = curve.samples[0].t + hour * 3600.0;
    if let Some(sample) = curve.samples.iter_mut().find(|sample| sample.t >= at) {
        sample.restart = true;
    }
}

fn after_deploy(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.25, 0.45);
    let after = base * random.between(0.95, 1.1);
    let deploy = random.between(30.0, 80.0);
    let rate = (limit - after) / random.between(40.0, 110.0);
    let per_load = base * random.between(0.02, 0.1);
    let mut noise = Noise::new(base, 0.01);
    let watch = Watch::new(limit, deploy + 80.0, random).every(60.0);
    let clock = watch.begins;
    let mut curve = watch.leak(class, deploy, 1, random, |hour, _, random| {
        let own = if hour < deploy { base } else { start(after, hour - deploy, 3.0) + rate * (hour - deploy) };
        Need::anon(own + per_load * load(clock + hour) + noise.at(hour, random))
    });
    restart_at(&mut curve, deploy);
    curve
}

fn after_flag(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.3, 0.5);
    let flag = random.between(20.0, 60.0);
    let rate = (limit - base) / random.between(25.0, 80.0);
    let mut noise = Noise::new(base, 0.009);
    let watch = Watch { quantum: 1.0, ..Watch::new(limit, flag + 55.0, random).every(30.0) };
    watch.leak(class, flag, 1, random, |hour, _, random| {
        Need::anon(base + rate * (hour - flag).max(0.0) + noise.at(hour, random))
    })
}

/// Slows a bit and does not stop; a part of each day's peak stays in arenas.
fn fragmentation(class: &'static str, random: &mut Random) -> Curve {
    let limit = one_of(&[1024.0, 2048.0, 4096.0, 16384.0], random);
    let base = limit * random.between(0.3, 0.45);
    let power = random.between(0.78, 0.92);
    let to_limit = random.between(200.0, 330.0);
    let per_load = base * random.between(0.04, 0.1);
    let mut noise = Noise::new(base, 0.012);
    let mut work = Sum::default();
    let mean = mean_load();
    let watch = Watch::new(limit, 240.0, random).every(180.0);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let load = load(clock + hour);
        let done = work.add(life, 0.4 + 0.6 * load / mean) / to_limit;
        Need::anon(
            start(base, life, 6.0) + (limit - base) * done.powf(power) + per_load * load + noise.at(hour, random),
        )
    })
}

fn under_teeth(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.35);
    let high = limit * random.between(0.1, 0.22);
    let rate = (limit - base - high) / random.between(18.0, 45.0);
    let mut teeth = Teeth::new(random.between(0.08, 0.4));
    let mut noise = Noise::new(base, 0.012);
    let hours = random.between(26.0, 36.0);
    let watch = Watch::new(limit, hours, random).every(one_of(&[15.0, 30.0], random));
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let tooth = teeth.at(hour, random);
        Need::anon(start(base, life, 2.0) + rate * life + high * tooth + noise.at(hour, random))
    })
}

fn compounding(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let to_limit = random.between(36.0, 80.0);
    let doublings = random.between(2.5, 4.5);
    let mut noise = Noise::new(base, 0.01);
    let watch = Watch::new(limit, 72.0, random).every(60.0);
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let grown = ((life / to_limit * doublings).exp2() - 1.0) / (doublings.exp2() - 1.0);
        Need::anon(start(base, life, 3.0) + (limit - base) * grown + noise.at(hour, random))
    })
}

fn error_bursts(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.25, 0.4);
    let to_limit = random.between(90.0, 200.0);
    let a_day = random.between(3.0, 8.0);
    let each = (limit - base) / (to_limit / 24.0 * a_day);
    let mut noise = Noise::new(base, 0.01);
    let (mut until, mut rate, mut last) = (0.0, 0.0, 0.0);
    let mut lost = Sum::default();
    let watch = Watch::new(limit, 168.0, random).every(60.0);
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        if hour >= until && random.chance(a_day / 24.0 * (hour - last)) {
            let long = random.between(0.1, 0.8);
            until = hour + long;
            rate = each * random.between(0.4, 1.6) / long;
        }
        last = hour;
        let now = if hour < until { rate } else { 0.0 };
        Need::anon(start(base, life, 3.0) + lost.add(life, now) + noise.at(hour, random))
    })
}

/// Reads all it has into memory, gives a part back, and then loses some.
fn behind_start(class: &'static str, random: &mut Random) -> Curve {
    let limit = one_of(&[2048.0, 4096.0, 8192.0, 16384.0], random);
    let base = limit * random.between(0.5, 0.65);
    let over = limit * random.between(0.05, 0.25);
    let loads = random.between(0.1, 0.7);
    let rate = (limit - base) / random.between(30.0, 75.0);
    let mut noise = Noise::new(base, 0.005);
    let watch = Watch::new(limit, 60.0, random).every(30.0);
    watch.leak(class, loads, 1, random, |hour, life, random| {
        let own = if life < loads {
            (base + over) * (0.04 + 0.96 * life / loads)
        } else {
            base + over * (-(life - loads) * 60.0 / 4.0).exp() + rate * (life - loads)
        };
        Need { anon: own + noise.at(hour, random), file: 0.2 * base, shmem: 0.0 }
    })
}

fn lives(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.4);
    let rate = (limit - base) / random.between(8.0, 22.0);
    let swing = random.between(0.2, 0.7);
    let mean = mean_load();
    let mut noise = Noise::new(base, 0.015);
    let mut lost = Sum::default();
    let watch = Watch { missing: 0.02, ..Watch::new(limit, 96.0, random).every(120.0) };
    let clock = watch.begins;
    let mut curve = watch.leak(class, 0.0, 40, random, |hour, life, random| {
        let now = rate * (1.0 - swing + swing * load(clock + hour) / mean);
        Need::anon(start(base, life, 3.0) + lost.add(life, now) + noise.at(hour, random))
    });
    // The last life may begin when nobody looks any more.
    if let (Truth::Leak { since, .. }, Some(last)) = (&mut curve.truth, curve.samples.last()) {
        *since = since.min(last.t);
    }
    curve
}

fn pool_steps(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.3, 0.5);
    let to_limit = random.between(80.0, 190.0);
    let a_day = random.between(12.0, 30.0);
    let each = (limit - base) / (to_limit / 24.0 * a_day);
    let mean = mean_load();
    let mut noise = Noise::new(base, 0.004);
    let mut lost = Sum::default();
    let watch = Watch::new(limit, 150.0, random).every(60.0);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let rate = a_day / 24.0 * (0.3 + 0.7 * load(clock + hour) / mean);
        Need::anon(start(base, life, 2.0) + lost.add_at_random(life, rate, each, random) + noise.at(hour, random))
    })
}

fn below_heap(class: &'static str, random: &mut Random) -> Curve {
    let limit = one_of(&[1024.0, 2048.0, 4096.0, 8192.0], random);
    let heap = limit * random.between(0.5, 0.6);
    let other = limit * random.between(0.1, 0.15);
    let grows = random.between(0.5, 2.5);
    let rate = (limit - heap - other) / random.between(80.0, 210.0);
    let mut noise = Noise::new(limit, 0.003);
    let watch = Watch::new(limit, 168.0, random).every(one_of(&[60.0, 120.0], random));
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let committed = heap * ((0.35 + 0.65 * life / grows) * 6.0).floor().min(6.0) / 6.0;
        let own = committed + other * (1.0 - (-life / 0.5).exp());
        Need::anon(own + rate * life + noise.at(hour, random))
    })
}

fn tmpfs_leak(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.35);
    let jobs = random.between(4.0, 20.0);
    let each = (limit - base) / random.between(45.0, 100.0) / jobs;
    let mean = mean_load();
    let mut noise = Noise::new(base, 0.015);
    let mut lost = Sum::default();
    let watch = Watch::new(limit, 80.0, random).every(60.0);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| Need {
        anon: start(base, life, 2.0) + noise.at(hour, random),
        file: 0.05 * limit,
        shmem: lost.add_at_random(life, jobs * (0.4 + 0.6 * load(clock + hour) / mean), each, random),
    })
}

fn batch_leaves(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.35);
    let batch = limit * random.between(0.08, 0.2);
    let at = random.between(0.5, 4.0);
    let long = random.between(0.5, 2.0);
    let each = (limit - base - batch) / random.between(6.0, 12.0);
    let mut noise = Noise::new(base, 0.01);
    let watch = Watch::new(limit, 240.0, random).every(300.0);
    let clock = watch.begins;
    let since = (at - clock).rem_euclid(24.0);
    let (mut night, mut kept, mut next) = (-1.0, 0.0, each);
    watch.leak(class, since, 1, random, |hour, life, random| {
        let nights = ((hour - since) / 24.0).floor();
        if nights > night {
            if night >= 0.0 {
                kept += next;
            }
            night = nights;
            next = each * random.between(0.7, 1.3);
        }
        let into = if nights < 0.0 { 0.0 } else { ((hour - since).rem_euclid(24.0) / long).min(1.0) };
        let busy = if into > 0.0 && into < 1.0 { batch * smooth(into * 4.0) } else { 0.0 };
        Need::anon(start(base, life, 3.0) + kept + next * into + busy + noise.at(hour, random))
    })
}

fn huge_leak(class: &'static str, random: &mut Random) -> Curve {
    let limit = 1024.0 * one_of(&[40.0, 48.0, 64.0], random);
    let base = limit * random.between(0.4, 0.55);
    let per_load = limit * random.between(0.01, 0.04);
    let rate = (limit - base) / random.between(190.0, 360.0);
    let mut noise = Noise::new(base, 0.006);
    let watch = Watch::new(limit, 240.0, random).every(300.0);
    let clock = watch.begins;
    watch.leak(class, 0.0, 1, random, |hour, life, random| Need {
        anon: base * (1.0 - 0.9 * (-life / 0.3).exp())
            + per_load * load(clock + hour)
            + rate * life
            + noise.at(hour, random),
        file: limit * (1.0 - (-life / 10.0).exp()),
        shmem: 0.0,
    })
}

fn fast_leak(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.3);
    let rate = (limit - base) / random.between(3.0, 8.0);
    let mut pace = Drift::new(0.3, 0.3);
    let mut noise = Noise::new(base, 0.015);
    let mut lost = Sum::default();
    let watch = Watch { jitter: 0.1, ..Watch::new(limit, 6.5, random).every(15.0) };
    watch.leak(class, 0.0, 1, random, |hour, life, random| {
        let now = rate * (1.0 + pace.at(hour, random)).max(0.0);
        Need::anon(start(base, life, 1.5) + lost.add(life, now) + noise.at(hour, random))
    })
}

fn sparse_leak(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.2, 0.45);
    let rate = (limit - base) / random.between(70.0, 150.0);
    let per_load = base * random.between(0.03, 0.12);
    let mut noise = Noise::new(base, 0.015);
    let missing = random.between(0.1, 0.3);
    let watch = Watch { missing, jitter: 0.3, ..Watch::new(limit, 130.0, random).every(300.0) };
    let clock = watch.begins;
    let mut curve = watch.leak(class, 0.0, 1, random, |hour, life, random| {
        Need::anon(start(base, life, 3.0) + rate * life + per_load * load(clock + hour) + noise.at(hour, random))
    });
    cut_gaps(&mut curve.samples, 3, random);
    curve
}

fn daily(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.25, 0.45);
    let wave = limit * random.between(0.1, 0.3);
    let mut noise = Noise::new(base, random.between(0.01, 0.04));
    let watch = Watch::new(limit, 168.0, random).every(120.0);
    let clock = watch.begins;
    watch.healthy(class, true, &[], random, |hour, _, random| {
        Need::anon(base + wave * day(clock + hour) + noise.at(hour, random))
    })
}

fn weekly(class: &'static str, random: &mut Random) -> Curve {
    let limit = one_of(&[1024.0, 2048.0, 4096.0, 8192.0], random);
    let base = limit * random.between(0.2, 0.4);
    let wave = limit * random.between(0.15, 0.32);
    let mut noise = Noise::new(base, 0.015);
    let watch = Watch::new(limit, 240.0, random).every(300.0);
    let clock = watch.begins;
    // Sessions stay for a while.
    let (mut held, mut last) = (load(clock), 0.0);
    let stay = random.between(0.5, 3.0);
    watch.healthy(class, true, &[], random, |hour, _, random| {
        held += (load(clock + hour) - held) * (1.0 - (-(hour - last) / stay).exp());
        last = hour;
        Need::anon(base + wave * held + noise.at(hour, random))
    })
}

/// The longer it runs, the more of what is asked for is in it already.
fn slow_cache(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.3);
    let cache = limit * random.between(0.25, 0.5);
    let fills = random.between(14.0, 22.0);
    let mean = mean_load();
    let mut noise = Noise::new(base, 0.012);
    let mut asked = Sum::default();
    let watch = Watch::new(limit, 200.0, random).every(120.0);
    let clock = watch.begins;
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let asked = asked.add(life, (0.5 + 0.5 * load(clock + hour) / mean) / fills);
        Need::anon(start(base, life, 3.0) + cache * (1.0 - (-asked).exp()) + noise.at(hour, random))
    })
}

fn capped_cache(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.05, 0.15);
    let cap = limit * random.between(0.45, 0.65);
    let fills = random.between(5.0, 11.0);
    let evicts = cap * random.between(0.002, 0.01);
    let mut teeth = Teeth::new(0.3);
    let mut noise = Noise::new(base, 0.015);
    let watch = Watch::new(limit, 96.0, random).every(60.0);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let free = 1.25 * cap * (1.0 - (-life / fills).exp());
        let filled = if free < cap { free } else { cap - evicts * teeth.at(hour, random) };
        Need::anon(start(base, life, 1.0) + filled + noise.at(hour, random))
    })
}

fn heap_steps(class: &'static str, random: &mut Random) -> Curve {
    let limit = one_of(&[1024.0, 2048.0, 4096.0, 8192.0], random);
    let heap = limit * random.between(0.55, 0.68);
    let other = limit * random.between(0.08, 0.15);
    let first = random.between(0.25, 0.4);
    let count = 5 + (random.unit() * 4.0) as usize;
    let last = random.between(6.0, 30.0);
    let mut steps: Vec<(f64, f64)> = (0..count)
        .map(|at| {
            let at = (at + 1) as f64 / count as f64;
            (last * at.powf(2.2) * random.between(0.85, 1.0), random.between(0.6, 1.4))
        })
        .collect();
    let all: f64 = steps.iter().map(|step| step.1).sum();
    steps.iter_mut().for_each(|step| step.1 *= (1.0 - first) / all);
    let mut noise = Noise::new(limit, 0.003);
    let watch = Watch::new(limit, 96.0, random).every(60.0);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let share: f64 = steps.iter().filter(|step| step.0 <= life).map(|step| step.1).sum();
        // What the collector has committed is touched within minutes.
        let own = heap * (first * (1.0 - (-life * 30.0).exp()) + share) + other * (1.0 - (-life / 0.7).exp());
        Need::anon(own + noise.at(hour, random))
    })
}

fn nightly(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.25, 0.4);
    let more = limit * random.between(0.2, 0.42);
    let (at, long) = (random.between(0.5, 3.5), random.between(0.7, 3.0));
    let per_load = base * random.between(0.0, 0.1);
    let mut noise = Noise::new(base, 0.012);
    let watch = Watch::new(limit, 144.0, random).every(60.0);
    let clock = watch.begins;
    let (mut size, mut was_busy) = (1.0, false);
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let into = (clock + hour - at).rem_euclid(24.0) / long;
        let is_busy = into < size;
        if is_busy && !was_busy {
            size = random.between(0.75, 1.1);
        }
        was_busy = is_busy;
        let busy = if is_busy { more * into.min(1.0) } else { 0.0 };
        Need {
            anon: start(base, life, 3.0) + busy + per_load * load(clock + hour) + noise.at(hour, random),
            file: 0.1 * limit + busy,
            shmem: 0.0,
        }
    })
}

/// An event of an evening or a sale: more load for hours, each new replica takes a bit of it, and all ends.
fn ramp(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.25, 0.4);
    let more = limit * random.between(0.22, 0.4);
    let from = random.between(6.0, 14.0);
    let (up, hold, down) = (random.between(4.0, 8.0), random.between(3.0, 8.0), random.between(3.0, 8.0));
    let replicas: Vec<f64> = (0..3).map(|_| from + up * random.between(0.25, 0.95)).collect();
    let mut noise = Noise::new(base, 0.015);
    let watch = Watch::new(limit, 48.0, random).every(60.0);
    watch.healthy(class, false, &[], random, |hour, _, random| {
        let into = hour - from;
        let asked = smooth(into / up) - smooth((into - up - hold) / down);
        let relief: f64 = replicas
            .iter()
            .filter(|at| hour > **at)
            .map(|at| 0.1 * (1.0 - (-(hour - at) / 0.2).exp()) * (-(hour - at) / 1.5).exp())
            .sum();
        Need::anon(base + more * asked * (1.0 - relief) + noise.at(hour, random))
    })
}

fn warm_up(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let all = limit * random.between(0.5, 0.75);
    let cold = random.between(0.35, 0.55);
    let hours = random.between(1.3, 1.9);
    let mut noise = Noise::new(all, 0.008);
    let watch = Watch::new(limit, 30.0, random).every(30.0);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let warm = cold + (1.0 - cold) * (1.0 - (-life / hours).exp());
        Need::anon(start(all, life, 2.0) * warm + noise.at(hour, random))
    })
}

/// The cache of the log goes with its file; to compress it takes some.
fn log_rotation(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.25, 0.5);
    let each = one_of(&[6.0, 12.0, 24.0], random);
    let log = limit * random.between(0.2, 0.6) / each;
    let zip = limit * random.between(0.02, 0.08);
    let long = random.between(3.0, 12.0) / 60.0;
    let mean = mean_load();
    let mut noise = Noise::new(base, 0.012);
    let watch = Watch::new(limit, 100.0, random).every(60.0);
    let clock = watch.begins;
    let (mut written, mut last, mut was) = (0.0, 0.0, 0.0);
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let into = (clock + hour).rem_euclid(each);
        if into < was {
            written = 0.0;
        }
        was = into;
        written += log * (0.5 + 0.5 * load(clock + hour) / mean) * (hour - last);
        last = hour;
        let anon = start(base, life, 2.0) + if into < long { zip } else { 0.0 } + noise.at(hour, random);
        Need { anon, file: 0.03 * limit + written, shmem: 0.0 }
    })
}

fn decline(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.55, 0.75);
    let goes = random.between(0.15, 0.4);
    let wave = base * random.between(0.0, 0.1);
    let mut noise = Noise::new(base, 0.012);
    let watch = Watch::new(limit, 240.0, random).every(300.0);
    let clock = watch.begins;
    watch.healthy(class, false, &[], random, |hour, _, random| {
        Need::anon(base * (1.0 - goes * hour / 240.0) + wave * load(clock + hour) + noise.at(hour, random))
    })
}

fn release(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.3, 0.45);
    let after = base * random.between(1.15, 1.5);
    let wave = base * random.between(0.03, 0.15);
    let at = random.between(50.0, 130.0);
    let mut noise = Noise::new(base, 0.015);
    let watch = Watch::new(limit, 190.0, random).every(120.0);
    let clock = watch.begins;
    watch.healthy(class, false, &[at], random, |hour, life, random| {
        let own = if hour < at { base } else { start(after, life, 6.0) };
        Need::anon(own + wave * load(clock + hour) + noise.at(hour, random))
    })
}

fn page_cache(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.45);
    let read = limit * random.between(0.01, 0.08);
    let mut noise = Noise::new(base, 0.012);
    let mut all = Sum::default();
    let watch = Watch::new(limit, 72.0, random).every(60.0);
    let clock = watch.begins;
    watch.healthy(class, false, &[], random, |hour, life, random| Need {
        anon: start(base, life, 2.0) + noise.at(hour, random),
        file: 0.04 * limit + all.add(life, read * (0.3 + load(clock + hour))),
        shmem: 0.0,
    })
}

/// Uploads and reports that are written to memory, read, and removed.
fn tmpfs_use(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.15, 0.3);
    let an_hour = random.between(0.5, 3.0);
    let stay = random.between(0.4, 3.0);
    let most = limit * 0.55;
    let each = most * 0.5 / (an_hour * stay).max(1.0);
    let mut noise = Noise::new(base, 0.012);
    let mut files: Vec<(f64, f64)> = Vec::new();
    let mut last = 0.0;
    let watch = Watch::new(limit, 96.0, random).every(60.0);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        files.retain(|file| file.0 > hour);
        let held: f64 = files.iter().map(|file| file.1).sum();
        if random.chance(an_hour * (hour - last)) {
            let size = each * random.between(0.3, 1.7);
            if held + size < most {
                files.push((hour + stay * random.between(0.2, 1.8), size));
            }
        }
        last = hour;
        let shmem = files.iter().map(|file| file.1).sum();
        Need { anon: start(base, life, 2.0) + noise.at(hour, random), file: 0.05 * limit, shmem }
    })
}

fn cron(class: &'static str, random: &mut Random) -> Curve {
    let limit = one_of(&[128.0, 256.0, 512.0, 1024.0], random);
    let base = limit * random.between(0.25, 0.5);
    let more = limit * random.between(0.1, 0.35);
    let long = random.between(30.0, 150.0) / 3600.0;
    let mut noise = Noise::new(base, 0.01);
    let mut size = 1.0;
    let mut was = 0.0;
    let watch = Watch { jitter: 0.05, ..Watch::new(limit, 24.0, random).every(15.0) };
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let into = hour.rem_euclid(1.0 / 6.0);
        if into < was {
            size = random.between(0.7, 1.1);
        }
        was = into;
        let busy = if into < long { more * size * (into / long * 2.0 + 0.2).min(1.0) } else { 0.0 };
        Need::anon(start(base, life, 1.0) + busy + noise.at(hour, random))
    })
}

/// In place, up or down; nothing changes in what is needed.
fn limit_changed(class: &'static str, random: &mut Random) -> Curve {
    let low = a_limit(random);
    let high = low * random.between(1.3, 2.2);
    let is_raised = random.chance(0.5);
    let base = low * random.between(0.35, 0.6);
    let wave = low * random.between(0.02, 0.12);
    let at = random.between(24.0, 70.0);
    let mut noise = Noise::new(base, 0.012);
    let (before, after) = if is_raised { (low, high) } else { (high, low) };
    let watch = Watch::new(before, 110.0, random).every(60.0);
    let clock = watch.begins;
    let mut curve = watch.healthy(class, false, &[], random, |hour, life, random| Need {
        anon: start(base, life, 3.0) + wave * load(clock + hour) + noise.at(hour, random),
        file: 0.1 * low,
        shmem: 0.0,
    });
    let from = curve.samples[0].t + at * 3600.0;
    let after = after.round() * 1_048_576.0;
    for sample in curve.samples.iter_mut().filter(|sample| sample.t >= from) {
        sample.limit = after;
        sample.file = sample.file.min(after - sample.need());
    }
    curve
}

fn sparse(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.3, 0.5);
    let wave = limit * random.between(0.05, 0.25);
    let missing = random.between(0.1, 0.35);
    let mut noise = Noise::new(base, 0.02);
    let watch = Watch { missing, jitter: 0.4, ..Watch::new(limit, 168.0, random).every(300.0) };
    let clock = watch.begins;
    let mut curve = watch.healthy(class, true, &[], random, |hour, _, random| {
        Need::anon(base + wave * load(clock + hour) / 1.25 + noise.at(hour, random))
    });
    cut_gaps(&mut curve.samples, 5, random);
    curve
}

/// Some readings are nothing, the double, or what was there before.
fn glitches(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.3, 0.55);
    let often = random.between(0.0005, 0.004);
    let mut noise = Noise::new(base, 0.012);
    let (mut stuck, mut held) = (0, base);
    let watch = Watch::new(limit, 72.0, random).every(60.0);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let is = start(base, life, 2.0) + noise.at(hour, random);
        if stuck > 0 {
            stuck -= 1;
            return Need::anon(held);
        }
        held = is;
        if !random.chance(often) {
            return Need::anon(is);
        }
        match (random.unit() * 3.0) as u32 {
            0 => Need::default(),
            1 => Need::anon((2.0 * is).min(0.94 * limit)),
            _ => {
                stuck = 5 + (random.unit() * 40.0) as u32;
                Need::anon(held)
            }
        }
    })
}

fn small(class: &'static str, random: &mut Random) -> Curve {
    let limit = one_of(&[32.0, 64.0, 100.0, 128.0], random);
    let base = random.between(10.0, (0.6 * limit).min(28.0));
    // The heap of its runtime takes some more in its first hours, a span at a time.
    let more = base * random.between(0.03, 0.15);
    let fills = random.between(0.5, 2.0);
    let mut noise = Noise::new(base, 0.008);
    let hours = random.between(12.0, 24.0);
    let watch = Watch::new(limit, hours, random).every(15.0);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let spans = (more * (1.0 - (-life / fills).exp()) * 4.0).floor() / 4.0;
        Need { anon: start(base, life, 0.5) + spans + noise.at(hour, random), file: 0.1 * limit, shmem: 0.0 }
    })
}

/// Buffers in shared memory, touched within the first day, and backends by load.
fn database(class: &'static str, random: &mut Random) -> Curve {
    let limit = 1024.0 * one_of(&[40.0, 48.0, 64.0], random);
    let buffers = limit * random.between(0.25, 0.6);
    let touches = random.between(1.5, 6.0);
    let backends = limit * random.between(0.05, 0.15);
    let wave = limit * random.between(0.02, 0.1);
    let mut noise = Noise::new(backends, 0.05);
    let watch = Watch::new(limit, 240.0, random).every(300.0);
    let clock = watch.begins;
    watch.healthy(class, true, &[], random, |hour, life, random| Need {
        anon: backends + wave * load(clock + hour) + noise.at(hour, random),
        file: limit * (1.0 - (-life / 8.0).exp()),
        shmem: buffers * (1.0 - (-life / touches).exp()),
    })
}

/// Each worker loses some, and is replaced after so many requests.
fn recycled(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let count = 4 + (random.unit() * 5.0) as usize;
    let each = limit * random.between(0.3, 0.4) / count as f64;
    let more = limit * random.between(0.15, 0.35) / count as f64;
    let hours = random.between(1.5, 5.0);
    let mut noise = Noise::new(each * count as f64, 0.012);
    let mut workers: Vec<(f64, f64)> = (0..count).map(|_| (0.0, hours * random.between(0.8, 1.2))).collect();
    let mut pace = Drift::new(2.0, 0.12);
    let mut last = 0.0;
    let watch = Watch::new(limit, 72.0, random).every(60.0);
    watch.healthy(class, false, &[], random, |hour, _, random| {
        let asked = (hour - last) * (1.0 + pace.at(hour, random)).max(0.1);
        last = hour;
        for worker in &mut workers {
            // A worker does not get just its share.
            worker.0 += asked * random.between(0.5, 1.5);
            if worker.0 > worker.1 {
                *worker = (0.0, hours * random.between(0.8, 1.2));
            }
        }
        let own: f64 = workers.iter().map(|worker| each + more * worker.0 / hours).sum();
        Need::anon(own + noise.at(hour, random))
    })
}

fn slow_teeth(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.3, 0.45);
    let high = limit * random.between(0.2, 0.38);
    let mut teeth = Teeth::new(random.between(1.5, 5.0));
    let mut noise = Noise::new(base, 0.012);
    let watch = Watch::new(limit, 72.0, random).every(60.0);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let tooth = teeth.at(hour, random);
        Need::anon(start(base, life, 3.0) + high * tooth + noise.at(hour, random))
    })
}

fn quiet(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.3, 0.7);
    let mut noise = Noise::new(base, random.between(0.004, 0.03));
    let watch = Watch { quantum: one_of(&[0.1, 1.0], random), ..Watch::new(limit, 6.0, random).every(15.0) };
    watch.healthy(class, false, &[], random, |hour, life, random| {
        Need::anon(start(base, life, 2.0) + noise.at(hour, random))
    })
}

/// What it writes to is away for a while, a few times.
fn backlog(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.25, 0.4);
    let mut noise = Noise::new(base, 0.012);
    let outages: Vec<(f64, f64, f64, f64)> = (0..3)
        .map(|at| {
            let from = 24.0 * f64::from(at) + random.between(3.0, 16.0);
            (from, random.between(0.4, 1.8), random.between(0.3, 2.0), limit * random.between(0.15, 0.4))
        })
        .collect();
    let watch = Watch::new(limit, 72.0, random).every(30.0);
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let queued: f64 = outages
            .iter()
            .map(|(from, up, down, high)| {
                let into = hour - from;
                if into < *up { high * (into / up).max(0.0) } else { high * (1.0 - (into - up) / down).max(0.0) }
            })
            .sum();
        Need::anon(start(base, life, 3.0) + queued + noise.at(hour, random))
    })
}

/// An allocator that gives back very little of what it had at a peak.
fn ratchet(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.25, 0.4);
    let wave = limit * random.between(0.15, 0.3);
    let keeps = random.between(60.0, 150.0);
    let mut day_of = Drift::new(20.0, 0.05);
    let mut noise = Noise::new(base, 0.006);
    let (mut kept, mut last) = (0.0_f64, 0.0);
    let watch = Watch::new(limit, 240.0, random).every(120.0);
    let clock = watch.begins;
    watch.healthy(class, false, &[], random, |hour, life, random| {
        let asked = start(base, life, 3.0) + wave * day(clock + hour) * (1.0 + day_of.at(hour, random));
        kept = asked.max(kept - (kept - asked) * (hour - last) / keeps);
        last = hour;
        Need::anon(kept + noise.at(hour, random))
    })
}

fn nightly_restart(class: &'static str, random: &mut Random) -> Curve {
    let limit = a_limit(random);
    let base = limit * random.between(0.25, 0.4);
    let cache = limit * random.between(0.15, 0.35);
    let fills = random.between(1.5, 4.0);
    let at = random.between(2.0, 5.0);
    let mean = mean_load();
    let mut noise = Noise::new(base, 0.012);
    let mut asked = Sum::default();
    let watch = Watch::new(limit, 144.0, random).every(60.0);
    let clock = watch.begins;
    let first = (at - clock).rem_euclid(24.0);
    let lives: Vec<f64> = (0..6).map(|night| first + 24.0 * f64::from(night)).collect();
    watch.healthy(class, true, &lives, random, |hour, life, random| {
        let asked = asked.add(life, (0.3 + 0.7 * load(clock + hour) / mean) / fills);
        Need::anon(start(base, life, 3.0) + cache * (1.0 - (-asked).exp()) + noise.at(hour, random))
    })
}

fn training(class: &'static str, random: &mut Random) -> Curve {
    let limit = 1024.0 * one_of(&[8.0, 16.0, 32.0], random);
    let base = limit * random.between(0.4, 0.6);
    let more = limit * random.between(0.04, 0.15);
    let saves = limit * random.between(0.05, 0.12);
    let workers = limit * random.between(0.03, 0.08);
    let loads = random.between(0.1, 0.5);
    let epoch = random.between(0.7, 2.5);
    let mut noise = Noise::new(base, 0.004);
    let watch = Watch::new(limit, 40.0, random).every(30.0);
    watch.healthy(class, true, &[], random, |hour, life, random| {
        let into = (life - loads).rem_euclid(epoch) / epoch;
        let trains = life > loads;
        let own = base * (0.1 + 0.9 * (life / loads).min(1.0));
        let saving = if trains && into > 0.94 { saves } else { 0.0 };
        Need {
            anon: own + if trains { more * (into * 1.5).min(1.0) } else { 0.0 } + saving + noise.at(hour, random),
            file: limit * 0.8,
            shmem: if trains && into < 0.94 { workers * (1.0 + 0.1 * random.normal()).max(0.0) } else { 0.0 },
        }
    })
}

fn builds(class: &'static str, random: &mut Random) -> Curve {
    let limit = one_of(&[4096.0, 8192.0, 16384.0], random);
    let base = limit * random.between(0.03, 0.1);
    let an_hour = random.between(1.0, 4.0);
    let mut noise = Noise::new(base, 0.02);
    let mut jobs: Vec<(f64, f64, f64)> = Vec::new();
    let mut last = 0.0;
    let watch = Watch { jitter: 0.1, ..Watch::new(limit, 72.0, random).every(30.0) };
    let clock = watch.begins;
    watch.healthy(class, false, &[], random, |hour, _, random| {
        jobs.retain(|job| job.1 > hour);
        if random.chance(an_hour * load(clock + hour) * (hour - last)) {
            let size = limit * random.between(0.08, 0.55);
            if jobs.iter().map(|job| job.2).sum::<f64>() + size < 0.82 * limit {
                jobs.push((hour, hour + random.between(3.0, 40.0) / 60.0, size));
            }
        }
        last = hour;
        let busy: f64 =
            jobs.iter().map(|(from, until, size)| size * ((hour - from) / (until - from) * 1.6).min(1.0)).sum();
        Need { anon: base + busy + noise.at(hour, random), file: 0.5 * limit, shmem: 0.0 }
    })
}
