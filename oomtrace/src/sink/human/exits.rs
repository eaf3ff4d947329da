//! Ends with 137 that no SIGKILL made, counted by who has them: a container can end so as often as it likes, and a user can make any number of
//! cgroups that look like containers.

use crate::model::{Container, Exited};
use crate::placement::user_of;
use crate::recent::Recent;
use crate::text::name_or_id;

/// Places that are remembered.
const PLACES: usize = 64;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Exits {
    counts: Recent<String, u64, PLACES>,
}

impl Exits {
    /// Takes one; by what it is counted, which no kill is counted by, and how many there were with it.
    pub fn take(&mut self, exited: &Exited) -> (String, u64) {
        let place = place(exited);
        let count = self.counts.take(&place).unwrap_or_default().saturating_add(1);
        self.counts.put(place.clone(), count);
        (place, count)
    }
}

fn place(exited: &Exited) -> String {
    match &exited.container {
        Some(Container { user: Some(uid), .. }) => format!("exits of user {uid}"),
        Some(container) => {
            format!("exits of {:?} {} {}", container.runtime, container.confirmed, name_or_id(container))
        }
        None => match exited.process.cgroup.as_deref().and_then(user_of) {
            Some(uid) => format!("exits of user {uid}"),
            None => format!("exits of {:?} {:?}", exited.unit, exited.process.uid),
        },
    }
}
