//! Incidents that are like one whose block stands further up, behind those of others: two containers that restart by turns. Each is a line
//! or two, and not a block again; in a storm, only now and then.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The pause between two lines about one series whose number has not doubled: others stand between them.
const PAUSE: Duration = Duration::from_secs(10);
/// Series that are remembered: as many as are counted.
const SERIES: usize = 64;

/// One series, by the first incident of it.
#[derive(Debug)]
struct Series {
    first: String,
    /// The count that was written last, and when.
    written: u64,
    since: Instant,
    /// What was not written since.
    behind: Option<String>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Again {
    series: VecDeque<Series>,
}

impl Again {
    /// Whether what `text` gives is to be written now, of the series that began with `first` and counts so many.
    pub fn is_due(&mut self, first: &str, count: u64, now: Instant, text: impl FnOnce() -> String) -> bool {
        let Some(series) = self.series.iter_mut().find(|series| series.first == first) else {
            if self.series.len() >= SERIES {
                self.series.pop_front();
            }
            let first = first.to_owned();
            self.series.push_back(Series { first, written: count, since: now, behind: None });
            return true;
        };
        let is_due = count >= series.written.saturating_mul(2) || now.saturating_duration_since(series.since) >= PAUSE;
        if is_due {
            (series.written, series.since, series.behind) = (count, now, None);
        } else {
            series.behind = Some(text());
        }
        is_due
    }

    /// All of the series that began with `first` was written by now.
    pub fn is_written(&mut self, first: &str, count: u64, now: Instant) {
        if let Some(series) = self.series.iter_mut().find(|series| series.first == first) {
            (series.written, series.since, series.behind) = (count, now, None);
        }
    }

    /// What was not written, the earliest series first: nothing more comes.
    pub fn take_behind(&mut self) -> impl Iterator<Item = String> {
        self.series.iter_mut().filter_map(|series| series.behind.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_said_when_its_number_has_doubled_or_later() {
        let start = Instant::now();
        let mut again = Again::default();
        let mut due = |count: u64, after_s: u64| {
            again.is_due("a", count, start + Duration::from_secs(after_s), || format!("×{count}"))
        };
        let said: Vec<bool> = [(2, 0), (3, 1), (4, 2), (5, 3), (6, 12)].map(|(count, at)| due(count, at)).to_vec();
        assert_eq!(said, [true, false, true, false, true]);
        assert!(!due(7, 13));
        assert!(again.is_due("b", 2, start, String::new));
        assert!(!again.is_due("b", 3, start, || "b".to_owned()));
        again.is_written("b", 3, start);
        assert_eq!(again.take_behind().collect::<Vec<_>>(), ["×7"]);
        assert_eq!(again.take_behind().count(), 0);
        for number in 0..1_000 {
            again.is_due(&number.to_string(), 2, start, String::new);
        }
        assert_eq!(again.series.len(), SERIES);
    }
}
