//! Ends with 137 that no SIGKILL made, counted by who has them: a container can end so as often as it likes, and a user can make any number of
//! cgroups that look like containers.

use std::collections::VecDeque;

use crate::model::{Container, Exited};
use crate::text::name_or_id;

/// Places that are remembered.
const PLACES: usize = 64;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Exits {
    /// Those that were used last come last.
    counts: VecDeque<(String, u64)>,
}

impl Exits {
    /// Takes one; by what it is counted, which no kill is counted by, and how many there were with it.
    pub fn take(&mut self, exited: &Exited) -> (String, u64) {
        let place = place(exited);
        let known = self.counts.iter().position(|(known, _)| *known == place).and_then(|at| self.counts.remove(at));
        let count = known.map_or(0, |(_, count)| count).saturating_add(1);
        if self.counts.len() >= PLACES {
            self.counts.pop_front();
        }
        self.counts.push_back((place.clone(), count));
        (place, count)
    }
}

fn place(exited: &Exited) -> String {
    match &exited.container {
        Some(Container { user: Some(uid), .. }) => format!("exits of user {uid}"),
        Some(container) => {
            format!("exits of {:?} {} {}", container.runtime, container.confirmed, name_or_id(container))
        }
        None => format!("exits of {:?} {:?}", exited.unit, exited.process.uid),
    }
}
