//! What was lost is said at once, and then ever more seldom as long as more is: a flood may go on for hours.

use std::time::{Duration, Instant};

use crate::model::Lost;

/// The first pause, which doubles each time; the longest; and the quiet after which the next loss is said at once again.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_secs(60);

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Paced {
    /// Since the last time.
    unsaid: Option<Lost>,
    /// When that was, and the pause after it.
    said: Option<(Instant, Duration)>,
}

impl Paced {
    /// Takes what was lost; what is to be said now.
    pub fn take(&mut self, lost: &Lost, now: Instant) -> Option<Lost> {
        self.unsaid = Some(self.unsaid.map_or(*lost, |unsaid| unsaid.plus(lost)));
        self.due(now)
    }

    /// What is to be said now, if anything.
    pub fn due(&mut self, now: Instant) -> Option<Lost> {
        if self.at().is_some_and(|at| now < at) {
            return None;
        }
        let unsaid = self.unsaid.take()?;
        let pause = match self.said {
            Some((said, pause)) if now.saturating_duration_since(said) < QUIET => (2 * pause).min(LONGEST),
            _ => FIRST,
        };
        self.said = Some((now, pause));
        Some(unsaid)
    }

    /// When what is held back is to be said; none while nothing is.
    pub fn at(&self) -> Option<Instant> {
        self.unsaid.as_ref()?;
        self.said.map(|(said, pause)| said + pause)
    }

    /// What is left to be said at the end.
    pub fn rest(&mut self) -> Option<Lost> {
        self.unsaid.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_that_go_on_are_said_ever_more_seldom_and_all_of_them() {
        let start = Instant::now();
        let mut paced = Paced::default();
        let one = Lost { events: 1, kills: 1, ..Lost::default() };
        let mut said = Vec::new();
        for second in 0..200_u64 {
            let lost = paced.take(&one, start + Duration::from_secs(second));
            said.extend(lost.map(|lost| (second, lost.kills)));
        }
        assert_eq!(said[..6], [(0, 1), (1, 1), (3, 2), (7, 4), (15, 8), (25, 10)]);
        assert_eq!(said[6..9], [(35, 10), (45, 10), (55, 10)]);
        let in_all: u64 = said.iter().map(|(_, kills)| kills).sum();
        let rest = paced.rest().unwrap().kills;
        assert_eq!((in_all + rest, paced.rest(), paced.at()), (200, None, None));
        // Long after.
        let later = start + Duration::from_secs(1000);
        assert_eq!(paced.take(&one, later), Some(one));
        assert_eq!((paced.take(&one, later), paced.at()), (None, Some(later + FIRST)));
        assert_eq!(paced.due(later + FIRST), Some(one));
    }
}
