//! Asks runtimes for names, off the path of events, and keeps incidents in the order of their kills meanwhile.

use std::collections::VecDeque;
use std::io::{self, Write as _};

use tokio::task::JoinHandle;

use super::filter::Filter;
use super::stages::Stages;
use crate::advice::advise;
use crate::container::directory::Directory;
use crate::incident::assemble::Draft;
use crate::incident::correlate::Episode;
use crate::incident::model::{Attribution, Incident, Record};
use crate::node::signals::SIGKILL;
use crate::verdict::judge::judge;

/// Incidents waiting for a runtime's answer; with more of them reading pauses, and the ring buffer holds what comes.
const MAX_WAITING: usize = 16_384;

/// See the module's documentation.
pub struct Naming {
    directory: Directory,
    waiting: VecDeque<Waiting>,
    preload: JoinHandle<()>,
}

enum Waiting {
    Named(Box<Record>),
    Asking(JoinHandle<Record>),
}

impl Naming {
    /// Fetches what the runtimes know already, in the background.
    pub fn new(directory: Directory) -> Self {
        let all = directory.clone();
        let preload = tokio::task::spawn_local(async move {
            if let Err(error) = all.preload().await {
                // Nobody may be reading, and that is no reason to stop.
                _ = writeln!(io::stderr(), "oomtrace: {error}; its containers go by their ids until it answers");
            }
        });
        Self { directory, waiting: VecDeque::new(), preload }
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
            let draft = stages.draft(episode);
            let asks = draft.incident.container.is_some() || draft.incident.sender.container.is_some();
            self.waiting.push_back(if asks {
                let directory = self.directory.clone();
                Waiting::Asking(tokio::task::spawn_local(async move { finish(name(draft, &directory).await) }))
            } else {
                Waiting::Named(Box::new(finish(draft.incident)))
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

async fn name(draft: Draft, directory: &Directory) -> Incident {
    let Draft { mut incident, victim_runtime, sender_runtime } = draft;
    if let Some(container) = &mut incident.container
        && let Err(missing) = directory.complete(container, victim_runtime).await
    {
        incident.missing.push(missing);
    }
    let same = incident.container.as_ref().map(|c| &c.id) == incident.sender.container.as_ref().map(|c| &c.id);
    if same {
        incident.sender.container.clone_from(&incident.container);
    } else if let Some(container) = &mut incident.sender.container
        && let Err(missing) = directory.complete(container, sender_runtime).await
    {
        incident.missing.push(format!("of the sender: {missing}"));
    }
    incident
}

/// Judges a kill; another signal has no verdict.
fn finish(mut incident: Incident) -> Record {
    if incident.signal.number != SIGKILL {
        return Record::Signal(incident);
    }
    let mut verdict = judge(&incident);
    verdict.advice = advise(&incident, verdict.cause);
    incident.verdict = Some(verdict);
    if incident.sender.process.is_none() && incident.signal.path.is_none() && incident.oom.is_none() {
        incident.attribution = Attribution::None;
    }
    Record::Incident(incident)
}
