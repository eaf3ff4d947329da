//! Runs the pipeline over a recording.

use std::io;

use super::{Contents, Step};
use crate::incident::correlate::{Correlator, Episode};
use crate::incident::model::{Lost, Record};
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
    sink.put(&Record::Ready(start.ready.clone()))?;
    let mut correlator = Correlator::new(start.hooks());
    let mut stages = Stages::new(&start, Box::new(answers));
    let mut tally = Tally::default();
    let mut put = |episodes: Vec<Episode>, stages: &mut Stages, sink: &mut dyn Sink| -> io::Result<()> {
        for episode in episodes.into_iter().filter(|episode| filter.may_want(episode)) {
            let mut incident = stages.draft(episode).incident;
            if let Some(names) = names.get(&incident.id) {
                names.clone().apply(&mut incident);
            }
            let record = conclude(incident);
            if filter.wants(&record) {
                tally.incidents += u64::from(matches!(record, Record::Incident(_)));
                sink.put(&record)?;
            }
        }
        Ok(())
    };
    let mut lost = 0;
    for step in steps {
        match step {
            Step::Event(bytes) => {
                stages.hold(&bytes);
                let done = stages.take_held().into_iter().flat_map(|event| correlator.take(event)).collect();
                put(done, &mut stages, sink)?;
            }
            Step::Advance(now) => put(correlator.advance(now), &mut stages, sink)?,
            Step::Lost(events) => {
                lost += events;
                sink.put(&Record::Lost(Lost { events }))?;
            }
        }
    }
    put(correlator.finish(), &mut stages, sink)?;
    tally.lost = lost;
    Ok(tally)
}
