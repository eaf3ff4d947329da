//! What was shown to be done about kills that are counted together. More of them may come to another remedy: a limit that was not enough twice
//! takes a larger step.

use std::collections::VecDeque;

use crate::model::Incident;
use crate::text::process;

/// Series that are remembered: as many as are counted.
const SERIES: usize = 64;

#[derive(Debug)]
struct Shown {
    /// The first incident of the series.
    first: String,
    remedies: Vec<String>,
    /// How many there were then.
    count: u64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Remedies {
    shown: VecDeque<Shown>,
}

impl Remedies {
    /// A block has shown those of the incident, one of so many that began with `first`.
    pub fn are_shown(&mut self, first: &str, count: u64, incident: &Incident) {
        self.shown.retain(|shown| shown.first != first);
        if self.shown.len() >= SERIES {
            self.shown.pop_front();
        }
        self.shown.push_back(Shown { first: first.to_owned(), remedies: remedies(incident), count });
    }

    /// Whether those of the incident are others, and are to be shown now: where their number has doubled, for in a storm every word costs.
    pub fn are_new(&mut self, first: &str, count: u64, incident: &Incident) -> bool {
        let has_doubled = |shown: &&Shown| count >= shown.count.saturating_mul(2);
        let Some(shown) = self.shown.iter().find(|shown| shown.first == first).filter(has_doubled) else {
            return false;
        };
        let new = remedies(incident);
        let is_new = shown.remedies != new && !new.is_empty();
        if is_new {
            self.are_shown(first, count, incident);
        }
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
        assert!(!all.are_new("a", 2, &with("raise it to 64 MiB", 1)), "no block was shown");
        all.are_shown("a", 1, &with("raise it to 48 MiB", 1));
        assert!(!all.are_new("a", 2, &with("raise it to 48 MiB", 2)));
        assert!(all.are_new("a", 2, &with("raise it to 64 MiB", 3)));
        assert!(!all.are_new("a", 3, &with("raise it to 96 MiB", 4)), "it has not doubled");
        assert!(all.are_new("a", 4, &with("raise it to 96 MiB", 5)));
        assert!(!all.are_new("a", 8, &kill("/usr/bin/bash")), "there is none");
        all.are_shown("b", 1, &with("find out what victim[7] does", 7));
        assert!(!all.are_new("b", 2, &with("find out what victim[8] does", 8)));
        for number in 0..1_000 {
            all.are_shown(&number.to_string(), 1, &with("x", 1));
        }
        assert_eq!(all.shown.len(), SERIES);
    }
}
