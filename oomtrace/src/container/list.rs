//! Every container that has a cgroup, as an incident in it would name it.

use schemars::JsonSchema;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::container::directory::Directory;
use crate::container::runtime::docker::DockerError;
use crate::container::tracker::{Tracker, walk};
use crate::model::Container;
use crate::node::cgroups::{self, Hierarchy};
use crate::node::usage::{Usage, UsageFiles};
use crate::redact::Privacy;

/// A container.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Listed {
    /// The container, as an incident in it would name it.
    pub container: Container,
    /// What its cgroup says of its memory. Null where that cgroup cannot be read on the memory hierarchy.
    pub memory: Option<Usage>,
    /// The same of its pod's cgroup. Null as well where it is in no pod.
    pub pod_memory: Option<Usage>,
    /// It is down, and its runtime waits to start it again: it has no cgroup now. Seen of Docker's.
    pub is_restarting: bool,
    /// What its runtime did not say, in words.
    pub missing: Vec<String>,
}

impl Listed {
    /// What of it may be shown.
    #[must_use]
    pub fn private(mut self, privacy: Privacy) -> Self {
        privacy.container(&mut self.container);
        self.missing.iter_mut().for_each(|why| *why = privacy.text(why));
        self
    }
}

/// Questions to runtimes at a time.
const ASKING: usize = 8;

/// All of them, in the order of their cgroups' paths. Must run inside a `LocalSet`.
pub async fn list(directory: &Directory, hierarchies: &[Hierarchy]) -> Vec<Listed> {
    let states = &directory.sources().states;
    let mut tracker = Tracker::new(states.clone());
    tracker.end_walk(walk(hierarchies, cgroups::memory_hierarchy_id(), states));
    let files = cgroups::memory(hierarchies).map(UsageFiles::new);
    let mut all = Vec::new();
    let mut asking = JoinSet::new();
    for (number, place) in tracker.all().into_iter().enumerate() {
        while asking.len() >= ASKING {
            all.extend(asking.join_next().await);
        }
        let (directory, files) = (directory.clone(), files.clone());
        asking.spawn_local(async move {
            let described = directory.describe(&place).await;
            let read = |path: &str| files.as_ref().and_then(|files| files.read(path));
            let memory = read(&place.cgroup);
            let pod_memory = place.pod.as_ref().and_then(|pod| read(pod.cgroup.as_deref()?));
            let listed = |(container, why): (Container, Option<String>)| {
                (
                    number,
                    Listed { container, memory, pod_memory, is_restarting: false, missing: why.into_iter().collect() },
                )
            };
            described.map(listed)
        });
    }
    while let Some(listed) = asking.join_next().await {
        all.push(listed);
    }
    // None of these tasks is ever cancelled, and one that panicked has nothing to list.
    let mut all: Vec<(usize, Listed)> = all.into_iter().flatten().flatten().collect();
    all.sort_unstable_by_key(|(number, _)| *number);
    let mut all: Vec<Listed> = all.into_iter().map(|(_, listed)| listed).collect();
    add_restarting(&mut all, directory).await;
    all
}

/// Those that are down most of the time are the ones that are looked for.
async fn add_restarting(all: &mut Vec<Listed>, directory: &Directory) {
    let Some(docker) = directory.docker() else { return };
    // What does not answer was said of those that run.
    let Ok(restarting) = docker.restarting().await else { return };
    let mut down: Option<DockerError> = None;
    for (id, listed) in restarting {
        if all.iter().any(|other| other.container.id == id) {
            continue;
        }
        // The list says nothing of limits and restarts. One that does not answer is not waited for again.
        let asked = match &down {
            Some(why) => Err(why.clone()),
            None => docker.inspect(&id).await,
        };
        down = asked.as_ref().err().filter(|why| why.is_down()).cloned();
        let missing = asked.as_ref().err().map(|why| format!("how often it was restarted, and its limit ({why})"));
        let metadata = asked.unwrap_or(listed);
        let mut container = Container { id, confirmed: true, ..Container::default() };
        metadata.describe(&mut container);
        container.restart_count = metadata.restart_count;
        let missing = missing.into_iter().collect();
        all.push(Listed { container, memory: None, pod_memory: None, is_restarting: true, missing });
    }
}
