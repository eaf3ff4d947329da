//! Runs the pipeline over a recording.

use std::collections::{HashMap, HashSet};
use std::io;

use super::{Contents, Step};
use crate::container::naming::Names;
use crate::incident::correlate::{Correlator, Episode};
use crate::incident::model::Record;
use crate::sink::Sink;
use crate::verdict::conclude;
use crate::watch::Tally;
use crate::watch::filter::Filter;
use crate::watch::stages::Stages;

/// Puts out what oomtrace says of a recording: its first record, then incidents in the order of their kills.
///
/// # Errors
/// When the output fails.
pub fn replay(contents: Contents, filter: &Filter, sink: &mut dyn Sink) -> io::Result<Tally> {
    let Contents { start, steps, mut answers, torn: _ } = contents;
    let names = std::mem::take(&mut answers.names);
    let mut correlator = Correlator::new(start.hooks()).watching_since(start.since);
    let stages = Stages::new(&start, Box::new(answers));
    let mut player = Player { stages, names, filter, sink, put: HashSet::new(), tally: Tally::default() };
    player.sink.put(&Record::Ready(start.ready))?;
    for step in steps {
        match step {
            Step::Event(bytes) => {
                player.stages.hold_record(&bytes);
                for event in player.stages.take_held() {
                    player.conclude(correlator.take(event))?;
                }
            }
            Step::Advance(now) => player.conclude(correlator.advance(now))?,
            Step::Standing(standing) => player.stages.standing(&standing),
            Step::Said(record) => player.said(&record)?,
            Step::Lost(lost) => {
                player.tally.lost = player.tally.lost.plus(&lost);
                player.sink.put(&Record::Lost(lost))?;
            }
        }
    }
    player.conclude(correlator.finish())?;
    Ok(player.tally)
}

struct Player<'a> {
    stages: Stages,
    names: HashMap<String, Names>,
    filter: &'a Filter,
    sink: &'a mut dyn Sink,
    /// Ids of the incidents that were put out.
    put: HashSet<String>,
    tally: Tally,
}

impl Player<'_> {
    fn conclude(&mut self, episodes: Vec<Episode>) -> io::Result<()> {
        for episode in episodes.into_iter().filter(|episode| self.filter.may_want(episode)) {
            let mut incident = self.stages.draft(episode).incident;
            if let Some(names) = self.names.remove(&incident.id) {
                names.apply(&mut incident);
            }
            let record = conclude(incident);
            if !self.filter.wants(&record) {
                continue;
            }
            if let Record::Incident(incident) = &record {
                self.tally.incidents += 1;
                self.put.insert(incident.id.clone());
            }
            self.sink.put(&record)?;
        }
        Ok(())
    }

    /// Of an incident that the filter leaves out, nothing is said either.
    fn said(&mut self, record: &Record) -> io::Result<()> {
        let is_wanted = match record {
            Record::Contradiction(said) => self.put.contains(&said.incident),
            _ => false,
        };
        if is_wanted { self.sink.put(record) } else { Ok(()) }
    }
}
