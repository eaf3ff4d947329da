//! A container's lives, as Docker has them after the fact: how it is, how it ended last, and what was done to it. Docker keeps the last end
//! alone, and the last 256 events of all containers, until the daemon ends (daemon/events, 20.10 to 28).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use crate::container::runtime::docker::line::Line;

/// Bytes of a word that are kept.
const MAX_WORD: usize = 256;
/// Lines of the events that are read.
const MAX_LINES: usize = 2_048;

/// Docker says that something ended at most so long after it did, in milliseconds: a shim's exit goes through two daemons.
pub const SAID_WITHIN_MS: i64 = 3_000;

/// It writes what belongs to an end at most so long after that.
const WRITTEN_WITHIN_NS: i64 = 1_000_000_000;

/// How a container is, and how it ended last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    pub running: bool,
    /// It is there, and none of its processes runs (docker pause).
    pub paused: bool,
    /// It has ended, and its restart policy is about to start it again.
    pub restarting: bool,
    /// An OOM killer was at work in it in this life, or in the last one: on any of its processes.
    pub oom_killed: bool,
    /// Of the last end; 0 while it runs.
    pub exit_code: i64,
    /// Why it could not be started, or be ended.
    pub error: String,
    /// RFC 3339. None: never.
    pub started_at: Option<String>,
    /// Of the life before, while it runs.
    pub finished_at: Option<String>,
    /// How often its restart policy started it again.
    pub restart_count: u32,
}

/// Something that was done to it, or happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Nanoseconds since 1970.
    pub at_ns: i64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A signal was sent, by its number or its name; empty where that is not known.
    Kill(String),
    /// An OOM killer was at work in it.
    Oom,
    /// Its first process ended.
    Die {
        exit_code: Option<i64>,
    },
    Start,
    Stop,
    Restart,
    Destroy,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Inspected {
    state: State,
    restart_count: u32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    running: bool,
    paused: bool,
    /// It has ended, and waits to be started again: Docker says that it runs, too.
    restarting: bool,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    exit_code: i64,
    error: String,
    started_at: String,
    finished_at: String,
}

/// What the answer to an inspection says of it.
///
/// # Errors
/// When it describes no container.
pub fn parse(body: &[u8]) -> Result<Life, serde_json::Error> {
    let Inspected { state, restart_count } = serde_json::from_slice(body)?;
    // Docker's "never" is the year 1.
    let time = |text: String| (!text.is_empty() && !text.starts_with("0001-")).then_some(text);
    Ok(Life {
        running: state.running && !state.restarting,
        paused: state.paused,
        restarting: state.restarting,
        oom_killed: state.oom_killed,
        exit_code: state.exit_code,
        error: crate::text::clip(&state.error, MAX_WORD).to_owned(),
        started_at: time(state.started_at),
        finished_at: time(state.finished_at),
        restart_count,
    })
}

/// What the events, a line each, say of each container, by its id, in their order; and when the first of them was, of whatever it is. Codes and
/// signals are known of those containers alone of which a line shows that none of their labels stands in the place of these.
#[must_use]
pub fn past(body: &[u8]) -> (BTreeMap<String, Vec<Happened>>, Option<i64>) {
    let mut found = BTreeMap::<String, Vec<Happened>>::new();
    let (mut labelled, mut signals, mut codes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let lines = || body.split(|byte| *byte == b'\n');
    for line in lines().filter_map(Line::of_container) {
        if line.is_labelled() {
            labelled.insert(line.actor.id.clone());
        } else {
            signals.extend(line.would_show_signal().then(|| line.actor.id.clone()));
            codes.extend(line.would_show_code().then(|| line.actor.id.clone()));
        }
        if let Some(happened) = happened(&line) {
            found.entry(line.actor.id).or_default().push(happened);
        }
    }
    for (id, events) in &mut found {
        let is_told = |shown: &BTreeSet<String>| shown.contains(id) && !labelled.contains(id);
        let (has_signals, has_codes) = (is_told(&signals), is_told(&codes));
        for happened in events {
            match &mut happened.what {
                What::Kill(signal) if !has_signals => signal.clear(),
                What::Die { exit_code } if !has_codes => *exit_code = None,
                _ => {}
            }
        }
    }
    (found, lines().find_map(time_ns))
}

/// The latest lines of the events: Docker keeps 256 of them, and another one may say that it has any number.
#[must_use]
pub fn latest(body: &[u8]) -> &[u8] {
    let ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    // The last one may or may not be ended.
    let from = ends.skip_while(|at| at + 1 == body.len()).nth(MAX_LINES - 1).map_or(0, |at| at + 1);
    body.get(from..).unwrap_or_default()
}

/// When one line of the events was, of whatever it is.
fn time_ns(line: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(rename = "timeNano")]
        time_nano: i64,
    }
    serde_json::from_slice::<Line>(line).ok().map(|line| line.time_nano)
}

/// What one line says of its container.
fn happened(line: &Line) -> Option<Happened> {
    let what = match line.action.as_str() {
        "kill" => What::Kill(crate::text::clip(line.signal().unwrap_or_default(), MAX_WORD).to_owned()),
        "oom" => What::Oom,
        "die" => What::Die { exit_code: line.exit_code() },
        "start" => What::Start,
        "stop" => What::Stop,
        "restart" => What::Restart,
        "destroy" => What::Destroy,
        _ => return None,
    };
    Some(Happened { at_ns: line.time_nano, what })
}

/// An end, by the events alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeEnd {
    /// Nanoseconds since 1970.
    pub at_ns: i64,
    pub exit_code: Option<i64>,
    /// When that life began; none where the events do not go so far back.
    pub started_ns: Option<i64>,
    /// An OOM killer was at work in it in that life; none where the events do not have all of that.
    pub oom_killed: Option<bool>,
}

/// The ends that its events tell of; both are the oldest first.
#[must_use]
pub fn ends(events: &[Happened]) -> Vec<LifeEnd> {
    let (mut found, mut start, mut from) = (Vec::new(), None, 0);
    for (index, happened) in events.iter().enumerate() {
        match happened.what {
            What::Start => (start, from) = (Some(happened.at_ns), index),
            What::Die { exit_code } => {
                let life = events.get(from..index).unwrap_or_default();
                let has_oom = life.iter().chain(behind(events, index)).any(|happened| happened.what == What::Oom);
                let oom_killed = (has_oom || start.is_some()).then_some(has_oom);
                found.push(LifeEnd { at_ns: happened.at_ns, exit_code, started_ns: start, oom_killed });
                (start, from) = (None, index + 1);
            }
            _ => {}
        }
    }
    found
}

/// What Docker wrote of a life after its end at `last`: it says that it sent a signal when it has, and hears of an OOM kill by another way than
/// of the end that this made.
#[must_use]
pub fn behind(events: &[Happened], last: usize) -> &[Happened] {
    let died = events.get(last).map_or(i64::MAX, |end| end.at_ns);
    let from = last.saturating_add(1);
    let after = events.get(from..).unwrap_or_default();
    let is_its = |happened: &&Happened| {
        !matches!(happened.what, What::Start | What::Die { .. })
            && happened.at_ns.saturating_sub(died) <= WRITTEN_WITHIN_NS
    };
    after.get(..after.iter().take_while(is_its).count()).unwrap_or_default()
}

/// The place of the end that was then, among what was done to the container. Lives may follow fast: the nearest is meant.
#[must_use]
pub fn nearest_end(events: &[Happened], at: Timestamp) -> Option<usize> {
    let apart = |happened: &Happened| i128::from(happened.at_ns).saturating_sub(at.as_nanosecond()).abs();
    let ends = events.iter().enumerate().filter(|(_, happened)| matches!(happened.what, What::Die { .. }));
    let near = ends.filter(|(_, happened)| apart(happened) <= i128::from(SAID_WITHIN_MS).saturating_mul(1_000_000));
    near.min_by_key(|(_, happened)| apart(happened)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_any_number_of_events_the_latest_are_read() {
        let lines = |from: usize, to: usize| (from..to).map(|number| format!("{number}\n")).collect::<String>();
        let read = |text: &str| String::from_utf8(latest(text.as_bytes()).to_vec()).unwrap();
        assert_eq!((read(""), read("7\n8\n"), read("7\n8")), (String::new(), "7\n8\n".to_owned(), "7\n8".to_owned()));
        assert_eq!(read(&lines(0, 5_000)), lines(5_000 - MAX_LINES, 5_000));
        assert_eq!(read(lines(0, 5_000).trim_end()), lines(5_000 - MAX_LINES, 5_000).trim_end());
        assert_eq!(read(&lines(0, MAX_LINES)), lines(0, MAX_LINES));
    }

    #[test]
    fn of_ends_that_follow_fast_the_nearest_is_meant() {
        let at = |second: i64| Timestamp::from_second(1_764_126_727 + second).unwrap();
        let events = [0, 2, 3].map(|second| Happened {
            at_ns: i64::try_from(at(second).as_nanosecond()).unwrap(),
            what: What::Die { exit_code: Some(137) },
        });
        assert_eq!(
            [0, 1, 2, 4, 7].map(|second| nearest_end(&events, at(second))),
            [Some(0), Some(0), Some(1), Some(2), None]
        );
    }

    #[test]
    fn ends_are_told_by_events_alone() {
        let die = || What::Die { exit_code: Some(137) };
        let told = |all: &[What]| -> Vec<_> {
            let at = |(at_ns, what): (i64, &What)| Happened { at_ns, what: what.clone() };
            let events: Vec<Happened> = (1..).zip(all).map(at).collect();
            ends(&events).iter().map(|end| (end.at_ns, end.started_ns, end.oom_killed)).collect()
        };
        for (events, expected) in [
            (&[What::Start, What::Oom, die(), What::Destroy][..], vec![(3, Some(1), Some(true))]),
            (
                &[What::Start, What::Oom, die(), What::Start, die()],
                vec![(3, Some(1), Some(true)), (5, Some(4), Some(false))],
            ),
            // Its beginning is forgotten.
            (&[die(), What::Destroy], vec![(1, None, None)]),
            (&[What::Oom, die(), die()], vec![(2, None, Some(true)), (3, None, None)]),
            // Docker heard of it by another way than of the end.
            (
                &[What::Start, die(), What::Oom, What::Start, die()],
                vec![(2, Some(1), Some(true)), (5, Some(4), Some(false))],
            ),
            (&[What::Start], vec![]),
            (&[], vec![]),
        ] {
            assert_eq!(told(events), expected, "{events:?}");
        }
    }

    #[test]
    fn an_end_is_read_and_never_is_none() {
        let body = br#"{"Id":"a","RestartCount":2,"State":{"Running":false,"OOMKilled":true,"ExitCode":137,"Error":"",
            "StartedAt":"2026-01-01T00:00:00Z","FinishedAt":"0001-01-01T00:00:00Z"}}"#;
        let life = parse(body).unwrap();
        assert_eq!((life.oom_killed, life.exit_code, life.restart_count), (true, 137, 2));
        assert_eq!((life.started_at.as_deref(), life.finished_at), (Some("2026-01-01T00:00:00Z"), None));
        assert!(parse(b"7").is_err());
    }

    #[test]
    fn only_its_own_events_are_read() {
        let line = |id: &str, action: &str, attributes: &str| {
            format!(
                r#"{{"Type":"container","Action":{action:?},"Actor":{{"ID":{id:?},"Attributes":{attributes}}},"timeNano":7}}"#
            )
        };
        let of_a = |text: String| {
            past(text.as_bytes()).0.remove("a").map(|events| events.into_iter().map(|event| event.what).collect())
        };
        let shown = |text: String| of_a([text, line("a", "attach", "{}")].join("\n"));
        assert_eq!(shown(line("a", "kill", r#"{"signal":"9"}"#)), Some(vec![What::Kill("9".to_owned())]));
        assert_eq!(shown(line("a", "die", r#"{"exitCode":"137"}"#)), Some(vec![What::Die { exit_code: Some(137) }]));
        // Each may be a label's, where no other line shows that there is none.
        let (kill, die) = (line("a", "kill", r#"{"signal":"9"}"#), line("a", "die", r#"{"exitCode":"137"}"#));
        assert_eq!(of_a(kill.clone()), Some(vec![What::Kill(String::new())]));
        assert_eq!(of_a(die.clone()), Some(vec![What::Die { exit_code: None }]));
        let both = vec![What::Kill("9".to_owned()), What::Die { exit_code: Some(137) }];
        assert_eq!(of_a([kill, die].join("\n")), Some(both));
        assert_eq!(of_a(line("a", "oom", "{}")), Some(vec![What::Oom]));
        assert_eq!(of_a(line("b", "oom", "{}")), None);
        assert_eq!(of_a(line("a", "exec_create: x", "{}")), None);
        // Of one that has a label in Docker's place, what that says in the others is not believed either.
        let die = |id: &str| line(id, "die", r#"{"exitCode":"0"}"#);
        let all = [line("b", "start", "{}"), die("b"), line("a", "start", r#"{"exitCode":"0"}"#), die("a")];
        let (found, since) = past(all.join("\n").as_bytes());
        let code = |id: &str| found.get(id).and_then(|events| events.last()).map(|event| event.what.clone());
        assert_eq!(code("a"), Some(What::Die { exit_code: None }));
        assert_eq!((code("b"), since), (Some(What::Die { exit_code: Some(0) }), Some(7)));
    }

    /// The label speaks in one line's place where it stands alone; another line shows that it is there.
    #[test]
    fn what_a_label_says_is_left_out_of_all_events() {
        let lines = [
            r#"{"Type":"container","Action":"kill","Actor":{"ID":"a","Attributes":{"signal":"9"}},"timeNano":1}"#,
            r#"{"Type":"container","Action":"die","Actor":{"ID":"a","Attributes":{"exitCode":"0","signal":"9"}},"timeNano":2}"#,
        ];
        let what = |lines: &[&str]| {
            let (mut found, _) = past(lines.join("\n").as_bytes());
            found.remove("a").into_iter().flatten().map(|happened| happened.what).collect::<Vec<_>>()
        };
        assert_eq!(what(&lines), [What::Kill(String::new()), What::Die { exit_code: None }]);
        assert_eq!(what(&lines[..1]), [What::Kill(String::new())]);
    }
}
