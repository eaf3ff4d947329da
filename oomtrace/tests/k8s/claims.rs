//! What a scenario knows, held against what oomtrace says; and the table of all of it.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oomtrace::model::{Cause, Incident, Routine};
use serde::Serialize;

use crate::cgroup::Driver;
use crate::daemonset;
use crate::known::{self, Often};
use crate::support::process::patience;

/// Where the table goes: scenario, what the claim is about, expected, got, why it is known to be wrong, and whether always or at times, a
/// tab between them. Beside it, with `.jsonl` after its name, goes each incident that a claim was about.
const TABLE: &str = "OOMTRACE_K8S_TABLE";

/// The scenario's own tracer: its claims have no mark.
const ON_THE_NODE: &str = "";

thread_local! {
    static SCENARIO: RefCell<&'static str> = const { RefCell::new("") };
    static NEWS: Cell<usize> = const { Cell::new(0) };
    /// Whose incident the claim is about.
    static TRACER: Cell<&'static str> = const { Cell::new(ON_THE_NODE) };
}

static ROWS: Mutex<String> = Mutex::new(String::new());

/// From here on this thread runs the scenario of that name.
pub fn begin(scenario: &'static str) {
    SCENARIO.set(scenario);
    NEWS.set(0);
    TRACER.set(ON_THE_NODE);
}

/// Holds a claim against the incident, and against what the others that watch say of the same kill.
pub fn each(incident: &Incident, claim_of: impl Fn(&Incident)) {
    each_of(incident, &|_| true, claim_of);
}

/// `is_settled`: what is waited for as long as it may be corrected.
fn each_of(incident: &Incident, is_settled: &dyn Fn(&Incident) -> bool, claim_of: impl Fn(&Incident)) {
    claim_of(incident);
    // It is another one's already.
    if TRACER.get() != ON_THE_NODE {
        return;
    }
    for watcher in daemonset::watchers() {
        TRACER.set(watcher.label);
        match watcher.like(incident, is_settled) {
            Some(its) => claim_of(&its),
            None => claim("the incident", "is in its log", "is not there"),
        }
        TRACER.set(ON_THE_NODE);
    }
}

/// The kubelet writes what it did into the API within ten seconds or so where it is not emulated, which corrects a verdict; after an outage
/// of the API it is looked at again within half a minute.
pub fn corrected_within() -> Duration {
    (patience() / 4).max(Duration::from_secs(45))
}

/// The verdict has that cause.
pub fn has_cause(cause: Cause) -> impl Fn(&Incident) -> bool {
    move |incident| incident.verdict.as_ref().is_some_and(|verdict| verdict.cause == cause)
}

/// The verdict's reason has those words.
pub fn says(words: &str) -> impl Fn(&Incident) -> bool {
    move |incident| incident.verdict.as_ref().is_some_and(|verdict| verdict.why.contains(words))
}

/// What the verdict says of its reason, which the Kubernetes API alone knows: nothing is claimed of the tracer that does not ask it.
pub fn why(incident: &Incident, words: &str) {
    each_of(incident, &says(words), |incident| {
        if TRACER.get() == daemonset::WITHOUT_API {
            return;
        }
        let why = incident.verdict.as_ref().map_or("", |verdict| verdict.why.as_str());
        claim("why", words, if says(words)(incident) { words } else { why });
    });
}

/// The same of what made the pod, as `Deployment/web`.
pub fn owner(incident: &Incident, owner: &str) {
    each(incident, |incident| {
        if TRACER.get() == daemonset::WITHOUT_API {
            return;
        }
        let its = incident.container.as_ref().and_then(|container| container.pod.as_ref()?.owner.as_ref());
        claim("owner", owner, its.map_or("unknown".to_owned(), |owner| format!("{}/{}", owner.kind, owner.name)));
    });
}

/// Claims of this thread's scenario that are wrong, and not known to be.
pub fn news() -> usize {
    NEWS.get()
}

/// `what` is expected to be so, and is `got`.
pub fn claim(what: &str, expected: impl Into<String>, got: impl Into<String>) {
    let scenario = SCENARIO.with(|name| *name.borrow());
    let (expected, got) = (expected.into(), got.into());
    let tracer = TRACER.get();
    let known = known::find(scenario, tracer, what);
    let what = if tracer == ON_THE_NODE { what.to_owned() } else { format!("{tracer}: {what}") };
    if expected != got && known.is_none() {
        NEWS.set(NEWS.get() + 1);
    }
    let one_line = |text: &str| text.replace(['\n', '\t'], " ");
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    let why = known.map_or("", |known| known.why);
    let often = known.map_or("", |known| match known.often {
        Often::Always => "always",
        Often::AtTimes => "at times",
    });
    writeln!(rows, "{scenario}\t{what}\t{}\t{}\t{why}\t{often}", one_line(&expected), one_line(&got)).unwrap();
}

/// The incident's cause.
pub fn cause(incident: &Incident, expected: Cause) {
    each_of(incident, &has_cause(expected), |incident| {
        keep(incident);
        let verdict = incident.verdict.as_ref().unwrap();
        claim("cause", name(expected), name(verdict.cause));
    });
}

/// Whether nobody need be woken for it, and why.
pub fn routine(incident: &Incident, expected: Option<Routine>) {
    let name = |routine: Option<Routine>| routine.map_or("none".to_owned(), name);
    each(incident, |incident| claim("routine", name(expected), name(incident.routine)));
}

/// A cgroup's path below the node's, with the first digits of ids.
pub fn short(path: &str) -> String {
    let node = crate::node::node();
    let own = path.strip_prefix(node.cgroup.as_str()).unwrap_or(path);
    let cut = |name: &str| {
        // All that systemd makes for pods begins alike; ids are behind the last hyphen.
        let at = if node.driver == Driver::Systemd { name.rfind('-').map_or(0, |at| at + 1) } else { 0 };
        let (start, id) = name.split_at(at);
        if id.len() > 32 { start.chars().chain(id.chars().take(9)).chain(['…']).collect() } else { name.to_owned() }
    };
    own.split('/').map(cut).collect::<Vec<String>>().join("/")
}

/// A value of the contract as its JSON has it.
pub fn name(value: impl Serialize) -> String {
    match serde_json::to_value(value).unwrap() {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Keeps an incident beside the table, for whoever looks why a claim is wrong.
fn keep(incident: &Incident) {
    let Ok(table) = std::env::var(TABLE) else { return };
    let scenario = SCENARIO.with(|name| *name.borrow());
    let line = serde_json::json!({ "scenario": scenario, "tracer": TRACER.get(), "incident": incident });
    let mut file = OpenOptions::new().create(true).append(true).open(format!("{table}.jsonl")).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// Writes the table.
pub fn write_table() {
    if let Some(path) = std::env::var_os(TABLE) {
        std::fs::write(path, ROWS.lock().unwrap_or_else(PoisonError::into_inner).as_str()).unwrap();
    }
}
