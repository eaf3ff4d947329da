//! Ends, each put together from all sides: a report of the kernel's log, the runtime's word, the kubelet's, systemd's.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::unit_kills::{Killer, systemd_saw};
use super::{Ended, Subject, Traces, name, time_of};
use crate::container::runtime::docker::life::SAID_WITHIN_MS;
use crate::model::{Answer, Container, Evidence, Incident, Reconstructed, SaidEnd};
use crate::node::identity::Identity;
use crate::past::ends::{self, Around};
use crate::past::journal::{Entry, Said};
use crate::past::logins;
use crate::past::placed::Placed;
use crate::past::same::{ONE_END_MS, ms};
use crate::placement::Placement;
use crate::resolve::limits_before::{LimitPasts, LimitsBefore};
use crate::text::duration_ms;

/// A manager's clock may be a little behind the kernel's.
const BEFORE_MS: i64 = 2_500;
/// What no report of the kernel's says of its victim.
const FIRST_PROCESS: &str = "whether it was the container's first process";

/// One end, from all sides.
#[derive(Clone, Debug)]
pub struct Moment {
    pub at: Option<Timestamp>,
    pub found: Reconstructed,
    pub answer: Answer,
    pub why: String,
}

impl Moment {
    pub const fn is_kill(&self) -> bool {
        matches!(self.answer, Answer::Killed | Answer::Unexplained)
    }

    /// A container that runs since before the kill, or has never ended, lost another process than its first.
    pub fn survived_by(&mut self, subject: Option<&Subject>, ends: &[Ended]) {
        let Some(Subject { is_running: Some(true), running_since, restarts, container: Some(own), .. }) = subject
        else {
            return;
        };
        let is_own = |container: &Option<Container>| container.as_ref().is_some_and(|found| found.id == own.id);
        let is_its = is_own(&self.found.container);
        // Its runtime was asked, and knows of no end.
        let has_never_ended = restarts.is_some() && !ends.iter().any(|ended| is_own(&ended.container));
        let since = running_since.zip(self.at);
        let is_before = has_never_ended || since.is_some_and(|(since, at)| ms(since, at) > ONE_END_MS);
        if let Some(verdict) = self.found.verdict.as_mut().filter(|_| is_its && is_before && self.found.end.is_none()) {
            verdict.why.push_str("; the container was not killed, and runs on");
            self.found.missing.retain(|missing| missing != FIRST_PROCESS);
        }
    }
}

/// All ends, the oldest first; what has no time first of all.
pub fn moments(subject: Option<&Subject>, traces: &Traces, identity: &Identity) -> Vec<Moment> {
    let mut pasts = LimitPasts::default();
    let mut all: Vec<Moment> = Vec::new();
    for placed in &traces.kills {
        let Some(unjudged) = placed.incident(identity, LimitsBefore::default()) else {
            continue;
        };
        let before = pasts.take(&unjudged);
        all.extend(placed.incident(identity, before).map(|incident| of_report(placed, incident)));
    }
    for ended in traces.ends.iter().chain(&of_journal(subject, &traces.entries)) {
        add(&mut all, subject, ended, traces);
    }
    for Entry { at, said } in &traces.entries {
        match said {
            Said::UnitOutOfMemory { unit } => systemd_saw(&mut all, subject, *at, unit, Killer::Kernel),
            Said::UnitOomdKill { unit, processes } => {
                systemd_saw(&mut all, subject, *at, unit, Killer::Oomd { processes: *processes });
            }
            _ => {}
        }
    }
    all.sort_by_key(|moment| moment.at);
    all
}

fn of_report(placed: &Placed, incident: Incident) -> Moment {
    let why = incident.verdict.as_ref().map(|verdict| verdict.summary.clone()).unwrap_or_default();
    let mut missing = vec!["how its memory grew before", "its command line and parents"];
    missing.extend(incident.container.as_ref().map(|_| FIRST_PROCESS));
    let missing = missing.into_iter().map(str::to_owned).collect();
    let found = Reconstructed {
        time: placed.report.at.map(|at| format!("{at:.9}")),
        verdict: incident.verdict,
        victim: Some(incident.victim),
        collateral: incident.collateral.into_iter().map(|other| other.process).collect(),
        container: incident.container,
        unit: incident.unit,
        trigger: incident.trigger,
        oom: incident.oom,
        memory: incident.memory,
        end: None,
        sessions: Vec::new(),
        unknown: incident.missing,
        missing,
    };
    Moment { at: placed.report.at, found, answer: Answer::Killed, why }
}

/// Both are of one container: by its whole id, where both have one. Or of one unit, where it is said whose the end is.
fn is_one(found: &Reconstructed, ended: &Ended) -> bool {
    if ended.unit.is_some() {
        return found.unit == ended.unit;
    }
    match (&found.container, &ended.container) {
        (Some(one), Some(other)) => {
            one.chain().any(|container| (&container.id, container.user) == (&other.id, other.user))
        }
        (None, Some(_)) => false,
        (_, None) => true,
    }
}

/// Adds an end to what is known of it from other sides, or as one that nothing else is known of.
fn add(all: &mut Vec<Moment>, subject: Option<&Subject>, ended: &Ended, traces: &Traces) {
    let at = ended.at();
    let is_its = |moment: &&mut Moment| {
        let within = moment.at.zip(at).is_some_and(may_be_one);
        // One that the same manager says ended at another time was another life.
        let is_other = moment.found.end.as_ref().is_some_and(|known| {
            let apart = known.time.as_deref().and_then(time_of).zip(at).map(|(one, other)| ms(one, other).abs());
            // systemd says it in the journal, and when it is asked; of the others each end is said once, and lives may be short.
            let within = if known.by == "systemd" { SAID_WITHIN_MS } else { 0 };
            known.by == ended.end.by && apart.is_some_and(|apart| apart > within)
        });
        within && is_one(&moment.found, ended) && !is_other
    };
    let container = ended.container.as_ref();
    let unit = ended.unit.as_deref().or_else(|| subject?.unit.as_deref()).filter(|_| container.is_none());
    let sessions = at.map(|at| logins::at(&traces.sessions, at)).unwrap_or_default();
    let around = Around {
        container,
        unit,
        events: &ended.events,
        events_since: traces.events_since,
        kernel_since: traces.kernel_since.filter(|_| !may_be_oom(container, at, traces)),
        sessions,
    };
    // Docker ended it, whatever was killed in it right before.
    let is_dockers = ends::is_by_docker(&ended.end, &around);
    // Kills may follow fast: the nearest made it.
    let apart = |moment: &&mut Moment| moment.at.zip(at).map(|(from, to)| ms(from, to).abs());
    if let Some(known) = all.iter_mut().filter(is_its).min_by_key(apart).filter(|_| !is_dockers) {
        return complete(known, ended, at);
    }
    let (found, answer, why) = if ends::is_as_killed(&ended.end) {
        let found = ends::judge(&ended.end, &around);
        match found.verdict.as_ref().map(|verdict| verdict.summary.clone()) {
            Some(summary) => (found, Answer::Killed, summary),
            None => (found, Answer::Unexplained, ends::unexplained(&ended.end, &around)),
        }
    } else {
        let found = Reconstructed {
            time: ended.end.time.clone(),
            container: container.cloned(),
            unit: unit.map(str::to_owned),
            end: Some(ended.end.clone()),
            ..Reconstructed::default()
        };
        (found, Answer::Ended, by_itself(&ended.end, subject))
    };
    all.push(Moment { at, found, answer, why });
}

/// A kill, and an end that a manager says there was: these times may be of one.
fn may_be_one((kill, end): (Timestamp, Timestamp)) -> bool {
    (-BEFORE_MS..=ONE_END_MS).contains(&ms(kill, end))
}

/// The kernel's log has an OOM kill then that may have been in the container: it does not say where, or only the cgroup's name says so.
fn may_be_oom(container: Option<&Container>, at: Option<Timestamp>, traces: &Traces) -> bool {
    let Some(container) = container else { return false };
    let is_then = |reported: Option<Timestamp>| reported.zip(at).is_none_or(may_be_one);
    let may_be_its = |path: &str| Placement::parse(path).containers().any(|place| place.id == container.id);
    traces.reported.iter().any(|(when, path)| is_then(*when) && path.as_deref().is_none_or(may_be_its))
}

/// What a manager says of an end that is known already, and when.
fn complete(moment: &mut Moment, ended: &Ended, at: Option<Timestamp>) {
    let end = &ended.end;
    let fact = Evidence { fact: ends::said(end), source: ends::source_of(end) };
    if let Some(verdict) = &mut moment.found.verdict {
        verdict.evidence.push(fact);
        if let Some(code) = end.exit_code.filter(|_| !ends::is_as_killed(end) && moment.found.end.is_none()) {
            let who = if ended.container.is_some() { "the container" } else { "the unit's main process" };
            let later = moment.at.zip(at).and_then(|(from, to)| u64::try_from(ms(from, to)).ok()).map(duration_ms);
            let later = later.map(|later| format!(", {later} after that")).unwrap_or_default();
            verdict.why.push_str(&format!("; {who} was not killed, and ended with exit code {code}{later}"));
            moment.found.missing.retain(|missing| missing != FIRST_PROCESS);
        }
    }
    // The first that says so stays; another may know what it does not.
    match &mut moment.found.end {
        Some(known) => {
            known.exit_code = known.exit_code.or(end.exit_code);
            known.oom_killed = known.oom_killed.or(end.oom_killed);
            known.reason = known.reason.take().or_else(|| end.reason.clone());
        }
        None => moment.found.end = Some(end.clone()),
    }
}

/// It was no kill by SIGKILL.
fn by_itself(end: &SaidEnd, subject: Option<&Subject>) -> String {
    let name = subject.map_or_else(|| "it".to_owned(), name);
    match end.exit_code {
        Some(code) => format!(
            "{name} was not killed by SIGKILL: {}",
            ends::said(&SaidEnd { exit_code: Some(code), ..end.clone() })
        ),
        None => format!("{name} ended, and {} does not say how", end.by),
    }
}

/// The ends of a unit's main process, as systemd wrote them into the journal; without a subject those of all units by SIGKILL.
fn of_journal(subject: Option<&Subject>, entries: &[Entry]) -> Vec<Ended> {
    if let Some(subject) = subject {
        return subject.unit.iter().flat_map(|unit| unit_ends(unit, entries)).collect();
    }
    let units: BTreeSet<&String> = entries.iter().filter_map(|entry| entry.said.killed_unit()).collect();
    // What exited with 137 by itself was not killed.
    let is_exit = |entry: &&Entry| matches!(entry.said, Said::UnitProcessExit { .. });
    let entries: Vec<Entry> =
        entries.iter().filter(|entry| !is_exit(entry) || entry.said.killed_unit().is_some()).cloned().collect();
    let named = |unit: &String| {
        let ends = unit_ends(unit, &entries).into_iter();
        ends.map(|ended| Ended { unit: Some(unit.clone()), ..ended }).collect::<Vec<_>>()
    };
    units.into_iter().flat_map(named).collect()
}

fn unit_ends(unit: &str, entries: &[Entry]) -> Vec<Ended> {
    let mut all: Vec<(Timestamp, SaidEnd)> = Vec::new();
    for Entry { at, said } in entries {
        match said {
            Said::UnitProcessExit { unit: of, code, status } if of == unit => {
                let number: Option<i64> = status.parse().ok();
                let exit_code = if code == "exited" { number } else { number.map(|signal| 128 + signal) };
                let time = Some(format!("{at:.9}"));
                all.push((*at, SaidEnd { by: "systemd".to_owned(), time, exit_code, ..SaidEnd::default() }));
            }
            // It comes when all of the unit's processes are gone.
            Said::UnitResult { unit: of, result } if of == unit => {
                if let Some((_, end)) = all.last_mut().filter(|(exit, _)| ms(*exit, *at) <= ONE_END_MS) {
                    end.reason = Some(result.clone());
                }
            }
            _ => {}
        }
    }
    all.into_iter().map(|(_, end)| Ended { end, ..Ended::default() }).collect()
}
