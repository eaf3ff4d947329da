//! What was judged, in words: a sentence, the evidence for it, and what to do about it. Pure, so that a recording is reported as the live
//! kernel was. Nothing is decided here.

pub mod advice;
mod api_facts;
mod by_process;
pub mod contradiction;
mod course;
pub use course::span;
pub mod earlier;
pub mod evidence;
mod exited;
pub mod explain;
pub mod folded;
mod kernel_part;
mod kubelet;
mod memory_use;
mod phrases;
pub mod repeats;
pub mod report;
mod requester;
mod spread;
pub mod summary;
pub mod warning;
mod why;

use crate::judge::judge;
use crate::judge::judgement::Judgement;
use crate::model::{Incident, Record, Requester, Verdict};
use crate::node::signals::SIGKILL;
use crate::resolve::case::Case;

/// Judges a kill and puts it in words; another signal has no verdict.
#[must_use]
pub fn conclude(case: Case) -> Record {
    let judgement = judge(&case);
    conclude_as(case, &judgement)
}

/// The same, where it was judged already.
#[must_use]
pub fn conclude_as(case: Case, judgement: &Judgement) -> Record {
    let Case { mut incident, mut statements, exited, earlier, .. } = case;
    if let Some(exited) = exited {
        return Record::Exit(exited::exited(incident, exited.after));
    }
    incident.requester = judgement.requester.clone().map(|requester| {
        let via = judgement.via.as_ref().map(requester::via).unwrap_or_default();
        Requester { via, ..requester }
    });
    incident.sender.elevation.clone_from(&judgement.elevation);
    incident.missing.extend(judgement.requester_unseen.map(requester::unseen));
    incident.missing.extend(judgement.memory_unseen.then(|| memory_use::UNSEEN.to_owned()));
    if incident.signal.number != SIGKILL {
        return Record::Signal(incident);
    }
    incident.attribution = judgement.attribution;
    incident.routine = judgement.routine;
    incident.earlier =
        earlier.filter(|_| judgement.routine.is_none()).map(|earlier| earlier::summed(earlier, judgement.cause));
    statements.extend(judgement.found_by.iter().map(requester::evidence));
    statements.extend(api_facts::evidence(&judgement.by_api));
    let said = judgement.course.as_ref().map(|found| course::course(&incident, found));
    if let Some(memory) = &mut incident.memory {
        memory.course = said;
    }
    let mut verdict = verdict(&incident, judgement);
    verdict.evidence.extend(statements);
    incident.verdict = Some(verdict);
    Record::Incident(incident)
}

/// What it was, and everything that is said of it by oomtrace itself.
fn verdict(incident: &Incident, judgement: &Judgement) -> Verdict {
    Verdict {
        cause: judgement.cause,
        confidence: judgement.confidence,
        summary: summary::summary(incident, judgement),
        why: why::why(incident, judgement),
        evidence: evidence::evidence(incident, judgement),
        advice: advice::advise(incident, judgement),
    }
}

#[cfg(test)]
mod tests;
