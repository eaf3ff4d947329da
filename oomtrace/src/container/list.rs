//! Every container that has a cgroup, as an incident in it would name it.

use schemars::JsonSchema;
use serde::Serialize;

use super::directory::Directory;
use super::tracker::{Tracker, walk};
use crate::incident::model::Container;
use crate::node::cgroups::{self, Hierarchy};
use crate::node::usage::{Usage, UsageFiles};

/// A container.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Listed {
    pub container: Container,
    /// Null where its cgroup on the memory hierarchy cannot be read.
    pub memory: Option<Usage>,
    /// What its runtime did not say, in words.
    pub missing: Vec<String>,
}

/// All of them, in the order of their cgroups' paths.
pub async fn list(directory: &Directory, hierarchies: &[Hierarchy]) -> Vec<Listed> {
    let states = &directory.sources().states;
    let mut tracker = Tracker::new(states.clone());
    tracker.end_walk(walk(hierarchies, cgroups::memory_hierarchy_id(), states));
    let files = cgroups::memory(hierarchies).map(UsageFiles::new);
    let mut all = Vec::new();
    for place in tracker.all() {
        let (container, why) = directory.describe(&place).await;
        let memory = files.as_ref().and_then(|files| files.read(&place.cgroup));
        all.push(Listed { container, memory, missing: why.into_iter().collect() });
    }
    all
}
