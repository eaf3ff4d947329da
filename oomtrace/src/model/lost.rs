//! What was not recorded, by kind: a kill that is lost is never one among many other things.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Unwritten;

/// Events that were not recorded since the last such line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lost {
    /// Events for which there was no room in the ring buffer: the sum of the kinds that follow.
    pub events: u64,
    /// SIGKILLs that ended a process. Its end is reported by itself, where there was room for that.
    #[serde(default)]
    pub kills: u64,
    /// The OOM killer's marks on its victims.
    #[serde(default)]
    pub oom_marks: u64,
    /// The OOM killer's own records of its choices.
    #[serde(default)]
    pub oom_choices: u64,
    /// Ends of processes that were killed, and of containers' first processes.
    #[serde(default)]
    pub exits: u64,
    /// Victims' command lines.
    #[serde(default)]
    pub arguments: u64,
    /// Signals that may have come before a kill.
    #[serde(default)]
    pub stop_signals: u64,
    /// Signals that `--signal` asked for.
    #[serde(default)]
    pub signals: u64,
    /// Connections to runtimes.
    #[serde(default)]
    pub connections: u64,
    /// Ends of processes that had connected.
    #[serde(default)]
    pub disconnections: u64,
    /// Cgroups that came or went.
    #[serde(default)]
    pub cgroups: u64,
    /// What was left out because one process, container or user had too much of it, although there was room.
    #[serde(default)]
    pub limited: Limited,
    /// What was recorded, and could not be written; null when it is events that were not recorded.
    #[serde(default)]
    pub unwritten: Option<Unwritten>,
}

/// Events that were more than one process, container or user may have recorded in a second. No kill is ever among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limited {
    /// Signals that may have come before a kill.
    pub stop_signals: u64,
    /// Signals that `--signal` asked for.
    pub signals: u64,
    /// Connections to runtimes.
    pub connections: u64,
    /// Cgroups that came or went.
    pub cgroups: u64,
}

impl Lost {
    /// Something of a kill, or of how a victim ended.
    fn of_kills(&self) -> [(u64, &'static str); 5] {
        [
            (self.kills, "kills"),
            (self.oom_marks, "marks of the OOM killer"),
            (self.oom_choices, "records of the OOM killer"),
            (self.exits, "ends of processes"),
            (self.arguments, "command lines of victims"),
        ]
    }

    fn others(&self) -> [(u64, &'static str); 5] {
        [
            (self.stop_signals, "stop signals"),
            (self.signals, "signals"),
            (self.connections, "connections to runtimes"),
            (self.disconnections, "ends of runtimes' clients"),
            (self.cgroups, "changes of cgroups"),
        ]
    }

    /// Who asked a runtime may be among it. So may anything of a line from before kinds were counted.
    #[must_use]
    pub fn may_hide_clients(&self) -> bool {
        let by_kind: u64 = self.of_kills().iter().chain(&self.others()).map(|(count, _)| count).sum();
        self.connections > 0 || self.disconnections > 0 || self.limited.connections > 0 || self.events > by_kind
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, more: &Self) -> Self {
        Self {
            events: self.events.saturating_add(more.events),
            kills: self.kills.saturating_add(more.kills),
            oom_marks: self.oom_marks.saturating_add(more.oom_marks),
            oom_choices: self.oom_choices.saturating_add(more.oom_choices),
            exits: self.exits.saturating_add(more.exits),
            arguments: self.arguments.saturating_add(more.arguments),
            stop_signals: self.stop_signals.saturating_add(more.stop_signals),
            signals: self.signals.saturating_add(more.signals),
            connections: self.connections.saturating_add(more.connections),
            disconnections: self.disconnections.saturating_add(more.disconnections),
            cgroups: self.cgroups.saturating_add(more.cgroups),
            limited: Limited {
                stop_signals: self.limited.stop_signals.saturating_add(more.limited.stop_signals),
                signals: self.limited.signals.saturating_add(more.limited.signals),
                connections: self.limited.connections.saturating_add(more.limited.connections),
                cgroups: self.limited.cgroups.saturating_add(more.limited.cgroups),
            },
            // Its own record says it.
            unwritten: None,
        }
    }

    /// In words, kills before everything else; none when nothing was lost, and nothing left out.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.events > 0 {
            let besides = list(self.of_kills().into_iter().skip(1).chain(self.others()));
            parts.push(match (self.kills, besides.is_empty()) {
                // Those from before kinds were counted.
                (0, true) => format!("{} events did not fit into the ring buffer and were not seen", self.events),
                (0, false) => {
                    format!("{besides} did not fit into the ring buffer and were not seen; no kill is among them")
                }
                (kills, true) => format!("KILLS WERE LOST: {kills} did not fit into the ring buffer"),
                (kills, false) => {
                    format!("KILLS WERE LOST: {kills} did not fit into the ring buffer; nor did {besides}")
                }
            });
        }
        let Limited { stop_signals, signals, connections, cgroups } = self.limited;
        let limited = list([
            (stop_signals, "stop signals"),
            (signals, "signals"),
            (connections, "connections to runtimes"),
            (cgroups, "changes of cgroups"),
        ]);
        if !limited.is_empty() {
            parts.push(format!(
                "{limited} were left out, more than are recorded of one process or container in a second; no kill is among them"
            ));
        }
        (!parts.is_empty()).then(|| parts.join(". "))
    }
}

/// `3 signals, 4 connections to runtimes`; empty when all are zero.
fn list(counts: impl IntoIterator<Item = (u64, &'static str)>) -> String {
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counted = |(count, what): (u64, &str)| match count {
        1 => format!("1 {}", singular(what)),
        _ => format!("{count} {what}"),
    };
    counts.map(counted).collect::<Vec<_>>().join(", ")
}

/// `connection to runtimes`: of the first word that is a plural.
fn singular(what: &str) -> String {
    let mut words: Vec<&str> = what.split(' ').collect();
    if let Some(word) = words.iter_mut().find(|word| word.ends_with('s')) {
        *word = word.strip_suffix('s').unwrap_or(word);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_kills_come_first_and_cannot_be_missed() {
        let limited = Limited { stop_signals: 9, ..Limited::default() };
        for (lost, words) in [
            (Lost::default(), None),
            (
                Lost { events: 7, ..Lost::default() },
                Some("7 events did not fit into the ring buffer and were not seen"),
            ),
            (
                Lost { events: 3, kills: 3, ..Lost::default() },
                Some("KILLS WERE LOST: 3 did not fit into the ring buffer"),
            ),
            (
                Lost { events: 8, kills: 3, connections: 5, ..Lost::default() },
                Some("KILLS WERE LOST: 3 did not fit into the ring buffer; nor did 5 connections to runtimes"),
            ),
            (
                Lost { events: 5, exits: 5, ..Lost::default() },
                Some("5 ends of processes did not fit into the ring buffer and were not seen; no kill is among them"),
            ),
            (
                Lost { limited, ..Lost::default() },
                Some(
                    "9 stop signals were left out, more than are recorded of one process or container in a second; \
                     no kill is among them",
                ),
            ),
        ] {
            assert_eq!(lost.words().as_deref(), words, "{lost:?}");
        }
    }

    #[test]
    fn a_line_from_before_kinds_were_counted_is_read() {
        let lost: Lost = serde_json::from_str(r#"{"events":7}"#).unwrap();
        assert_eq!(lost, Lost { events: 7, ..Lost::default() });
    }

    #[test]
    fn one_of_each_is_one() {
        let lost = Lost { kills: 1, oom_marks: 1, oom_choices: 1, exits: 1, arguments: 1, ..Lost::default() };
        let others =
            Lost { stop_signals: 1, signals: 1, connections: 1, disconnections: 1, cgroups: 1, ..Lost::default() };
        assert_eq!(
            list(lost.of_kills()),
            "1 kill, 1 mark of the OOM killer, 1 record of the OOM killer, 1 end of processes, 1 command line of victims"
        );
        assert_eq!(
            list(others.others()),
            "1 stop signal, 1 signal, 1 connection to runtimes, 1 end of runtimes' clients, 1 change of cgroups"
        );
    }
}
