//! A memory curve with what is true of it.

use super::random::Random;

/// What a class is called, and what makes one curve of it.
pub type Class = (&'static str, fn(&'static str, &mut Random) -> Curve);

/// Limits that people set, in MiB.
pub fn a_limit(random: &mut Random) -> f64 {
    [256.0, 512.0, 768.0, 1024.0, 2048.0, 4096.0][(random.unit() * 6.0) as usize]
}

/// What a program has at its start, of its base, which it reaches within minutes; `life` in hours.
pub fn begin(base: f64, life: f64) -> f64 {
    base * (1.0 - 0.6 * (-life * 60.0 / 3.0).exp())
}

/// A Monday, 00:00 UTC.
const START: f64 = 1_790_553_600.0;
/// What is searched at the most for the time at which a leak reaches its limit.
const AHEAD_H: f64 = 120.0 * 24.0;

/// Bytes; `t` in Unix seconds.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub t: f64,
    pub anon: f64,
    pub file: f64,
    pub shmem: f64,
    pub limit: f64,
    /// The first one of a life, but of the first.
    pub restart: bool,
}

impl Sample {
    /// What the kernel cannot take back.
    pub fn need(&self) -> f64 {
        self.anon + self.shmem
    }

    pub fn usage(&self) -> f64 {
        self.anon + self.file + self.shmem
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Truth {
    /// Memory is lost from `since` on (Unix seconds), in the last life; the limit is reached at `reached` if nothing stops it. None:
    /// not known.
    Leak {
        since: f64,
        reached: Option<f64>,
    },
    NoLeak,
}

impl Truth {
    pub fn is_leak(&self) -> bool {
        matches!(self, Self::Leak { .. })
    }
}

pub struct Curve {
    pub class: &'static str,
    pub samples: Vec<Sample>,
    pub truth: Truth,
    /// It repeats itself by the hour, day or week.
    pub is_periodic: bool,
}

/// What a process uses at one time, MiB.
#[derive(Clone, Copy, Default)]
pub struct Need {
    pub anon: f64,
    pub file: f64,
    pub shmem: f64,
}

impl Need {
    pub fn anon(anon: f64) -> Self {
        Self { anon, ..Self::default() }
    }
}

/// How a curve is looked at.
pub struct Watch {
    /// MiB.
    pub limit: f64,
    pub hours: f64,
    pub every_s: f64,
    /// Of `every_s`.
    pub jitter: f64,
    /// Share of samples that are missing.
    pub missing: f64,
    /// Values are multiples of so many MiB.
    pub quantum: f64,
    /// Hours after Monday 00:00 at which it begins.
    pub begins: f64,
}

impl Watch {
    pub fn new(limit: f64, hours: f64, random: &mut Random) -> Self {
        let begins = random.between(0.0, 7.0 * 24.0);
        Self { limit, hours, every_s: 60.0, jitter: 0.0, missing: 0.0, quantum: 4096.0 / 1_048_576.0, begins }
    }

    pub fn every(self, seconds: f64) -> Self {
        Self { every_s: seconds, ..self }
    }

    fn sample(&self, hour: f64, need: Need, restart: bool) -> Sample {
        let bytes = |mib: f64| (mib.max(0.0) / self.quantum).round() * self.quantum * 1_048_576.0;
        // The kernel takes cache back at the limit.
        let file = need.file.min(self.limit - need.anon - need.shmem);
        Sample {
            t: (START + (self.begins + hour) * 3600.0).round(),
            anon: bytes(need.anon),
            file: bytes(file),
            shmem: bytes(need.shmem),
            limit: self.limit * 1_048_576.0,
            restart,
        }
    }

    /// A curve with no leak. `need` is asked in the order of time: hours since the start of the curve and of the life, and whether this
    /// one begins; `lives` are the hours at which a new one begins.
    pub fn healthy(
        &self,
        class: &'static str,
        is_periodic: bool,
        lives: &[f64],
        random: &mut Random,
        mut need: impl FnMut(f64, f64, &mut Random) -> Need,
    ) -> Curve {
        let (mut samples, mut hour, mut born) = (Vec::new(), 0.0, 0.0);
        let mut next = lives.iter().copied().peekable();
        let mut restart = false;
        while hour <= self.hours {
            while let Some(at) = next.next_if(|at| *at <= hour) {
                (born, restart) = (at, true);
            }
            let at = need(hour, hour - born, random);
            if !random.chance(self.missing) {
                samples.push(self.sample(hour, at, restart));
                restart = false;
            }
            hour += self.step(random);
        }
        Curve { class, samples, truth: Truth::NoLeak, is_periodic }
    }

    /// A curve with a leak from the hour `since` on (of each life). Where it reaches its limit it is killed and begins anew, until the
    /// hours are over or `lives` have been; the last one is as long as the hours let it be.
    pub fn leak(
        &self,
        class: &'static str,
        since: f64,
        lives: usize,
        random: &mut Random,
        mut need: impl FnMut(f64, f64, &mut Random) -> Need,
    ) -> Curve {
        let (mut samples, mut hour, mut born, mut killed) = (Vec::new(), 0.0, 0.0, 0);
        let (mut reached, mut restart) = (None, false);
        while hour <= self.hours + AHEAD_H {
            let at = need(hour, hour - born, random);
            let is_watched = hour <= self.hours;
            if at.anon + at.shmem >= self.limit {
                killed += 1;
                if !is_watched || killed == lives {
                    reached = Some(START + (self.begins + hour) * 3600.0);
                    break;
                }
                (born, restart) = (hour, true);
            } else if is_watched && !random.chance(self.missing) {
                samples.push(self.sample(hour, at, restart));
                restart = false;
            }
            hour += self.step(random);
        }
        let since = START + (self.begins + born + since) * 3600.0;
        Curve { class, samples, truth: Truth::Leak { since, reached }, is_periodic: false }
    }

    fn step(&self, random: &mut Random) -> f64 {
        let off = if self.jitter > 0.0 { self.jitter * (random.unit() - 0.5) } else { 0.0 };
        self.every_s * (1.0 + off) / 3600.0
    }
}

/// The load of a day, 0 to 1: least at 4:00, most in the afternoon, an evening peak. `clock` is in hours since Monday 00:00.
pub fn day(clock: f64) -> f64 {
    let hour = clock.rem_euclid(24.0);
    let wave = |at: f64, width: f64| {
        let off = (hour - at).abs();
        let off = off.min(24.0 - off);
        (-off * off / (2.0 * width * width)).exp()
    };
    (wave(14.0, 4.5) + 0.55 * wave(20.5, 2.0)).min(1.15) / 1.15
}

/// How busy the day of the week is: Monday most, the weekend least.
pub fn weekday(clock: f64) -> f64 {
    match (clock.rem_euclid(168.0) / 24.0) as u32 {
        0 => 1.25,
        1..=3 => 1.0,
        4 => 0.9,
        _ => 0.55,
    }
}
