//! Stop requests: which of the signals before the kill asked the container to stop.

use crate::judge::class::class_in;
use crate::judge::senders::{Class, is_lxc};
use crate::model::{Confidence, Container, Incident, Preceding, Runtime};
use crate::node::signals;

/// No stop takes longer: a signal from before that has nothing to do with the kill.
const LONGEST_STOP_MS: u64 = 3_600_000;
/// What most stops may take at most where the container's own time-out is not known.
const USUAL_STOP_MS: u64 = 600_000;
/// How late a runtime may be with the kill.
const LATE_MS: u64 = 10_000;

/// The stop signals that the victim got before the kill, from anybody, recently enough to be about it, the first one first.
pub fn recent(incident: &Incident) -> impl DoubleEndedIterator<Item = &Preceding> {
    incident.preceding.iter().filter(|p| p.before_ms <= LONGEST_STOP_MS && is_stop_signal(incident, p.signal))
}

/// The stop signals that a runtime, or the service manager, sent to the victim before the kill, recently enough to be about the same
/// stop, the first one first.
pub fn stop_requests(incident: &Incident, by: Class) -> impl DoubleEndedIterator<Item = &Preceding> {
    let killer = incident.sender.process.as_ref();
    recent(incident).filter(move |p| {
        class_in(incident, &p.sender) == Some(by) && killer.is_none_or(|killer| is_lxc(killer) == is_lxc(&p.sender))
    })
}

/// The signal asks the victim's container to stop.
pub fn is_stop_signal(incident: &Incident, signal: u32) -> bool {
    stops(incident.container.as_ref(), signal)
}

/// The signal asks a container to stop: one that every runtime does it by, or its image's own.
#[must_use]
pub fn stops(container: Option<&Container>, signal: u32) -> bool {
    const INT: u32 = 2;
    const QUIT: u32 = 3;
    const TERM: u32 = 15;
    const PWR: u32 = 30;
    let own = container.and_then(|container| container.stop_signal.as_deref()).and_then(signals::number);
    // LXC's (lxc.signal.halt).
    let is_lxc = container.is_some_and(|container| container.runtime == Some(Runtime::Lxc));
    matches!(signal, INT | QUIT | TERM) || own == Some(signal) || (is_lxc && signal == PWR)
}

/// Which signal stops the container is known: Docker says it with the time-out, when it is asked in time.
pub fn is_own_signal_known(incident: &Incident) -> bool {
    let container = incident.container.as_ref();
    container.is_none_or(|container| container.runtime != Some(Runtime::Docker) || container.stop_timeout_s.is_some())
}

/// The runtime sent the victim signals before the kill that are no stop signals, as far as is known.
pub fn are_other_signals(incident: &Incident) -> bool {
    incident.preceding.iter().any(|p| class_in(incident, &p.sender) == Some(Class::Runtime))
}

/// A kill that came later than the container's own time-out may still be of the same stop, if that was given longer by hand.
pub fn confidence(incident: &Incident, stop: &Preceding) -> Confidence {
    let own = incident.container.as_ref().and_then(|container| container.stop_timeout_s);
    let usual = own.map_or(USUAL_STOP_MS, |seconds| seconds.saturating_mul(1000).saturating_add(LATE_MS));
    if stop.before_ms <= usual { Confidence::Likely } else { Confidence::Possible }
}
