//! The judge: incident to verdict. No I/O and no clock, so that a recording is judged as the live kernel was.

pub mod contradiction;
pub mod evidence;
pub mod judge;
pub mod requester;
pub mod senders;

use crate::advice::advise;
use crate::incident::model::{Attribution, Incident, Record};
use crate::node::signals::SIGKILL;

/// Judges a kill and adds what to do about it; another signal has no verdict.
#[must_use]
pub fn conclude(mut incident: Incident) -> Record {
    requester::settle(&mut incident);
    if incident.signal.number != SIGKILL {
        return Record::Signal(incident);
    }
    let mut verdict = judge::judge(&incident);
    verdict.advice = advise(&incident, verdict.cause);
    incident.verdict = Some(verdict);
    if incident.sender.process.is_none() && incident.signal.path.is_none() && incident.oom.is_none() {
        incident.attribution = Attribution::None;
    }
    Record::Incident(incident)
}
