//! Whether what others have left and what a running oomtrace saw is of one kill or end. What it saw is the answer then, and the only one.

use jiff::Timestamp;

use crate::model::{Cause, Container, Exited, Incident, Reconstructed};
use crate::past::klog::record::DRIFT;

/// Two traces of one end are not further apart, in milliseconds: a kubelet has its times to the second, and a container's end is said when
/// its last process is gone.
pub const ONE_END_MS: i64 = 10_000;
/// What a watching oomtrace and the kernel's log say of one kill is mostly not further apart: the log's clock is to about a second.
const SAME_KILL_MS: i64 = 5_000;

/// From when what others have left is looked at, and what is known of the kernel's log's clock.
#[derive(Clone, Debug)]
pub struct Clocks<'a> {
    pub now: Timestamp,
    /// This boot, whose log it is.
    pub boot_id: Option<&'a str>,
    /// How long the log's clock has stood still since boot, because the machine slept, in milliseconds.
    pub slept_ms: i64,
}

/// Milliseconds from one to the other.
pub fn ms(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond().saturating_sub(from.as_millisecond())
}

/// The kill or the end that was found is the incident's.
pub fn is_same(found: &Reconstructed, at: Option<Timestamp>, incident: &Incident, clocks: &Clocks<'_>) -> bool {
    let seen: Option<Timestamp> = incident.time.parse().ok();
    let apart = seen.zip(at).map(|(seen, at)| ms(seen, at));
    if found.victim.is_none() {
        // An end is said after what ended it.
        let is_near = apart.is_some_and(|apart| (-SAME_KILL_MS..=ONE_END_MS).contains(&apart));
        return (is_near || is_end_of_that_life(found, at, incident, seen))
            && is_there(found, incident.container.as_ref(), incident.unit.as_deref());
    }
    if !shares_a_victim(found, incident) {
        return false;
    }
    match (seen, apart) {
        (Some(seen), Some(apart)) => {
            let aged = SAME_KILL_MS.saturating_add(ms(seen, clocks.now).max(0) / DRIFT);
            let is_this_boots = clocks.boot_id.is_some() && incident.boot_id.as_deref() == clocks.boot_id;
            let may_be = (-aged..=aged.saturating_add(clocks.slept_ms)).contains(&apart);
            apart.abs() <= SAME_KILL_MS || (may_be && is_this_boots && is_alike(found, incident))
        }
        // A report without a time: of the boot that its file is of.
        _ => is_alike(found, incident),
    }
}

/// A life has one end: the kill of a container's first process in it is what ended it, however long its manager took to notice.
fn is_end_of_that_life(
    found: &Reconstructed,
    ended: Option<Timestamp>,
    incident: &Incident,
    killed: Option<Timestamp>,
) -> bool {
    let began: Option<Timestamp> = found.end.as_ref().and_then(|end| end.started.as_ref()?.parse().ok());
    let is_within =
        began.zip(ended).zip(killed).is_some_and(|((began, ended), killed)| began <= killed && killed <= ended);
    incident.victim.container_init && is_within
}

/// What its manager says is the end of a process that was seen to exit by itself.
pub fn is_its_end(found: &Reconstructed, at: Option<Timestamp>, exited: &Exited) -> bool {
    let apart = exited.time.parse().ok().zip(at).map(|(seen, at)| ms(seen, at));
    found.victim.is_none()
        && apart.is_some_and(|apart| (-SAME_KILL_MS..=ONE_END_MS).contains(&apart))
        && is_there(found, exited.container.as_ref(), exited.unit.as_deref())
}

/// The end that a manager tells of was there: in that container, or in that unit.
fn is_there(found: &Reconstructed, container: Option<&Container>, unit: Option<&str>) -> bool {
    match (&found.container, container) {
        (Some(found), Some(container)) => may_be_one(Some(found), Some(container)),
        (Some(_), None) => false,
        // A container may be the unit's, as Podman's are.
        (None, _) => found.unit.is_some() && found.unit.as_deref() == unit,
    }
}

/// The kernel killed what was left in the container when its first process had exited: a part of that end, and no other one.
pub fn is_swept_after(incident: &Incident, exited: &Exited) -> bool {
    let is_sweep = incident.verdict.as_ref().is_some_and(|verdict| verdict.cause == Cause::PidNamespaceExit);
    let times = exited.time.parse::<Timestamp>().ok().zip(incident.time.parse().ok());
    is_sweep
        && times.is_some_and(|(ended, swept)| (0..=ONE_END_MS).contains(&ms(ended, swept)))
        && may_be_one(incident.container.as_ref(), exited.container.as_ref())
}

/// Not two containers that are known not to be one.
fn may_be_one(one: Option<&Container>, other: Option<&Container>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return true };
    let is_known = |container: &Container| !container.id.is_empty();
    !is_known(one)
        || !is_known(other)
        || one.chain().any(|container| container.id == other.id)
        || other.chain().any(|container| container.id == one.id)
}

/// Of several victims of one kill, the kernel's report may name another one first.
fn shares_a_victim(found: &Reconstructed, incident: &Incident) -> bool {
    let first = found.victim.iter().map(|victim| victim.process.pid);
    first.chain(found.collateral.iter().map(|process| process.pid)).any(|pid| incident.has_victim(pid))
}

/// The same process, of the same name and to the byte of the same size.
fn is_alike(found: &Reconstructed, incident: &Incident) -> bool {
    let Some(victim) = &found.victim else { return false };
    let size = |oom: Option<&crate::model::Oom>| oom?.victim_memory.as_ref().map(|memory| memory.total_vm_bytes);
    let (Some(oom), Some(seen)) = (&found.oom, &incident.oom) else { return false };
    let is_sized = match (size(Some(oom)), size(Some(seen))) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    };
    let own = &incident.victim.process;
    is_sized && victim.process.pid == own.pid && victim.process.comm == own.comm
}

#[cfg(test)]
mod tests;
