//! An end that no report of the kernel's log explains: what its manager says of it, and what follows.

mod dockers;

use jiff::Timestamp;

use crate::container::runtime::docker::life::{Happened, SAID_WITHIN_MS, What};
use crate::model::{Advice, Cause, Confidence, Container, Evidence, Reconstructed, SaidEnd, Session, Source, Verdict};
use crate::node::signals;
use crate::text::bytes;
use crate::text::quote::quote;

/// What SIGKILL shows as in an exit code.
pub const KILLED: i64 = 137;
/// Who was logged in is named up to that many.
const SESSIONS: usize = 5;

/// What is known around an end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Around<'a> {
    /// The container that ended.
    pub container: Option<&'a Container>,
    pub unit: Option<&'a str>,
    /// What Docker says was done to it, the oldest first.
    pub events: &'a [Happened],
    /// Since when Docker knows what was done.
    pub events_since: Option<Timestamp>,
    /// The kernel's log is whole from there on: an OOM kill after that would be in it.
    pub kernel_since: Option<Timestamp>,
    /// Who was logged in then.
    pub sessions: Vec<Session>,
}

/// A verdict on an end by SIGKILL; none where nothing says why.
#[must_use]
pub fn judge(end: &SaidEnd, around: &Around<'_>) -> Reconstructed {
    let time: Option<Timestamp> = end.time.as_ref().and_then(|time| time.parse().ok());
    let facts = facts(end, around, time);
    let ruling = systemd(end)
        .or_else(|| dockers::ruling(end, around, time?))
        .or_else(|| oom(end, around, time))
        .or_else(|| by_hand(end, around, time));
    let who = name(around);
    let verdict = ruling.map(|ruling| Verdict {
        cause: ruling.cause,
        confidence: ruling.confidence,
        summary: format!("{who} was killed, after the fact: {}.", ruling.why),
        why: format!("{} ({})", ruling.why, ruling.confidence.name()),
        evidence: ruling.evidence.into_iter().chain(facts.clone()).collect(),
        advice: ruling.advice,
    });
    Reconstructed {
        time: end.time.clone(),
        missing: missing(verdict.as_ref()),
        verdict,
        container: around.container.cloned(),
        unit: around.unit.map(str::to_owned),
        end: Some(end.clone()),
        sessions: around.sessions.clone(),
        ..Reconstructed::default()
    }
}

/// Docker was asked for this end, and sent SIGKILL for it before.
#[must_use]
pub fn is_by_docker(end: &SaidEnd, around: &Around<'_>) -> bool {
    let time: Option<Timestamp> = end.time.as_ref().and_then(|time| time.parse().ok());
    is_as_killed(end) && time.is_some_and(|time| dockers::sent_before(end, around, time))
}

/// It ended as one does by SIGKILL.
#[must_use]
pub fn is_as_killed(end: &SaidEnd) -> bool {
    end.exit_code == Some(KILLED)
}

/// What there is to say of an end that nothing explains.
#[must_use]
pub fn unexplained(end: &SaidEnd, around: &Around<'_>) -> String {
    let time: Option<Timestamp> = end.time.as_ref().and_then(|time| time.parse().ok());
    let mut not = Vec::new();
    if end.oom_killed == Some(false) {
        not.push(format!("{} says that it was no OOM kill", end.by));
    }
    if dockers::covers(end, around, time) {
        not.push("Docker was asked for no kill".to_owned());
    }
    let not = if not.is_empty() { String::new() } else { format!(" ({})", not.join(", and ")) };
    format!(
        "{} ended with 137, which is what SIGKILL shows as, and exit(137) as well: nothing that is left says which it was, or who sent it{not}",
        name(around)
    )
}

fn name(around: &Around<'_>) -> String {
    match (around.container, around.unit) {
        (Some(container), _) => format!("container {}", crate::text::name_or_id(container)),
        (None, Some(unit)) => quote(unit).into_owned(),
        (None, None) => "it".to_owned(),
    }
}

struct Ruling {
    cause: Cause,
    confidence: Confidence,
    why: String,
    evidence: Vec<Evidence>,
    advice: Vec<Advice>,
}

/// What systemd says of a unit's end by itself (systemd.service(5), `Result`).
fn systemd(end: &SaidEnd) -> Option<Ruling> {
    let ruling = |cause, confidence, why: &str| Ruling {
        cause,
        confidence,
        why: why.to_owned(),
        evidence: Vec::new(),
        advice: Vec::new(),
    };
    match (end.by.as_str(), end.reason.as_deref()?) {
        ("systemd", "timeout") => Some(ruling(
            Cause::ServiceManagerKill,
            Confidence::Likely,
            "systemd's time-out for starting or stopping it was up (TimeoutStartSec=, TimeoutStopSec=), and systemd killed it",
        )),
        ("systemd", "watchdog") => Some(ruling(
            Cause::ServiceManagerKill,
            Confidence::Likely,
            "it did not answer systemd's watchdog in time (WatchdogSec=), and systemd killed it",
        )),
        _ => None,
    }
}

/// A manager saw that the OOM killer was at work: in a container on any of its processes, at any time of that life.
fn oom(end: &SaidEnd, around: &Around<'_>, time: Option<Timestamp>) -> Option<Ruling> {
    let says = end.oom_killed == Some(true) || matches!(end.reason.as_deref(), Some("OOMKilled" | "oom-kill"));
    // What the kernel would have logged then is not there: an earlier kill set Docker's mark, which stays until the next start.
    let at_end = time.and_then(|time| dockers::life_and_after(end, around, time)).and_then(|(life, after)| {
        let died = life.last()?.at_ns;
        let ooms = life.iter().chain(after).rev().find(|happened| happened.what == What::Oom)?;
        Some((died.saturating_sub(ooms.at_ns) / 1_000_000).max(0))
    });
    let is_at_end = at_end.is_some_and(|ms| ms <= SAID_WITHIN_MS);
    // Docker heard of it then, and the kernel may have written a report that cannot be put down to this container.
    let is_unreported = is_dockers(end) && did_kernel_watch(around, time);
    if !says || (is_unreported && !is_at_end) {
        return None;
    }
    let limit = around.container.and_then(|container| {
        let pods = container.pod.as_ref().and_then(|pod| pod.limits.as_ref()?.memory_bytes);
        container.limits.as_ref().and_then(|limits| limits.memory_bytes).or(pods)
    });
    let mut evidence = vec![Evidence {
        fact: format!(
            "{} says that the OOM killer was at work: on any of its processes, at any time of that life",
            end.by
        ),
        source: source_of(end),
    }];
    evidence.extend(at_end.map(|ms| Evidence {
        fact: format!("Docker's events: an OOM kill in it {} before it ended", dockers::before(ms)),
        source: Source::Runtime,
    }));
    let (cause, whose) = match (limit, around.unit, around.container) {
        // It may have been another one then.
        (Some(limit), ..) => {
            (Cause::OomContainerLimit, format!("at its own memory limit, which is known as {}", bytes(limit)))
        }
        (None, Some(_), None) => (Cause::OomUnitLimit, "at the unit's memory limit or one above it".to_owned()),
        // Its settings were not asked for, or are gone with it.
        (None, None, Some(Container { limits: None, pod: None, .. })) => {
            (Cause::OomContainerLimit, "at a limit that is not known, or because the machine ran out".to_owned())
        }
        _ => (
            Cause::OomHost,
            "with no memory limit of its own: the machine ran out, or a limit above it was hit".to_owned(),
        ),
    };
    Some(Ruling {
        cause,
        // Whose limit it was, no manager knows; that the kill is what ended it, the time alone says.
        confidence: if is_at_end && limit.is_some() && !is_unreported { Confidence::Likely } else { Confidence::Possible },
        why: format!("the OOM killer killed it, {whose}"),
        evidence,
        advice: vec![Advice {
            action: "look at what it needs before its limit is raised: watch it with oomtrace, or `oomtrace curve` with its memory metrics".to_owned(),
            why: "no report of the kernel's is left that says what the memory was".to_owned(),
            command: None,
        }],
    })
}

/// The kernel's log has every OOM kill of that time.
fn did_kernel_watch(around: &Around<'_>, time: Option<Timestamp>) -> bool {
    let whole = around.kernel_since.zip(time);
    whole.is_some_and(|(since, at)| since.as_millisecond() <= at.as_millisecond() - SAID_WITHIN_MS)
}

/// Nothing but a process can have sent it: the kernel's log has no OOM kill then, and Docker was asked for none.
fn by_hand(end: &SaidEnd, around: &Around<'_>, time: Option<Timestamp>) -> Option<Ruling> {
    if !did_kernel_watch(around, time) || end.oom_killed.is_none() || !dockers::covers(end, around, time) {
        return None;
    }
    Some(Ruling {
        cause: Cause::ProcessKill,
        confidence: Confidence::Possible,
        why: "a process sent SIGKILL, or its first process exited with 137 by itself: it was no OOM kill, and Docker was asked for none".to_owned(),
        evidence: vec![Evidence {
            fact: "the kernel's log goes back further, and has no OOM kill in it then".to_owned(),
            source: Source::Kmsg,
        }],
        advice: Vec::new(),
    })
}

/// Who says how a container of Docker's ended: the machine's daemon, or a user's own, whose word is the user's.
#[must_use]
pub fn docker(user: Option<u32>) -> String {
    user.map_or_else(|| DOCKER.to_owned(), |uid| format!("{DOCKER} of user {uid}"))
}

const DOCKER: &str = "Docker";

/// It is Docker that says so, whoever's.
fn is_dockers(end: &SaidEnd) -> bool {
    end.by.strip_prefix(DOCKER).is_some_and(|rest| rest.is_empty() || rest.starts_with(" of user "))
}

/// Where a fact of its word comes from.
#[must_use]
pub fn source_of(end: &SaidEnd) -> Source {
    match end.by.as_str() {
        "systemd" => Source::Systemd,
        "the kubelet" => Source::Kubernetes,
        _ => Source::Runtime,
    }
}

/// How it ended, and who was there.
fn facts(end: &SaidEnd, around: &Around<'_>, time: Option<Timestamp>) -> Vec<Evidence> {
    let mut facts = vec![Evidence { fact: said(end), source: source_of(end) }];
    if dockers::covers(end, around, time) {
        facts.push(Evidence {
            fact: "Docker's events have its end, and no signal that Docker sent before it".to_owned(),
            source: Source::Runtime,
        });
    }
    for session in around.sessions.iter().take(SESSIONS) {
        let from = session.from.as_ref().map(|from| format!(" from {}", quote(from))).unwrap_or_default();
        let fact = format!(
            "{} was logged in then, on {}{from}: it may have been by hand, and need not",
            quote(&session.user),
            quote(&session.tty)
        );
        facts.push(Evidence { fact, source: Source::Logins });
    }
    facts
}

/// `Docker says: exit code 137, OOMKilled=false`
#[must_use]
pub fn said(end: &SaidEnd) -> String {
    let code = end.exit_code.map(|code| match code {
        KILLED => "exit code 137 (SIGKILL, or exit(137))".to_owned(),
        129..=192 => format!(
            "exit code {code} ({}, or exit({code}))",
            signals::name(u32::try_from(code - 128).unwrap_or_default())
        ),
        _ => format!("exit code {code}"),
    });
    let oom = end.oom_killed.map(|oom| format!("OOM-killed: {}", if oom { "yes" } else { "no" }));
    let reason = end.reason.as_ref().map(|reason| format!("reason {}", quote(reason)));
    let parts: Vec<String> = [code, oom, reason].into_iter().flatten().collect();
    format!("{} says: {}", end.by, if parts.is_empty() { "it ended".to_owned() } else { parts.join(", ") })
}

/// What an oomtrace that was running would have known.
fn missing(verdict: Option<&Verdict>) -> Vec<String> {
    let what: &[&str] = match verdict.map(|verdict| verdict.cause) {
        None | Some(Cause::ProcessKill) => {
            &["whether it was SIGKILL", "who sent it, from which terminal or container, and through which call"]
        }
        Some(Cause::RuntimeKill | Cause::RuntimeStopTimeout) => &[
            "who asked Docker for it: the process, its user, and where that was logged in",
            "whether its first process had a handler for the stop signal",
        ],
        Some(Cause::ServiceManagerKill) => &["who asked systemd for the stop", "what it did with the stop signal"],
        Some(_) => &[
            "which process was killed, and what it had in memory",
            "whose limit was hit",
            "how its memory grew before",
        ],
    };
    what.iter().map(|what| (*what).to_owned()).collect()
}

#[cfg(test)]
mod tests;
