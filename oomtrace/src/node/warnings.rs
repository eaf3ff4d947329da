//! Warnings that others can provoke: a few of each kind are logged, and the rest are counted.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Warnings of a kind that are logged in each period.
const MAX: u32 = 5;
const PERIOD: Duration = Duration::from_secs(60);

/// One kind of warning.
#[derive(Debug)]
pub struct Warnings(Mutex<State>);

#[derive(Debug)]
struct State {
    since: Option<Instant>,
    logged: u32,
    /// Not logged since the last one that was.
    left_out: u64,
}

impl Warnings {
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is made in statics, by a const function")]
    pub const fn new() -> Self {
        Self(Mutex::new(State { since: None, logged: 0, left_out: 0 }))
    }

    /// Logs the warning, unless there were too many like it.
    pub fn warn(&self, text: impl Display) {
        match self.take(Instant::now()) {
            Some(0) => log::warn!("{text}"),
            Some(others) => log::warn!("{text} ({others} others like this were not logged)"),
            None => {}
        }
    }

    /// Whether one may be logged now, and how many were not since the last one.
    fn take(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.since.is_none_or(|since| now.duration_since(since) >= PERIOD) {
            (state.since, state.logged) = (Some(now), 0);
        }
        if state.logged >= MAX {
            state.left_out += 1;
            return None;
        }
        state.logged += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_what_comes_later_is_logged() {
        let warnings = Warnings::new();
        let start = Instant::now();
        let logged = (0..1000).filter(|_| warnings.take(start).is_some()).count();
        assert_eq!(logged, 5);
        assert_eq!(warnings.take(start + PERIOD), Some(995));
        assert_eq!(warnings.take(start + PERIOD), Some(0));
    }
}
