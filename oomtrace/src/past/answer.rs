//! The answer, from all that was found. Pure.
//!
//! Traces of one end come from several sides, a second or two apart: the kernel's report, the runtime's word, the kubelet's. They are put
//! together first; the latest end is the answer, and what came before is said to have come before.

use jiff::Timestamp;

use crate::container::runtime::docker::life::Happened;
use crate::model::{
    Answer, Cause, Confidence, Container, EarlierKill, Evidence, Exited, Incident, LookedAt, Reconstructed, SCHEMA,
    SaidEnd, Source, TargetKind, Verdict, Why, WhyTarget,
};
use crate::node::identity::Identity;
use crate::past::ends::{self, Around};
use crate::past::journal::{Entry, Said};
use crate::past::logins::{self, Span};
use crate::past::placed::Placed;
use crate::past::same::{self, Clocks, ONE_END_MS, ms};
use crate::resolve::limits_before::LimitPasts;
use crate::text::quote::quote;
use crate::text::{age_ms, bytes, name_or_id};

/// A manager's clock may be a little behind the kernel's.
const BEFORE_MS: i64 = 2_500;
/// Kills of before that are named, and counted.
pub const EARLIER: usize = 100;

/// What it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    pub kind: TargetKind,
    pub name: String,
    pub container: Option<Container>,
    pub unit: Option<String>,
    pub pid: Option<u32>,
    pub is_running: Option<bool>,
    pub running_since: Option<Timestamp>,
}

/// An end, and whose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended {
    pub end: SaidEnd,
    pub container: Option<Container>,
}

/// Everything that was found of it, and where it was looked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traces {
    /// Reports of the kernel's log, the oldest first.
    pub kills: Vec<Placed>,
    pub ends: Vec<Ended>,
    /// Docker's events of the container, the oldest first.
    pub events: Vec<Happened>,
    pub events_since: Option<Timestamp>,
    /// Since when the kernel's log is whole; none where it was not read, or something of it is lost.
    pub kernel_since: Option<Timestamp>,
    /// How long the kernel's log's clock has stood still since boot, in milliseconds.
    pub slept_ms: i64,
    /// What systemd says of the unit in the journal, the oldest first.
    pub entries: Vec<Entry>,
    /// OOM kills in its cgroup since that was made.
    pub oom_count: Option<u64>,
    pub sessions: Vec<Span>,
    /// Incidents that were watched, the latest first.
    pub watched: Vec<Incident>,
    /// Ends with 137 that no SIGKILL made, and that were watched, the latest first.
    pub exits: Vec<Exited>,
    pub looked_at: Vec<LookedAt>,
}

/// One end, from all sides.
#[derive(Clone, Debug)]
struct Moment {
    at: Option<Timestamp>,
    found: Reconstructed,
    answer: Answer,
    why: String,
}

impl Moment {
    const fn is_kill(&self) -> bool {
        matches!(self.answer, Answer::Killed | Answer::Unexplained)
    }
}

/// See the module's documentation.
#[must_use]
pub fn answer(
    asked: Option<&str>,
    subject: Option<&Subject>,
    mut traces: Traces,
    identity: &Identity,
    now: Timestamp,
) -> Why {
    drop_later(subject, &mut traces);
    let mut moments = moments(subject, &traces, identity);
    let clocks = Clocks { now, boot_id: identity.boot_id.as_deref(), slept_ms: traces.slept_ms };
    moments.retain(|Moment { at, found, .. }| {
        !traces.watched.iter().any(|incident| same::is_same(found, *at, incident, &clocks))
            && !traces.exits.iter().any(|exited| same::is_its_end(found, *at, exited))
    });
    traces.watched.retain(|incident| !traces.exits.iter().any(|exited| same::is_swept_after(incident, exited)));
    let mut latest = moments.pop();
    let exit = exited_last(latest.as_ref(), &traces);
    if exit.is_some() {
        moments.extend(latest.take());
    }
    let followed = exit.as_ref().and_then(|exited| exited.after.as_ref()?.incident.clone());
    let watched = traces.watched.first().filter(|_| exit.is_none());
    let is_watched = match (&latest, watched) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(latest), Some(watched)) => {
            latest.at.is_none_or(|at| time_of(&watched.time).is_some_and(|seen| seen >= at))
        }
    };
    let (answer, summary, incident, reconstructed);
    let mut earlier: Vec<EarlierKill> =
        moments.iter().rev().filter(|moment| moment.is_kill()).map(earlier_moment).collect();
    let mut rest: Vec<&Incident> = traces.watched.iter().collect();
    if let Some(exited) = &exit {
        let its = rest.iter().position(|incident| Some(&incident.id) == followed.as_ref());
        incident = its.map(|its| rest.remove(its).clone());
        reconstructed = None;
        answer = Answer::Ended;
        let who = subject.map_or_else(|| "it".to_owned(), name);
        summary = Some(format!("{who} {}", exited.why));
    } else if is_watched {
        incident = (!rest.is_empty()).then(|| rest.remove(0).clone());
        reconstructed = None;
        earlier.extend(latest.as_ref().filter(|moment| moment.is_kill()).map(earlier_moment));
        answer = Answer::Watched;
        summary =
            incident.as_ref().and_then(|incident| incident.verdict.as_ref()).map(|verdict| verdict.summary.clone());
    } else {
        incident = None;
        answer = latest.as_ref().map_or_else(|| nothing(subject), |moment| moment.answer);
        summary = latest.as_ref().map(|moment| moment.why.clone());
        reconstructed = latest.map(|moment| moment.found);
    }
    earlier.extend(rest.into_iter().map(earlier_incident));
    earlier.sort_by_key(|kill| std::cmp::Reverse(kill.time.as_ref().and_then(|time| time_of(time))));
    earlier.truncate(EARLIER);
    let ended = exit.as_ref().map(|exited| exited.container.as_ref());
    let ended = ended.or_else(|| incident.as_ref().map(|incident| incident.container.as_ref()));
    let ended = ended.or_else(|| reconstructed.as_ref().map(|found| found.container.as_ref())).flatten();
    let is_of_another = is_another(subject, ended);
    Why {
        schema: SCHEMA,
        time: format!("{now:.9}"),
        node: identity.node.clone(),
        boot_id: identity.boot_id.clone(),
        asked: asked.map(str::to_owned),
        target: subject.map(|subject| WhyTarget {
            kind: subject.kind,
            name: subject.name.clone(),
            container: subject.container.clone(),
            is_running: subject.is_running,
            running_since: subject.running_since.map(|at| format!("{at:.9}")),
        }),
        answer,
        summary: summary.unwrap_or_else(|| nothing_said(subject, &traces, answer)),
        incident,
        exit,
        is_of_another,
        reconstructed,
        earlier,
        looked_at: traces.looked_at,
    }
}

/// A container that has ended had no kill after that: a cgroup that was called after it may have had.
fn drop_later(subject: Option<&Subject>, traces: &mut Traces) {
    let Some(Subject { is_running: Some(false), container: Some(container), .. }) = subject else { return };
    let its = |ended: &&Ended| ended.container.as_ref().is_some_and(|ended| ended.id == container.id);
    let ends = traces.ends.iter().filter(its).filter_map(|ended| time_of(ended.end.time.as_deref()?));
    let Some(last) = ends.max() else { return };
    let is_its = |placed: &Placed| placed.container.as_ref().is_some_and(|found| found.id == container.id);
    traces.kills.retain(|placed| !is_its(placed) || placed.report.at.is_none_or(|at| ms(last, at) <= ONE_END_MS));
}

fn time_of(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// The watched end with 137 that was no kill, where nothing came after it.
fn exited_last(latest: Option<&Moment>, traces: &Traces) -> Option<Exited> {
    let exited = traces.exits.first()?;
    let at = time_of(&exited.time)?;
    let is_after = |other: Option<Timestamp>| other.is_none_or(|other| other <= at);
    let watched = traces.watched.first().and_then(|incident| time_of(&incident.time));
    (is_after(latest.and_then(|moment| moment.at)) && is_after(watched)).then(|| exited.clone())
}

/// What ended is another container than the one that was asked about and is there, or was last.
fn is_another(subject: Option<&Subject>, ended: Option<&Container>) -> Option<bool> {
    let own = subject.and_then(|subject| subject.container.as_ref()).filter(|own| !own.id.is_empty())?;
    let ended = ended.filter(|ended| !ended.id.is_empty())?;
    Some(!ended.chain().any(|container| container.id == own.id))
}

/// All ends, the oldest first; what has no time first of all.
fn moments(subject: Option<&Subject>, traces: &Traces, identity: &Identity) -> Vec<Moment> {
    let mut pasts = LimitPasts::default();
    let mut all: Vec<Moment> = Vec::new();
    for placed in &traces.kills {
        let Some(unjudged) = placed.incident(identity, crate::resolve::limits_before::LimitsBefore::default()) else {
            continue;
        };
        let before = pasts.take(&unjudged);
        all.extend(placed.incident(identity, before).map(|incident| of_report(placed, incident)));
    }
    let of_journal = subject.and_then(|subject| subject.unit.as_deref()).map(|unit| unit_ends(unit, &traces.entries));
    for ended in traces.ends.iter().chain(of_journal.iter().flatten()) {
        add(&mut all, subject, ended, traces);
    }
    for Entry { at, said } in &traces.entries {
        match said {
            Said::UnitOutOfMemory { unit } => of_unit(&mut all, subject, *at, unit, None),
            Said::UnitOomdKill { unit, processes } => of_unit(&mut all, subject, *at, unit, Some(*processes)),
            _ => {}
        }
    }
    all.sort_by_key(|moment| moment.at);
    all
}

fn of_report(placed: &Placed, incident: Incident) -> Moment {
    let why = incident.verdict.as_ref().map(|verdict| verdict.summary.clone()).unwrap_or_default();
    let mut missing = vec!["how its memory grew before", "its command line and parents"];
    missing.extend(incident.container.as_ref().map(|_| "whether it was the container's first process"));
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

/// Both are of one container: by its whole id, where both have one.
fn is_one(found: &Reconstructed, ended: &Ended) -> bool {
    match (&found.container, &ended.container) {
        (Some(one), Some(other)) => one.chain().any(|container| container.id == other.id),
        (None, Some(_)) => false,
        (_, None) => true,
    }
}

/// Adds an end to what is known of it from other sides, or as one that nothing else is known of.
fn add(all: &mut Vec<Moment>, subject: Option<&Subject>, ended: &Ended, traces: &Traces) {
    let at = ended.end.time.as_deref().and_then(time_of);
    let is_its = |moment: &&mut Moment| {
        let within = moment.at.zip(at).is_some_and(|(from, to)| (-BEFORE_MS..=ONE_END_MS).contains(&ms(from, to)));
        within && is_one(&moment.found, ended)
    };
    let container = ended.container.as_ref();
    let unit = subject.and_then(|subject| subject.unit.as_deref()).filter(|_| container.is_none());
    let sessions = at.map(|at| logins::at(&traces.sessions, at)).unwrap_or_default();
    let around = Around {
        container,
        unit,
        events: &traces.events,
        events_since: traces.events_since,
        kernel_since: traces.kernel_since,
        sessions,
    };
    // Docker ended it, whatever was killed in it right before.
    let is_dockers = ends::is_by_docker(&ended.end, &around);
    if let Some(known) = all.iter_mut().filter(is_its).max_by_key(|moment| moment.at).filter(|_| !is_dockers) {
        return complete(known, &ended.end);
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

/// What a manager says of an end that is known already.
fn complete(moment: &mut Moment, end: &SaidEnd) {
    let fact = Evidence { fact: ends::said(end), source: ends::source_of(end) };
    if let Some(verdict) = &mut moment.found.verdict {
        verdict.evidence.push(fact);
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

fn name(subject: &Subject) -> String {
    let kind = match subject.kind {
        TargetKind::Container => "container ",
        TargetKind::Pod => "pod ",
        TargetKind::Process => "process ",
        TargetKind::Unit | TargetKind::Incident => "",
    };
    format!("{kind}{}", quote(&subject.name))
}

/// The ends of a unit's main process, as systemd wrote them into the journal.
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
    all.into_iter().map(|(_, end)| Ended { end, container: None }).collect()
}

/// What systemd says of OOM kills in a unit: the kernel's, or systemd-oomd's.
fn of_unit(all: &mut Vec<Moment>, subject: Option<&Subject>, at: Timestamp, unit: &str, oomd: Option<Option<u32>>) {
    if subject.and_then(|subject| subject.unit.as_deref()).is_some_and(|wanted| wanted != unit) {
        return;
    }
    let fact = match oomd {
        None => "a process of the unit was killed by the OOM killer, by a counter of its cgroup".to_owned(),
        Some(Some(count)) => format!("systemd-oomd killed {count} processes of the unit"),
        Some(None) => "systemd-oomd killed processes of the unit".to_owned(),
    };
    let evidence = Evidence { fact, source: Source::Systemd };
    let quoted = quote(unit);
    let (cause, confidence, why) = match oomd {
        Some(_) => (
            Cause::UserspaceOomKiller,
            Confidence::Likely,
            format!("systemd-oomd killed {quoted}, before the kernel had to"),
        ),
        None => (
            Cause::OomUnitLimit,
            Confidence::Possible,
            format!(
                "the OOM killer killed a process of {quoted}, at its memory limit, at one above it, or because the machine ran out"
            ),
        ),
    };
    // A kill of the kernel's is none of systemd-oomd's.
    let is_its = |moment: &&mut Moment| {
        let is_near = moment.at.is_some_and(|known| ms(known, at).abs() <= ONE_END_MS);
        is_near && moment.found.unit.as_deref() == Some(unit) && (oomd.is_none() || moment.found.oom.is_none())
    };
    let known = all.iter_mut().filter(is_its).max_by_key(|moment| moment.at);
    let verdict = |evidence| Verdict {
        cause,
        confidence,
        summary: format!("{why}."),
        why: why.clone(),
        evidence,
        advice: Vec::new(),
    };
    let missing = ["which of its processes were killed", "what its memory and its pressure were"].map(str::to_owned);
    match known {
        Some(moment) => {
            match &mut moment.found.verdict {
                // The kernel's own report says more.
                Some(verdict) if oomd.is_none() => return verdict.evidence.push(evidence),
                known => {
                    let before = known.take().map(|verdict| verdict.evidence).unwrap_or_default();
                    *known = Some(verdict(std::iter::once(evidence).chain(before).collect()));
                }
            }
            moment.found.missing = missing.into();
            (moment.answer, moment.why) = (Answer::Killed, format!("{why}."));
        }
        None => {
            let found = Reconstructed {
                time: Some(format!("{at:.9}")),
                unit: Some(unit.to_owned()),
                verdict: Some(verdict(vec![evidence])),
                missing: missing.into(),
                ..Reconstructed::default()
            };
            all.push(Moment { at: Some(at), found, answer: Answer::Killed, why: format!("{why}.") });
        }
    }
}

fn nothing(subject: Option<&Subject>) -> Answer {
    match subject.and_then(|subject| subject.is_running) {
        Some(true) => Answer::Alive,
        _ => Answer::Nothing,
    }
}

fn nothing_said(subject: Option<&Subject>, traces: &Traces, answer: Answer) -> String {
    let Some(subject) = subject else {
        return "nothing that is left says of any kill on this node".to_owned();
    };
    let name = name(subject);
    let counted = match traces.oom_count {
        Some(0) => "; its cgroup counts no OOM kill since it was made".to_owned(),
        Some(1) => {
            "; its cgroup counts one OOM kill since it was made, and nothing that is left says when or of which process"
                .to_owned()
        }
        Some(count) => format!(
            "; its cgroup counts {count} OOM kills since it was made, and nothing that is left says when or of which processes"
        ),
        None => String::new(),
    };
    if answer == Answer::Alive {
        format!("{name} lives, and nothing that is left says that anything of it was killed{counted}")
    } else {
        format!("nothing that is left says what became of {name}{counted}")
    }
}

fn earlier_moment(moment: &Moment) -> EarlierKill {
    let found = &moment.found;
    let verdict = found.verdict.as_ref();
    EarlierKill {
        time: found.time.clone(),
        place: found.as_incident().map_or_else(|| place_of(found), |incident| place(&incident)),
        incident: None,
        cause: verdict.map(|verdict| verdict.cause),
        confidence: verdict.map(|verdict| verdict.confidence),
        limit_bytes: found.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref()?.limit_bytes),
        after_start_ms: found.end.as_ref().and_then(|end| {
            let started = end.started.as_deref().and_then(time_of)?;
            u64::try_from(ms(started, moment.at?)).ok()
        }),
        why: verdict.map_or_else(|| moment.why.clone(), |verdict| verdict.why.clone()),
    }
}

/// `web`, `web.service`, `tail[9881]`
fn place(incident: &Incident) -> String {
    let process = || crate::text::process(&incident.victim.process);
    crate::text::container_name(incident)
        .or_else(|| incident.unit.as_deref().map(|unit| quote(unit).into_owned()))
        .unwrap_or_else(process)
}

/// The same, where no process is known.
fn place_of(found: &Reconstructed) -> String {
    let container = found.container.as_ref().map(|container| name_or_id(container).into_owned());
    container.or_else(|| found.unit.as_deref().map(|unit| quote(unit).into_owned())).unwrap_or_default()
}

fn earlier_incident(incident: &Incident) -> EarlierKill {
    let verdict = incident.verdict.as_ref();
    EarlierKill {
        time: Some(incident.time.clone()),
        place: place(incident),
        incident: Some(incident.id.clone()),
        cause: verdict.map(|verdict| verdict.cause),
        confidence: verdict.map(|verdict| verdict.confidence),
        limit_bytes: incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref()?.limit_bytes),
        after_start_ms: age_ms(incident),
        why: verdict.map(|verdict| verdict.why.clone()).unwrap_or_default(),
    }
}

/// `web: 512 MiB`, for a list of candidates.
#[must_use]
pub fn described(container: &Container) -> String {
    let limit = container.limits.as_ref().and_then(|limits| limits.memory_bytes).map(bytes);
    let image = container.image.as_deref().map(quote);
    let parts: Vec<String> = image.into_iter().map(|image| image.into_owned()).chain(limit).collect();
    format!(
        "{}{}",
        name_or_id(container),
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    )
}

#[cfg(test)]
mod tests;
