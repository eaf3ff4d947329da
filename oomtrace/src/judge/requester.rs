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

use crate::judge::senders::{Class, is_daemon, is_hosts_root, is_shim};
use crate::judge::{class_in, is_by_runtime};
use crate::model::{Confidence, Container, Evidence, Incident, Process, Requester, Source};
use crate::placement::ContainerPlace;
use crate::text;
use candidates::by_connection;

/// Who asked.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundRequester {
    pub requester: Requester,
    /// The container that it lives in.
    pub place: Option<ContainerPlace>,
    pub evidence: Vec<Evidence>,
    /// What could not be seen, in words.
    pub missing: Option<String>,
}

/// Sets who asked, or says that nobody was seen.
pub fn settle(incident: &mut Incident) {
    let container = incident.container.clone();
    let by_exec = is_by_exec(incident, container.as_ref());
    if by_exec {
        let fact = "the sender is no child of the container's first process: it was brought in later (exec)".to_owned();
        incident.noted.push(Evidence { fact, source: Source::Kernel });
    } else if !is_by_runtime(incident) {
        return;
    }
    match find(incident, container.as_ref()) {
        Some(FoundRequester { mut requester, evidence, missing, .. }) => {
            requester.container = incident.asking.container.take();
            incident.requester = Some(requester);
            incident.noted.extend(evidence);
            incident.missing.extend(missing);
        }
        None if incident.asking.seen && !by_exec => incident.missing.push(nobody(container.as_ref())),
        // That connections are not seen at all was said at the start.
        None => {}
    }
}

fn nobody(container: Option<&Container>) -> String {
    let is_nested = container.is_some_and(|container| container.outer.is_some());
    let why = if is_nested {
        "its runtime runs in a container itself, and connections to that are not seen"
    } else {
        "no process was seen to connect to its socket (TCP is not seen)"
    };
    format!("who asked the runtime: {why}")
}

/// Who asked; `container` is the victim's, with its name.
#[must_use]
pub fn find(incident: &Incident, container: Option<&Container>) -> Option<FoundRequester> {
    if is_by_runtime(incident) {
        return by_ancestry(incident).or_else(|| by_connection(incident, container, Request::End));
    }
    if is_by_exec(incident, container) { by_connection(incident, container, Request::Exec) } else { None }
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
#[must_use]
pub fn is_by_exec(incident: &Incident, container: Option<&Container>) -> bool {
    brought_in(incident, container).is_some()
}

/// The sender, or that ancestor of it, by which it came into its container.
fn brought_in<'a>(incident: &'a Incident, container: Option<&Container>) -> Option<&'a Process> {
    let (sender, container) = (incident.sender.process.as_ref()?, container?);
    if !incident.sender.container.as_ref()?.is_same(container) {
        return None;
    }
    let chain: Vec<&Process> = std::iter::once(sender).chain(&incident.sender.ancestors).collect();
    let runtime = chain.iter().position(|process| is_parent(incident, process))?;
    let first = chain.get(runtime.checked_sub(1)?)?;
    let init = container.init_pid.or(Some(incident.victim.process.pid).filter(|_| incident.victim.container_init))?;
    (first.pid != init).then_some(*first)
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
    let via = if asker.pid == sender.pid {
        "it is the runtime itself".to_owned()
    } else {
        format!("it ran {}", text::process(sender))
    };
    let fact = format!("{} was run by {}", text::process(asker), above.first().map(|p| text::process(p))?);
    let requester = Requester {
        process: asker.clone(),
        ancestors: above.iter().map(|process| (*process).clone()).collect(),
        container: None,
        unit: incident.sender.unit.clone(),
        login: incident.sender.login.clone(),
        via,
        confidence: Confidence::Likely,
    };
    let evidence = vec![Evidence { fact, source: Source::Kernel }];
    Some(FoundRequester { requester, place: None, evidence, missing: None })
}

#[cfg(test)]
mod tests;
