//! What a process is to the victim: its runtime, its service manager, of the same container.

use crate::judge::senders::{Class, classify, program_class};
use crate::model::{Incident, Process};
use crate::placement::user_of;

/// A runtime sent the signal to a container's process.
pub fn is_by_runtime(incident: &Incident) -> bool {
    let is_self = incident.sender.process.as_ref().is_some_and(|p| p.pid == incident.victim.process.pid);
    sender_class(incident) == Some(Class::Runtime) && incident.is_contained() && !is_self
}

/// What the sender is for.
pub fn sender_class(incident: &Incident) -> Option<Class> {
    class_in(incident, incident.sender.process.as_ref()?)
}

/// What a process is for, of those that sent the victim a signal.
pub fn class_in(incident: &Incident, process: &Process) -> Option<Class> {
    classify(process, owner(incident)).or_else(|| runtime_around(incident, process))
}

/// The user whose own the victim is: whoever it is, its runtimes and its service manager are such for what is its own.
fn owner(incident: &Incident) -> Option<u32> {
    incident.victim.process.cgroup.as_deref().and_then(user_of)
}

/// A runtime that runs in a container itself is one for the containers within that: Docker in Docker, kind. It is root there, and
/// in the namespaces of its container's first process, as far as those are known, but in none of the victim's own.
fn runtime_around(incident: &Incident, process: &Process) -> Option<Class> {
    let sender = incident.sender.container.as_ref()?;
    let outer = incident.container.as_ref()?.chain().skip(1).find(|outer| outer.is_same(sender))?;
    let class = program_class(process).filter(|class| *class == Class::Runtime)?;
    let init = incident.sender.ancestors.iter().find(|ancestor| Some(ancestor.pid) == outer.init_pid);
    let is_it = process.namespaces.is_none_or(|own| {
        let is_root = own.user_level > 0 || process.uid == Some(0);
        let as_init = init.and_then(|init| init.namespaces);
        let is_inits = as_init.is_none_or(|init| (init.mount, init.user_level) == (own.mount, own.user_level));
        is_root && is_inits && victims_mount(incident).is_none_or(|mount| own.mount != Some(mount))
    });
    is_it.then_some(class)
}

fn victims_mount(incident: &Incident) -> Option<u32> {
    incident.victim.process.namespaces.and_then(|own| own.mount)
}

/// The sender is the victim's parent.
pub fn is_by_parent(incident: &Incident) -> bool {
    incident.sender.process.as_ref().is_some_and(|sender| incident.victim.process.ppid == Some(sender.pid))
}

/// Sender and victim are in one container.
pub fn same_container(incident: &Incident) -> bool {
    match (&incident.container, &incident.sender.container) {
        (Some(victim), Some(sender)) => victim.is_same(sender),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
