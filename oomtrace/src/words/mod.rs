//! What was judged, in words: a sentence, the evidence for it, and what to do about it. Pure, so that a recording is reported as the live
//! kernel was.

pub mod advice;
pub mod evidence;
pub mod explain;
pub mod summary;

use crate::judge::{judge, requester};
use crate::model::{Attribution, Incident, Record, Verdict};
use crate::node::signals::SIGKILL;

/// Judges a kill and puts it in words; another signal has no verdict.
#[must_use]
pub fn conclude(mut incident: Incident) -> Record {
    requester::settle(&mut incident);
    if incident.signal.number != SIGKILL {
        return Record::Signal(incident);
    }
    incident.verdict = Some(verdict(&incident));
    if incident.sender.process.is_none() && incident.signal.path.is_none() && incident.oom.is_none() {
        incident.attribution = Attribution::None;
    }
    Record::Incident(incident)
}

/// What it was, and everything that is said of it.
#[must_use]
pub fn verdict(incident: &Incident) -> Verdict {
    let (cause, confidence) = judge(incident);
    Verdict {
        cause,
        confidence,
        summary: summary::summary(incident, cause),
        evidence: evidence::evidence(incident, cause),
        advice: advice::advise(incident, cause),
    }
}
