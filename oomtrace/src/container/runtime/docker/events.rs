//! What Docker says happens to its containers (`GET /events`): facts about a kill that the kernel does not have, and changes to
//! what is remembered of a container.
//!
//! The stream ends with its daemon. It is opened again when a container of Docker's appears, which only a living daemon
//! makes: nothing wakes up meanwhile.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::container::AbortOnDrop;
use crate::container::runtime::docker::Docker;
use crate::container::runtime::docker::line::Line;

/// Events that are remembered.
const CAPACITY: usize = 1024;
/// Bytes of a line; one with many labels has some KiB.
pub const MAX_LINE: usize = 256 << 10;
/// Bytes of a command that are kept.
const MAX_COMMAND: usize = 256;

/// One thing that Docker said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub id: String,
    /// Nanoseconds since 1970, by Docker's clock, which is this machine's.
    pub at_ns: i64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A signal was sent, by its number; none where a label of the container's may stand in its place.
    Kill(Option<String>),
    /// A stop or a restart is over.
    Stop,
    Restart,
    /// A command is about to be run in it.
    Exec(String),
    /// Its name or its limits are others now.
    Changed,
}

/// The stream, and what it said lately. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Events {
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    recent: VecDeque<Said>,
    stream: Option<AbortOnDrop>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("recent", &self.recent).finish_non_exhaustive()
    }
}

impl Events {
    /// Opens the stream, unless it is open. `heard` gets the id of each container that something is said of, its name by Docker's own
    /// word, and whether it is not what it was. Must run inside a `LocalSet`.
    pub fn listen(&self, docker: &Docker, heard: impl Fn(&str, Option<String>, bool) + 'static) {
        let mut state = self.state.borrow_mut();
        if state.stream.as_ref().is_some_and(|stream| !stream.is_finished()) {
            return;
        }
        let (events, docker) = (Rc::downgrade(&self.state), docker.clone());
        // Before 1970 there was no Docker.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        state.stream = Some(AbortOnDrop::of(tokio::task::spawn_local(async move {
            let ended = docker
                .events(now, |line| {
                    let Some(line) = Line::of_container(line) else { return };
                    let name = line.actor.attributes.name.clone().filter(|name| !name.is_empty());
                    let Some(said) = read(line) else { return };
                    heard(&said.id, name, said.what == What::Changed);
                    if let Some(state) = events.upgrade() {
                        Self { state }.remember(said);
                    }
                })
                .await;
            if let Err(error) = ended {
                log::debug!("Docker's events: {error}");
            }
        })));
    }

    fn remember(&self, said: Said) {
        let mut state = self.state.borrow_mut();
        if state.recent.len() >= CAPACITY {
            state.recent.pop_front();
        }
        state.recent.push_back(said);
    }

    /// What was said of the container `id` from `since_ns` on, in words with the time before or after `kill_ns`. `is_unlabelled`: it is
    /// known that no label of its may stand in the place of Docker's own word.
    #[must_use]
    pub fn facts(&self, id: &str, since_ns: i64, kill_ns: i64, is_unlabelled: bool) -> Vec<String> {
        let state = self.state.borrow();
        let of_it = state.recent.iter().filter(|said| said.id == id && said.at_ns >= since_ns);
        of_it.filter_map(|said| fact(said, kill_ns, is_unlabelled)).collect()
    }
}

const RAN: &str = "docker exec ran in it: ";

/// What was said, without the arguments of a command that was run: `docker exec ran in it: sh …, 41 ms before the kill`.
#[must_use]
pub fn without_arguments(fact: &str) -> Option<String> {
    let (before, rest) = fact.split_once(RAN)?;
    let (command, when) = rest.rsplit_once(", ")?;
    let (program, _) = command.split_once(' ')?;
    Some(format!("{before}{RAN}{program} …, {when}"))
}

fn fact(said: &Said, kill_ns: i64, is_unlabelled: bool) -> Option<String> {
    let what = match &said.what {
        What::Kill(Some(signal)) if is_unlabelled => format!("signal {signal} was sent to the container"),
        // Which one, its label may say.
        What::Kill(_) => "a signal was sent to the container".to_owned(),
        What::Stop => "the container was stopped".to_owned(),
        What::Restart => "the container was restarted".to_owned(),
        What::Exec(command) => format!("{RAN}{command}"),
        What::Changed => return None,
    };
    let ms = said.at_ns.abs_diff(kill_ns) / 1_000_000;
    let when = if said.at_ns <= kill_ns { "before" } else { "after" };
    Some(format!("Docker's events: {what}, {} {when} the kill", crate::text::duration_ms(ms)))
}

/// Reads one line; none when it says nothing of a container that matters here.
#[must_use]
pub fn parse(line: &[u8]) -> Option<Said> {
    Line::of_container(line).and_then(read)
}

fn read(line: Line) -> Option<Said> {
    let what = match line.action.as_str() {
        "kill" => What::Kill(line.signal().map(str::to_owned)),
        "stop" => What::Stop,
        "restart" => What::Restart,
        "rename" | "update" => What::Changed,
        // exec_create: sh -c …
        other => What::Exec(other.strip_prefix("exec_create:")?.trim().chars().take(MAX_COMMAND).collect()),
    };
    Some(Said { id: line.actor.id, at_ns: line.time_nano, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_left_out_where_nobody_may_see_them() {
        let of = |command: &str| format!("Docker's events: docker exec ran in it: {command}, 41 ms before the kill");
        assert_eq!(without_arguments(&of("psql -c 'a, b'")), Some(of("psql …")));
        assert_eq!(without_arguments(&of("psql")), None, "it has none");
        assert_eq!(without_arguments("Docker's events: the container was stopped, 2 s before the kill"), None);
    }

    #[test]
    fn lines_are_read_and_what_adds_nothing_is_left_out() {
        let line = |action: &str, attributes: &str| {
            parse(
                format!(
                    r#"{{"status":"x","id":"a","Type":"container","Action":{action:?},"Actor":{{"ID":"abc","Attributes":{attributes}}},"scope":"local","time":1,"timeNano":7}}"#
                )
                .as_bytes(),
            )
            .map(|said| said.what)
        };
        assert_eq!(line("kill", r#"{"signal":"15","name":"web"}"#), Some(What::Kill(Some("15".to_owned()))));
        assert_eq!(line("exec_create: kill -9 7", "{}"), Some(What::Exec("kill -9 7".to_owned())));
        assert_eq!(line("rename", "{}"), Some(What::Changed));
        assert_eq!(line("exec_start: kill -9 7", "{}"), None);
        assert_eq!(parse(b"{"), None);
    }

    #[test]
    fn only_the_containers_own_and_not_too_many_are_kept() {
        let events = Events::default();
        let said = |id: &str, at_ns, signal: &str| Said {
            id: id.to_owned(),
            at_ns,
            what: What::Kill(Some(signal.to_owned())),
        };
        for at in 0..3 * CAPACITY {
            events.remember(said("other", i64::try_from(at).unwrap(), "9"));
        }
        events.remember(said("a", 1_000_000_000, "15"));
        events.remember(said("a", 11_002_000_000, "9"));
        assert_eq!(
            events.facts("a", 0, 11_000_000_000, true),
            [
                "Docker's events: signal 15 was sent to the container, 10.0 s before the kill",
                "Docker's events: signal 9 was sent to the container, 2 ms after the kill"
            ]
        );
        assert_eq!(events.facts("a", 2_000_000_000, 11_000_000_000, true).len(), 1);
        assert_eq!(events.state.borrow().recent.len(), CAPACITY);
    }

    /// What Docker writes of a container that has the labels `exitCode=9`, `signal=9` and `name=other`, and is sent SIGTERM: labels stand in
    /// the place of its own words, but for the name.
    #[test]
    fn a_label_does_not_speak_as_docker() {
        let line = br#"{"Type":"container","Action":"kill","Actor":{"ID":"a","Attributes":
            {"exitCode":"9","signal":"9","name":"web"}},"timeNano":1000000000}"#;
        let events = Events::default();
        events.remember(parse(line).unwrap());
        for is_unlabelled in [false, true] {
            assert_eq!(
                events.facts("a", 0, 2_000_000_000, is_unlabelled),
                ["Docker's events: a signal was sent to the container, 1.0 s before the kill"]
            );
        }
        // Of this label alone the line shows nothing: the container's labels do, where they are known.
        let line = br#"{"Type":"container","Action":"kill","Actor":{"ID":"b","Attributes":{"signal":"9"}},"timeNano":1000000000}"#;
        events.remember(parse(line).unwrap());
        let said = |is_unlabelled| events.facts("b", 0, 2_000_000_000, is_unlabelled).concat();
        assert!(said(false).contains("a signal was sent") && said(true).contains("signal 9 was sent"));
    }
}
