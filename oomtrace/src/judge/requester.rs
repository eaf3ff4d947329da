//! Who asked a runtime to kill. The runtime is only the hand: behind it stands whoever ran it, or a client of its socket.
//!
//! The kernel ties no request to the kill that came of it, so this is never certain; and a command line says what whoever started it
//! wants it to say. So nobody is more than possible beside whom another may have asked:
//!
//! | found by | confidence |
//! |---|---|
//! | a runtime without a daemon (podman, runc itself) among the sender's ancestors | likely |
//! | a client that came to ask for this very end by its command line, and no other came then | likely |
//! | the only client there was, come not long before, and waiting for its answer | likely |
//! | one of several; one that had come long before; one whose like may have been missed | possible, the others in the evidence |
//!
//! Who came just before is named before who came long before, whatever their command lines say.

mod asks;
mod candidates;

pub use asks::{gives_no_grace, told};

use crate::judge::class::{class_in, is_by_runtime};
use crate::judge::judgement::requester::{FoundBy, RequesterUnseen, Via};
use crate::judge::senders::{Class, is_daemon, is_hosts_root, is_shim};
use crate::judge::starting::is_given_up;
use crate::model::{Confidence, Incident, Process, Requester};
use crate::placement::ContainerPlace;
use crate::resolve::case::Case;
use candidates::by_connection;

/// Who asked.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundRequester {
    /// By what it asked is left to words.
    pub requester: Requester,
    pub via: Via,
    /// The container that it lives in.
    pub place: Option<ContainerPlace>,
    /// When it turned to the runtime, in milliseconds before the kill. None: not seen, or it ran the runtime itself.
    pub came_before_ms: Option<u64>,
    pub found_by: Vec<FoundBy>,
    pub unseen: Option<RequesterUnseen>,
}

/// What could not be seen of who asked.
pub fn unseen(case: &Case, found: Option<&FoundRequester>) -> Option<RequesterUnseen> {
    let incident = &case.incident;
    match found {
        Some(found) => found.unseen,
        None if case.clients.seen && is_by_runtime(incident) && !is_by_exec(incident) && !is_given_up(incident) => {
            let is_nested = incident.container.as_ref().is_some_and(|container| container.outer.is_some());
            Some(if is_nested { RequesterUnseen::Nested } else { RequesterUnseen::Nobody })
        }
        // That connections are not seen at all was said at the start.
        None => None,
    }
}

/// Who asked.
pub fn find(case: &Case) -> Option<FoundRequester> {
    let incident = &case.incident;
    let mut found = if is_given_up(incident) {
        // Nobody asked for that.
        None
    } else if is_by_runtime(incident) {
        by_ancestry(incident).or_else(|| by_connection(case, Request::End))
    } else if is_by_exec(incident) {
        by_connection(case, Request::Exec)
    } else {
        None
    }?;
    found.requester.container = case.requesters_container.clone();
    Some(found)
}

/// What a runtime was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// To end a container.
    End,
    /// To run a command in it, which then killed.
    Exec,
}

/// The sender came into its container later, by `docker exec` and the like: its first process there is no child of the
/// container's init, but of the runtime.
pub fn is_by_exec(incident: &Incident) -> bool {
    brought_in(incident).is_some()
}

/// The sender, or that ancestor of it, by which it came into its container.
fn brought_in(incident: &Incident) -> Option<&Process> {
    let (sender, container) = (incident.sender.process.as_ref()?, incident.container.as_ref()?);
    if !incident.sender.container.as_ref()?.is_same(container) {
        return None;
    }
    // Without a pid namespace of its own, the shim is who orphans become children of (PR_SET_CHILD_SUBREAPER).
    if sender.pid_in_namespace == Some(sender.pid) {
        return None;
    }
    let chain: Vec<&Process> = std::iter::once(sender).chain(&incident.sender.ancestors).collect();
    let runtime = chain.iter().position(|process| is_parent(incident, process))?;
    let first = chain.get(runtime.checked_sub(1)?)?;
    let init = container.init_pid.or(Some(incident.victim.process.pid).filter(|_| incident.victim.container_init));
    let is_first = match init {
        Some(init) => first.pid == init,
        // It has ended meanwhile, and its runtime does not know it any more. Orphans become children of that, and never of the runtime. A
        // pod's containers may have one namespace together, in which only the first of all is 1.
        None => container.pod.is_some() || first.pid_in_namespace.is_none_or(|within| within == 1),
    };
    (!is_first).then_some(*first)
}

/// The parent of a container's first processes. Where its executable is gone with it, its name counts if it is the host's root who
/// has it: anybody may call itself so.
fn is_parent(incident: &Incident, process: &Process) -> bool {
    match &process.exe {
        Some(_) => is_shim(process) && class_in(incident, process) == Some(Class::Runtime),
        None => is_hosts_root(process) && (process.comm.starts_with("containerd-shim") || process.comm == "conmon"),
    }
}

/// Where no daemon is between the sender and the shell, whoever ran the runtime asked.
fn by_ancestry(incident: &Incident) -> Option<FoundRequester> {
    let sender = incident.sender.process.as_ref()?;
    let chain: Vec<&Process> = std::iter::once(sender).chain(&incident.sender.ancestors).collect();
    let runtimes = chain.iter().take_while(|process| class_in(incident, process) == Some(Class::Runtime)).count();
    let (own, above) = chain.split_at_checked(runtimes)?;
    // Without its executable a parent may be anything, a shim that has ended among it.
    if own.iter().any(|process| is_daemon(process)) || above.first().is_none_or(|parent| parent.exe.is_none()) {
        return None;
    }
    let asker = *own.last()?;
    let via = if asker.pid == sender.pid { Via::Itself } else { Via::Ran(Box::new(sender.clone())) };
    let parent = Box::new((*above.first()?).clone());
    let run_by = FoundBy::RunBy { process: Box::new(asker.clone()), parent };
    let requester = Requester {
        process: asker.clone(),
        ancestors: above.iter().map(|process| (*process).clone()).collect(),
        container: None,
        unit: incident.sender.unit.clone(),
        login: incident.sender.login.clone(),
        via: String::new(),
        confidence: Confidence::Likely,
    };
    let found_by = vec![run_by];
    Some(FoundRequester { requester, via, place: None, came_before_ms: None, found_by, unseen: None })
}

#[cfg(test)]
mod tests;
