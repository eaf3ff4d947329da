//! How many cgroups may be followed: in all, of units, and in one place that is another's than root's; and which of them are followed by
//! a name alone.

use std::collections::{HashMap, HashSet};

use crate::memory::recorder::scope::{self, Scope};
use crate::model::LimitLevel;

/// Cgroups that are followed, if there are descriptors for so many.
pub const MOST: usize = 4096;
/// Of these, in one place that is another's than root's.
pub const MOST_IN_REGION: usize = 64;
/// Containers that their paths do not tell; those in one place that is another's are as few as are followed there.
const MOST_NAMED: usize = 1024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Room {
    /// How many there may be; 0 until the thread has counted its descriptors.
    most: usize,
    /// Ids of those that are there.
    ids: HashSet<u64>,
    regions: HashMap<String, usize>,
    /// By path, whether they are followed yet or not.
    named: HashMap<String, Scope>,
    /// Since everything was last looked for: cgroups for which there was no room.
    left_out: u64,
}

/// Why a cgroup is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is none that would be.
    NoScope,
    NoRoom,
}

impl Room {
    pub const fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// How many are there.
    pub fn taken(&self) -> usize {
        self.ids.len()
    }

    /// The cgroup of that id is there and followed.
    pub fn has(&self, id: u64) -> bool {
        self.ids.contains(&id)
    }

    /// The cgroup at `path` is a container's, though its path does not tell; false when there is no room for its name.
    pub fn name(&mut self, path: &str) -> bool {
        if self.named.contains_key(path) {
            return true;
        }
        let scope = scope::of_container(path);
        let in_region = || self.named.values().filter(|named| named.region == scope.region).count();
        let has_room = self.named.len() < MOST_NAMED && (scope.region.is_none() || in_region() < MOST_IN_REGION);
        if has_room {
            self.named.insert(path.to_owned(), scope);
        }
        has_room
    }

    /// It is gone, or cannot be followed.
    pub fn unname(&mut self, path: &str) {
        self.named.remove(path);
    }

    /// Those that were named, by path.
    pub const fn named(&self) -> &HashMap<String, Scope> {
        &self.named
    }

    /// What the cgroup at `path` is, by its path or by name.
    ///
    /// # Errors
    /// `NoScope` when it is none that is followed.
    pub fn scope(&self, path: &str) -> Result<Scope, Refused> {
        scope::scope(path).or_else(|| self.named.get(path).cloned()).ok_or(Refused::NoScope)
    }

    /// There is room for one more of that kind.
    pub fn admits(&self, scope: &Scope) -> bool {
        let in_region = scope.region.as_ref().and_then(|region| self.regions.get(region)).copied().unwrap_or(0);
        // Units are many, and seldom what dies: containers and pods have half of the room for themselves.
        let most = if scope.level == LimitLevel::Unit { self.most / 2 } else { self.most };
        self.ids.len() < most && (scope.region.is_none() || in_region < MOST_IN_REGION)
    }

    /// The cgroup of that id is followed now.
    pub fn take(&mut self, id: u64, scope: &Scope) {
        self.ids.insert(id);
        if let Some(region) = &scope.region {
            *self.regions.entry(region.clone()).or_default() += 1;
        }
    }

    /// It is gone.
    pub fn release(&mut self, id: u64, region: Option<&str>) {
        self.ids.remove(&id);
        if let Some(region) = region
            && let Some(count) = self.regions.get_mut(region)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.regions.remove(region);
            }
        }
    }

    /// There was no room for one.
    pub const fn leave_out(&mut self) {
        self.left_out = self.left_out.saturating_add(1);
    }

    /// All are looked for anew.
    pub const fn recount(&mut self) {
        self.left_out = 0;
    }

    /// Why it may be that one is not followed, in words.
    pub fn left_out(&self) -> Option<String> {
        let followed = self.ids.len();
        (self.left_out > 0).then(|| {
            format!("{followed} cgroups are followed, and there was no room for {} more that came", self.left_out)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_said_until_all_are_looked_for_anew() {
        let mut room = Room::default();
        assert_eq!(room.left_out(), None);
        room.take(1, &scope::of_container("/jobs/web"));
        room.leave_out();
        assert!(room.left_out().unwrap().starts_with("1 cgroups are followed, and there was no room for 1 more"));
        room.recount();
        assert_eq!(room.left_out(), None);
    }

    #[test]
    fn names_of_what_is_gone_leave_room_for_others() {
        let mut room = Room::default();
        for number in 0..3 * MOST_NAMED {
            let path = format!("/jobs/{number}");
            assert!(room.name(&path) && room.scope(&path).is_ok(), "{number}");
            // It is gone before its turn.
            room.unname(&path);
            assert_eq!(room.scope(&path), Err(Refused::NoScope));
        }
        let named = (0..3 * MOST_NAMED).filter(|number| room.name(&format!("/jobs/{number}"))).count();
        assert_eq!(named, MOST_NAMED);
        assert!(room.name("/jobs/0") && room.named().len() == MOST_NAMED);
    }

    #[test]
    fn a_users_names_are_of_the_users_place() {
        let mut room = Room::default();
        let path = |number: usize| format!("/user.slice/user-1000.slice/jobs/{number}");
        let named = (0..1000).filter(|number| room.name(&path(*number))).count();
        assert_eq!(named, MOST_IN_REGION);
        let region = room.scope(&path(0)).unwrap().region;
        assert_eq!(region.as_deref(), Some("/user.slice/user-1000.slice"));
        assert!(room.name("/jobs/web"));
        assert_eq!(room.scope("/jobs/web").unwrap().region, None);
    }
}
