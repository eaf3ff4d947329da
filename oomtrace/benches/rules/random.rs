//! Random numbers that are the same in each run.

use std::f64::consts::TAU;

/// `SplitMix64`.
pub struct Random(u64);

impl Random {
    /// Of that class and seed; classes have nothing in common.
    pub fn new(class: &str, seed: u64) -> Self {
        let name = class
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let mut random = Self(name ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Of mean 0 and deviation 1.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}

/// Noise with a memory of `hours`, of mean 0: an Ornstein-Uhlenbeck process.
pub struct Drift {
    hours: f64,
    deviation: f64,
    at: f64,
    value: f64,
}

impl Drift {
    pub fn new(hours: f64, deviation: f64) -> Self {
        Self { hours, deviation, at: 0.0, value: 0.0 }
    }

    /// At that hour, not before the last one asked for.
    pub fn at(&mut self, hour: f64, random: &mut Random) -> f64 {
        let kept = (-(hour - self.at).max(0.0) / self.hours).exp();
        self.value = kept * self.value + self.deviation * (1.0 - kept * kept).sqrt() * random.normal();
        self.at = hour;
        self.value
    }
}
