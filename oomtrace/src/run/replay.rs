//! Runs the pipeline over a recording.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::event::BootNs;
use crate::filter::Filter;
use crate::model::{Attribution, Confidence, Incident, OutputName, Record};
use crate::resolve::case::Case;
use crate::run::live::Tally;
use crate::run::names::Names;
use crate::run::pipeline::Pipeline;
use crate::run::raw;
use crate::run::recording::Contents;
use crate::run::recording::Gap;
use crate::run::recording::Step;
use crate::sink::Sink;
use crate::sink::outputs::unwritten;
use crate::sink::queue::Count;
use crate::words::conclude;

/// A kill may rest upon what came so long before it: a stop signal, a client of its runtime.
const REMEMBERED_NS: BootNs = 600_000_000_000;

/// Puts out what oomtrace says of a recording: its first record, then incidents in the order of their kills.
///
/// # Errors
/// When the output fails.
pub fn replay(contents: Contents, filter: &Filter, sink: &mut dyn Sink) -> io::Result<Tally> {
    let Contents { start, steps, mut answers, torn: _ } = contents;
    let names = std::mem::take(&mut answers.names);
    let pipeline = Pipeline::new(&start, Box::new(answers), filter.clone());
    let (put, tally) = (HashSet::new(), Tally::default());
    let raw = start.detail.raw;
    let mut player = Player { pipeline, raw, names, sink, put, tally, lack: Lack::Nothing };
    player.sink.put(&Record::Ready(start.ready))?;
    for step in steps {
        match step {
            Step::Event(bytes) => player.event(&bytes)?,
            Step::Advance(now) => {
                let (complete, _) = player.pipeline.advance(now);
                player.conclude(complete)?;
            }
            Step::ExistingClient(clients) => player.pipeline.take_existing(&clients),
            Step::Said(record) => player.said(&record)?,
            Step::Lost(lost) => {
                player.tally.lost = player.tally.lost.plus(&lost);
                if lost.may_hide_clients() {
                    player.pipeline.clients_missed();
                }
                player.sink.put(&Record::Lost(lost))?;
            }
            Step::Gap(gap) => player.gap(gap)?,
        }
    }
    let rest = player.pipeline.finish();
    player.conclude(rest)?;
    player.sink.finish()?;
    Ok(Tally { left_out: player.pipeline.left_out(), ..player.tally })
}

/// What an incident lacks because of a gap in the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    Nothing,
    /// What comes after its beginning.
    End,
    /// What came before. Events go on from then on; none when none has come yet.
    Before(Option<BootNs>),
}

impl Lack {
    /// An event came.
    fn resumes(&mut self, at: BootNs) {
        if *self == Self::Before(None) {
            *self = Self::Before(Some(at));
        }
    }

    /// Says so in an incident whose kill was `at`. What was left out may be what its verdict would rest upon.
    fn apply(self, at: BootNs, incident: &mut Incident) {
        let (what, is_near) = match self {
            Self::Nothing => return,
            Self::End => ("what came after it", true),
            Self::Before(resumed) => {
                ("what came before it", resumed.is_none_or(|from| at.saturating_sub(from) < REMEMBERED_NS))
            }
        };
        incident.missing.push(format!("{what} in a gap of the recording, which its disk did not take"));
        incident.attribution = incident.attribution.max(Attribution::Partial);
        if let Some(verdict) = incident.verdict.as_mut().filter(|_| is_near) {
            verdict.confidence = Confidence::Possible;
        }
    }
}

struct Player<'a> {
    pipeline: Pipeline,
    /// Events are put out, too.
    raw: bool,
    lack: Lack,
    names: HashMap<String, Names>,
    sink: &'a mut dyn Sink,
    /// Ids of the incidents that were put out.
    put: HashSet<String>,
    tally: Tally,
}

impl Player<'_> {
    fn event(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(event) = self.pipeline.decode(bytes) else { return Ok(()) };
        if event.is_of_kill() {
            self.lack.resumes(event.at());
        }
        if self.raw {
            self.sink.put(&raw::record(&event))?;
        }
        self.pipeline.hold(event);
        let complete = self.pipeline.take_complete();
        self.conclude(complete)
    }

    fn conclude(&mut self, cases: Vec<Case>) -> io::Result<()> {
        for mut case in cases {
            let at = case.at;
            if let Some(names) = self.names.remove(&case.incident.id) {
                names.apply(&mut case);
            }
            let mut record = conclude(case);
            if let Record::Incident(incident) | Record::Signal(incident) = &mut record {
                self.lack.apply(at, incident);
            }
            if !self.pipeline.wants(&record) {
                continue;
            }
            if let Record::Incident(incident) = &record {
                self.tally.incidents += 1;
                self.tally.routine += u64::from(incident.routine.is_some());
                self.put.insert(incident.id.clone());
            }
            if let Some(repeat) = self.pipeline.repeated(&record) {
                self.sink.put(&repeat)?;
            }
            self.sink.put(&record)?;
        }
        Ok(())
    }

    /// Nothing is known of what came here: what was open is reported as far as it goes, and what comes after begins anew.
    fn gap(&mut self, gap: Gap) -> io::Result<()> {
        let open = self.pipeline.finish();
        self.lack = Lack::End;
        self.conclude(open)?;
        self.pipeline.restart();
        self.lack = Lack::Before(None);
        self.sink.put(&unwritten(OutputName::Recording, Count { kills: gap.kills, others: gap.others }))
    }

    /// Of an incident that the filter leaves out, nothing is said either.
    fn said(&mut self, record: &Record) -> io::Result<()> {
        let is_wanted = match record {
            Record::Contradiction(said) => self.put.contains(&said.incident),
            Record::Correction(correction) => self.put.contains(&correction.incident),
            Record::Warning(_) => self.pipeline.would_want(record),
            _ => false,
        };
        if is_wanted { self.sink.put(record) } else { Ok(()) }
    }
}
