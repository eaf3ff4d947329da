//! What the loop that watches says of itself when it is asked.

use std::time::{Duration, Instant};

use crate::run::health::server::Answer;

/// What is in the ring buffer is read within that time, also where an output is waited for.
const READS_WITHIN: Duration = Duration::from_secs(5);

/// Whether the loop reads what the hooks report.
pub struct Pulse {
    /// Attached.
    hooks: usize,
    /// Something was in the ring buffer then, and the reading was there.
    unread: Option<(Instant, usize)>,
}

impl Pulse {
    pub fn new(hooks: usize) -> Self {
        Self { hooks, unread: None }
    }

    /// `read` and `written`: how far the ring buffer was.
    pub fn answer(&mut self, read: usize, written: usize, now: Instant) -> Answer {
        // A record that is being written counts as unread, however long nothing had to be read before: it takes two looks to see
        // that nothing moves.
        let since = match self.unread {
            _ if read == written => None,
            Some((since, at)) if at == read => Some(since),
            _ => Some(now),
        };
        self.unread = since.map(|since| (since, read));
        let unread_for = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        if unread_for >= READS_WITHIN {
            return Err(format!("the ring buffer has not been read for {} s", unread_for.as_secs()));
        }
        Ok(format!("{} hooks attached, and what they report is read", self.hooks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_buffer_that_nobody_reads_is_noticed_at_the_second_look() {
        let mut pulse = Pulse::new(6);
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(pulse.answer(0, 0, at(0)).unwrap(), "6 hooks attached, and what they report is read");
        // A long time after the last look.
        assert!(pulse.answer(0, 64, at(3600)).is_ok());
        assert!(pulse.answer(0, 64, at(3604)).is_ok());
        assert_eq!(pulse.answer(0, 128, at(3630)).unwrap_err(), "the ring buffer has not been read for 30 s");
        // It goes on.
        assert!(pulse.answer(64, 128, at(3660)).is_ok());
        assert!(pulse.answer(64, 128, at(3670)).is_err());
        assert!(pulse.answer(128, 128, at(3680)).is_ok());
        assert!(pulse.answer(128, 192, at(3690)).is_ok());
    }
}
