//! Says what was not recorded, by kind, and not more often than anybody can read.

use std::time::{Duration, Instant};

use oomtrace_common::counts::{
    ARGUMENTS, CGROUPS, CONNECTIONS, Counts, DISCONNECTIONS, EXITS, KILLS, OOM_CHOICES, OOM_MARKS, SIGNALS,
    STOP_SIGNALS,
};

use crate::model::{Limited, Lost};
use crate::probe::counter::{Counter, CounterError, since};

/// What is lost is said at once, and then again at most once in this time: a flood may go on for hours.
const LOST_EVERY: Duration = Duration::from_secs(1);
/// The same where nothing is lost, and somebody's events are limited.
const LIMITED_EVERY: Duration = Duration::from_secs(10);

/// See the module's documentation.
pub struct Losses {
    counter: Counter,
    told: Told,
}

/// What was said, and when.
#[derive(Default)]
struct Told {
    counts: Counts,
    at: Option<Instant>,
    /// When there will be something to say that is held back now.
    due: Option<Instant>,
}

impl Losses {
    pub fn new(counter: Counter) -> Self {
        Self { counter, told: Told::default() }
    }

    /// What is to be said now, if anything.
    ///
    /// # Errors
    /// When the kernel refuses to read its own counter.
    pub fn look(&mut self, now: Instant) -> Result<Option<Lost>, CounterError> {
        let counts = self.counter.read()?;
        Ok(self.told.take(counts, now))
    }

    /// What there is to say, however soon after the last time.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub fn rest(&mut self) -> Result<Option<Lost>, CounterError> {
        self.told.at = None;
        self.look(Instant::now())
    }

    /// When to look again, though nothing may happen until then.
    pub fn due(&self) -> Option<Instant> {
        self.told.due
    }
}

impl Told {
    fn take(&mut self, counts: Counts, now: Instant) -> Option<Lost> {
        let new = lost(&since(&counts, &self.counts));
        let every = match (new.events, new.limited == Limited::default()) {
            (0, true) => {
                self.due = None;
                return None;
            }
            (0, false) => LIMITED_EVERY,
            _ => LOST_EVERY,
        };
        self.due = self.at.map(|at| at + every).filter(|due| *due > now);
        if self.due.is_some() {
            return None;
        }
        (self.counts, self.at) = (counts, Some(now));
        Some(new)
    }
}

/// The kernel side's numbers as they are said.
fn lost(counts: &Counts) -> Lost {
    let Counts { lost, limited, no_kills: _ } = counts;
    let of = |kind: usize| lost.get(kind).copied().unwrap_or_default();
    let limit_of = |kind: usize| limited.get(kind).copied().unwrap_or_default();
    Lost {
        events: lost.iter().sum(),
        kills: of(KILLS),
        oom_marks: of(OOM_MARKS),
        oom_choices: of(OOM_CHOICES),
        exits: of(EXITS),
        arguments: of(ARGUMENTS),
        stop_signals: of(STOP_SIGNALS),
        signals: of(SIGNALS),
        connections: of(CONNECTIONS),
        disconnections: of(DISCONNECTIONS),
        cgroups: of(CGROUPS),
        limited: Limited {
            stop_signals: limit_of(STOP_SIGNALS),
            signals: limit_of(SIGNALS),
            connections: limit_of(CONNECTIONS),
            cgroups: limit_of(CGROUPS),
        },
        unwritten: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of `kinds` was lost and limited by then.
    fn counts(lost_: &[(usize, u64)], limited: &[(usize, u64)]) -> Counts {
        let mut counts = Counts::default();
        lost_.iter().for_each(|(kind, count)| counts.lost[*kind] = *count);
        limited.iter().for_each(|(kind, count)| counts.limited[*kind] = *count);
        counts
    }

    /// As [`Losses`], without the kernel's counter.
    struct Said {
        losses: Told,
        started: Instant,
    }

    impl Said {
        fn at(&mut self, ms: u64, counts: Counts) -> Option<Lost> {
            self.losses.take(counts, self.started + Duration::from_millis(ms))
        }
    }

    #[test]
    fn the_first_loss_is_said_at_once_and_a_flood_of_them_once_a_second() {
        let mut said = Said { losses: Told::default(), started: Instant::now() };
        assert_eq!(said.at(0, counts(&[], &[])), None);
        assert_eq!(said.at(1, counts(&[(KILLS, 2)], &[])), Some(Lost { events: 2, kills: 2, ..Lost::default() }));
        assert_eq!(said.at(500, counts(&[(KILLS, 5), (EXITS, 1)], &[])), None);
        assert_eq!(said.losses.due, Some(said.started + Duration::from_millis(1001)));
        let rest = Lost { events: 4, kills: 3, exits: 1, ..Lost::default() };
        assert_eq!(said.at(1001, counts(&[(KILLS, 5), (EXITS, 1)], &[])), Some(rest));
        assert_eq!((said.at(5000, counts(&[(KILLS, 5), (EXITS, 1)], &[])), said.losses.due), (None, None));
    }

    #[test]
    fn what_is_limited_is_said_less_often_and_a_loss_does_not_wait_for_it() {
        let mut said = Said { losses: Told::default(), started: Instant::now() };
        let limited = |stop_signals| Limited { stop_signals, ..Limited::default() };
        let first = said.at(0, counts(&[], &[(STOP_SIGNALS, 7)])).unwrap();
        assert_eq!((first.events, first.limited), (0, limited(7)));
        assert_eq!(said.at(9_000, counts(&[], &[(STOP_SIGNALS, 9)])), None);
        let lost = said.at(9_100, counts(&[(KILLS, 1)], &[(STOP_SIGNALS, 9)])).unwrap();
        assert_eq!((lost.kills, lost.limited), (1, limited(2)));
    }

    #[test]
    fn a_sigkill_that_ended_nothing_is_no_loss() {
        let mut said = Said { losses: Told::default(), started: Instant::now() };
        assert_eq!(said.at(0, Counts { no_kills: 5, ..Counts::default() }), None);
    }
}
