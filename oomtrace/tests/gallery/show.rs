//! A situation's recording, as oomtrace shows it on a terminal.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use oomtrace::filter::Filter;
use oomtrace::model::{Incident, Record};
use oomtrace::run::recording::read;
use oomtrace::run::replay::replay;
use oomtrace::sink::Sink;
use oomtrace::sink::human::{Human, Look, TimeForm};
use serde::Deserialize;
use xtask::situations::{self, How, KUBERNETES, Situation, Source};

/// The workspace's directory.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// It has a recording: one that is new in the list has none before `cargo xtask gallery --record` has made it.
pub fn is_recorded(situation: &&'static Situation) -> bool {
    match situation.source {
        Source::Kubernetes(scenario) => on_node().contains_key(scenario),
        Source::Own | Source::Test(_) => workspace().join(situation.recording()).exists(),
    }
}

/// What scenarios on a Kubernetes node were said to be, by the scenario's name.
pub fn on_node() -> &'static BTreeMap<String, Vec<Incident>> {
    static ALL: OnceLock<BTreeMap<String, Vec<Incident>>> = OnceLock::new();
    ALL.get_or_init(|| {
        let text = fs::read_to_string(workspace().join(KUBERNETES)).unwrap_or_default();
        let mut all: BTreeMap<String, Vec<Incident>> = BTreeMap::new();
        for line in text.lines() {
            let Kept { scenario, incident } = serde_json::from_str(line).unwrap();
            all.entry(scenario).or_default().push(incident);
        }
        all
    })
}

#[derive(Deserialize)]
struct Kept {
    scenario: String,
    incident: Incident,
}

/// All that are recorded, in the page's order.
pub fn all() -> impl Iterator<Item = &'static Situation> {
    situations::all().filter(is_recorded)
}

/// What is said of a recording.
pub struct Said {
    /// As it is written to the terminal, in UTF-8.
    pub text: String,
    /// All of it, in its order.
    pub records: Vec<Record>,
}

impl Said {
    /// What is shown: without what is routine, unless it is asked for.
    pub fn incidents(&self, situation: &Situation) -> impl Iterator<Item = &Incident> {
        let all = situation.how.all;
        self.records.iter().filter_map(move |record| match record {
            Record::Incident(incident) if all || incident.routine.is_none() => Some(incident),
            _ => None,
        })
    }
}

/// Shows a situation on a terminal of so many columns; none is no terminal. Where there is a recording, it is replayed.
pub fn show(situation: &Situation, width: Option<usize>, color: bool) -> Said {
    let look = look(width, color, situation.how);
    if let Source::Kubernetes(scenario) = situation.source {
        return show_incidents(&on_node()[scenario], look);
    }
    let file = workspace().join(situation.recording());
    let contents = read(&file).unwrap_or_else(|error| panic!("{}: {error}", situation.name));
    assert_eq!(contents.torn, 0, "{}", file.display());
    said(look, |today| _ = replay(contents, &Filter::default(), today).unwrap())
}

/// How the page's terminal looks, with another width or colours.
pub fn look(width: Option<usize>, color: bool, how: How) -> Look {
    Look { color, width, brief: how.brief, all: how.all, time: TimeForm::Utc, ..Look::default() }
}

/// Shows incidents that were kept.
pub fn show_incidents(incidents: &[Incident], look: Look) -> Said {
    said(look, |today| incidents.iter().for_each(|incident| today.put(&Record::Incident(incident.clone())).unwrap()))
}

fn said(look: Look, put: impl FnOnce(&mut Today)) -> Said {
    let out = Output::default();
    let mut today = Today { human: Human::new(out.clone(), move || look), records: Vec::new() };
    put(&mut today);
    today.finish().unwrap();
    let records = std::mem::take(&mut today.records);
    drop(today);
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    Said { text, records }
}

/// What was written.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Shows what was recorded on some day as if it were today, as whoever is on call sees it: a page that has the day on it today and not
/// tomorrow would be another page each day.
struct Today {
    human: Human<Output>,
    records: Vec<Record>,
}

impl Sink for Today {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        self.records.push(record.clone());
        let mut record = record.clone();
        match &mut record {
            Record::Incident(incident) | Record::Signal(incident) => {
                // Its age stays what it was.
                let days = days_since(&incident.time);
                incident.victim.process.started.iter_mut().for_each(|started| move_by(started, days));
                move_by(&mut incident.time, days);
            }
            Record::Contradiction(said) => to_today(&mut said.time),
            Record::Correction(correction) => to_today(&mut correction.time),
            Record::Exit(exited) => to_today(&mut exited.time),
            _ => {}
        }
        self.human.put(&record)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.human.finish()
    }
}

/// Whole days from the day of that time until today, in UTC.
fn days_since(time: &str) -> i64 {
    let day = |time: jiff::Timestamp| time.as_second().div_euclid(86_400);
    day(jiff::Timestamp::now()) - day(time.parse().unwrap())
}

fn to_today(time: &mut String) {
    let days = days_since(time);
    move_by(time, days);
}

fn move_by(time: &mut String, days: i64) {
    let moved: jiff::Timestamp = time.parse().unwrap();
    *time = format!("{:.9}", moved + jiff::SignedDuration::from_hours(24 * days));
}
