//! Asks runtimes for names, off the path of events, and keeps incidents in the order of their kills meanwhile.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::filter::Filter;
use super::stages::Stages;
use crate::container::directory::Directory;
use crate::container::naming::{Names, Places};
use crate::incident::assemble::Draft;
use crate::incident::correlate::Episode;
use crate::incident::model::{Incident, Record};
use crate::recording::Recorder;
use crate::verdict::conclude;

/// Incidents that wait for a runtime's answer. Those beyond go out without one, and before those that wait.
const MAX_ASKED: usize = 256;
/// Incidents that wait to be put out; with more of them reading pauses, and the ring buffer holds what comes.
const MAX_WAITING: usize = 4096;
/// How long an incident waits for its names, and with it those behind it. A runtime's own time-out is shorter, and says more.
const DEADLINE: Duration = Duration::from_millis(2500);
/// The same, once oomtrace is to end.
const LAST_DEADLINE: Duration = Duration::from_millis(500);
const LATE: &str = "names of containers: their runtimes did not answer in time";
const TOO_MANY: &str = "names of containers: too many incidents wait for a runtime already";

/// See the module's documentation.
pub struct Naming {
    directory: Directory,
    recorder: Option<Recorder>,
    waiting: VecDeque<Waiting>,
    /// Those that overtake.
    ready: VecDeque<Record>,
    /// How many of those that wait are being asked for.
    asked: usize,
    ending: watch::Sender<bool>,
    preload: JoinHandle<()>,
}

enum Waiting {
    Named(Box<Record>),
    Asking(JoinHandle<Record>),
}

impl Naming {
    /// Fetches what the runtimes know already, in the background.
    pub fn new(directory: Directory, recorder: Option<Recorder>) -> Self {
        let all = directory.clone();
        let preload = tokio::task::spawn_local(async move {
            if let Err(error) = all.preload().await {
                // Nobody may be reading, and that is no reason to stop.
                _ = writeln!(io::stderr(), "oomtrace: {error}; its containers go by their ids until it answers");
            }
        });
        Self {
            directory,
            recorder,
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            asked: 0,
            ending: watch::Sender::new(false),
            preload,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.ready.is_empty()
    }

    pub fn has_room(&self) -> bool {
        self.waiting.len() + self.ready.len() < MAX_WAITING
    }

    /// Starts naming each episode that the filter may want.
    pub fn start(&mut self, episodes: Vec<Episode>, stages: &mut Stages, filter: &Filter) {
        for episode in episodes.into_iter().filter(|episode| filter.may_want(episode)) {
            let Draft { incident, places } = stages.draft(episode);
            if !Names::are_wanted(&incident) {
                self.waiting.push_back(Waiting::Named(Box::new(conclude(incident))));
                continue;
            }
            let spare = (self.asked >= MAX_ASKED).then(|| incident.clone());
            let mut naming: Pin<Box<dyn Future<Output = Record>>> = Box::pin(name(
                incident,
                places,
                self.directory.clone(),
                self.recorder.clone(),
                self.ending.subscribe(),
            ));
            // What is remembered needs no waiting.
            match (naming.as_mut().poll(&mut Context::from_waker(Waker::noop())), spare) {
                (Poll::Ready(record), _) => self.waiting.push_back(Waiting::Named(Box::new(record))),
                (Poll::Pending, None) => {
                    self.asked += 1;
                    self.waiting.push_back(Waiting::Asking(tokio::task::spawn_local(naming)));
                }
                (Poll::Pending, Some(mut incident)) => {
                    incident.missing.push(TOO_MANY.to_owned());
                    self.ready.push_back(conclude(incident));
                }
            }
        }
    }

    /// What is not named by now is put out soon, without names.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    /// The next incident, once it is named; none when its task failed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Record> {
        if let Some(record) = self.ready.pop_front() {
            return Some(record);
        }
        let record = match self.waiting.front_mut()? {
            Waiting::Named(_) => None,
            Waiting::Asking(task) => Some(task.await),
        };
        match (self.waiting.pop_front()?, record) {
            (Waiting::Named(record), _) => Some(*record),
            (Waiting::Asking(_), Some(Ok(record))) => {
                self.asked = self.asked.saturating_sub(1);
                Some(record)
            }
            (Waiting::Asking(_), _) => {
                self.asked = self.asked.saturating_sub(1);
                log::error!("an incident was lost: the task that named it failed");
                None
            }
        }
    }
}

/// Asks for an incident's names for as long as there is time, and judges it.
async fn name(
    mut incident: Incident,
    places: Places,
    directory: Directory,
    recorder: Option<Recorder>,
    mut ending: watch::Receiver<bool>,
) -> Record {
    let ended = async move {
        // An error means that whoever would say so has gone.
        _ = ending.wait_for(|ending| *ending).await;
        tokio::time::sleep(LAST_DEADLINE).await;
    };
    let names = tokio::select! {
        biased;
        names = Names::ask(&incident, &places, &directory) => names,
        () = tokio::time::sleep(DEADLINE) => Names::none(&incident, LATE),
        () = ended => Names::none(&incident, LATE),
    };
    if let Some(recorder) = recorder {
        recorder.names(&incident.id, &names);
    }
    names.apply(&mut incident);
    conclude(incident)
}

impl Drop for Naming {
    fn drop(&mut self) {
        self.preload.abort();
    }
}
