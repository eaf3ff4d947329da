//! Recordings of the live scenarios, judged again on any machine, without root: a change to the correlator or the judge that
//! would judge one of them otherwise shows here in seconds.
//!
//! `tests/recordings` has a directory for each kernel and state of it; each directory's `truth` has a line for each verdict: the
//! scenario, the cause that it knows, its confidence, the victim's pid. `cargo xtask vm --keep` makes new ones. `6.1.176-first` is
//! kept from an earlier oomtrace, whose recordings must stay readable.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

use std::io;
use std::path::Path;
use std::process::Command;

use oomtrace::filter::Filter;
use oomtrace::model::{Incident, Record};
use oomtrace::run::recording::read;
use oomtrace::run::replay::replay;
use oomtrace::sink::Sink;

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

/// Judges the recordings of one directory; how many verdicts they are.
fn judge(folder: &Path) -> usize {
    let truth = std::fs::read_to_string(folder.join("truth")).unwrap();
    for line in truth.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [scenario, expected, confidence, pid] = fields[..] else { panic!("{line:?}") };
        let file = folder.join(format!("{}.rec", scenario.replace("::", ".")));
        let contents = read(&file).unwrap();
        assert_eq!(contents.torn, 0, "{}", file.display());
        let mut kept = Kept(Vec::new());
        replay(contents, &Filter::default(), &mut kept).unwrap();
        let pid: u32 = pid.parse().unwrap();
        let of_victim: Vec<&Incident> = kept.0.iter().filter(|i| i.victim.process.pid == pid).collect();
        let [incident] = of_victim[..] else { panic!("{}: {} incidents of {pid}", file.display(), of_victim.len()) };
        let verdict = incident.verdict.as_ref().unwrap();
        assert_eq!(
            (name(verdict.cause).as_str(), name(verdict.confidence).as_str()),
            (expected, confidence),
            "{}",
            file.display()
        );
    }
    truth.lines().count()
}

#[test]
fn every_recording_is_judged_as_its_scenario_knows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let judged: usize = folders.iter().map(|folder| judge(folder)).sum();
    assert!(folders.len() > 10 && judged > 300, "{judged} verdicts in {} folders", folders.len());
}

fn recording(scenario: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/6.1.176-first").join(format!("{scenario}.rec"))
}

/// Exit status, standard output and standard error of `oomtrace replay`.
fn run(file: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oomtrace"));
    let output = command.arg("replay").arg(file).args(arguments).env("TZ", "UTC").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_file_that_is_no_whole_recording_is_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(recording("docker.docker_kill")).unwrap();
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    let mut newer = bytes.clone();
    newer[8] = 0xff;
    for (name, content, said) in [
        ("foreign", b"#!/bin/sh\n".to_vec(), "is no recording of oomtrace"),
        ("empty", Vec::new(), "is no recording of oomtrace"),
        ("damaged", damaged, "is damaged at byte"),
        ("newer", newer, "is of a newer oomtrace"),
    ] {
        let file = dir.path().join(name);
        std::fs::write(&file, content).unwrap();
        let (status, stdout, stderr) = run(&file, &[]);
        assert_eq!((status, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{name}: {stderr}");
        assert!(stderr.starts_with("oomtrace: ") && stderr.contains(said), "{stderr}");
    }
    let (status, _, stderr) = run(&dir.path().join("gone"), &[]);
    assert_eq!((status, stderr.lines().count()), (Some(1), 1), "{stderr}");
}

#[test]
fn what_a_crash_left_half_written_is_said_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("torn");
    let bytes = std::fs::read(recording("docker.docker_kill")).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 3]).unwrap();
    let (status, stdout, stderr) = run(&file, &[]);
    assert_eq!((status, stderr.lines().count()), (Some(0), 1), "{stderr}");
    assert!(stderr.contains("was cut off") && stdout.contains("killed"), "{stderr}{stdout}");
}

#[test]
fn every_form_has_the_incident_and_nothing_else_on_standard_output() {
    let file = recording("docker.docker_kill");
    for (form, first, said) in [
        ("text", "20", "killed it, with no stop signal"),
        ("brief", "20", "killed it, with no stop signal"),
        ("json", r#"{"type":"ready""#, r#""cause":"runtime_kill""#),
        ("yaml", "---\ntype: ready\n", "cause: runtime_kill\n"),
        ("csv", "type,id,time,node,cause,", ",runtime_kill,"),
        ("{verdict.cause}|{oom.scope}|{container.runtime}", "runtime_kill|-|docker\n", "|docker\n"),
    ] {
        let (status, text, stderr) = run(&file, &["--format", form, "--color", "never"]);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{form}");
        assert!(text.starts_with(first) && text.contains(said), "{form}: {text}");
    }
    for (arguments, said) in [
        (vec!["--format", "{verdict.couse}"], "near it: {verdict.cause}"),
        (vec!["--format", "xml"], "it is one of text, brief, json, yaml, csv"),
        (vec!["--format", "csv", "--time", "utc"], "--time is for text and brief"),
        (vec!["--format", "csv", "--json"], "cannot be used with"),
        (vec!["--fromat", "csv"], "--format"),
    ] {
        let (status, text, stderr) = run(&file, &arguments);
        assert_eq!((status, text.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.starts_with("oomtrace: ") && stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

#[test]
fn the_manual_is_written_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    let man = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_oomtrace")).arg("man").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (status, page) = man(&[]);
    assert!(status == Some(0) && page.contains(".TH oomtrace 1"), "{page}");
    let pages = dir.path().join("man1");
    assert_eq!(man(&["--dir", pages.to_str().unwrap()]), (Some(0), String::new()));
    for verb in ["", "-replay", "-ps", "-record", "-explain", "-man"] {
        let file = pages.join(format!("oomtrace{verb}.1"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(text.contains(".SH NAME") && text.contains(".SH OPTIONS"), "{text}");
    }
}

#[test]
fn forms_and_filters_are_those_of_watching() {
    let file = recording("docker.docker_kill");
    let (status, text, stderr) = run(&file, &["--color", "never"]);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(text.contains("SIGKILL") && text.contains("killed it, with no stop signal"), "{text}");
    let (_, json, _) = run(&file, &["--json", "--cause", "runtime_kill"]);
    assert!(json.lines().count() >= 2 && json.starts_with(r#"{"type":"ready""#), "{json}");
    let (_, json, stderr) = run(&file, &["--json", "--cause", "oom_host"]);
    assert_eq!(json.lines().count(), 1, "{json}");
    assert!(stderr.starts_with("oomtrace: ") && stderr.ends_with("what the filters ask for\n"), "{stderr}");
}
