//! The last kill of each cgroup, container and pod.

use std::collections::{HashMap, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Cause, Container, Incident};
use crate::node::cgroups::and_above;
use crate::store::Identity;

/// Places that are remembered at the most, half a kilobyte each; those whose first kill is the oldest are forgotten.
const MOST: usize = 16_384;
/// Levels of cgroups that a kill counts for.
const LEVELS: usize = 16;

/// A kill that was seen, now or by an oomtrace that watched before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastKill {
    /// The incident's id.
    pub incident: String,
    /// When.
    pub time: String,
    /// What it was.
    pub cause: Cause,
    /// Why, in one sentence.
    pub why: String,
    /// How many kills of it are known: those that were seen since oomtrace was started, and what the history had of this boot until then.
    pub count: u32,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Kills {
    by_place: HashMap<String, LastKill>,
    /// Places in the order of their first kill.
    order: VecDeque<String>,
}

/// The last kill of some places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    pub places: Vec<String>,
    pub kill: LastKill,
}

impl Placed {
    /// The cgroups that an incident's victim was in, and those above. None of a routine one: it is nobody's trouble, and no last kill either.
    #[must_use]
    pub fn in_cgroups(incident: &Incident) -> Option<Self> {
        let container = incident.container.as_ref();
        let paths = container.map(|container| &container.cgroup).into_iter().chain(&incident.victim.process.cgroup);
        let mut places: Vec<String> = paths.flat_map(|path| and_above(path).take(LEVELS)).map(str::to_owned).collect();
        places.sort();
        places.dedup();
        Some(Self { places, kill: LastKill::of(incident)? })
    }

    /// What stays of its container when that is made anew.
    #[must_use]
    pub fn in_container(incident: &Incident) -> Option<Self> {
        let places = vec![lasting(incident.container.as_ref()?)?];
        Some(Self { places, kill: LastKill::of(incident)? })
    }

    /// The same of so many kills.
    #[must_use]
    pub fn counted(mut self, count: u64) -> Self {
        self.kill.count = u32::try_from(count).unwrap_or(u32::MAX);
        self
    }
}

impl LastKill {
    fn of(incident: &Incident) -> Option<Self> {
        let verdict = incident.verdict.as_ref().filter(|_| incident.routine.is_none())?;
        Some(Self {
            incident: incident.id.clone(),
            time: incident.time.clone(),
            cause: verdict.cause,
            why: verdict.why.clone(),
            count: 1,
        })
    }
}

impl Kills {
    /// Takes an incident that came after all others.
    pub fn take(&mut self, incident: &Incident) {
        [Placed::in_cgroups(incident), Placed::in_container(incident)]
            .into_iter()
            .flatten()
            .for_each(|placed| self.put(placed));
    }

    /// Takes the last kill of some places, which came after all others.
    pub fn put(&mut self, Placed { places, kill }: Placed) {
        for place in places {
            if let Some(known) = self.by_place.get_mut(&place) {
                *known = LastKill { count: known.count.saturating_add(kill.count), ..kill.clone() };
                continue;
            }
            if self.order.len() >= MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_place.remove(&oldest);
            }
            self.order.push_back(place.clone());
            self.by_place.insert(place, kill.clone());
        }
    }

    /// Takes those from before: whatever was taken is later than each of them.
    pub fn take_earlier(&mut self, earlier: Self) {
        let Self { mut by_place, order } = earlier;
        for place in order.into_iter().rev() {
            let Some(kill) = by_place.remove(&place) else { continue };
            if let Some(known) = self.by_place.get_mut(&place) {
                known.count = known.count.saturating_add(kill.count);
            } else if self.order.len() < MOST {
                self.order.push_front(place.clone());
                self.by_place.insert(place, kill);
            }
        }
    }

    /// The last one in that cgroup, or in what was made anew in its place.
    #[must_use]
    pub fn of(&self, cgroup: &str, container: Option<&Container>) -> Option<&LastKill> {
        self.by_place.get(cgroup).or_else(|| self.by_place.get(&lasting(container?)?))
    }
}

/// What stays of a container when it is made anew: its place in its pod, for the kubelet makes another one each time; or what it is without
/// one, as the history counts it. No cgroup's path begins so.
fn lasting(container: &Container) -> Option<String> {
    match &container.pod {
        Some(pod) => Some(format!("{}/{}", pod.uid.as_ref()?, container.name.as_ref()?)),
        None => container.confirmed.then(|| Identity::of_container(container).key().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::fixture::{container, docker, kill};

    #[test]
    fn what_was_seen_before_counts_and_is_the_last_where_nothing_came_since() {
        let kills = |all: &[Incident]| {
            let mut kills = Kills::default();
            all.iter().for_each(|incident| kills.take(incident));
            kills
        };
        let mut now = kills(&[kill(1, "web", "new")]);
        now.take_earlier(kills(&[kill(1, "web", "old"), kill(1, "web", "older"), kill(2, "db", "of the db")]));
        let of = |number: u8| now.of(&docker(number), None).map(|kill| (kill.incident.as_str(), kill.count));
        assert_eq!(of(1), Some(("new", 3)));
        assert_eq!(of(2), Some(("of the db", 1)));
        assert_eq!(of(3), None);
    }

    #[test]
    fn a_container_that_was_made_anew_has_the_kill_of_the_one_before() {
        let mut kills = Kills::default();
        kills.take(&kill(1, "web", "one"));
        let of = |number: u8, name: &str| kills.of(&docker(number), Some(&container(number, name))).is_some();
        assert!(of(2, "web") && !of(2, "db"));
        // Whoever made that cgroup chose the name.
        let unconfirmed = Container { confirmed: false, ..container(2, "web") };
        assert_eq!(kills.of(&docker(2), Some(&unconfirmed)), None);
    }
}
