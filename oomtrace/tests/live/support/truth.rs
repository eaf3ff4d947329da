//! What a scenario knows of its kill, held against what oomtrace says; and the table of all of them.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Mutex;

use oomtrace::model::{Cause, Confidence, Incident, Verdict};
use oomtrace::probe::hook::Hook;

use super::needs;

/// Where the table goes when it is asked for: scenario, expected cause, the cause given, its confidence and the victim, a
/// tab between them.
const TABLE: &str = "OOMTRACE_TEST_TABLE";

thread_local! {
    static SCENARIO: RefCell<&'static str> = const { RefCell::new("") };
}

static ROWS: Mutex<String> = Mutex::new(String::new());

/// From here on this thread runs the scenario of that name.
pub fn begin(scenario: &'static str) {
    SCENARIO.set(scenario);
}

/// The scenario that this thread runs.
pub fn scenario() -> &'static str {
    SCENARIO.with(|name| *name.borrow())
}

/// The incident has this cause, with this confidence.
#[track_caller]
pub fn is(incident: &Incident, cause: Cause, confidence: Confidence) -> Verdict {
    let verdict = incident.verdict.clone().unwrap();
    row(&name(cause), &name(verdict.cause), &name(verdict.confidence), incident.victim.process.pid);
    assert_eq!((verdict.cause, verdict.confidence), (cause, confidence), "{}", verdict.summary);
    verdict
}

/// The incident is an OOM kill of this cause: certain where the OOM killer's own record can be read. Else it is likely, or only
/// possible when processors gave back what they had charged in advance before the counters were read.
#[track_caller]
pub fn is_oom(incident: &Incident, cause: Cause) -> Verdict {
    let by_record = needs::attached().contains(&Hook::OomKillProcess);
    let inferred = match &incident.verdict {
        Some(verdict) if verdict.confidence == Confidence::Possible => Confidence::Possible,
        _ => Confidence::Likely,
    };
    is(incident, cause, if by_record { Confidence::Certain } else { inferred })
}

/// The incident's cause, as its JSON has it; empty where it has no verdict.
pub fn cause(incident: &Incident) -> String {
    incident.verdict.as_ref().map(|verdict| name(verdict.cause)).unwrap_or_default()
}

/// None of the incidents is about what the scenario did: it was no kill.
#[track_caller]
pub fn is_none<'a>(incidents: impl IntoIterator<Item = &'a Incident>) {
    let found: Vec<&Incident> = incidents.into_iter().collect();
    let got = found.first().and_then(|incident| incident.verdict.as_ref());
    let (cause, confidence) = got.map_or_else(Default::default, |v| (name(v.cause), name(v.confidence)));
    row("no incident", if found.is_empty() { "no incident" } else { &cause }, &confidence, 0);
    assert!(found.is_empty(), "{found:#?}");
}

fn row(expected: &str, got: &str, confidence: &str, pid: u32) {
    let mut rows = ROWS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    writeln!(rows, "{}\t{expected}\t{got}\t{confidence}\t{pid}", scenario()).unwrap();
}

/// A value of the contract as its JSON has it.
fn name(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

/// Writes the table, when it is asked for.
pub fn write_table() {
    if let Some(path) = std::env::var_os(TABLE) {
        std::fs::write(path, ROWS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_str()).unwrap();
    }
}
