//! Runs the pipeline on the live kernel: ring buffer → decode → correlate → names → judge → advise → sink.
//!
//! One thread. The order of incidents is that of their kills; a runtime that is slow to name a container delays what
//! comes after it by a few seconds at most, whatever it does, and never the reading of the ring buffer.

mod aftermath;
mod beginning;
mod losses;
mod naming;
mod node_watch;
mod out;
mod paced;
mod pulse;
mod shares;
mod warnings;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::container::clients::Socket;
use crate::container::directory::Directory;
use crate::event::Event;
use crate::filter::Filter;
use crate::kubernetes::Kubernetes;
use crate::model::Record;
use crate::node::clock::boot_now;
use crate::node::processes;
use crate::own;
use crate::own::calls::Network;
use crate::own::heap;
use crate::probe::counter::CounterError;
use crate::probe::load::{LoadError, Probe};
use crate::probe::ring::Ring;
use crate::redact::Privacy;
use crate::resolve::detail::Detail;
use crate::resolve::facts::Facts;
use crate::resolve::facts::live::{Curves, Live};
use crate::run::flight::FlightRecorder;
use crate::run::health::server::{Question, Questions};
use crate::run::pipeline::Pipeline;
use crate::run::raw;
use crate::run::recording::Recorder;
use crate::run::recording::Recording;
use crate::sink::notices;
use crate::sink::outputs::{Failures, Outputs};
use crate::store::sink::Asker;
use aftermath::Aftermath;
use losses::Losses;
use naming::Naming;
use node_watch::{NodeWatch, SearchResult};
use out::Out;
pub use out::Tally;
use pulse::Pulse;
use warnings::Warnings;

/// Why watching ended early.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("cannot read the ring buffer: {0}")]
    Ring(io::Error),
    #[error(transparent)]
    Counter(#[from] CounterError),
    #[error("cannot read the clock: {0}")]
    Clock(#[from] nix::Error),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// Whom to ask about containers, and where others ask for their end.
pub struct RuntimeConfig {
    pub directory: Directory,
    pub sockets: Vec<Socket>,
    /// What of command lines and labels leaves the node.
    pub privacy: Privacy,
    /// What oomtrace gives up once it watches.
    pub sandbox: own::Mode,
    /// Sockets of runtimes that are asked for names.
    pub sockets_asked: Vec<PathBuf>,
    /// The Kubernetes API.
    pub kubernetes: Kubernetes,
    /// Who wants to know whether it watches, if anybody may ask.
    pub health: Option<Questions>,
    /// What is shown besides.
    pub detail: Detail,
    /// Follows memory, if it is followed.
    pub flight: Option<FlightRecorder>,
    /// Knows what there was before, where a history is kept.
    pub history: Option<Asker>,
}

/// For how long events that are there already are read at the end, at least.
const DRAIN: Duration = Duration::from_millis(150);
/// How often it is looked whether it has caught up.
const BEHIND_LOOK: Duration = Duration::from_millis(2);

/// Watches until `stop` completes, which says by when runtimes may still answer; then puts out what was seen until then. Must run
/// inside a `LocalSet`.
///
/// # Errors
/// When the ring buffer, the clock or an output fails; a reader that is gone is [`WatchError::Output`] with `BrokenPipe`.
pub async fn run(
    probe: Probe,
    runtimes: RuntimeConfig,
    filter: Filter,
    recorder: Option<Recorder>,
    outputs: &Outputs,
    failures: &mut Failures,
    stop: impl Future<Output = Instant>,
) -> Result<Tally, WatchError> {
    let RuntimeConfig {
        directory,
        sockets,
        privacy,
        sandbox,
        sockets_asked,
        kubernetes,
        mut health,
        detail,
        flight,
        history,
    } = runtimes;
    let network = if kubernetes.is_on() { Network::Others } else { Network::Nobody };
    let mut start = beginning::start(&probe, &sockets, privacy, detail)?;
    let Probe { ebpf, events, counter, sockets: watched, .. } = probe;
    // Holds the programs for as long as this runs.
    let _ebpf = ebpf;
    let mut ring = Ring::new(events).map_err(WatchError::Ring)?;
    let mut node_watch = NodeWatch::new(directory.clone(), sockets, watched, flight.clone());
    let curves = flight.clone().map(|flight| Box::new(flight) as Box<dyn Curves>);
    let live = Live::new(start.page_size, node_watch.tracker(), privacy, curves);
    let mut search = node_watch.start();
    // Kernel symbols, and who was connected before, are read by threads that were made with all privileges, and soon end.
    let asked: Vec<_> = sockets_asked.iter().map(PathBuf::as_path).collect();
    start.ready.sandbox = Some(own::confine(sandbox, &asked, network, || counter.read().is_ok()));
    let facts: Box<dyn Facts> = match &recorder {
        Some(recorder) => {
            recorder.start(&start);
            Box::new(Recording::of(live, recorder.clone()))
        }
        None => Box::new(live),
    };
    let mut pipeline = Pipeline::new(&start, facts, filter);
    let mut losses = Losses::new(counter);
    let history = history.map(Rc::new);
    let mut out = Out::new(outputs, recorder.clone(), kubernetes.clone(), history.clone());
    let node = start.ready.node.clone();
    let mut pulse = Pulse::new(start.ready.attached.len());
    outputs.put(Record::Ready(start.ready));
    let hold = |pipeline: &mut Pipeline, node_watch: &mut NodeWatch, record: &[u8]| {
        // Nothing behind this sees what is not to be shown.
        let record = privacy.event(record);
        let record = record.as_ref();
        let event = pipeline.decode(record);
        if let Some(event) = event.as_ref().filter(|_| detail.raw) {
            outputs.put(raw::record(event));
        }
        match event {
            // What containers there are is recorded as answers: names are asked for but once.
            Some(Event::Cgroup(change)) => return node_watch.cgroup(&change),
            // It asks runtimes for names itself, and for nothing else.
            Some(Event::Connect(connect)) if processes::is_self(connect.task.key) => return,
            // No part of the recording either: what is judged is the same.
            Some(Event::Connect(connect)) if !node_watch.is_runtimes(&connect) => return,
            Some(event) => {
                pipeline.hold(event);
                node_watch.forget(pipeline.take_forgotten());
            }
            None => {}
        }
        if let Some(recorder) = &recorder {
            recorder.event(record);
        }
    };
    let mut aftermath = Aftermath::new(directory.clone(), kubernetes.clone(), privacy);
    let mut warnings = Warnings::new(flight, directory.clone(), node_watch.tracker(), privacy, node);
    let mut naming = Naming::new(directory, kubernetes.clone(), recorder.clone(), privacy, history);
    let mut stop = std::pin::pin!(stop);
    let answers_until = loop {
        out.flush();
        let deadline = match pipeline.deadline() {
            Some(at) => Some(Duration::from_nanos(at.saturating_sub(boot_now()?))),
            None => None,
        };
        // A storm waits in the ring buffer for an output that is slow, but not for long: it may have stopped.
        let waits = out.waits_for_outputs();
        tokio::select! {
            biased;
            until = &mut stop => break until,
            error = failures.next() => return Err(error.into()),
            question = next_question(&mut health), if health.is_some() => {
                let (read, written) = ring.progress();
                question.answer(pulse.answer(read, written, Instant::now()));
            }
            incident = naming.next(), if !naming.is_idle() && !waits => out.put(incident, &mut pipeline, &mut aftermath),
            found = search.next() => match found {
                SearchResult::Due => node_watch.walk(&mut search),
                SearchResult::Containers(walked) => node_watch.walked(walked),
                SearchResult::ExistingClient(standing) => {
                    let standing = node_watch.follow(standing);
                    if let Some(recorder) = &recorder {
                        recorder.standing(&standing);
                    }
                    pipeline.take_existing(&standing);
                }
            },
            read = ring.read(|record| hold(&mut pipeline, &mut node_watch, record)), if naming.has_room() && !waits => {
                read.map_err(WatchError::Ring)?;
                let lost = losses.look(Instant::now())?;
                if out.lost(lost) {
                    node_watch.lost(&mut search);
                }
                naming.start(pipeline.take_complete());
                if lost.is_some_and(|lost| lost.may_hide_clients()) {
                    // A recording has the loss behind these events.
                    pipeline.clients_missed();
                }
            }
            () = sleep(Some(BEHIND_LOOK)), if waits => {}
            warning = warnings.next(), if !waits => out.warn(warning, &mut pipeline),
            known = aftermath.next(), if !aftermath.is_idle() => out.followed(known, &mut pipeline),
            () = sleep(deadline), if deadline.is_some() && naming.has_room() && !waits => {
                // The clock decides only about what was in the ring by then.
                let now = boot_now()?;
                ring.drain(|record| hold(&mut pipeline, &mut node_watch, record)).map_err(WatchError::Ring)?;
                naming.start(pipeline.take_complete());
                let (complete, was_anything) = pipeline.advance(now);
                if let Some(recorder) = recorder.as_ref().filter(|_| was_anything) {
                    recorder.advance(now);
                }
                naming.start(complete);
            }
            () = sleep(losses.due().map(|at| at.saturating_duration_since(Instant::now()))), if losses.due().is_some() => {
                let lost = losses.look(Instant::now())?;
                if out.lost(lost) {
                    node_watch.lost(&mut search);
                }
                if lost.is_some_and(|lost| lost.may_hide_clients()) {
                    pipeline.clients_missed();
                }
            }
            () = sleep(out.losses_at().map(|at| at.saturating_duration_since(Instant::now()))), if out.losses_at().is_some() => {
                out.say_losses(false);
            }
            () = kubernetes.listed() => heap::give_back_all(),
            () = sleep(out.rest_at.map(|at| at.saturating_duration_since(Instant::now()))), if out.rest_at.is_some() => {
                heap::give_back();
                out.rested();
            }
        }
    };
    // Whoever makes events faster than they are read must not hold up the end; a machine that is slow to get here has some time, too.
    let drain_until = answers_until.max(Instant::now() + DRAIN);
    while ring.drain_some(|record| hold(&mut pipeline, &mut node_watch, record)).map_err(WatchError::Ring)? {
        if Instant::now() >= drain_until {
            notices::say(
                "events came faster than they could be read: those that were left when it stopped are not told of",
            );
            break;
        }
    }
    naming.start(pipeline.take_complete());
    naming.start(pipeline.finish());
    while !naming.is_idle() {
        while out.waits_for_outputs() && Instant::now() < answers_until {
            tokio::time::sleep(BEHIND_LOOK).await;
        }
        match tokio::time::timeout_at(answers_until.into(), naming.next()).await {
            Ok(incident) => out.put(incident, &mut pipeline, &mut aftermath),
            Err(_) => {
                naming.rest().into_iter().for_each(|incident| out.put(Some(incident), &mut pipeline, &mut aftermath))
            }
        }
    }
    let lost = losses.rest();
    out.lost(lost.as_ref().copied().unwrap_or_default());
    out.say_losses(true);
    lost?;
    match kubernetes.take_unsaid() {
        0 => {}
        1 => notices::say("one Event could not be put on its pod (the Kubernetes API)"),
        unsaid => notices::say(&format!("{unsaid} Events could not be put on their pods (the Kubernetes API)")),
    }
    out.flush();
    Ok(Tally { left_out: pipeline.left_out(), ..out.tally })
}

async fn next_question(health: &mut Option<Questions>) -> Question {
    match health {
        Some(questions) => questions.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep(duration: Option<Duration>) {
    if let Some(duration) = duration {
        tokio::time::sleep(duration).await;
    }
}
