//! Which of a runtime's clients may have asked it, and how surely the first of them did.

use std::cmp::Reverse;

use crate::judge::judgement::requester::{Came, FoundBy, Moment, RequesterUnseen, Via, When};
use crate::judge::requester::asks::{Asks, asks_for};
use crate::judge::requester::{FoundRequester, Request, brought_in};
use crate::judge::senders::{Class, file_name, is_daemon, is_in_hosts_namespaces, program_class};
use crate::judge::stop::stop_requests;
use crate::model::{Confidence, Container, Incident, Process, Requester};
use crate::placement::{Runtime, user_of};
use crate::profile;
use crate::resolve::case::{Case, Contact, RuntimeClient};

/// A client that came this long before the request, in milliseconds, may have come to ask for it.
const NEAR_MS: u64 = 2000;
/// One that connected this long before came for it, and for nothing else.
const MOMENT_MS: u64 = 100;
/// The only client there was may have come this long before. One that lists every few seconds may be as near by chance.
const ALONE_MS: u64 = 1_000;
/// One that had ended this long before did not ask for it.
const ENDED_MS: u64 = 2000;
/// Others that are named in the evidence.
const OTHERS: usize = 5;

/// When the runtime was asked, in milliseconds before the kill.
#[derive(Clone, Copy)]
struct Asked {
    /// What its first contact was: `what`.
    before_ms: u64,
    what: Moment,
    was_stopped: bool,
}

impl Asked {
    fn of(incident: &Incident, request: Request) -> Self {
        // The first stop signal is when it was asked for.
        let stopped = stop_requests(incident, Class::Runtime).next().map(|stop| stop.before_ms);
        let brought_in = brought_in(incident).and_then(|first| started_before_ms(incident, first));
        match (request, stopped, brought_in) {
            (Request::End, Some(before_ms), _) => Self { before_ms, what: Moment::StopSignal, was_stopped: true },
            (Request::Exec, _, Some(before_ms)) => Self { before_ms, what: Moment::Exec, was_stopped: false },
            _ => Self { before_ms: 0, what: Moment::Kill, was_stopped: false },
        }
    }
}

/// How long before the kill the process was started, in milliseconds.
fn started_before_ms(incident: &Incident, process: &Process) -> Option<u64> {
    let kill: jiff::Timestamp = incident.time.parse().ok()?;
    let started: jiff::Timestamp = process.started.as_deref()?.parse().ok()?;
    u64::try_from(kill.duration_since(started).as_millis()).ok()
}

/// A client that may have asked.
struct Candidate<'a> {
    client: &'a RuntimeClient,
    asks: Asks,
    /// The latest time that it came to the runtime by then, if that was seen.
    contact: Option<Contact>,
    /// It came shortly before the request; or after the first stop signal, and shortly before the kill.
    near: bool,
    /// It came after the first stop signal, and shortly before the kill.
    after_stop: bool,
    /// It was there until then, as whoever waits for an answer.
    waits: bool,
}

pub fn by_connection(case: &Case, request: Request) -> Option<FoundRequester> {
    let container = case.incident.container.as_ref();
    let asked = Asked::of(&case.incident, request);
    let reaching = case.clients.clients.iter().filter(|client| reaches(client, container) && !is_runtimes(client));
    let all = reaching.filter_map(|client| candidate(client, asks_for(&client.process, container, request), asked));
    // What asks for something else by its own word is not named, but may have asked all the same.
    let (aside, mut candidates): (Vec<_>, Vec<_>) =
        all.filter(|c| c.asks != Asks::Other || !is_believed(c.client)).partition(|c| c.asks == Asks::Other);
    let of_pod = container.is_some_and(|container| container.pod.is_some());
    candidates.sort_by_key(|candidate| {
        let Candidate { client, asks, contact, near, waits, .. } = candidate;
        let says_so = matches!(asks, Asks::This | Asks::Perhaps);
        let is_kubelet = of_pod && is_kubelet(client);
        (
            // It asks for names when a container starts, and at its end. In a container anything may be called so: it is not left out.
            is_called_oomtrace(client),
            Reverse(*near),
            // Whoever asks waits for the answer, whatever one that has ended said of itself.
            Reverse(*waits),
            Reverse(says_so),
            // The kubelet writes to its runtime all the time: whoever connected for just this came for it.
            Reverse(came_for_this(contact.as_ref(), asked)),
            Reverse(is_kubelet),
            contact.map_or(u64::MAX, |c| c.before_ms),
        )
    });
    let (first, others) = candidates.split_first()?;
    let others = others.iter().chain(aside.iter().filter(|candidate| candidate.near));
    let others: Vec<&Candidate<'_>> = others.collect();
    let unseen = missed(&case.clients.gaps, asked).then_some(RequesterUnseen::Crowded);
    let is_likely = is_alone(first, &others, asked, of_pod) && unseen.is_none();
    let confidence = if is_likely { Confidence::Likely } else { Confidence::Possible };
    let mut found_by = vec![FoundBy::Came(Box::new(came(first, asked)))];
    if !others.is_empty() {
        found_by.push(FoundBy::Others {
            named: others.iter().take(OTHERS).map(|other| other.client.process.clone()).collect(),
            more: others.len().saturating_sub(OTHERS),
            // Else it would not be likely.
            may_have_asked: !is_likely,
        });
    }
    let client = first.client;
    let requester = Requester {
        process: client.process.clone(),
        ancestors: client.ancestors.clone(),
        container: None,
        unit: client.unit.clone(),
        login: client.login.clone(),
        via: String::new(),
        confidence,
    };
    let via = Via::Socket(client.socket.clone());
    let came_before_ms = first.contact.map(|contact| contact.before_ms);
    Some(FoundRequester { requester, via, place: client.place.clone(), came_before_ms, found_by, unseen })
}

/// It connected within a moment of the request, as a client does that comes for nothing else.
fn came_for_this(contact: Option<&Contact>, asked: Asked) -> bool {
    contact.is_some_and(|contact| !contact.wrote && contact.before_ms.saturating_sub(asked.before_ms) <= MOMENT_MS)
}

/// Nobody else can have asked, as far as is seen: whatever others say of themselves, they may have asked as well.
fn is_alone(first: &Candidate<'_>, others: &[&Candidate<'_>], asked: Asked, of_pod: bool) -> bool {
    let client = first.client;
    let may_be_it = first.waits && client.followed && client.verified;
    let alone = match first.asks {
        // It has asked for this, whoever else came. But not for the kill alone, for which somebody may have come after the stop signal.
        Asks::This if is_believed(client) => {
            let may_be_it = |other: &&Candidate<'_>| other.after_stop || (other.near && other.asks == Asks::This);
            first.near && !others.iter().any(may_be_it)
        }
        Asks::This | Asks::Perhaps if first.near => !others.iter().any(|other| other.near),
        _ => (came_for_that(first, asked) || (of_pod && is_kubelet(client))) && others.is_empty(),
    };
    may_be_it && alone
}

/// It came to the runtime shortly before the request.
fn came_for_that(candidate: &Candidate<'_>, asked: Asked) -> bool {
    let came = |contact: Contact| contact.before_ms.saturating_sub(asked.before_ms) <= ALONE_MS;
    candidate.near && candidate.contact.is_some_and(came)
}

/// The client was there when it was asked for; else none.
fn candidate(client: &RuntimeClient, asks: Asks, asked: Asked) -> Option<Candidate<'_>> {
    let Asked { before_ms, was_stopped, .. } = asked;
    let by_then = client.contacts.iter().find(|contact| contact.before_ms >= before_ms).copied();
    // Of many contacts the earlier ones are not remembered: it may have come at any time.
    let unknown = client.more && !client.contacts.is_empty() && by_then.is_none();
    let near_request = unknown || by_then.is_some_and(|contact| contact.before_ms.saturating_sub(before_ms) <= NEAR_MS);
    let near_kill = client.contacts.first().filter(|contact| was_stopped && contact.before_ms <= NEAR_MS).copied();
    if !(unknown || by_then.is_some() || near_kill.is_some() || client.stood) {
        return None;
    }
    if client.ended_before_ms.is_some_and(|ended| ended > before_ms.saturating_add(ENDED_MS)) {
        return None;
    }
    // Who came to ask for the stop is no less near for having come again.
    let contact = if near_request { by_then } else { near_kill.or(by_then) };
    Some(Candidate {
        client,
        asks,
        contact,
        near: near_request || near_kill.is_some(),
        after_stop: near_kill.is_some_and(|contact| contact.before_ms < before_ms),
        waits: client.ended_before_ms.is_none_or(|ended| ended <= before_ms),
    })
}

/// Clients, or ends of clients, may have been missed around the time that matters.
fn missed(gaps: &[(u64, u64)], asked: Asked) -> bool {
    let oldest = asked.before_ms.saturating_add(NEAR_MS);
    // A gap that goes on to the kill ends 0 ms before it.
    gaps.iter().any(|(_, to)| *to <= oldest)
}

fn came(candidate: &Candidate<'_>, asked: Asked) -> Came {
    let Candidate { client, asks, contact, .. } = candidate;
    let when = match contact {
        Some(Contact { before_ms, wrote }) => {
            let (what, ms) = match before_ms.checked_sub(asked.before_ms) {
                Some(before) => (asked.what, before),
                // After the stop signal.
                None => (Moment::Kill, *before_ms),
            };
            When::Before { ms, what, wrote: *wrote }
        }
        None if client.stood => When::NotSeen,
        None => When::AgainAndAgain,
    };
    Came {
        process: client.process.clone(),
        socket: client.socket.clone(),
        when,
        stood: client.stood,
        names_container: matches!(asks, Asks::This | Asks::Perhaps),
    }
}

/// The container can be killed through the client's socket: that of the very runtime, and user, whose container it is.
fn reaches(client: &RuntimeClient, container: Option<&Container>) -> bool {
    let Some(container) = container else { return true };
    // Its runtime runs in the container around it.
    if container.outer.is_some() {
        return false;
    }
    let socket = without_var(&client.socket);
    let is_dockers_own = socket.starts_with("/run/docker/containerd/");
    match (container.runtime, client.runtime) {
        (of, Runtime::Containerd) if of != Some(Runtime::Docker) && container.runtime_socket.is_some() => {
            container.runtime_socket.as_deref().map(without_var) == Some(socket)
        }
        // A user may have a Docker of their own, and what looks like a container of it.
        (Some(Runtime::Docker), Runtime::Docker) => is_owners(client, container),
        (None, _) => true,
        // Docker's containers are containerd's too: of its own, or of the machine's.
        (Some(Runtime::Docker), Runtime::Containerd) => is_dockers_own || socket.starts_with("/run/containerd/"),
        (Some(Runtime::Nerdctl | Runtime::Containerd), Runtime::Containerd) => !is_dockers_own,
        // Each user has podman by themselves.
        (Some(Runtime::Podman), Runtime::Podman) => is_owners(client, container),
        (Some(runtime), socket) => runtime == socket,
    }
}

/// The socket is that of whoever has the container.
fn is_owners(client: &RuntimeClient, container: &Container) -> bool {
    client.owner.is_none_or(|owner| owner == user_of(&container.cgroup).unwrap_or_default())
}

/// `/var/run` is `/run` on every system of today.
fn without_var(path: &str) -> &str {
    path.strip_prefix("/var").filter(|rest| rest.starts_with("/run/")).unwrap_or(path)
}

/// The client is a part of the runtime, or of oomtrace: as root of the host runs it. Anybody may have a program of that name.
fn is_runtimes(client: &RuntimeClient) -> bool {
    (is_called_oomtrace(client) || is_daemon(&client.process)) && is_hosts(client)
}

fn is_called_oomtrace(client: &RuntimeClient) -> bool {
    client.process.exe.as_deref().map(file_name) == Some("oomtrace")
}

/// Its command line says what it does: a program that does nothing else, which the host's root runs. Anybody else may run what they like
/// under its name, or have it do what they like (`LD_PRELOAD`); and a script does what is in it.
fn is_believed(client: &RuntimeClient) -> bool {
    let program = client.process.exe.as_deref().map(file_name).unwrap_or_default();
    let is_client = profile::ALL.iter().any(|profile| profile.clients.contains(&program));
    is_client && is_hosts(client)
}

fn is_hosts(client: &RuntimeClient) -> bool {
    client.place.is_none() && is_in_hosts_namespaces(&client.process) && client.process.uid.is_none_or(|uid| uid == 0)
}

fn is_kubelet(client: &RuntimeClient) -> bool {
    program_class(&client.process) == Some(Class::Kubelet) && is_hosts(client)
}

#[cfg(test)]
mod tests;
