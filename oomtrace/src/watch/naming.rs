//! Asks runtimes for names, off the path of events, and keeps incidents in the order of their kills meanwhile.

use std::collections::VecDeque;
use std::io::{self, Write as _};

use tokio::task::JoinHandle;

use super::filter::Filter;
use super::stages::Stages;
use crate::container::directory::Directory;
use crate::container::naming::Names;
use crate::incident::assemble::Draft;
use crate::incident::correlate::Episode;
use crate::incident::model::Record;
use crate::recording::Recorder;
use crate::verdict::conclude;

/// Incidents waiting for a runtime's answer; with more of them reading pauses, and the ring buffer holds what comes.
const MAX_WAITING: usize = 16_384;

/// See the module's documentation.
pub struct Naming {
    directory: Directory,
    recorder: Option<Recorder>,
    waiting: VecDeque<Waiting>,
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
        Self { directory, recorder, waiting: VecDeque::new(), preload }
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Starts naming each episode that the filter may want.
    pub fn start(&mut self, episodes: Vec<Episode>, stages: &mut Stages, filter: &Filter) {
        for episode in episodes.into_iter().filter(|episode| filter.may_want(episode)) {
            let Draft { mut incident, places } = stages.draft(episode);
            self.waiting.push_back(if Names::are_wanted(&incident) {
                let (directory, recorder) = (self.directory.clone(), self.recorder.clone());
                Waiting::Asking(tokio::task::spawn_local(async move {
                    let names = Names::ask(&incident, &places, &directory).await;
                    if let Some(recorder) = recorder {
                        recorder.names(&incident.id, &names);
                    }
                    names.apply(&mut incident);
                    conclude(incident)
                }))
            } else {
                Waiting::Named(Box::new(conclude(incident)))
            });
        }
    }

    /// The oldest incident, once it is named; none when its task failed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Record> {
        let record = match self.waiting.front_mut()? {
            Waiting::Named(_) => None,
            Waiting::Asking(task) => Some(task.await),
        };
        match (self.waiting.pop_front()?, record) {
            (Waiting::Named(record), _) => Some(*record),
            (Waiting::Asking(_), Some(Ok(record))) => Some(record),
            (Waiting::Asking(_), _) => {
                log::error!("an incident was lost: the task that named it failed");
                None
            }
        }
    }
}

impl Drop for Naming {
    fn drop(&mut self) {
        self.preload.abort();
    }
}
