//! When a cgroup is looked at next: seldom where nothing happens or the limit is far, each second where it is near. Times are multiples of
//! the pause, so that one waking serves all whose time has come.

use crate::memory::recorder::point::Tenths;

/// From this share of the limit on, in hundredths, it is near.
pub const NEAR_PERCENT: u64 = 80;
/// The limit will be met within this time, if it goes on as since the last look: it is looked at each second.
const SOON: u64 = 600;

/// What is known of one cgroup when it has just been looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    pub now: Tenths,
    /// When it was first looked at.
    pub since: Tenths,
    /// When something last changed.
    pub changed: Tenths,
    /// What cannot be taken back, or where that was not read, all that is in use.
    pub held: u64,
    pub limit: Option<u64>,
    /// By how much that has risen since the last look, and how long ago that was.
    pub rise: u64,
    pub over: Tenths,
}

/// So much is near the limit, if there is one.
#[must_use]
pub const fn is_near(size: u64, limit: Option<u64>) -> bool {
    match limit {
        Some(limit) => size.saturating_mul(100) >= limit.saturating_mul(NEAR_PERCENT),
        None => false,
    }
}

/// When it is to be looked at again.
#[must_use]
pub fn next(look: &Look) -> Tenths {
    let pause = pause(look);
    // The next multiple that is not at once.
    let next = look.now.saturating_add(pause / 2).div_ceil(pause).saturating_mul(pause);
    next.max(look.now.saturating_add(pause.min(10)))
}

fn pause(look: &Look) -> Tenths {
    let (age, quiet) = (look.now.saturating_sub(look.since), look.now.saturating_sub(look.changed));
    if is_near(look.held, look.limit) || is_soon(look) {
        return match quiet {
            0..600 => 10,
            600..6000 => 50,
            _ => 100,
        };
    }
    match (age, quiet) {
        // Memory of what was just started moves.
        (0..150, _) => 10,
        (150..600, _) => 50,
        (_, 0..1200) => 100,
        (_, 1200..6000) => 300,
        _ => 600,
    }
}

fn is_soon(look: &Look) -> bool {
    let Some(limit) = look.limit.filter(|_| look.rise > 0 && look.over > 0) else { return false };
    let left = u128::from(limit.saturating_sub(look.held)) * u128::from(look.over);
    left < u128::from(look.rise) * u128::from(SOON)
}

/// What is in use has changed by so much that the rest is read as well: by a two-hundredth of the limit, or of what was in use where there is
/// none, and 256 KiB at the least.
#[must_use]
pub fn is_change(before: u64, now: u64, limit: Option<u64>) -> bool {
    const LEAST: u64 = 256 << 10;
    before.abs_diff(now) >= (limit.unwrap_or(before) / 200).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_nearer_the_limit_and_the_more_it_moves_the_sooner() {
        let look = |age: u32, quiet: u32, held: u64, rise: u64, over: u32| Look {
            now: 100_000,
            since: 100_000 - age,
            changed: 100_000 - quiet,
            held: held * MIB,
            limit: Some(512 * MIB),
            rise: rise * MIB,
            over,
        };
        for (look, pause, why) in [
            (look(10, 0, 10, 0, 10), 10, "it has just begun"),
            (look(300, 0, 10, 0, 10), 50, "it began half a minute ago"),
            (look(90_000, 0, 100, 0, 100), 100, "it moves"),
            (look(90_000, 3000, 100, 0, 100), 300, "it has been quiet for minutes"),
            (look(90_000, 9000, 100, 0, 100), 600, "it is idle"),
            (look(90_000, 0, 430, 0, 10), 10, "near its limit"),
            (look(90_000, 3000, 430, 0, 10), 50, "near, and quiet"),
            (look(90_000, 9000, 430, 0, 10), 100, "near, and idle"),
            (look(90_000, 0, 100, 100, 100), 10, "it will be there in 41 s"),
            (look(90_000, 0, 100, 10, 100), 100, "it will be there in 7 minutes"),
            (Look { limit: None, ..look(90_000, 0, 430, 100, 100) }, 100, "it has no limit"),
        ] {
            assert_eq!(super::pause(&look), pause, "{why}");
        }
    }

    #[test]
    fn looks_fall_together() {
        for now in [5000, 5003, 5049] {
            let look = Look { now, changed: now, ..Look::default() };
            assert_eq!(next(&look), 5100, "{now}");
        }
        // Not at once again.
        let look = Look { now: 5099, changed: 5099, ..Look::default() };
        assert_eq!(next(&look), 5200);
        assert_eq!(next(&Look { now: 21, ..Look::default() }), 31);
    }

    #[test]
    fn small_changes_are_none() {
        assert!(!is_change(100 * MIB, 100 * MIB + 8192, Some(512 * MIB)));
        assert!(is_change(100 * MIB, 103 * MIB, Some(512 * MIB)));
        assert!(!is_change(0, 255 << 10, None));
        assert!(is_change(MIB, 0, None));
    }
}
