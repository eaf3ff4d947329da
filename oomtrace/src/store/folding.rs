//! Which kills are alike, and counting them together, one after the other.

use std::collections::HashMap;

use crate::model::{Incident, Process};
use crate::store::{Identity, nanoseconds};
use crate::words::folded::{APART_NS, Folded};

/// What those have in common that are counted together: `Of` is what they are of, whatever came between, and `Word` the cause.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Like<Of, Word> {
    pub of: Of,
    pub cause: Option<Word>,
    /// The limit that was hit, in bytes.
    pub limit: Option<u64>,
    pub is_routine: bool,
    pub sender: Option<Program>,
    /// Where there is no container: what runs in one unit or session may be anything.
    pub victim: Option<Program>,
}

/// A program, and whose process it was. What it is called, it may change.
pub type Program = (String, Option<u32>);

/// The program of a process.
#[must_use]
pub fn program(process: &Process) -> Program {
    (process.exe.as_ref().unwrap_or(&process.comm).clone(), process.uid)
}

impl Like<String, String> {
    /// Of an incident.
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        let owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
        Self {
            of: Identity::of(incident).key().to_owned(),
            cause: incident.verdict.as_ref().map(|verdict| verdict.cause.name()),
            limit: owner.and_then(|owner| owner.limit_bytes),
            is_routine: incident.routine.is_some(),
            sender: incident.sender.process.as_ref().map(program),
            victim: incident.container.is_none().then(|| program(&incident.victim.process)),
        }
    }
}

/// Counts like kills together, one after the other.
#[derive(Debug, Default)]
pub struct Folding {
    /// The id of the last one of each kind.
    latest: HashMap<Like<String, String>, String>,
    /// By the last one's id.
    pub by_id: HashMap<String, Folded>,
}

impl Folding {
    /// Takes the next one; the id of the one whose place it takes, where it is like one not long before.
    pub fn take(&mut self, incident: &Incident) -> Option<String> {
        let at = nanoseconds(&incident.time)?;
        let before = self.latest.insert(Like::of(incident), incident.id.clone());
        let known = before.and_then(|id| {
            let folded = *self.by_id.get(&id)?;
            let apart = at.saturating_sub(folded.last);
            (0..=APART_NS).contains(&apart).then_some((id, folded))
        });
        let (before, folded) = match known {
            Some((id, Folded { count, first, .. })) => {
                self.by_id.remove(&id);
                (Some(id), Folded { count: count + 1, first, last: at })
            }
            None => (None, Folded { count: 1, first: at, last: at }),
        };
        self.by_id.insert(incident.id.clone(), folded);
        before
    }

    /// What was taken last with that id turns out to be this.
    pub fn corrected(&mut self, incident: &Incident) {
        self.latest.retain(|_, id| *id != incident.id);
        if self.by_id.contains_key(&incident.id) {
            self.latest.insert(Like::of(incident), incident.id.clone());
        }
    }

    /// Forgets one; how many it stood for.
    pub fn forget(&mut self, id: &str) -> u64 {
        self.latest.retain(|_, latest| latest != id);
        self.by_id.remove(id).map_or(1, |folded| folded.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::named;

    fn at(name: &str, minute: u32, id: &str) -> Incident {
        let mut incident = named(0, name, "app:1");
        incident.time = format!("2026-11-20T03:{minute:02}:00Z");
        incident.id = id.to_owned();
        incident
    }

    #[test]
    fn like_ones_take_each_others_place_whatever_lies_between() {
        let mut folding = Folding::default();
        let mut other_limit = at("web", 7, "limit");
        other_limit.verdict.as_mut().unwrap().cause = crate::model::Cause::OomHost;
        for (incident, before) in [
            (at("web", 0, "a"), None),
            (at("db", 1, "b"), None),
            (at("web", 5, "c"), Some("a")),
            (at("db", 6, "d"), Some("b")),
            (other_limit, None),
            (at("web", 15, "e"), Some("c")),
            // Too long after.
            (at("web", 26, "f"), None),
        ] {
            assert_eq!(folding.take(&incident).as_deref(), before, "{}", incident.id);
        }
        let said = |id: &str| folding.by_id[id].said(|time| time[11..16].to_owned());
        assert_eq!(said("e").as_deref(), Some("×3 from 03:00 to 03:15"));
        assert_eq!(said("f"), None);
        assert_eq!(folding.by_id.len(), 4);
        assert_eq!(folding.forget("e"), 3);
    }

    #[test]
    fn what_runs_in_one_unit_is_told_apart_by_its_program() {
        let of = |comm: &str| {
            let mut incident = at("web", 0, comm);
            incident.container = None;
            incident.unit = Some("session-3.scope".to_owned());
            incident.victim.process.exe = Some(format!("/usr/bin/{comm}"));
            Like::of(&incident)
        };
        assert_eq!(of("sleep"), of("sleep"));
        assert_ne!(of("sleep"), of("vim"));
    }
}
