//! CSV as RFC 4180 has it, with line feeds as every reader takes them: a header, and a line for each incident.

use std::io::{self, Write};

use cell::list;

use crate::container::list::Listed;
use crate::model::{Incident, Lost, Process, Record};
use crate::sink::Sink;

mod cell;

pub use cell::line;

/// Columns of the stream. New ones come behind them.
pub const COLUMNS: [&str; 38] = [
    "type",
    "id",
    "time",
    "node",
    "cause",
    "confidence",
    "why",
    "signal",
    "container",
    "container_id",
    "runtime",
    "image",
    "namespace",
    "pod",
    "unit",
    "cgroup",
    "victim",
    "victim_pid",
    "victim_uid",
    "victim_started",
    "container_init",
    "exit_status",
    "further_victims",
    "sender",
    "sender_pid",
    "sender_uid",
    "requester",
    "requester_pid",
    "limit_owner",
    "limit_level",
    "limit_bytes",
    "usage_bytes",
    "victim_anon_bytes",
    "host_available_bytes",
    "routine",
    "missing",
    "advice",
    "command",
];

/// Columns of `oomtrace ps`. New ones come behind them.
pub const CONTAINER_COLUMNS: [&str; 13] = [
    "name",
    "runtime",
    "id",
    "usage_bytes",
    "limit_bytes",
    "peak_bytes",
    "oom_kills",
    "image",
    "namespace",
    "pod",
    "cgroup",
    "restart_policy",
    "missing",
];

/// Writes records to `W`.
pub struct Csv<W: Write> {
    out: W,
    has_header: bool,
}

impl<W: Write> Csv<W> {
    pub fn new(out: W) -> Self {
        Self { out, has_header: false }
    }
}

impl<W: Write> Sink for Csv<W> {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        let mut lines = Vec::new();
        if !self.has_header {
            lines.extend(line(&COLUMNS.map(str::to_owned))?);
        }
        if let Some(row) = row(record) {
            lines.extend(line(&row)?);
        }
        // One write a line: a reader never sees half of one.
        self.out.write_all(&lines)?;
        self.has_header = true;
        self.out.flush()
    }
}

/// A value of the contract as its JSON has it.
fn name(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn known(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The cells of a record; none for one that has no line.
fn row(record: &Record) -> Option<[String; COLUMNS.len()]> {
    let empty = || [const { String::new() }; COLUMNS.len()];
    match record {
        Record::Incident(incident) => Some(cells("incident", incident)),
        Record::Signal(incident) => Some(cells("signal", incident)),
        Record::Contradiction(said) => {
            let mut row = empty();
            set(
                &mut row,
                [("type", "contradiction"), ("id", &said.incident), ("time", &said.time), ("why", &said.fact)],
            );
            Some(row)
        }
        Record::Correction(correction) => {
            let verdict = &correction.verdict;
            let (cause, confidence) = (name(verdict.cause), name(verdict.confidence));
            let mut row = empty();
            set(&mut row, [("type", "correction"), ("id", &correction.incident), ("time", &correction.time)]);
            set(&mut row, [("cause", &cause), ("confidence", &confidence), ("why", &verdict.why)]);
            Some(row)
        }
        Record::Warning(warning) => {
            let name = warning.container.as_ref().and_then(|container| container.name.as_deref()).unwrap_or_default();
            let (kind, confidence) = (self::name(warning.kind), self::name(warning.confidence));
            let mut row = empty();
            set(&mut row, [("type", "warning"), ("time", &warning.time), ("why", &warning.why), ("cause", &kind)]);
            set(&mut row, [("confidence", &confidence), ("container", name)]);
            set(&mut row, [("unit", warning.unit.as_deref().unwrap_or_default())]);
            let of_container = warning.container.as_ref().and_then(|container| container.pod.as_ref());
            if let Some(pod) = warning.pod.as_ref().or(of_container) {
                let known = |text: &Option<String>| text.clone().unwrap_or_default();
                set(&mut row, [("namespace", &known(&pod.namespace)), ("pod", &known(&pod.name))]);
            }
            Some(row)
        }
        Record::Lost(lost) => {
            let mut row = empty();
            set(&mut row, [("type", "lost"), ("why", &lost_words(lost)?)]);
            Some(row)
        }
        Record::Exit(exited) => {
            let mut row = empty();
            let container =
                exited.container.as_ref().and_then(|container| container.name.as_deref()).unwrap_or_default();
            set(&mut row, [("type", "exit"), ("id", &exited.id), ("time", &exited.time), ("why", &exited.why)]);
            set(&mut row, [("container", container), ("unit", exited.unit.as_deref().unwrap_or_default())]);
            Some(row)
        }
        // One has no cells that are the same for all of them.
        Record::Event(_) | Record::Ready(_) | Record::Repeat(_) => None,
    }
}

/// None where no incident is missing.
fn lost_words(lost: &Lost) -> Option<String> {
    match &lost.unwritten {
        Some(unwritten) => Some(format!(
            "{} kills and {} others not written to {}",
            unwritten.kills, unwritten.others, unwritten.output
        )),
        None => lost.words().filter(|_| lost.kills > 0),
    }
}

fn set<const N: usize>(row: &mut [String; COLUMNS.len()], cells: [(&str, &str); N]) {
    for (column, text) in cells {
        let cell = COLUMNS.iter().position(|name| *name == column).and_then(|at| row.get_mut(at));
        cell.into_iter().for_each(|cell| text.clone_into(cell));
    }
}

/// In the order of [`COLUMNS`].
fn cells(kind: &str, incident: &Incident) -> [String; COLUMNS.len()] {
    let Incident { verdict, victim, container, sender, requester, oom, memory, .. } = incident;
    let process = &victim.process;
    let pod = container.as_ref().and_then(|container| container.pod.as_ref());
    let limit = oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
    let advice = verdict.as_ref().and_then(|verdict| verdict.advice.first());
    let command = verdict.iter().flat_map(|verdict| &verdict.advice).find_map(|advice| advice.command.clone());
    let sent_by = sender.process.as_ref();
    let asked_by = requester.as_ref().map(|requester| &requester.process);
    let comm = |process: Option<&Process>| known(process.map(|process| &process.comm));
    let pid = |process: Option<&Process>| known(process.map(|process| process.pid));
    [
        kind.to_owned(),
        incident.id.clone(),
        incident.time.clone(),
        known(incident.node.as_ref()),
        verdict.as_ref().map(|verdict| name(verdict.cause)).unwrap_or_default(),
        verdict.as_ref().map(|verdict| name(verdict.confidence)).unwrap_or_default(),
        known(verdict.as_ref().map(|verdict| &verdict.why)),
        incident.signal.name.clone(),
        known(container.as_ref().and_then(|container| container.name.as_ref())),
        known(container.as_ref().map(|container| &container.id)),
        known(container.as_ref().and_then(|container| Some(container.runtime?.name()))),
        known(container.as_ref().and_then(|container| container.image.as_ref())),
        known(pod.and_then(|pod| pod.namespace.as_ref())),
        known(pod.and_then(|pod| pod.name.as_ref())),
        known(incident.unit.as_ref()),
        known(process.cgroup.as_ref()),
        process.comm.clone(),
        process.pid.to_string(),
        known(process.uid),
        known(process.started.as_ref()),
        victim.container_init.to_string(),
        known(victim.exit.as_ref().map(|exit| exit.status)),
        incident.collateral.len().to_string(),
        sent_by.map_or_else(|| "kernel".to_owned(), |process| process.comm.clone()),
        pid(sent_by),
        known(sent_by.and_then(|process| process.uid)),
        comm(asked_by),
        pid(asked_by),
        known(limit.map(|limit| &limit.path)),
        limit.map(|limit| name(limit.level)).unwrap_or_default(),
        known(limit.and_then(|limit| limit.limit_bytes)),
        known(limit.and_then(|limit| limit.usage_bytes)),
        known(oom.as_ref().and_then(|oom| Some(oom.victim_memory.as_ref()?.anon_bytes))),
        known(memory.as_ref().and_then(|memory| memory.host?.available_bytes)),
        incident.routine.map(name).unwrap_or_default(),
        list(&incident.missing),
        known(advice.map(|advice| &advice.action)),
        known(command),
    ]
}

/// The cells of a container, in the order of [`CONTAINER_COLUMNS`].
#[must_use]
pub fn container(listed: &Listed) -> [String; CONTAINER_COLUMNS.len()] {
    let Listed { container, memory, missing, .. } = listed;
    let pod = container.pod.as_ref();
    [
        known(container.name.as_ref()),
        known(container.runtime.map(|runtime| runtime.name())),
        container.id.clone(),
        known(memory.and_then(|memory| memory.usage_bytes)),
        known(memory.and_then(|memory| memory.limit_bytes)),
        known(memory.and_then(|memory| memory.peak_bytes)),
        known(memory.and_then(|memory| memory.oom_kills)),
        known(container.image.as_ref()),
        known(pod.and_then(|pod| pod.namespace.as_ref())),
        known(pod.and_then(|pod| pod.name.as_ref())),
        container.cgroup.clone(),
        known(container.restart_policy.as_ref()),
        list(missing),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{case, in_container, kill, oom};
    use crate::model::{LimitLevel, OomScope};
    use crate::text::escape::is_unsafe;
    use crate::words::conclude;

    fn written(records: &[Record]) -> String {
        let mut out = Vec::new();
        let mut csv = Csv::new(&mut out);
        records.iter().for_each(|record| csv.put(record).unwrap());
        String::from_utf8(out).unwrap()
    }

    fn cell<'a>(row: &'a csv::StringRecord, column: &str) -> &'a str {
        row.get(COLUMNS.iter().position(|name| *name == column).unwrap()).unwrap()
    }

    #[test]
    fn a_header_once_and_a_line_an_incident() {
        let limit = in_container(oom(&[("", 512, Some(512))], Some((0, LimitLevel::Container)), OomScope::Memcg));
        let mut records: Vec<Record> = [limit, kill("/usr/bin/bash")].map(|one| conclude(case(one))).into();
        records.push(Record::Lost(Lost { events: 3, kills: 2, ..Lost::default() }));
        records.push(Record::Lost(Lost { events: 3, ..Lost::default() }));
        let text = written(&records);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap(), &csv::StringRecord::from(COLUMNS.to_vec()));
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let columns = ["type", "cause", "container_id", "limit_bytes", "victim_pid", "sender", "exit_status"];
        let shown: Vec<Vec<&str>> =
            rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()).collect();
        let id = records.first().map(|record| match record {
            Record::Incident(incident) => incident.container.as_ref().unwrap().id.as_str(),
            _ => "",
        });
        let limit = (512_u64 << 20).to_string();
        assert_eq!(
            shown,
            [
                vec!["incident", "oom_container_limit", id.unwrap(), &limit, "20", "kernel", ""],
                vec!["incident", "process_kill", "", "", "20", "bash", ""],
                vec!["lost", "", "", "", "", "", ""],
            ]
        );
        assert!(cell(&rows[2], "why").contains('2'), "{rows:?}");
    }

    #[test]
    fn no_cell_is_a_formula_or_moves_a_cursor() {
        for (comm, expected) in
            [("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"), ("a\"b,c\nd\x1b[2J", "a\"b,c\\nd\\x1b[2J")]
        {
            let mut incident = kill("/usr/bin/bash");
            incident.victim.process.comm = comm.to_owned();
            let text = written(&[conclude(case(incident))]);
            let row = csv::Reader::from_reader(text.as_bytes()).records().next().unwrap().unwrap();
            assert_eq!(cell(&row, "victim"), expected);
            assert!(text.lines().count() == 2 && !text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text:?}");
        }
    }

    #[test]
    fn what_could_not_be_seen_is_one_cell_of_several_values() {
        let mut incident = kill("/usr/bin/bash");
        incident.missing = vec!["a, b; c".to_owned(), "=d".to_owned()];
        let expected = incident.missing.clone();
        let text = written(&[Record::Signal(incident)]);
        let row = csv::Reader::from_reader(text.as_bytes()).records().next().unwrap().unwrap();
        assert_eq!(serde_json::from_str::<Vec<String>>(cell(&row, "missing")).unwrap(), expected);
        let text = written(&[Record::Signal(kill("/usr/bin/bash"))]);
        let row = csv::Reader::from_reader(text.as_bytes()).records().next().unwrap().unwrap();
        assert_eq!(cell(&row, "missing"), "");
    }
}
