//! Recordings of the live scenarios, judged again on any machine, without root: a change to the correlator or the judge that
//! would judge one of them otherwise shows here in seconds.
//!
//! `tests/recordings/truth` has a line for each verdict: the scenario, the cause that it knows, its confidence, the victim's
//! pid. `cargo xtask vm` leaves new ones in `target/vm/results`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails by panicking")]

use std::io;
use std::path::Path;

use oomtrace::incident::model::{Incident, Record};
use oomtrace::recording::{read, replay};
use oomtrace::sink::Sink;
use oomtrace::watch::filter::Filter;

struct Kept(Vec<Incident>);

impl Sink for Kept {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        if let Record::Incident(incident) = record {
            self.0.push(incident.clone());
        }
        Ok(())
    }
}

/// A value of the contract as its JSON has it.
fn name(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn every_recording_is_judged_as_its_scenario_knows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let truth = std::fs::read_to_string(folder.join("truth")).unwrap();
    let mut judged = 0;
    for line in truth.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [scenario, expected, confidence, pid] = fields[..] else { panic!("{line:?}") };
        let contents = read(&folder.join(format!("{}.rec", scenario.replace("::", ".")))).unwrap();
        assert_eq!(contents.torn, 0, "{scenario}");
        let mut kept = Kept(Vec::new());
        replay(contents, &Filter::default(), &mut kept).unwrap();
        let pid: u32 = pid.parse().unwrap();
        let of_victim: Vec<&Incident> = kept.0.iter().filter(|i| i.victim.process.pid == pid).collect();
        let [incident] = of_victim[..] else { panic!("{scenario}: {} incidents of {pid}", of_victim.len()) };
        let verdict = incident.verdict.as_ref().unwrap();
        assert_eq!(
            (name(verdict.cause).as_str(), name(verdict.confidence).as_str()),
            (expected, confidence),
            "{scenario}"
        );
        judged += 1;
    }
    assert!(judged > 20, "{judged} verdicts");
}
