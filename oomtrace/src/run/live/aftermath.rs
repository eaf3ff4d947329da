//! What a runtime says of a container's end, asked once it has had the time to notice: after the verdict, which does not
//! wait for it.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::container::directory::Directory;
use crate::container::runtime::docker::Docker;
use crate::container::runtime::docker::run_state::RunState;
use crate::judge::contradiction::contradiction;
use crate::model::{Contradiction, Incident, Record, Source};
use crate::placement::Runtime;
use crate::redact::Privacy;

/// Ends that are followed at a time; those of a storm are not all.
const MAX_FOLLOWED: usize = 64;
/// When the runtime is asked, in milliseconds after the time before.
const ASKED_AFTER_MS: [u64; 6] = [50, 100, 200, 400, 800, 1600];

/// See the module's documentation.
pub struct Aftermath {
    directory: Directory,
    privacy: Privacy,
    followed: JoinSet<Option<Contradiction>>,
}

impl Aftermath {
    pub fn new(directory: Directory, privacy: Privacy) -> Self {
        Self { directory, privacy, followed: JoinSet::new() }
    }

    pub fn is_idle(&self) -> bool {
        self.followed.is_empty()
    }

    /// Follows the end of the incident's container, when it ends with the victim and Docker knows it.
    pub fn follow(&mut self, incident: &Incident) {
        let container = incident.container.as_ref().filter(|_| incident.victim.container_init);
        // Not of a user's own Docker, nor of one that may be another container.
        let is_dockers =
            container.is_some_and(|c| c.confirmed && c.user.is_none() && c.runtime == Some(Runtime::Docker));
        if !is_dockers || self.followed.len() >= MAX_FOLLOWED {
            return;
        }
        if let Some(docker) = self.directory.docker() {
            self.followed.spawn_local(follow(docker, incident.clone(), self.privacy));
        }
    }

    /// The next contradiction; none when there is none to one of those followed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Record> {
        match self.followed.join_next().await? {
            Ok(found) => found.map(Record::Contradiction),
            Err(error) => {
                log::error!("what a runtime says was not asked: {error}");
                None
            }
        }
    }
}

async fn follow(docker: Docker, incident: Incident, privacy: Privacy) -> Option<Contradiction> {
    let container = incident.container.clone()?;
    let said = end_of(&docker, &container.id).await?;
    let fact = privacy.text(&contradiction(&incident, &said)?);
    let time = format!("{:.9}", jiff::Timestamp::now());
    Some(Contradiction { incident: incident.id, time, container, fact, source: Source::Runtime })
}

/// How the container ended; none when it does not, runs again, or Docker no longer knows it.
async fn end_of(docker: &Docker, id: &str) -> Option<RunState> {
    let mut first: Option<RunState> = None;
    for after in ASKED_AFTER_MS {
        tokio::time::sleep(Duration::from_millis(after)).await;
        let now = docker.state(id).await.ok()?;
        let restarted = first.as_ref().is_some_and(|first| first.started_at != now.started_at);
        if restarted {
            return None;
        }
        if !now.running {
            return Some(now);
        }
        first.get_or_insert(now);
    }
    None
}
