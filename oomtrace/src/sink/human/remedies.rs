//! What was shown to be done about kills that are counted together. More of them may come to another remedy: a limit that was not enough twice
//! takes a larger step.

use std::time::{Duration, Instant};

use crate::model::Incident;
use crate::recent::Recent;
use crate::text::process;

/// Series that are remembered: as many as are counted.
const SERIES: usize = 64;

/// What comes no faster than this is read as it comes.
const SLOWLY: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Shown {
    remedies: Vec<String>,
    /// How many there were then, and when that was.
    count: u64,
    at: Instant,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Remedies {
    /// Each series by the first incident of it.
    shown: Recent<String, Shown, SERIES>,
}

impl Remedies {
    /// A block has shown those of the incident, one of so many that began with `first`.
    pub fn are_shown(&mut self, first: &str, count: u64, incident: &Incident, now: Instant) {
        self.shown.take(first);
        self.shown.put(first.to_owned(), Shown { remedies: remedies(incident), count, at: now });
    }

    /// Whether a block has shown those of the kills that began with `first`: not where these were only counted, or were long ago.
    pub fn have_shown(&mut self, first: &str) -> bool {
        let shown = self.shown.take(first);
        let is_known = shown.is_some();
        shown.and_then(|shown| self.shown.put(first.to_owned(), shown));
        is_known
    }

    /// Whether those of the incident are others, and are to be shown now: where they come slowly, or their number has doubled, for in a storm
    /// every word costs.
    pub fn are_new(&mut self, first: &str, count: u64, incident: &Incident, now: Instant) -> bool {
        let Some(mut shown) = self.shown.take(first) else { return false };
        let is_due = count >= shown.count.saturating_mul(2) || now.saturating_duration_since(shown.at) >= SLOWLY;
        let new = if is_due { remedies(incident) } else { Vec::new() };
        let is_new = shown.remedies != new && !new.is_empty();
        if is_new {
            shown = Shown { remedies: new, count, at: now };
        }
        self.shown.put(first.to_owned(), shown);
        is_new
    }
}

/// What is to be done, whichever process it was.
fn remedies(incident: &Incident) -> Vec<String> {
    let victim = process(&incident.victim.process);
    let advice = incident.verdict.iter().flat_map(|verdict| &verdict.advice);
    advice
        .map(|advice| {
            format!("{}\n{}", advice.action.replace(&victim, ""), advice.command.as_deref().unwrap_or_default())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{judged, kill};
    use crate::model::Advice;

    fn with(action: &str, pid: u32) -> Incident {
        let mut incident = kill("/usr/bin/bash");
        incident.victim.process.pid = pid;
        let verdict = judged(&incident);
        let advice = Advice { action: action.to_owned(), why: String::new(), command: None };
        incident.verdict = Some(crate::model::Verdict { advice: vec![advice], ..verdict });
        incident
    }

    #[test]
    fn another_remedy_is_shown_once_and_whichever_process_it_was_is_none() {
        let mut all = Remedies::default();
        let now = Instant::now();
        assert!(!all.are_new("a", 2, &with("raise it to 64 MiB", 1), now), "no block was shown");
        all.are_shown("a", 1, &with("raise it to 48 MiB", 1), now);
        assert!(!all.are_new("a", 2, &with("raise it to 48 MiB", 2), now));
        assert!(all.are_new("a", 2, &with("raise it to 64 MiB", 3), now));
        assert!(!all.are_new("a", 3, &with("raise it to 96 MiB", 4), now), "it has not doubled");
        assert!(all.are_new("a", 4, &with("raise it to 96 MiB", 5), now));
        assert!(all.are_new("a", 5, &with("find what grows", 6), now + SLOWLY), "they come slowly");
        assert!(!all.are_new("a", 6, &with("find what grows", 7), now + 2 * SLOWLY), "it is the same");
        assert!(!all.are_new("a", 8, &kill("/usr/bin/bash"), now), "there is none");
        all.are_shown("b", 1, &with("find out what victim[7] does", 7), now);
        assert!(!all.are_new("b", 2, &with("find out what victim[8] does", 8), now));
        for number in 0..1_000 {
            all.are_shown(&number.to_string(), 1, &with("x", 1), now);
        }
        assert_eq!(all.shown.len(), SERIES);
        assert!(all.have_shown("936"), "it is used");
        for number in 1_000..1_063 {
            all.are_shown(&number.to_string(), 1, &with("x", 1), now);
        }
        assert!(all.have_shown("936") && !all.have_shown("937"));
    }
}
