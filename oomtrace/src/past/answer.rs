//! The answer, from all that was found. Pure.
//!
//! Traces of one end come from several sides, a second or two apart: the kernel's report, the runtime's word, the kubelet's. They are put
//! together first; the latest end is the answer, and what came before is said to have come before.

mod moments;
mod unit_kills;

use std::sync::Arc;

use jiff::Timestamp;

use crate::container::runtime::docker::life::Happened;
use crate::model::{
    Answer, Container, EarlierKill, Exited, Incident, LookedAt, Reconstructed, SCHEMA, SaidEnd, TargetKind, Why,
    WhyTarget,
};
use crate::node::identity::Identity;
use crate::past::journal::Entry;
use crate::past::klog::record::DRIFT;
use crate::past::logins::Span;
use crate::past::placed::Placed;
use crate::past::same::{self, Clocks, ONE_END_MS, ms};
use crate::text::quote::quote;
use crate::text::{age_ms, bytes, name_or_id, unit_name};
use moments::{Moment, moments};

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
    pub is_restarting: Option<bool>,
    pub is_paused: Option<bool>,
    pub restarts: Option<u32>,
    /// A container that was made, and of which nothing ever ran.
    pub unstarted: Option<Unstarted>,
}

/// Why nothing of it ever ran, in its runtime's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unstarted {
    /// Empty where nobody has tried to start it.
    pub error: String,
    pub exit_code: i64,
}

impl Subject {
    /// One of which nothing else is known yet.
    #[must_use]
    pub const fn new(kind: TargetKind, name: String) -> Self {
        Self {
            kind,
            name,
            container: None,
            unit: None,
            pid: None,
            is_running: None,
            running_since: None,
            is_restarting: None,
            is_paused: None,
            restarts: None,
            unstarted: None,
        }
    }
}

/// An end, and whose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended {
    pub end: SaidEnd,
    pub container: Option<Container>,
    /// The unit whose main process it was, where another was not asked about.
    pub unit: Option<String>,
    /// What Docker says was done to the container, the oldest first; all its ends share it.
    pub events: Arc<[Happened]>,
}

impl Ended {
    /// When it was; none where that is not said.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        self.end.time.as_deref().and_then(time_of)
    }
}

/// Everything that was found of it, and where it was looked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traces {
    /// Reports of the kernel's log, the oldest first.
    pub kills: Vec<Placed>,
    pub ends: Vec<Ended>,
    /// Ids of containers that their runtime has removed.
    pub removed: Vec<String>,
    /// Since when Docker knows what was done to any container.
    pub events_since: Option<Timestamp>,
    /// Since when the kernel's log is whole; none where it was not read, or something of it is lost.
    pub kernel_since: Option<Timestamp>,
    /// All OOM kills of the kernel's log, whoever's they are: when, and in which cgroup; none where the log does not say.
    pub reported: Vec<(Option<Timestamp>, Option<String>)>,
    /// How long the kernel's log's clock has stood still since boot, in milliseconds.
    pub slept_ms: i64,
    /// What systemd says of the unit, or of all of them, in the journal, the oldest first.
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

/// See the module's documentation.
#[must_use]
pub fn answer(
    asked: Option<&str>,
    subject: Option<&Subject>,
    mut traces: Traces,
    identity: &Identity,
    now: Timestamp,
) -> Why {
    drop_later(subject, &mut traces, now);
    let mut moments = moments(subject, &traces, identity);
    let clocks = Clocks { now, boot_id: identity.boot_id.as_deref(), slept_ms: traces.slept_ms };
    moments.retain(|Moment { at, found, .. }| {
        !traces.watched.iter().any(|incident| same::is_same(found, *at, incident, &clocks))
            && !traces.exits.iter().any(|exited| same::is_its_end(found, *at, exited))
    });
    if subject.is_none() {
        // These are known so that no other trace of them is taken for a kill.
        traces.watched.retain(|incident| incident.routine.is_none());
    }
    traces.watched.retain(|incident| !traces.exits.iter().any(|exited| same::is_swept_after(incident, exited)));
    let mut latest = moments.pop();
    let exit = subject.and_then(|_| exited_last(latest.as_ref(), &traces));
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
        latest.iter_mut().for_each(|moment| moment.survived_by(subject, &traces.ends));
        summary = latest.as_ref().map(|moment| moment.why.clone());
        reconstructed = latest.map(|moment| moment.found);
    }
    earlier.extend(rest.into_iter().map(earlier_incident));
    earlier.sort_by_key(|kill| std::cmp::Reverse(kill.time.as_ref().and_then(|time| time_of(time))));
    earlier.truncate(EARLIER);
    // What was killed runs no more: what has its number now is another one.
    let is_killed = matches!(answer, Answer::Watched | Answer::Killed);
    let is_number_alone = is_killed && subject.is_some_and(|subject| subject.kind == TargetKind::Process);
    let why = Why {
        schema: SCHEMA,
        time: format!("{now:.9}"),
        node: identity.node.clone(),
        boot_id: identity.boot_id.clone(),
        asked: asked.map(str::to_owned),
        target: subject.map(|subject| WhyTarget {
            kind: subject.kind,
            name: subject.name.clone(),
            container: subject.container.clone(),
            is_running: subject.is_running.filter(|_| !is_number_alone),
            running_since: subject.running_since.map(|at| format!("{at:.9}")),
            is_restarting: subject.is_restarting,
            is_paused: subject.is_paused,
            restarts: subject.restarts,
        }),
        answer,
        summary: summary.unwrap_or_else(|| nothing_said(subject, &traces, answer)),
        incident,
        exit,
        is_of_another: None,
        is_removed: None,
        reconstructed,
        earlier,
        looked_at: traces.looked_at,
    };
    let ended = why.ended_in();
    let is_of_another = is_another(subject, ended);
    let is_removed = ended.filter(|ended| traces.removed.contains(&ended.id)).map(|_| true);
    Why { is_of_another, is_removed, ..why }
}

/// A container that has ended had no kill after that: a cgroup that was called after it may have had.
fn drop_later(subject: Option<&Subject>, traces: &mut Traces, now: Timestamp) {
    let Some(Subject { is_running: Some(false), container: Some(container), .. }) = subject else { return };
    let its = |ended: &&Ended| ended.container.as_ref().is_some_and(|ended| ended.id == container.id);
    let ends = traces.ends.iter().filter(its).filter_map(Ended::at);
    let Some(last) = ends.max() else { return };
    let is_its = |placed: &Placed| placed.container.as_ref().is_some_and(|found| found.id == container.id);
    // The kernel's log's clock may have gone wrong since, and stands still while the machine sleeps.
    let slack = |at: Timestamp| traces.slept_ms.saturating_add(ms(at, now).max(0) / DRIFT);
    let is_before = |at: Timestamp| ms(last, at) <= ONE_END_MS.saturating_add(slack(at));
    traces.kills.retain(|placed| !is_its(placed) || placed.report.at.is_none_or(is_before));
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

fn name(subject: &Subject) -> String {
    let kind = match subject.kind {
        TargetKind::Container => "container ",
        TargetKind::Pod => "pod ",
        TargetKind::Process => "process ",
        TargetKind::Unit | TargetKind::Incident => "",
    };
    format!("{kind}{}", quote(&subject.name))
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
    if let Some(Unstarted { error, exit_code }) = &subject.unstarted {
        return match error.as_str() {
            "" => format!("{name} was made, and nobody has started it"),
            error => format!(
                "{name} did not start, and nothing of it ever ran (exit code {exit_code}): Docker says {}",
                quote(error)
            ),
        };
    }
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
        .or_else(|| Some(unit_name(incident.unit.as_deref()?, incident.victim.process.cgroup.as_deref())))
        .unwrap_or_else(process)
}

/// The same, where no process is known.
fn place_of(found: &Reconstructed) -> String {
    let container = found.container.as_ref().map(|container| name_or_id(container).into_owned());
    let cgroup = found.victim.as_ref().and_then(|victim| victim.process.cgroup.as_deref());
    container.or_else(|| found.unit.as_deref().map(|unit| unit_name(unit, cgroup))).unwrap_or_default()
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

/// `container web`
fn described_place(container: &Container) -> String {
    format!("container {}", name_or_id(container))
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
