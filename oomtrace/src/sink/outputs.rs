//! Where records go: any number of sinks, each behind a bounded queue and on a thread of its own, so that none delays another or
//! the trace.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc;

use crate::model::{Lost, OutputName, Record, Unwritten};
use crate::sink::Sink;
use crate::sink::notices;
use crate::sink::outlet::Outlet;
use crate::sink::queue::{Count, Entry, Limits, Pushed, Rank, Taken};
use crate::sink::steady::{Closing, Trouble};
use crate::sink::weight::weight;

/// Of each output: a storm's kills for as long as its reader is busy with something else.
const LIMITS: Limits = Limits { entries: 16_384, bytes: 8 << 20 };

/// See the module's documentation.
#[derive(Debug)]
pub struct Outputs {
    outputs: Vec<Output>,
    failed: mpsc::UnboundedSender<io::Error>,
    /// What came before the stream's first record; none once that was put.
    early: Mutex<Option<Vec<Record>>>,
}

/// Records that may come before the first.
const EARLY: usize = 16;

/// Outputs that ended.
#[derive(Debug)]
pub struct Failures(mpsc::UnboundedReceiver<io::Error>);

#[derive(Debug)]
struct Output {
    name: OutputName,
    outlet: Outlet<Arc<Record>>,
    /// Its reader has left.
    is_gone: Arc<AtomicBool>,
}

impl Failures {
    /// Why an output ended; never, while none does. Cancel-safe.
    pub async fn next(&mut self) -> io::Error {
        match self.0.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }
}

impl Outputs {
    /// None yet.
    #[must_use]
    pub fn new() -> (Self, Failures) {
        let (failed, failures) = mpsc::unbounded_channel();
        (Self { outputs: Vec::new(), failed, early: Mutex::new(Some(Vec::new())) }, Failures(failures))
    }

    /// Adds a sink, which is made by `sink` from the two things that one may need that waits: when to give up, and whom to tell. When it
    /// fails, all ends ([`Failures`]).
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn add(&mut self, name: OutputName, sink: impl FnOnce(Arc<Closing>) -> Box<dyn Sink + Send>) -> io::Result<()> {
        let failed = self.failed.clone();
        self.add_with(name, sink, move |error| {
            // Whoever watches may have ended before.
            _ = failed.send(error);
        })
    }

    /// Adds one without which all goes on: it says itself what became of it. With `BrokenPipe` it wants no record any more, and none counts
    /// as not written; with any other error those do.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn add_aside(
        &mut self,
        name: OutputName,
        sink: impl FnOnce(Arc<Closing>) -> Box<dyn Sink + Send>,
    ) -> io::Result<()> {
        self.add_with(name, sink, |error| log::debug!("an output ended: {error}"))
    }

    fn add_with(
        &mut self,
        name: OutputName,
        sink: impl FnOnce(Arc<Closing>) -> Box<dyn Sink + Send>,
        failed: impl FnOnce(io::Error) + Send + 'static,
    ) -> io::Result<()> {
        let closing = Arc::new(Closing::default());
        let mut sink = sink(Arc::clone(&closing));
        let most = sink.at_once();
        let write = move |taken: Taken<Arc<Record>>| {
            let entries = match taken {
                Taken::Entries(entries) => entries,
                Taken::Quiet => return sink.quiet(),
                Taken::End => return sink.finish(),
            };
            let mut records = Vec::new();
            for entry in entries {
                match entry {
                    Entry::Item(record) => records.push(record),
                    Entry::Gap(gap) => {
                        sink.put_all(&std::mem::take(&mut records))?;
                        sink.put(&unwritten(name, gap))?;
                        notices::say(&format!("{} not written to {name}", counted(gap)));
                    }
                }
            }
            sink.put_all(&records)
        };
        let is_gone = Arc::new(AtomicBool::new(false));
        let gone = Arc::clone(&is_gone);
        let ended = move |error: Option<io::Error>| {
            if let Some(error) = error {
                gone.store(error.kind() == io::ErrorKind::BrokenPipe, Ordering::Relaxed);
                failed(error);
            }
        };
        let outlet = Outlet::start_many(name.as_str(), LIMITS, most, closing, write, ended)?;
        self.outputs.push(Output { name, outlet, is_gone });
        Ok(())
    }

    /// Hands a record to each of them. Never waits. The stream's first record comes first, whatever came before it.
    pub fn put(&self, record: Record) {
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        match (&record, early.as_mut()) {
            (Record::Ready(_), _) => {
                let rest = early.take();
                self.hand_over(record);
                rest.into_iter().flatten().for_each(|record| self.hand_over(record));
            }
            (_, Some(early)) if early.len() < EARLY => early.push(record),
            (_, Some(_)) => {}
            (_, None) => {
                drop(early);
                self.hand_over(record);
            }
        }
    }

    fn hand_over(&self, record: Record) {
        let (rank, count) = match record {
            Record::Incident(_) => (Rank::First, Count::one(true)),
            Record::Exit(_)
            | Record::Signal(_)
            | Record::Event(_)
            | Record::Contradiction(_)
            | Record::Correction(_)
            | Record::Warning(_)
            | Record::Repeat(_) => (Rank::Other, Count::one(false)),
            Record::Ready(_) | Record::Lost(_) => (Rank::First, Count::one(false)),
        };
        let bytes = size_of::<Record>() + weight(&record);
        let record = Arc::new(record);
        for Output { name, outlet, .. } in &self.outputs {
            // It has that in its own place.
            if is_about(&record, *name) {
                continue;
            }
            if outlet.push(Arc::clone(&record), bytes, rank, count) == Pushed::DroppedFirst {
                notices::say(&format!(
                    "{name} takes too little: what does not fit is left out from now on, and counted"
                ));
            }
        }
    }

    /// Where one of them is behind, with more than half of its queue taken: how many records those have taken so far.
    #[must_use]
    pub fn behind(&self) -> Option<u64> {
        self.outputs.iter().filter_map(|output| output.outlet.behind()).reduce(u64::saturating_add)
    }

    /// Has everything written until then, and no longer; gives what never was, but for outputs whose readers have left.
    #[must_use]
    pub fn close(&self, until: Instant) -> Vec<(OutputName, Count)> {
        let closed = self.outputs.iter().map(|output| (output, output.outlet.close(until)));
        let stays = |output: &Output| !output.is_gone.load(Ordering::Relaxed);
        closed.filter(|(output, _)| stays(output)).map(|(output, lost)| (output.name, lost)).collect()
    }
}

/// The record says what that output could not take.
fn is_about(record: &Record, name: OutputName) -> bool {
    matches!(record, Record::Lost(Lost { unwritten: Some(unwritten), .. }) if unwritten.output == name)
}

/// The record that says that something else was not written.
#[must_use]
pub fn unwritten(output: OutputName, count: Count) -> Record {
    let unwritten = Unwritten { output, kills: count.kills, others: count.others };
    Record::Lost(Lost { unwritten: Some(unwritten), ..Lost::default() })
}

/// `3 incidents and 1 other record were`
#[must_use]
pub fn counted(count: Count) -> String {
    let of = |number: u64, one: &str, more: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {more}")),
    };
    let parts = [of(count.kills, "incident", "incidents"), of(count.others, "other record", "other records")];
    let verb = if count.kills + count.others == 1 { "was" } else { "were" };
    format!("{} {verb}", parts.into_iter().flatten().collect::<Vec<_>>().join(" and "))
}

/// What is said on standard error of an output that cannot be written for a while.
pub fn say_trouble(name: OutputName) -> impl FnMut(Trouble<'_>) + Send + 'static {
    move |trouble| match trouble {
        Trouble::Began(error) => {
            notices::say(&format!("cannot write to {name}: {error}; watching goes on, and it is tried again"))
        }
        Trouble::Ended => notices::say(&format!("{name} can be written again")),
    }
}
