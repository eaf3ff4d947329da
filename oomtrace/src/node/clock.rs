//! Kernel time to wall-clock time.

use nix::time::{ClockId, clock_gettime};

use crate::event::BootNs;

/// How far the wall clock is ahead of `CLOCK_BOOTTIME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// Nanoseconds to add to a boot time.
    pub offset_ns: i128,
}

impl WallClock {
    /// Reads both clocks. The wall clock may be stepped later, so read it near the event.
    ///
    /// # Errors
    /// When the kernel has no such clock.
    pub fn read() -> nix::Result<Self> {
        let wall = clock_gettime(ClockId::CLOCK_REALTIME)?;
        let boot = boot_now()?;
        let wall = i128::from(wall.tv_sec()) * 1_000_000_000 + i128::from(wall.tv_nsec());
        Ok(Self { offset_ns: wall - i128::from(boot) })
    }

    /// The wall-clock time of a boot time; none when it is out of every calendar's range.
    #[must_use]
    pub fn at(self, boot: BootNs) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_nanosecond(self.offset_ns + i128::from(boot)).ok()
    }

    /// RFC 3339 UTC with nanoseconds.
    #[must_use]
    pub fn rfc3339(self, boot: BootNs) -> Option<String> {
        Some(format!("{:.9}", self.at(boot)?))
    }
}

/// Now on `CLOCK_BOOTTIME`.
///
/// # Errors
/// When the kernel has no such clock (before 2.6.39).
pub fn boot_now() -> nix::Result<BootNs> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let ns = i128::from(now.tv_sec()) * 1_000_000_000 + i128::from(now.tv_nsec());
    Ok(BootNs::try_from(ns).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_nine_digits_and_a_z() {
        let clock = WallClock { offset_ns: 1_700_000_000_000_000_000 };
        assert_eq!(clock.rfc3339(5).as_deref(), Some("2023-11-14T22:13:20.000000005Z"));
        assert_eq!(clock.rfc3339(0).as_deref(), Some("2023-11-14T22:13:20.000000000Z"));
        assert_eq!(WallClock { offset_ns: i128::from(i64::MAX) * 1000 }.rfc3339(0), None);
    }
}
