//! Who asked a runtime to kill. The runtime is only the hand: behind it stands whoever ran it, or a client of its socket.
//!
//! The kernel ties no request to the kill that came of it, so this is never certain. In this order:
//!
//! | found by | confidence |
//! |---|---|
//! | a runtime without a daemon (podman, runc itself) among the sender's ancestors | likely |
//! | a client whose command line names the container, and no other does | likely |
//! | the only client there was, waiting for its answer | likely |
//! | one of several, the one that connected last | possible, the others in the evidence |

use super::judge::{class_in, is_by_runtime};
use super::senders::{Class, file_name, invocation, is_daemon, is_hosts_root, is_shim};
use crate::container::placement::{ContainerPlace, Runtime};
use crate::incident::model::{Asker, Confidence, Container, Evidence, Incident, Process, Requester, Source};
use crate::incident::text;

/// A client that connected this long before the request, in milliseconds, may have done so to ask for it.
const RECENT_MS: u64 = 2000;
/// One that had ended this long before did not ask for it.
const ENDED_MS: u64 = 2000;
/// Others that are named in the evidence.
const OTHERS: usize = 5;

/// Who asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub requester: Requester,
    /// The container that it lives in.
    pub place: Option<ContainerPlace>,
    pub evidence: Vec<Evidence>,
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
        Some(Found { mut requester, evidence, .. }) => {
            requester.container = incident.asking.container.take();
            incident.requester = Some(requester);
            incident.noted.extend(evidence);
        }
        None if incident.asking.seen && !by_exec => incident
            .missing
            .push("who asked the runtime: no process was seen to connect to its socket (TCP is not seen)".to_owned()),
        // That connections are not seen at all was said at the start.
        None => {}
    }
}

/// Who asked; `container` is the victim's, with its name.
#[must_use]
pub fn find(incident: &Incident, container: Option<&Container>) -> Option<Found> {
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
    let (Some(sender), Some(container)) = (&incident.sender.process, container) else { return false };
    let is_inside = incident.sender.container.as_ref().is_some_and(|its| its.is_same(container));
    let chain: Vec<&Process> = std::iter::once(sender).chain(&incident.sender.ancestors).collect();
    let runtime = chain.iter().position(|process| is_parent(incident, process));
    let first = runtime.and_then(|at| chain.get(at.checked_sub(1)?));
    let init = container.init_pid.or(Some(incident.victim.process.pid).filter(|_| incident.victim.container_init));
    is_inside && first.zip(init).is_some_and(|(first, init)| first.pid != init)
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
fn by_ancestry(incident: &Incident) -> Option<Found> {
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
    Some(Found { requester, place: None, evidence: vec![Evidence { fact, source: Source::Kernel }] })
}

fn by_connection(incident: &Incident, container: Option<&Container>, request: Request) -> Option<Found> {
    // The first stop signal is when it was asked for.
    let stops = incident.preceding.iter().filter(|p| class_in(incident, &p.sender) == Some(Class::Runtime));
    let asked_before = stops.map(|stop| stop.before_ms).max().unwrap_or_default();
    let mut named = Vec::new();
    let (mut recent, mut standing) = (Vec::new(), Vec::new());
    for client in incident.asking.clients.iter().filter(|client| may_be(client, container, asked_before)) {
        match (asks_for(&client.process, container, request), client.connected_before_ms) {
            (Asks::Named, _) => named.push(client),
            (Asks::Other, _) => {}
            (Asks::Unknown, Some(before)) if before.saturating_sub(asked_before) <= RECENT_MS => recent.push(client),
            (Asks::Unknown, _) => standing.push(client),
        }
    }
    // A pod's containers are ended by its kubelet, whoever else watches them.
    if container.is_some_and(|container| container.pod.is_some()) {
        standing.sort_by_key(|client| client.process.exe.as_deref().map(file_name) != Some("kubelet"));
    }
    let by_name = !named.is_empty();
    let mut candidates: Vec<&Asker> = if by_name { named } else { recent.into_iter().chain(standing).collect() };
    // Whoever asks waits for the answer: one that had ended by then counts only where nobody waited.
    let waits = |client: &&Asker| client.ended_before_ms.is_none_or(|ended| ended <= asked_before);
    if candidates.iter().any(waits) {
        candidates.retain(waits);
    }
    let (first, others) = candidates.split_first()?;
    let waited = waits(first);
    let confidence = if others.is_empty() && (by_name || waited) { Confidence::Likely } else { Confidence::Possible };
    let mut evidence = vec![connected(first, by_name, asked_before > 0, asked_before)];
    if !others.is_empty() {
        let named: Vec<String> = others.iter().take(OTHERS).map(|other| text::process(&other.process)).collect();
        let more = others.len().saturating_sub(OTHERS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let fact = format!("connected as well, so any of them may have asked: {}{more}", named.join(", "));
        evidence.push(Evidence { fact, source: Source::Kernel });
    }
    let requester = Requester {
        process: first.process.clone(),
        ancestors: first.ancestors.clone(),
        container: None,
        unit: first.unit.clone(),
        login: first.login.clone(),
        via: first.socket.clone(),
        confidence,
    };
    Some(Found { requester, place: first.place.clone(), evidence })
}

fn connected(client: &Asker, by_name: bool, was_stopped: bool, asked_before: u64) -> Evidence {
    let what = if was_stopped { "the stop signal" } else { "the kill" };
    let when = match client.connected_before_ms {
        Some(before) => format!("{} before {what}", text::duration_ms(before.saturating_sub(asked_before))),
        None => "before oomtrace started".to_owned(),
    };
    let names = if by_name { ", and its command line names the container" } else { "" };
    let fact = format!("{} connected to {} {when}{names}", text::process(&client.process), client.socket);
    Evidence { fact, source: if client.connected_before_ms.is_some() { Source::Kernel } else { Source::Procfs } }
}

/// The client was there when it was asked for, on a socket that the container can be killed through, and is no part of the
/// runtime itself.
fn may_be(client: &Asker, container: Option<&Container>, asked_before: u64) -> bool {
    let runtime = container.and_then(|container| container.runtime.as_deref());
    let reaches = match (runtime, client.runtime) {
        // Docker's containers are containerd's too.
        (Some("docker"), Runtime::Docker | Runtime::Containerd) | (None, _) => true,
        (Some("nerdctl"), Runtime::Containerd) => true,
        (Some(runtime), socket) => runtime == socket.name(),
    };
    let in_time = client.connected_before_ms.is_none_or(|before| before >= asked_before);
    let ended = client.ended_before_ms.is_some_and(|ended| ended > asked_before.saturating_add(ENDED_MS));
    let is_own = client.process.exe.as_deref().map(file_name) == Some("oomtrace");
    reaches && in_time && !ended && !is_own && !is_daemon(&client.process)
}

/// What a command line says about what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// It names the container.
    Named,
    /// It does not say.
    Unknown,
    /// Something else, or for another container.
    Other,
}

/// Command-line clients.
const CLIENTS: &[&str] = &["docker", "docker-compose", "podman", "nerdctl", "ctr", "crictl"];
/// What they end the containers by that they are given.
const ENDS_NAMED: &[&str] = &["kill", "stop", "rm", "restart", "delete", "del", "remove"];
/// What they may end containers by without naming them.
const ENDS_SOME: &[&str] = &["down", "up", "stack", "stopp", "rmp", "pod", "kube", "play"];

/// What a verb may be about, before it.
const OBJECTS: &[&str] = &["compose", "container", "containers", "c", "task", "tasks", "t"];
/// Options of theirs that come before the verb, and are followed by a value.
const TAKES_VALUE: &[&str] = &[
    "-H",
    "--host",
    "-c",
    "--context",
    "--config",
    "-l",
    "--log-level",
    "-a",
    "--address",
    "-n",
    "--namespace",
    "--timeout",
    "--connect-timeout",
    "-r",
    "--runtime-endpoint",
    "-i",
    "--image-endpoint",
    "--url",
    "--connection",
    "--root",
    "--runroot",
    "--storage-driver",
    "-p",
    "--project-name",
    "-f",
    "--file",
    "--profile",
    "--env-file",
    "--project-directory",
];

fn asks_for(process: &Process, container: Option<&Container>, request: Request) -> Asks {
    let (program, arguments) = invocation(process);
    let names = container.is_some_and(|container| arguments.iter().any(|argument| is_name_of(argument, container)));
    if !CLIENTS.contains(&program) {
        // A request by hand has the container in its URL; one for another, or for a list, has not.
        let is_request = arguments.iter().any(|argument| argument.contains("/containers/"));
        return match (names, is_request) {
            (true, _) => Asks::Named,
            (false, true) => Asks::Other,
            (false, false) => Asks::Unknown,
        };
    }
    let verb = verb(arguments);
    let is = |verbs: &[&str]| verb.is_some_and(|verb| verbs.contains(&verb));
    if request == Request::Exec {
        return if is(&["exec"]) && names { Asks::Named } else { Asks::Other };
    }
    // A project's containers are ended by their service's name, or by none.
    let is_compose = program == "docker-compose" || arguments.iter().any(|argument| argument == "compose");
    let ends_some = if is_compose {
        (is(ENDS_SOME) || is(ENDS_NAMED)) && verb.is_some_and(|verb| !has_target(arguments, verb))
    } else {
        is(ENDS_SOME)
    };
    match (names, ends_some, is(ENDS_NAMED)) {
        (true, true, _) | (true, _, true) => Asks::Named,
        (false, true, _) => Asks::Unknown,
        _ => Asks::Other,
    }
}

/// What a client is told to do: the first argument that is neither an option nor the value of one, and behind what it is
/// done to, as in `docker container stop`.
fn verb(arguments: &[String]) -> Option<&str> {
    let mut is_value = false;
    let mut words = arguments.iter().map(String::as_str).filter(|argument| {
        let skipped = std::mem::replace(&mut is_value, TAKES_VALUE.contains(argument));
        !skipped && !argument.starts_with('-')
    });
    words.find(|word| !OBJECTS.contains(word))
}

/// Something is named behind the verb: neither an option, nor a number of seconds.
fn has_target(arguments: &[String], verb: &str) -> bool {
    let behind = arguments.iter().skip_while(|argument| *argument != verb).skip(1);
    behind.into_iter().any(|argument| !argument.starts_with('-') && argument.parse::<u64>().is_err())
}

/// `web`, the beginning of an id, a part of a URL, or the compose project or service.
fn is_name_of(argument: &str, container: &Container) -> bool {
    let label = |key: &str| container.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    let own = [
        container.name.as_deref(),
        Some(container.id.as_str()),
        label("com.docker.compose.project"),
        label("com.docker.compose.service"),
    ];
    let is_own = |part: &str| !part.is_empty() && own.contains(&Some(part));
    // Docker takes any beginning that is unique; four digits are not a word by accident.
    let is_start = |part: &str| part.len() >= 4 && container.id.starts_with(part);
    let value = argument.split_once('=').map_or(argument, |(_, value)| value);
    is_own(value) || is_start(value) || argument.split(['/', '?']).any(|part| is_own(part) || is_start(part))
}

#[cfg(test)]
mod tests;
