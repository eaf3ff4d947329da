//! Incidents that are like one whose block stands further up, behind those of others: two containers that restart by turns. Each is a line
//! or two, and not a block again; in a storm, only now and then.

use std::time::{Duration, Instant};

use crate::recent::Recent;

/// The pause between two lines about one series whose number has not doubled: others stand between them.
const PAUSE: Duration = Duration::from_secs(10);
/// Series that are remembered: as many as are counted.
const SERIES: usize = 64;

#[derive(Debug)]
struct Series {
    /// The count that was written last, and when.
    written: u64,
    since: Instant,
    /// What was not written since.
    behind: Option<Behind>,
}

#[derive(Debug)]
struct Behind {
    count: u64,
    text: String,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Again {
    /// Each by the first incident of it.
    series: Recent<String, Series, SERIES>,
    /// What was not written of those that were forgotten.
    left: Vec<String>,
}

impl Again {
    /// Whether what `text` gives is to be written now, of the series that began with `first` and counts so many.
    pub fn is_due(&mut self, first: &str, count: u64, now: Instant, text: impl FnOnce() -> String) -> bool {
        let new = || Series { written: 0, since: now, behind: None };
        let mut series = self.series.take(first).unwrap_or_else(new);
        let is_due = count >= series.written.saturating_mul(2) || now.saturating_duration_since(series.since) >= PAUSE;
        if is_due {
            (series.written, series.since, series.behind) = (count, now, None);
        } else {
            series.behind = Some(Behind { count, text: text() });
        }
        let forgotten = self.series.put(first.to_owned(), series);
        self.left.extend(forgotten.and_then(|series| series.behind).map(|behind| behind.text));
        is_due
    }

    /// All of the series that began with `first` was written by now.
    pub fn is_written(&mut self, first: &str, count: u64, now: Instant) {
        if let Some((_, series)) = self.series.iter_mut().find(|(known, _)| *known == first) {
            (series.written, series.since, series.behind) = (count, now, None);
        }
    }

    /// What was not written, and is to be by now: for a while, or of one of more series than are remembered.
    pub fn take_overdue(&mut self, now: Instant) -> Vec<String> {
        let mut found = std::mem::take(&mut self.left);
        let all = self.series.iter_mut().map(|(_, series)| series);
        let overdue = all.filter(|series| now.saturating_duration_since(series.since) >= PAUSE);
        found.extend(overdue.filter_map(|series| series.take_behind(now)));
        found
    }

    /// All that was not written: nothing comes for now.
    pub fn take_behind(&mut self, now: Instant) -> Vec<String> {
        let mut found = std::mem::take(&mut self.left);
        found.extend(self.series.iter_mut().filter_map(|(_, series)| series.take_behind(now)));
        found
    }
}

impl Series {
    fn take_behind(&mut self, now: Instant) -> Option<String> {
        let Behind { count, text } = self.behind.take()?;
        (self.written, self.since) = (count, now);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_said_when_its_number_has_doubled_or_later() {
        let start = Instant::now();
        let at = |after_s: u64| start + Duration::from_secs(after_s);
        let mut again = Again::default();
        let mut due = |count: u64, after_s: u64| again.is_due("a", count, at(after_s), || format!("×{count}"));
        let said: Vec<bool> = [(2, 0), (3, 1), (4, 2), (5, 3), (6, 12)].map(|(count, at)| due(count, at)).to_vec();
        assert_eq!(said, [true, false, true, false, true]);
        assert!(!due(7, 13));
        assert!(again.is_due("b", 2, start, String::new));
        assert!(!again.is_due("b", 3, start, || "b".to_owned()));
        again.is_written("b", 3, start);
        // Also where none like it comes.
        assert_eq!(again.take_overdue(at(21)), Vec::<String>::new());
        assert_eq!(again.take_overdue(at(22)), ["×7"]);
        assert!(!again.is_due("a", 8, at(23), || "×8".to_owned()), "7 were written");
        assert_eq!(again.take_behind(at(23)), ["×8"]);
        assert_eq!(again.take_behind(at(23)), Vec::<String>::new());
    }

    #[test]
    fn what_more_series_than_are_remembered_leave_is_said_first() {
        let now = Instant::now();
        let mut again = Again::default();
        let mut said = Vec::new();
        for count in [2, 3] {
            for number in 0..1_000 {
                again.is_due(&number.to_string(), count, now, || format!("{number}: ×{count}"));
                // The one that is used again and again stays.
                again.is_due("used", count, now, || format!("used: ×{count}"));
                said.extend(again.take_overdue(now));
            }
        }
        assert_eq!((again.series.len(), said.len()), (SERIES, 0), "each was written as it came again");
        for number in 0..40 {
            again.is_due(&format!("{number}"), 3, now, String::new);
            again.is_due(&format!("{number}"), 4, now, || format!("{number}: ×4"));
        }
        for number in 0..1_000 {
            again.is_due(&format!("new {number}"), 2, now, String::new);
            said.extend(again.take_overdue(now));
        }
        assert_eq!((said.len(), said[0].as_str()), (41, "used: ×3"));
    }
}
