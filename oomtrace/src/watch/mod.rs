//! Runs the pipeline on the live kernel: ring buffer → decode → correlate → names → judge → advise → sink.
//!
//! One thread. The order of incidents is that of their kills; a runtime that is slow to name a container delays what
//! comes after it by its time-out at most, and never the reading of the ring buffer.

pub mod filter;
mod naming;
mod stages;

use std::future::Future;
use std::io;
use std::time::Duration;

use crate::container::directory::Directory;
use crate::incident::correlate::{Correlator, Hooks};
use crate::incident::model::{Lost, Record};
use crate::node::clock::boot_now;
use crate::node::heap;
use crate::probe::load::{Hook, LoadError, LostCounter, Probe};
use crate::probe::ring::Ring;
use crate::sink::Sink;
use filter::Filter;
use naming::Naming;
use stages::Stages;

/// Why watching ended early.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("cannot read the ring buffer: {0}")]
    Ring(io::Error),
    #[error("cannot read the clock: {0}")]
    Clock(#[from] nix::Error),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// An incident with this much collateral took megabytes, which are given back when it is out.
const LARGE: usize = 256;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Incidents put out.
    pub incidents: u64,
    /// Events that did not fit into the ring buffer.
    pub lost: u64,
}

/// Watches until `stop` completes, then puts out what was seen until then. Must run inside a `LocalSet`.
///
/// # Errors
/// When the ring buffer, the clock or the output fails; a reader that is gone is [`WatchError::Output`] with
/// `BrokenPipe`.
pub async fn run(
    probe: Probe,
    directory: Directory,
    filter: Filter,
    sink: &mut dyn Sink,
    stop: impl Future<Output = ()>,
) -> Result<Tally, WatchError> {
    let hooks = Hooks {
        signal_generate: probe.has(Hook::SignalGenerate),
        mark_victim: probe.has(Hook::MarkVictim),
        process_exit: probe.has(Hook::SchedProcessExit),
    };
    let at_exit = hooks.process_exit && probe.unneeded.contains(&Hook::SignalDeliver);
    let reads_victims = at_exit || probe.has(Hook::SignalDeliver);
    let Probe { ebpf, events, lost, attached, missing, .. } = probe;
    // Holds the programs for as long as this runs.
    let _ebpf = ebpf;
    let mut ring = Ring::new(events).map_err(WatchError::Ring)?;
    let mut stages = Stages::new(hooks.process_exit, reads_victims);
    let mut correlator = Correlator::new(hooks);
    let mut out = Out { sink, filter, tally: Tally::default() };
    let attached = attached.iter().map(|hook| hook.name().to_owned()).collect();
    out.sink.put(&Record::Ready(stages.ready(attached, missing)))?;
    let mut naming = Naming::new(directory);
    let mut stop = std::pin::pin!(stop);
    loop {
        let deadline = match correlator.deadline() {
            Some(at) => Some(Duration::from_nanos(at.saturating_sub(boot_now()?))),
            None => None,
        };
        tokio::select! {
            biased;
            () = &mut stop => break,
            incident = naming.next(), if !naming.is_idle() => out.put(incident)?,
            read = ring.read(|record| stages.hold(record)), if naming.has_room() => {
                read.map_err(WatchError::Ring)?;
                out.lost(&lost)?;
                correlate_held(&mut stages, &mut correlator, &mut naming, &out.filter);
            }
            () = sleep(deadline), if deadline.is_some() => {
                // The clock decides only about what was in the ring by then.
                let now = boot_now()?;
                ring.drain(|record| stages.hold(record));
                correlate_held(&mut stages, &mut correlator, &mut naming, &out.filter);
                let done = correlator.advance(now);
                naming.start(done, &mut stages, &out.filter);
            }
        }
    }
    ring.drain(|record| stages.hold(record));
    correlate_held(&mut stages, &mut correlator, &mut naming, &out.filter);
    let rest = correlator.finish();
    naming.start(rest, &mut stages, &out.filter);
    while !naming.is_idle() {
        let incident = naming.next().await;
        out.put(incident)?;
    }
    out.lost(&lost)?;
    Ok(out.tally)
}

/// Takes the events that were held through the correlator, and starts naming what is complete by them.
fn correlate_held(stages: &mut Stages, correlator: &mut Correlator, naming: &mut Naming, filter: &Filter) {
    for event in stages.take_held() {
        let done = correlator.take(event);
        naming.start(done, stages, filter);
    }
}

async fn sleep(duration: Option<Duration>) {
    if let Some(duration) = duration {
        tokio::time::sleep(duration).await;
    }
}

/// The end of the pipeline.
struct Out<'a> {
    sink: &'a mut dyn Sink,
    filter: Filter,
    tally: Tally,
}

impl Out<'_> {
    /// Puts one record out, when it is wanted.
    fn put(&mut self, record: Option<Record>) -> io::Result<()> {
        let Some(record) = record.filter(|record| self.filter.wants(record)) else { return Ok(()) };
        let mut was_large = false;
        if let Record::Incident(incident) = &record {
            self.tally.incidents += 1;
            was_large = incident.collateral.len() >= LARGE;
        }
        self.sink.put(&record)?;
        drop(record);
        if was_large {
            heap::give_back();
        }
        Ok(())
    }

    /// Says how many events were lost since the last time. An event that does not fit means that the ring was full, so
    /// there is always a read after it to notice.
    fn lost(&mut self, counter: &LostCounter) -> Result<(), WatchError> {
        let lost = counter.read()?;
        let events = lost.saturating_sub(self.tally.lost);
        if events > 0 {
            self.tally.lost = lost;
            eprintln!(
                "oomtrace: {events} events did not fit into the ring buffer and were not seen ({lost} in all): \
                 run with a larger --ring-size"
            );
            self.sink.put(&Record::Lost(Lost { events }))?;
        }
        Ok(())
    }
}
