//! What a client says that it asks for, on its command line.

use crate::judge::requester::Request;
use crate::judge::senders::invocation;
use crate::model::{Confidence, Container, Process, Requester};
use crate::node::signals::{self, SIGKILL};
use crate::profile;

/// What a command line says about what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// This, for this container.
    This,
    /// It names the container, and may ask for this among other things.
    Perhaps,
    /// It does not say.
    Unknown,
    /// Something else, or for another container: by its own word, which anybody may choose.
    Other,
}

/// What they end the containers by that they are given.
const ENDS_NAMED: &[&str] = &["kill", "stop", "rm", "restart", "delete", "del", "remove"];
/// What they may end containers by without naming them.
const ENDS_SOME: &[&str] = &["stack", "stopp", "rmp", "pod", "kube", "play"];

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

/// What `process` asks for.
pub fn asks_for(process: &Process, container: Option<&Container>, request: Request) -> Asks {
    let (program, arguments) = invocation(process);
    let names = container.is_some_and(|container| arguments.iter().any(|argument| is_name_of(argument, container)));
    if !profile::ALL.iter().any(|profile| profile.clients.contains(&program)) {
        // A request by hand has the container in its URL, and behind it what is to be done to it.
        let is_request = arguments.iter().any(|argument| argument.contains("/containers/"));
        return match (names, is_request) {
            (true, true) if request == Request::End && ends_by_url(arguments, container) => Asks::This,
            (true, _) => Asks::Perhaps,
            (false, true) => Asks::Other,
            (false, false) => Asks::Unknown,
        };
    }
    // Without any it asks for nothing: they are kept to oneself (--no-cmdline).
    if arguments.is_empty() {
        return Asks::Unknown;
    }
    let verb = verb(arguments);
    let is = |verbs: &[&str]| verb.is_some_and(|verb| verbs.contains(&verb));
    if request == Request::Exec {
        return if is(&["exec"]) && names { Asks::This } else { Asks::Other };
    }
    if is(&["kill"]) && is_of_another_signal(arguments) {
        return Asks::Other;
    }
    let is_compose = program == "docker-compose" || arguments.iter().any(|argument| argument == "compose");
    if let Some(verb) = verb.filter(|_| is_compose) {
        return of_compose(arguments, verb, container);
    }
    match (names, is(ENDS_SOME), is(ENDS_NAMED)) {
        (true, _, true) => Asks::This,
        (true, true, _) => Asks::Perhaps,
        (false, true, _) => Asks::Unknown,
        _ => Asks::Other,
    }
}

/// The command of a runtime's client, in its own words: `docker kill`, `docker compose down`, `docker rm -f`. None for any other
/// program, and for what ends no container.
pub fn told(process: &Process) -> Option<String> {
    let (program, arguments) = invocation(process);
    let client = profile::ALL.iter().flat_map(|profile| profile.clients).find(|client| **client == program)?;
    let compose = if arguments.iter().any(|argument| argument == "compose") { " compose" } else { "" };
    let given = verb(arguments)?;
    let known = ENDS_NAMED.iter().chain(ENDS_SOME).chain(&["down", "up", "create", "exec", "run"]);
    let verb = known.into_iter().find(|known| **known == given)?;
    let by_force = |argument: &String| argument == "--force" || short_option(argument).is_some_and(|o| o.contains('f'));
    let force = if *verb == "rm" && arguments.iter().any(by_force) { " -f" } else { "" };
    Some(format!("{client}{compose} {verb}{force}"))
}

/// It is known to have asked for a kill that no time to end comes before: `docker kill`, `docker rm -f`. podman's `rm -f` stops first.
#[must_use]
pub fn gives_no_grace(requester: &Requester) -> bool {
    const KILLS: [&str; 6] =
        ["docker kill", "docker rm -f", "docker compose kill", "podman kill", "nerdctl kill", "nerdctl rm -f"];
    requester.confidence > Confidence::Possible
        && told(&requester.process).is_some_and(|asked| KILLS.contains(&asked.as_str()))
}

/// The letters of `-fv`.
fn short_option(argument: &str) -> Option<&str> {
    argument.strip_prefix('-').filter(|letters| !letters.starts_with('-'))
}

/// A project's containers are ended by their services' names, or all together by none.
fn of_compose(arguments: &[String], verb: &str, container: Option<&Container>) -> Asks {
    let ends = ENDS_NAMED.contains(&verb) || verb == "down";
    // It makes anew what has changed, and ends what was there.
    let may_end = matches!(verb, "up" | "create");
    if !ends && !may_end {
        return Asks::Other;
    }
    let labels = container.and_then(|container| container.labels.as_ref());
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
    let (own, service) = (label("com.docker.compose.project"), label("com.docker.compose.service"));
    let project = arguments.iter().enumerate().find_map(|(at, argument)| match argument.as_str() {
        "-p" | "--project-name" => arguments.get(at + 1).map(String::as_str),
        option => option.strip_prefix("--project-name="),
    });
    let is_same_project = match (project, own) {
        (Some(project), Some(own)) if project != own => return Asks::Other,
        (Some(_), Some(_)) => true,
        _ => false,
    };
    let name = container.and_then(|container| container.name.as_deref());
    let mut targets = targets(arguments, verb).peekable();
    let is_named = if targets.peek().is_some() {
        let is_own = targets.any(|target| Some(target) == service || Some(target) == name);
        if !is_own && own.is_some() {
            return Asks::Other;
        }
        is_own
    } else {
        is_same_project
    };
    match (is_named, ends) {
        (true, true) => Asks::This,
        (true, false) => Asks::Perhaps,
        (false, _) => Asks::Unknown,
    }
}

/// `docker kill --signal USR1 web`: it makes no SIGKILL.
fn is_of_another_signal(arguments: &[String]) -> bool {
    let mut values = arguments.iter().enumerate().filter_map(|(at, argument)| match argument.as_str() {
        "-s" | "--signal" => arguments.get(at + 1).map(String::as_str),
        option => option.strip_prefix("--signal=").or_else(|| option.strip_prefix("-s=")).or_else(|| short(option)),
    });
    values.any(|value| signals::number(value) != Some(SIGKILL))
}

/// The value of `-sUSR1`.
fn short(option: &str) -> Option<&str> {
    option.strip_prefix("-s").filter(|value| !value.is_empty())
}

/// A URL says that this container is to be ended: `…/containers/web/kill`, or with the method DELETE `…/containers/web`.
fn ends_by_url(arguments: &[String], container: Option<&Container>) -> bool {
    let Some(container) = container else { return false };
    let deletes = arguments.iter().any(|argument| argument.eq_ignore_ascii_case("delete"));
    arguments.iter().any(|argument| {
        let Some((_, rest)) = argument.split_once("/containers/") else { return false };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (name, verb) = rest.split_once('/').unwrap_or((rest, ""));
        is_name_of(name, container) && (matches!(verb, "kill" | "stop" | "restart") || (verb.is_empty() && deletes))
    })
}

/// What a client is to do: the first argument that is neither an option nor the value of one, and behind what it is
/// done to, as in `docker container stop`.
fn verb(arguments: &[String]) -> Option<&str> {
    let mut is_value = false;
    let mut words = arguments.iter().map(String::as_str).filter(|argument| {
        let skipped = std::mem::replace(&mut is_value, TAKES_VALUE.contains(argument));
        !skipped && !argument.starts_with('-')
    });
    words.find(|word| !OBJECTS.contains(word))
}

/// What is named behind the verb: neither options, nor numbers of seconds.
fn targets<'a>(arguments: &'a [String], verb: &str) -> impl Iterator<Item = &'a str> {
    let at = arguments.iter().position(|argument| argument == verb).map_or(arguments.len(), |at| at + 1);
    let behind = arguments.iter().skip(at).map(String::as_str);
    behind.filter(|argument| !argument.starts_with('-') && argument.parse::<u64>().is_err())
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
