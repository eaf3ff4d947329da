//! Asks runtimes for names, off the path of events, and keeps incidents in the order of their kills meanwhile.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::filter::Filter;
use super::stages::Stages;
use crate::container::directory::Directory;
use crate::container::naming::Names;
use crate::incident::assemble::Draft;
use crate::incident::correlate::Episode;
use crate::incident::model::{Incident, Record};
use crate::recording::Recorder;
use crate::redact::Privacy;
use crate::sink::notices;
use crate::verdict::conclude;

/// All that is asked about one incident takes no longer: it is reported within seconds of its kill, whatever a runtime does.
const NAMED_WITHIN: Duration = Duration::from_secs(4);
const TOO_LATE: &str = "what its runtime knows (it had not answered in time)";
/// Of those that are still asked for at the end.
const STOPPED: &str = "what its runtime knows (oomtrace was stopped before it had answered)";

/// Incidents waiting for a runtime's answer; with more of them reading pauses, and the ring buffer holds what comes.
const MAX_WAITING: usize = 16_384;

/// See the module's documentation.
pub struct Naming {
    directory: Directory,
    recorder: Option<Recorder>,
    privacy: Privacy,
    waiting: VecDeque<Waiting>,
    preload: JoinHandle<()>,
}

enum Waiting {
    Named(Box<Record>),
    Asking(JoinHandle<Names>, Rc<Incident>),
}

impl Naming {
    /// Fetches what the runtimes know already, in the background.
    pub fn new(directory: Directory, recorder: Option<Recorder>, privacy: Privacy) -> Self {
        let all = directory.clone();
        let preload = tokio::task::spawn_local(async move {
            if let Err(error) = all.preload().await {
                notices::say(&format!("{error}; its containers go by their ids until it answers"));
            }
        });
        Self { directory, recorder, privacy, waiting: VecDeque::new(), preload }
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
            let Draft { incident, places } = stages.draft(episode);
            let privacy = self.privacy;
            self.waiting.push_back(if Names::are_wanted(&incident) {
                let incident = Rc::new(incident);
                let (asked, directory) = (Rc::clone(&incident), self.directory.clone());
                let asking = async move {
                    let named = tokio::time::timeout(NAMED_WITHIN, Names::ask(&asked, &places, &directory)).await;
                    named.unwrap_or_else(|_| Names::unasked(&asked, TOO_LATE)).private(privacy)
                };
                Waiting::Asking(tokio::task::spawn_local(asking), incident)
            } else {
                Waiting::Named(Box::new(conclude(incident)))
            });
        }
    }

    /// The oldest incident, once it is named; none when none waits. Cancel-safe.
    pub async fn next(&mut self) -> Option<Record> {
        let names = match self.waiting.front_mut()? {
            Waiting::Named(_) => None,
            Waiting::Asking(task, _) => Some(task.await),
        };
        match (self.waiting.pop_front()?, names) {
            (Waiting::Asking(_, incident), Some(Ok(names))) => Some(self.named(incident, names)),
            (waiting, Some(Err(error))) => {
                log::error!("a runtime was not asked for a name: {error}");
                Some(self.as_it_is(waiting))
            }
            (waiting, _) => Some(self.as_it_is(waiting)),
        }
    }

    /// All that still wait, without what has not been answered by now: there is no time left.
    pub fn rest(&mut self) -> Vec<Record> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().map(|waiting| self.as_it_is(waiting)).collect()
    }

    fn as_it_is(&self, waiting: Waiting) -> Record {
        match waiting {
            Waiting::Named(record) => *record,
            Waiting::Asking(task, incident) => {
                task.abort();
                let names = Names::unasked(&incident, STOPPED);
                self.named(incident, names)
            }
        }
    }

    fn named(&self, incident: Rc<Incident>, names: Names) -> Record {
        if let Some(recorder) = &self.recorder {
            recorder.names(&incident.id, &names);
        }
        // The task that asked has ended, or is about to.
        let mut incident = Rc::unwrap_or_clone(incident);
        names.apply(&mut incident);
        conclude(incident)
    }
}

impl Drop for Naming {
    fn drop(&mut self) {
        self.preload.abort();
    }
}
