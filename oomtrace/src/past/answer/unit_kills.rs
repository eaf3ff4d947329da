//! What systemd says of OOM kills in its units, the kernel's and systemd-oomd's, put to what else is known of them. It counts by cgroup: those
//! in all that a unit holds are the unit's, and a container may be a unit (its scope) or lie in one (a quadlet's service).

use jiff::Timestamp;

use super::moments::Moment;
use super::{Subject, described_place};
use crate::model::{Answer, Cause, Confidence, Container, Evidence, Reconstructed, Source, Verdict};
use crate::past::imitated::lies_in_unit;
use crate::past::same::{ONE_END_MS, ms};
use crate::placement::Placement;
use crate::text::quote::quote;

/// Who killed, as systemd says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Killer {
    /// The OOM killer, by a counter of the unit's cgroup.
    Kernel,
    /// systemd-oomd, and how many processes.
    Oomd { processes: Option<u32> },
}

/// A unit, and the container whose scope it is.
struct Whose<'a> {
    unit: &'a str,
    container: Option<Container>,
}

impl Whose<'_> {
    fn is_of(&self, subject: Option<&Subject>) -> bool {
        let Some(subject) = subject else { return true };
        match (&self.container, &subject.container) {
            (Some(own), Some(asked)) => own.id == asked.id,
            _ => subject.unit.as_deref() == Some(self.unit),
        }
    }

    /// What was found is of it, or lies in it.
    fn has(&self, found: &Reconstructed) -> bool {
        let victims = found.victim.as_ref().and_then(|victim| victim.process.cgroup.as_deref());
        let is_container = self.container.as_ref().zip(found.container.as_ref());
        is_container.is_some_and(|(own, found)| found.chain().any(|container| container.id == own.id))
            || found.unit.as_deref() == Some(self.unit)
            || victims.is_some_and(|path| lies_in_unit(path, self.unit))
    }

    fn name(&self, found: Option<&Reconstructed>) -> String {
        let known = found.and_then(|found| found.container.as_ref()).or(self.container.as_ref());
        match known.filter(|_| self.container.is_some()) {
            Some(container) => described_place(container),
            None => quote(self.unit).into_owned(),
        }
    }

    fn ruling(&self, killer: Killer, name: &str) -> (Cause, Confidence, String) {
        match (killer, &self.container) {
            (Killer::Oomd { .. }, _) => (
                Cause::UserspaceOomKiller,
                Confidence::Likely,
                format!("systemd-oomd killed {name}, before the kernel had to"),
            ),
            (Killer::Kernel, container) => (
                if container.is_some() { Cause::OomContainerLimit } else { Cause::OomUnitLimit },
                Confidence::Possible,
                format!(
                    "the OOM killer killed a process of {name}, at its memory limit, at one above it, or because the machine ran out"
                ),
            ),
        }
    }
}

/// Adds what systemd said then of a unit to what is known of that kill, or as one that nothing else is known of.
pub fn systemd_saw(all: &mut Vec<Moment>, subject: Option<&Subject>, at: Timestamp, unit: &str, killer: Killer) {
    let place = Placement::container_of_scope(unit);
    let container = place.map(|place| Container { cgroup: String::new(), confirmed: false, ..place.container() });
    let whose = Whose { unit, container };
    if !whose.is_of(subject) {
        return;
    }
    let is_oomds = matches!(killer, Killer::Oomd { .. });
    let apart = |moment: &Moment| moment.at.map(|known| ms(known, at).abs()).filter(|apart| *apart <= ONE_END_MS);
    // A kill of the kernel's is none of systemd-oomd's.
    let may_be = |moment: &&mut Moment| apart(moment).is_some() && (!is_oomds || moment.found.oom.is_none());
    let is_its = |moment: &&mut Moment| whose.has(&moment.found);
    let has_its = all.iter_mut().filter(may_be).any(|moment| is_its(&moment));
    // The kernel writes few reports in a short time, and of the others a line that does not say where (mm/memcontrol.c, oom_rs).
    let is_nowhere = |moment: &&mut Moment| !is_oomds && is_nowhere(&moment.found);
    let known =
        all.iter_mut().filter(may_be).filter(|moment| if has_its { is_its(moment) } else { is_nowhere(moment) });
    let known = known.min_by_key(|moment| apart(moment));
    let evidence = Evidence { fact: fact(killer, &whose), source: Source::Systemd };
    let (cause, confidence, why) = whose.ruling(killer, &whose.name(known.as_ref().map(|moment| &moment.found)));
    let summary = format!("{why}.");
    let verdict = |evidence| Verdict {
        cause,
        confidence,
        summary: summary.clone(),
        why: why.clone(),
        evidence,
        advice: Vec::new(),
    };
    let missing = ["which of its processes were killed", "what its memory and its pressure were"].map(str::to_owned);
    match known {
        Some(moment) => {
            match &mut moment.found.verdict {
                // Whoever else says why says more.
                Some(verdict) if !is_oomds => return verdict.evidence.push(evidence),
                known => {
                    let before = known.take().map(|verdict| verdict.evidence).unwrap_or_default();
                    *known = Some(verdict(std::iter::once(evidence).chain(before).collect()));
                }
            }
            moment.found.missing = missing.into();
            (moment.answer, moment.why) = (Answer::Killed, summary);
        }
        None => {
            let found = Reconstructed {
                time: Some(format!("{at:.9}")),
                unit: whose.container.is_none().then(|| unit.to_owned()),
                verdict: Some(verdict(vec![evidence])),
                missing: missing.into(),
                container: whose.container,
                ..Reconstructed::default()
            };
            all.push(Moment { at: Some(at), found, answer: Answer::Killed, why: summary });
        }
    }
}

/// A kill of the kernel's, and nothing says in which cgroup.
fn is_nowhere(found: &Reconstructed) -> bool {
    let has_no_cgroup = found.victim.as_ref().is_some_and(|victim| victim.process.cgroup.is_none());
    has_no_cgroup && found.container.is_none() && found.unit.is_none()
}

fn fact(killer: Killer, whose: &Whose<'_>) -> String {
    let what = if whose.container.is_some() { "container" } else { "unit" };
    match killer {
        Killer::Kernel => format!("a process of the {what} was killed by the OOM killer, by a counter of its cgroup"),
        Killer::Oomd { processes: Some(1) } => format!("systemd-oomd killed one process of the {what}"),
        Killer::Oomd { processes: Some(count) } => format!("systemd-oomd killed {count} processes of the {what}"),
        Killer::Oomd { processes: None } => format!("systemd-oomd killed processes of the {what}"),
    }
}
