//! The last kill of each cgroup, container and pod.

use std::collections::{HashMap, VecDeque};

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Cause, Container, Incident};
use crate::node::cgroups::and_above;

/// Places that are remembered at the most; those whose kill is the oldest are forgotten.
const MOST: usize = 4096;
/// Levels of cgroups that a kill counts for.
const LEVELS: usize = 16;

/// A kill that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LastKill {
    /// The incident's id.
    pub incident: String,
    /// When.
    pub time: String,
    /// What it was.
    pub cause: Cause,
    /// Why, in one sentence.
    pub why: String,
    /// How many kills of it have been seen.
    pub count: u32,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Kills {
    by_place: HashMap<String, LastKill>,
    /// Places in the order of their first kill.
    order: VecDeque<String>,
}

impl Kills {
    /// Takes an incident. A routine kill is nobody's trouble, and no last kill either.
    pub fn take(&mut self, incident: &Incident) {
        let Some(verdict) = incident.verdict.as_ref().filter(|_| incident.routine.is_none()) else { return };
        let container = incident.container.as_ref();
        let paths = container.map(|container| &container.cgroup).into_iter().chain(&incident.victim.process.cgroup);
        let mut places: Vec<String> = paths.flat_map(|path| and_above(path).take(LEVELS)).map(str::to_owned).collect();
        places.extend(container.and_then(in_pod));
        places.sort();
        places.dedup();
        let latest = LastKill {
            incident: incident.id.clone(),
            time: incident.time.clone(),
            cause: verdict.cause,
            why: verdict.why.clone(),
            count: 1,
        };
        for place in places {
            if let Some(known) = self.by_place.get_mut(&place) {
                *known = LastKill { count: known.count.saturating_add(1), ..latest.clone() };
                continue;
            }
            if self.order.len() >= MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_place.remove(&oldest);
            }
            self.order.push_back(place.clone());
            self.by_place.insert(place, latest.clone());
        }
    }

    /// The last one in that cgroup, or in the container of that name in the same pod: the kubelet makes another one each time.
    #[must_use]
    pub fn of(&self, cgroup: &str, container: Option<&Container>) -> Option<&LastKill> {
        self.by_place.get(cgroup).or_else(|| self.by_place.get(&in_pod(container?)?))
    }
}

/// A container's place in its pod; no cgroup's path begins so.
fn in_pod(container: &Container) -> Option<String> {
    let uid = container.pod.as_ref()?.uid.as_ref()?;
    Some(format!("{uid}/{}", container.name.as_ref()?))
}
