//! A reading as it is kept: 44 bytes.

use crate::memory::held::held;
use crate::memory::sample::Sample;
use crate::model::TimelinePoint;
use crate::node::gauge::Reading;

/// Tenths of a second on `CLOCK_BOOTTIME`: 13 years.
pub type Tenths = u32;

/// Sizes are counted in these, whatever the machine's pages are: 16 TiB fit.
const UNIT: u64 = 4096;
const UNKNOWN: u32 = u32::MAX;

/// Nanoseconds in a tenth of a second.
const TENTH_NS: u64 = 100_000_000;

/// The time of a reading: never before it was.
#[must_use]
pub fn tenths(boot_ns: u64) -> Tenths {
    Tenths::try_from(boot_ns.div_ceil(TENTH_NS)).unwrap_or(Tenths::MAX)
}

/// See the module's documentation. It stands for the time since the point before: with the sizes at the moment when least was held, and the
/// most that was in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub at: Tenths,
    usage: u32,
    peak: u32,
    anon: u32,
    file: u32,
    shmem: u32,
    kernel: u32,
    swap: u32,
    limit: u32,
    /// Thousandths of the time since the point before; `u16::MAX` is not known.
    stalled: u16,
    /// The cgroup was made anew.
    pub restart: bool,
}

fn packed(bytes: Option<u64>) -> u32 {
    bytes.map_or(UNKNOWN, |bytes| u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(UNKNOWN - 1).min(UNKNOWN - 1))
}

fn unpacked(units: u32) -> Option<u64> {
    (units != UNKNOWN).then(|| u64::from(units) * UNIT)
}

impl Point {
    /// `stalled_permille`: since the point before.
    #[must_use]
    pub fn of(reading: &Reading, at: Tenths, stalled_permille: Option<u16>, restart: bool) -> Self {
        Self {
            at,
            usage: packed(Some(reading.usage)),
            peak: packed(Some(reading.peak.unwrap_or(0).max(reading.usage))),
            anon: packed(reading.anon),
            file: packed(reading.file),
            shmem: packed(reading.shmem),
            kernel: packed(reading.kernel),
            swap: packed(reading.swap),
            limit: packed(reading.limit),
            stalled: stalled_permille.unwrap_or(u16::MAX),
            restart,
        }
    }

    #[must_use]
    pub fn usage(&self) -> u64 {
        u64::from(self.usage) * UNIT
    }

    #[must_use]
    pub fn peak(&self) -> u64 {
        u64::from(self.peak) * UNIT
    }

    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        unpacked(self.limit)
    }

    /// What cannot be taken back without swap: all but page cache.
    #[must_use]
    pub fn held(&self) -> u64 {
        held(self.usage(), unpacked(self.file), unpacked(self.shmem))
    }

    #[must_use]
    pub const fn stalled_permille(&self) -> Option<u16> {
        if self.stalled == u16::MAX { None } else { Some(self.stalled) }
    }

    /// So near to another that one of them says it all. What has just begun, or has another limit, is a point of its own.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        const NEAR: u32 = 256;
        let near = |a: u32, b: u32| a == b || (a != UNKNOWN && b != UNKNOWN && a.abs_diff(b) <= a.max(b) / NEAR);
        let pairs = [
            (self.usage, other.usage),
            (self.peak, other.peak),
            (self.anon, other.anon),
            (self.file, other.file),
            (self.shmem, other.shmem),
            (self.swap, other.swap),
        ];
        pairs.into_iter().all(|(a, b)| near(a, b)) && self.is_of_one_life(other) && self.stalled == other.stalled
    }

    /// Both have the same limit, and the later one, `other`, did not begin anew.
    #[must_use]
    pub const fn is_of_one_life(&self, other: &Self) -> bool {
        self.limit == other.limit && !other.restart
    }

    /// Both, the later one being `other`, as one. What begins anew has nothing of what was before it.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        if other.restart {
            return *other;
        }
        let calm = if self.held() <= other.held() { self } else { other };
        Self {
            at: other.at,
            peak: self.peak.max(other.peak),
            limit: other.limit,
            stalled: if self.stalled == u16::MAX { other.stalled } else { self.stalled.max(other.stalled) },
            restart: self.restart,
            ..*calm
        }
    }

    /// For the rules; `offset_s`: from `CLOCK_BOOTTIME` to Unix time.
    #[must_use]
    pub fn sample(&self, offset_s: f64) -> Sample {
        let size = |units: u32| unpacked(units).map(|bytes| bytes as f64);
        Sample {
            t: f64::from(self.at) / 10.0 + offset_s,
            anon: size(self.anon),
            file: size(self.file),
            shmem: size(self.shmem),
            usage: Some(self.usage() as f64),
            working_set: None,
            limit: size(self.limit),
            restart: self.restart,
            is_watched: true,
        }
    }

    /// For a kill at that time, which is later.
    #[must_use]
    pub fn before(&self, kill_ns: u64) -> TimelinePoint {
        TimelinePoint {
            before_ms: kill_ns.saturating_sub(u64::from(self.at) * TENTH_NS) / 1_000_000,
            usage_bytes: self.usage(),
            peak_bytes: self.peak(),
            anon_bytes: unpacked(self.anon),
            file_bytes: unpacked(self.file),
            shmem_bytes: unpacked(self.shmem),
            kernel_bytes: unpacked(self.kernel),
            swap_bytes: unpacked(self.swap),
            limit_bytes: self.limit(),
            stalled_permille: self.stalled_permille(),
            restart: self.restart,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn point(at: Tenths, usage: u64, file: u64, limit: Option<u64>) -> Point {
        let reading =
            Reading { usage, anon: Some(usage - file), file: Some(file), shmem: Some(0), limit, ..Reading::default() };
        Point::of(&reading, at, None, false)
    }

    #[test]
    fn a_point_is_small_and_gives_back_what_it_was_made_of() {
        assert!(size_of::<Point>() <= 44, "{}", size_of::<Point>());
        let reading = Reading {
            usage: 10 * MIB,
            peak: Some(12 * MIB),
            anon: Some(6 * MIB),
            file: Some(4 * MIB),
            shmem: Some(MIB),
            limit: Some(1 << 50),
            ..Reading::default()
        };
        let point = Point::of(&reading, 25, Some(3), true);
        assert_eq!((point.usage(), point.peak(), point.held()), (10 * MIB, 12 * MIB, 7 * MIB));
        // A limit beyond what fits is a limit all the same.
        assert!(point.limit().unwrap() > 16 << 40 >> 1);
        let line = point.before(3_000_000_000);
        assert_eq!((line.before_ms, line.kernel_bytes, line.swap_bytes), (500, None, None));
        assert_eq!((line.shmem_bytes, line.stalled_permille, line.restart), (Some(MIB), Some(3), true));
    }

    #[test]
    fn two_become_the_calmer_one_with_the_higher_peak() {
        let (calm, busy) = (point(10, 5 * MIB, 0, None), point(20, 9 * MIB, 0, Some(64 * MIB)));
        for (first, second) in [(calm, busy), (Point { at: 10, ..busy }, Point { at: 20, ..calm })] {
            let merged = first.merged(&second);
            assert_eq!((merged.at, merged.usage(), merged.peak()), (20, 5 * MIB, 9 * MIB));
            assert_eq!(merged.limit(), second.limit());
        }
    }

    #[test]
    fn what_begins_anew_has_nothing_of_the_life_before() {
        let (before, after) = (point(10, 900 * MIB, 0, None), point(20, 5 * MIB, 0, None));
        let began = Point { restart: true, ..after };
        assert_eq!(before.merged(&began), began);
        let later = began.merged(&point(30, 6 * MIB, 0, None));
        assert_eq!((later.restart, later.at, later.usage(), later.peak()), (true, 30, 5 * MIB, 6 * MIB));
    }

    #[test]
    fn what_is_the_same_is_like_and_another_limit_is_not() {
        let base = point(0, 100 * MIB, 0, Some(512 * MIB));
        assert!(base.is_like(&point(1, 100 * MIB + 8192, 0, Some(512 * MIB))));
        assert!(!base.is_like(&point(1, 101 * MIB, 0, Some(512 * MIB))));
        assert!(!base.is_like(&point(1, 100 * MIB, 0, Some(256 * MIB))));
        assert!(!base.is_like(&point(1, 100 * MIB, 50 * MIB, Some(512 * MIB))));
        assert!(!base.is_like(&Point { restart: true, ..base }));
    }

    #[test]
    fn a_time_is_never_before_its_reading() {
        assert_eq!((tenths(0), tenths(1), tenths(100_000_000), tenths(100_000_001)), (0, 1, 1, 2));
    }
}
