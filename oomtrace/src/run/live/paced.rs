//! What was lost is said on standard error at once, and then ever more seldom as long as more is: a flood may go on for hours. Outputs have it
//! as it comes.

use std::time::{Duration, Instant};

use crate::model::Lost;

/// The first pause, which doubles each time; the longest; and the quiet after which the next loss is said at once again.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_secs(60);

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct PacedLosses {
    /// Since the last time.
    unsaid: Option<Lost>,
    /// When that was, and the pause after it.
    said: Option<(Instant, Duration)>,
    /// What was said since it was quiet was no more than what is limited: a loss does not wait for that.
    is_limited_alone: bool,
}

impl PacedLosses {
    /// Takes what was lost; what is to be said now.
    pub fn take(&mut self, lost: &Lost, now: Instant) -> Option<Lost> {
        self.unsaid = Some(self.unsaid.map_or(*lost, |unsaid| unsaid.plus(lost)));
        self.due(now)
    }

    /// What is to be said now, if anything.
    pub fn due(&mut self, now: Instant) -> Option<Lost> {
        let unsaid = self.unsaid?;
        let is_first_loss = self.is_limited_alone && unsaid.events > 0;
        if !is_first_loss && self.at().is_some_and(|at| now < at) {
            return None;
        }
        self.unsaid = None;
        let pause = match self.said {
            Some((said, pause)) if !is_first_loss && now.saturating_duration_since(said) < QUIET => {
                self.is_limited_alone &= unsaid.events == 0;
                (2 * pause).min(LONGEST)
            }
            _ => {
                self.is_limited_alone = unsaid.events == 0;
                FIRST
            }
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
    use crate::model::Limited;

    #[test]
    fn losses_that_go_on_are_said_ever_more_seldom_and_all_of_them() {
        let start = Instant::now();
        let mut paced = PacedLosses::default();
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
        // Others had too much of something before.
        let limited = Lost { limited: Limited { signals: 1, ..Limited::default() }, ..Lost::default() };
        let at = |seconds: u64| start + Duration::from_secs(500 + seconds);
        assert_eq!(paced.take(&limited, at(0)), Some(limited));
        assert_eq!(paced.take(&limited, at(1)), Some(limited));
        assert_eq!((paced.take(&one, at(1)), paced.take(&one, at(1))), (Some(one), None));
        assert_eq!(paced.rest(), Some(one));
        // Long after.
        let later = start + Duration::from_secs(1000);
        assert_eq!(paced.take(&one, later), Some(one));
        assert_eq!((paced.take(&one, later), paced.at()), (None, Some(later + FIRST)));
        assert_eq!(paced.due(later + FIRST), Some(one));
    }
}
