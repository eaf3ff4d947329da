//! Whether what others have left and what a running oomtrace saw is of one kill or end. What it saw is the answer then, and the only one.

use jiff::Timestamp;

use crate::model::{Cause, Container, Exited, Incident, Reconstructed};
use crate::past::imitated::{imitates_unit, may_be_container};
use crate::past::klog::record::DRIFT;

/// Two traces of one end are not further apart, in milliseconds: a kubelet has its times to the second, and a container's end is said when
/// its last process is gone.
pub const ONE_END_MS: i64 = 10_000;
/// A daemon writes down a moment late that something runs, and starts what has ended again no sooner than that: Docker waits so long, at the least.
const RESTART_MS: i64 = 100;
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
        let is_near = apart.is_some_and(|apart| (-SAME_KILL_MS..=ONE_END_MS).contains(&apart))
            && !is_of_later_life(found, at, seen);
        return (is_near || is_end_of_that_life(found, at, incident, seen)) && is_there(found, &Place::of(incident));
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
    let is_within =
        began(found).zip(ended).zip(killed).is_some_and(|((began, ended), killed)| began <= killed && killed <= ended);
    incident.victim.container_init && is_within
}

/// When the life began whose end it is.
fn began(found: &Reconstructed) -> Option<Timestamp> {
    found.end.as_ref()?.started.as_ref()?.parse().ok()
}

/// It is the end of a life that began after what was seen then: in a restart loop the next one ends within seconds. Of a process that ended as
/// soon as it ran, a daemon may say that it began after its end, which says nothing.
fn is_of_later_life(found: &Reconstructed, ended: Option<Timestamp>, seen: Option<Timestamp>) -> bool {
    let is_later = |(began, seen)| ms(seen, began) > RESTART_MS && ended.is_none_or(|ended| began <= ended);
    began(found).zip(seen).is_some_and(is_later)
}

/// What its manager says is the end of a process that was seen to exit by itself.
pub fn is_its_end(found: &Reconstructed, at: Option<Timestamp>, exited: &Exited) -> bool {
    let seen: Option<Timestamp> = exited.time.parse().ok();
    let apart = seen.zip(at).map(|(seen, at)| ms(seen, at));
    found.victim.is_none()
        && apart.is_some_and(|apart| (-SAME_KILL_MS..=ONE_END_MS).contains(&apart))
        && !is_of_later_life(found, at, seen)
        && is_there(found, &Place::of_exit(exited))
}

/// Where something was seen.
struct Place<'a> {
    container: Option<&'a Container>,
    unit: Option<&'a str>,
    /// The cgroups of its process.
    paths: Vec<&'a str>,
}

impl<'a> Place<'a> {
    fn of(incident: &'a Incident) -> Self {
        let memory = incident.memory.as_ref().and_then(|memory| memory.levels.first()).map(|level| level.path.as_str());
        Self {
            container: incident.container.as_ref(),
            unit: incident.unit.as_deref(),
            paths: memory.into_iter().chain(incident.victim.process.cgroup.as_deref()).collect(),
        }
    }

    fn of_exit(exited: &'a Exited) -> Self {
        Self {
            container: exited.container.as_ref(),
            unit: exited.unit.as_deref(),
            paths: exited.process.cgroup.as_deref().into_iter().collect(),
        }
    }
}

/// The end that a manager has written down was there: in that very container, and not in one around it or within it, or in that unit.
fn is_there(found: &Reconstructed, place: &Place<'_>) -> bool {
    match (&found.container, place.container) {
        (Some(known), Some(seen)) => may_be_one(seen, known),
        (Some(_), None) => false,
        // A container may be the unit's, as Podman's are. A user's own unit may be called after the machine's.
        (None, _) => found
            .unit
            .as_deref()
            .is_some_and(|unit| place.unit == Some(unit) && !place.paths.iter().any(|path| imitates_unit(path, unit))),
    }
}

/// The kernel killed what was left in the container when its first process had exited: a part of that end, and no other one.
pub fn is_swept_after(incident: &Incident, exited: &Exited) -> bool {
    let is_sweep = incident.verdict.as_ref().is_some_and(|verdict| verdict.cause == Cause::PidNamespaceExit);
    let times = exited.time.parse::<Timestamp>().ok().zip(incident.time.parse().ok());
    is_sweep
        && times.is_some_and(|(ended, swept)| (0..=ONE_END_MS).contains(&ms(ended, swept)))
        && incident.container.as_ref().zip(exited.container.as_ref()).is_none_or(|(swept, ended)| {
            // What was in it goes with it, also what ran in a container of its own.
            swept.chain().any(|swept| may_be_one(swept, ended))
        })
}

/// The container that was seen may be the one that is known; of one whose id is not known nobody can say.
fn may_be_one(seen: &Container, known: &Container) -> bool {
    seen.id.is_empty() || known.id.is_empty() || may_be_container(seen, known)
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
