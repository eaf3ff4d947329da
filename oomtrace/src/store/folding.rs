//! Which kills are alike, and counting them together, one after the other.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::model::Incident;
use crate::store::Identity;
use crate::text::nanoseconds;
use crate::words::folded::Folded;
use crate::words::repeats::key;

/// The form of the history from which on `alike` is there.
pub const SINCE: u32 = 4;

/// What like kills have in common, of which each is counted with those before it: a number that no other kind has, but by chance. The hash
/// is none for which others could choose their names so that they have it, too. None without a verdict.
#[must_use]
pub fn alike(incident: &Incident) -> Option<i64> {
    let mut hasher = DefaultHasher::new();
    key(incident)?.hash(&mut hasher);
    Some(hasher.finish().cast_signed())
}

/// The same, and of what.
fn like(incident: &Incident) -> Option<(String, i64)> {
    Some((Identity::of(incident).key().to_owned(), alike(incident)?))
}

/// Counts like kills together, one after the other.
#[derive(Debug, Default)]
pub struct Folding {
    /// The id of the last one of each kind.
    latest: HashMap<(String, i64), String>,
    /// By the last one's id.
    pub by_id: HashMap<String, Folded>,
}

impl Folding {
    /// Takes the next one; the id of the one whose place it takes, where it is like one not long before. One that is older than the last of
    /// its kind, as in files that were put together, is by itself.
    pub fn take(&mut self, incident: &Incident) -> Option<String> {
        let at = nanoseconds(&incident.time)?;
        let Some(like) = like(incident) else {
            self.by_id.insert(incident.id.clone(), Folded::single(at));
            return None;
        };
        let before = self.latest.get(&like).and_then(|id| Some((id.clone(), *self.by_id.get(id)?)));
        let (replaced, folded) = match before {
            Some((_, folded)) if at < folded.last() => {
                self.by_id.insert(incident.id.clone(), Folded::single(at));
                return None;
            }
            before => before
                .and_then(|(id, folded)| Some((Some(id), folded.with_near(at)?)))
                .unwrap_or_else(|| (None, Folded::single(at))),
        };
        if let Some(id) = &replaced {
            self.by_id.remove(id);
        }
        self.latest.insert(like, incident.id.clone());
        self.by_id.insert(incident.id.clone(), folded);
        replaced
    }

    /// What was taken last with that id turns out to be this; not where it stands for others, which were not corrected with it: then nothing is
    /// done, and this is false.
    pub fn corrected(&mut self, incident: &Incident) -> bool {
        let Some(folded) = self.by_id.get(&incident.id) else { return true };
        if folded.count() > 1 {
            return false;
        }
        let at = folded.last();
        self.latest.retain(|_, id| *id != incident.id);
        let Some(like) = like(incident) else { return true };
        let newer = self.latest.get(&like).and_then(|id| self.by_id.get(id));
        if newer.is_none_or(|newer| newer.last() <= at) {
            self.latest.insert(like, incident.id.clone());
        }
        true
    }

    /// Forgets one; how many it stood for.
    pub fn forget(&mut self, id: &str) -> u64 {
        self.latest.retain(|_, latest| latest != id);
        self.by_id.remove(id).map_or(1, |folded| folded.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Routine};
    use crate::store::tests::{limited, named};

    fn at(name: &str, minute: u32, id: &str) -> Incident {
        let mut incident = named(0, name, "app:1");
        incident.time = format!("2026-11-20T03:{minute:02}:00Z");
        incident.id = id.to_owned();
        incident
    }

    #[test]
    fn like_ones_take_each_others_place_whatever_lies_between() {
        let mut folding = Folding::default();
        let other = |id: &str, change: fn(&mut Incident)| {
            let mut incident = limited(at("web", 7, id), 64);
            change(&mut incident);
            incident
        };
        let other_limit = other("limit", |incident| *incident = limited(incident.clone(), 128));
        let other_cause = other("cause", |incident| incident.verdict.as_mut().unwrap().cause = Cause::OomHost);
        let other_node = other("node", |incident| incident.node = Some("node-2".to_owned()));
        let routine = other("routine", |incident| incident.routine = Some(Routine::Sandbox));
        for (incident, before) in [
            (limited(at("web", 0, "a"), 64), None),
            (at("db", 1, "b"), None),
            (limited(at("web", 5, "c"), 64), Some("a")),
            (at("db", 6, "d"), Some("b")),
            (other_limit, None),
            (other_cause, None),
            (other_node, None),
            (routine, None),
            (limited(at("web", 15, "e"), 64), Some("c")),
            // Too long after.
            (limited(at("web", 26, "f"), 64), None),
        ] {
            assert_eq!(folding.take(&incident).as_deref(), before, "{}", incident.id);
        }
        let said = |id: &str| folding.by_id[id].said(|time| time[11..16].to_owned());
        assert_eq!(said("e").as_deref(), Some("×3 from 03:00 to 03:15"));
        assert_eq!(said("f"), None);
        assert_eq!(folding.by_id.len(), 7);
        assert_eq!(folding.forget("e"), 3);
    }

    #[test]
    fn what_runs_in_one_unit_is_told_apart_by_its_program() {
        let of = |comm: &str| {
            let mut incident = at("web", 0, comm);
            incident.container = None;
            incident.unit = Some("session-3.scope".to_owned());
            incident.victim.process.exe = Some(format!("/usr/bin/{comm}"));
            alike(&incident)
        };
        assert_eq!(of("sleep"), of("sleep"));
        assert_ne!(of("sleep"), of("vim"));
    }
    #[test]
    fn an_older_one_leaves_the_last_of_its_kind_and_its_count() {
        let mut folding = Folding::default();
        let taken: Vec<_> = [("a", 30), ("b", 35), ("older", 20), ("c", 40)]
            .map(|(id, minute)| folding.take(&at("web", minute, id)))
            .into();
        assert_eq!(taken, [None, Some("a".to_owned()), None, Some("b".to_owned())]);
        assert_eq!((folding.by_id["c"].count(), folding.by_id["older"].count()), (3, 1));
    }

    #[test]
    fn a_correction_of_one_is_not_one_of_all_that_it_stands_for() {
        let mut folding = Folding::default();
        let renamed = |id: &str, minute| {
            let mut incident = at("web", minute, id);
            incident.verdict.as_mut().unwrap().cause = Cause::KubeletProbeFailure;
            incident
        };
        folding.take(&at("web", 0, "a"));
        assert!(folding.corrected(&renamed("a", 0)));
        assert_eq!(folding.take(&at("web", 1, "b")), None);
        assert_eq!(folding.take(&renamed("c", 2)).as_deref(), Some("a"));
        assert!(!folding.corrected(&at("web", 2, "c")));
        assert_eq!(folding.take(&renamed("d", 3)).as_deref(), Some("c"));
    }
}
