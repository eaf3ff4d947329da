//! What the cgroups that are followed are called, as far as runtimes said.

use std::collections::HashMap;

use crate::model::Container;
use crate::run::flight::Row;
use crate::text::pod_name;

/// Names that are kept at the most.
const MOST: usize = 8192;
/// An answer counts for so long, in seconds; one that was not whole, for less.
const GOOD_FOR: u64 = 300;
const TRY_AGAIN: u64 = 10;

/// What was said of a cgroup.
#[derive(Clone, Debug, PartialEq)]
pub enum Named {
    /// It is this container's.
    Container(Box<Container>),
    /// It only has the name of a container's.
    NoContainer,
    /// It is a container's, and nothing says which one's.
    Unnamed,
}

impl Named {
    #[must_use]
    pub fn container(&self) -> Option<&Container> {
        match self {
            Self::Container(container) => Some(container),
            Self::NoContainer | Self::Unnamed => None,
        }
    }

    /// Nothing is to be added to it.
    fn is_whole(&self) -> bool {
        self.container().is_none_or(|container| container.confirmed && container.name.is_some())
    }
}

#[derive(Clone, Debug)]
struct Answer {
    named: Named,
    /// When, in seconds of whoever asks.
    at: u64,
    /// How often it had been made anew by then.
    restarts: u32,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<String, Answer>);

impl Names {
    #[must_use]
    pub fn get(&self, cgroup: &str) -> Option<&Named> {
        self.0.get(cgroup).map(|answer| &answer.named)
    }

    /// Takes an answer that came at `now`.
    pub fn put(&mut self, cgroup: String, named: Named, restarts: u32, now: u64) {
        if self.0.len() >= MOST && !self.0.contains_key(&cgroup) {
            return;
        }
        self.0.insert(cgroup, Answer { named, at: now, restarts });
    }

    /// Forgets those that are not followed any more.
    pub fn keep_those_of(&mut self, rows: &[Row]) {
        if self.0.len() > rows.len() {
            let there: std::collections::HashSet<&str> = rows.iter().map(|row| row.cgroup.as_str()).collect();
            self.0.retain(|cgroup, _| there.contains(cgroup.as_str()));
        }
    }

    /// Of these, whether it is to be asked for, again or for the first time.
    #[must_use]
    pub fn wants(&self, row: &Row, now: u64) -> bool {
        self.0.get(&row.cgroup).is_none_or(|answer| {
            let good_for = if answer.named.is_whole() { GOOD_FOR } else { TRY_AGAIN };
            answer.restarts != row.restarts || now.saturating_sub(answer.at) >= good_for
        })
    }

    /// The name of the pod whose cgroup that is, as one of its containers has it.
    #[must_use]
    pub fn pod_at(&self, cgroup: &str) -> Option<String> {
        let below = |path: &String| path.strip_prefix(cgroup).is_some_and(|rest| rest.starts_with('/'));
        self.0
            .iter()
            .filter(|(path, _)| below(path))
            .find_map(|(_, answer)| pod_name(answer.named.container()?.pod.as_ref().filter(|pod| pod.name.is_some())?))
    }
}
