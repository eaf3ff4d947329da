//! Incidents that wait for their corrections before like ones are counted together: until then it is not known which are alike.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use oomtrace::model::{Correction, Incident};
use oomtrace::sink::report::MAX_INCIDENTS;
use oomtrace::text::nanoseconds;

use super::Found;

/// Ids that were seen, by a hash each: a name for which others could be chosen so that they are taken for it is none.
#[derive(Default)]
pub(super) struct Ids {
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Ids {
    /// Takes one; whether it was not seen before.
    pub(super) fn is_new(&mut self, id: &str) -> bool {
        self.seen.insert(self.hasher.hash_one(id))
    }
}

impl Found {
    /// Takes an incident of which it is not known yet whether it is wanted. As many wait as a report has at the most.
    pub(super) fn wait(&mut self, incident: Incident) {
        self.waiting.push_back(incident);
        if self.waiting.len() > MAX_INCIDENTS
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.put(oldest);
        }
    }

    /// Nothing more comes.
    pub(super) fn settle(&mut self) {
        let mut rest: Vec<Incident> = std::mem::take(&mut self.waiting).into();
        // Files that were put together are not in the order of their times.
        rest.sort_by_cached_key(|incident| nanoseconds(&incident.time));
        for incident in rest {
            self.put(incident);
        }
    }

    fn put(&mut self, incident: Incident) {
        if !self.wanted.filter.wants_recorded(&incident) {
            return;
        }
        if incident.routine.is_some() && !self.wanted.routine {
            self.routine += 1;
            return;
        }
        let before = if self.folds { self.folding.take(&incident) } else { None };
        if let Some(place) = self.incidents.iter().rposition(|other| before.as_ref() == Some(&other.id)) {
            self.incidents.remove(place);
        }
        if self.incidents.len() >= MAX_INCIDENTS {
            let oldest = self.incidents.remove(0);
            self.dropped += self.folding.forget(&oldest.id);
        }
        self.incidents.push(incident);
    }

    /// What is known by now. One that stands for others is left as it was, for they were not corrected with it.
    pub(super) fn correct(&mut self, correction: Correction) {
        if let Some(incident) = self.waiting.iter_mut().rev().find(|incident| incident.id == correction.incident) {
            incident.correct(correction);
            return;
        }
        let Some(place) = self.incidents.iter().rposition(|incident| incident.id == correction.incident) else {
            return;
        };
        let Some(incident) = self.incidents.get_mut(place) else { return };
        let mut corrected = incident.clone();
        corrected.correct(correction);
        if !self.folding.corrected(&corrected) {
            self.late += 1;
        } else if self.wanted.filter.wants_recorded(&corrected) {
            *incident = corrected;
        } else {
            self.folding.forget(&corrected.id);
            self.incidents.remove(place);
        }
    }
}
