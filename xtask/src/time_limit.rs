//! How long a whole test run may take: past every limit of a CI, nothing would be reported at all.

use std::fmt;
use std::time::{Duration, Instant};

/// Runs from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit {
    started: Instant,
    limit: Duration,
}

impl TimeLimit {
    pub fn new(limit: Duration) -> Self {
        Self { started: Instant::now(), limit }
    }

    /// What is left of it; zero when it is over.
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn whole(&self) -> Duration {
        self.limit
    }
}

/// A duration as people read it: `41 s`, `3 min 20 s`, `45 min`.
pub struct Spoken(pub Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_secs() / 60, self.0.as_secs() % 60) {
            (0, seconds) => write!(f, "{seconds} s"),
            (minutes, 0) => write!(f, "{minutes} min"),
            (minutes, seconds) => write!(f, "{minutes} min {seconds} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spoken_in_minutes_and_seconds() {
        for (seconds, spoken) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (2700, "45 min")] {
            assert_eq!(Spoken(Duration::from_secs(seconds)).to_string(), spoken);
        }
    }

    #[test]
    fn nothing_is_left_of_a_limit_that_is_over() {
        let over = TimeLimit::new(Duration::ZERO);
        assert!(over.is_over() && over.left().is_zero());
        assert!(!TimeLimit::new(Duration::from_secs(3600)).is_over());
    }
}
