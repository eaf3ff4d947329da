//! Cgroups that wait for their turn to be followed: those that root alone can make before all others, and of the others so many that whoever
//! makes them by the thousand takes no room, and nobody's place.

use std::collections::VecDeque;

use crate::memory::recorder::scope::Scope;
use crate::placement::user_of;
use crate::run::flight::book::MOST;

/// Paths of the others: more are found again when everything is looked for, if they are still there.
const MOST_OTHERS: usize = 256;

#[derive(Debug, Default)]
pub struct Waiting {
    machines: VecDeque<String>,
    others: VecDeque<String>,
}

impl Waiting {
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty() && self.others.is_empty()
    }

    pub fn len(&self) -> usize {
        self.machines.len() + self.others.len()
    }

    /// Has it wait; false when there is no room for it. `scope` is what its path says; a container that its runtime alone has named has none.
    pub fn push(&mut self, path: String, scope: Option<&Scope>) -> bool {
        let is_others = scope.map_or_else(|| user_of(&path).is_some(), |scope| scope.region.is_some());
        let (queue, most) = if is_others { (&mut self.others, MOST_OTHERS) } else { (&mut self.machines, MOST) };
        // One that is made and removed again and again waits once.
        if queue.back() == Some(&path) {
            return true;
        }
        let has_room = queue.len() < most;
        if has_room {
            queue.push_back(path);
        }
        has_room
    }

    pub fn pop(&mut self) -> Option<String> {
        self.machines.pop_front().or_else(|| self.others.pop_front())
    }

    /// Gives back what many have taken.
    pub fn shrink(&mut self) {
        for queue in [&mut self.machines, &mut self.others] {
            queue.shrink_to(64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::recorder::scope::scope;

    #[test]
    fn a_container_that_its_runtime_alone_has_named_waits_as_well() {
        for path in ["/my/own", "/user.slice/user-1000.slice/my/own"] {
            let mut waiting = Waiting::default();
            assert!(scope(path).is_none() && waiting.push(path.to_owned(), None));
            assert_eq!(waiting.pop().as_deref(), Some(path));
        }
    }

    #[test]
    fn a_users_cgroups_take_neither_room_nor_turns() {
        let mut waiting = Waiting::default();
        let flood = |number: usize| format!("/user.slice/user-1000.slice/user@1000.service/app.slice/x{number}.scope");
        let mut push = |path: String| {
            let scope = scope(&path);
            waiting.push(path, scope.as_ref())
        };
        let refused = (0..10_000).filter(|number| !push(flood(*number))).count();
        let container = format!("/docker/{}", "d".repeat(64));
        assert!(push(container.clone()) && push(container.clone()));
        assert_eq!((waiting.len(), refused), (MOST_OTHERS + 1, 10_000 - MOST_OTHERS));
        assert_eq!(waiting.pop(), Some(container));
        assert_eq!(waiting.pop(), Some(flood(0)));
        while waiting.pop().is_some() {}
        waiting.shrink();
        assert!(waiting.is_empty());
    }
}
