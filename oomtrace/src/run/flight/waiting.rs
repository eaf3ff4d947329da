//! Cgroups that wait for their turn to be followed: those that root alone can make before all others, and of the others so many that whoever
//! makes them by the thousand takes no room, and nobody's place.

use std::collections::VecDeque;

use crate::memory::recorder::scope::region;
use crate::run::flight::room::MOST;

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

    /// Has it wait; false when there is no room for it.
    pub fn push(&mut self, path: String) -> bool {
        let is_others = region(&path).is_some();
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

    #[test]
    fn a_container_that_its_runtime_alone_has_named_waits_as_well() {
        let in_another = format!("/docker/{}/my/own", "d".repeat(64));
        for (path, is_others) in
            [("/my/own", false), ("/user.slice/user-1000.slice/my/own", true), (in_another.as_str(), true)]
        {
            let mut waiting = Waiting::default();
            assert!(waiting.push(path.to_owned()));
            assert_eq!(waiting.others.len(), usize::from(is_others), "{path}");
            assert_eq!(waiting.pop().as_deref(), Some(path));
        }
    }

    #[test]
    fn a_users_cgroups_take_neither_room_nor_turns() {
        let mut waiting = Waiting::default();
        let flood = |number: usize| format!("/user.slice/user-1000.slice/user@1000.service/app.slice/x{number}.scope");
        let refused = (0..10_000).filter(|number| !waiting.push(flood(*number))).count();
        let container = format!("/docker/{}", "d".repeat(64));
        assert!(waiting.push(container.clone()) && waiting.push(container.clone()));
        assert_eq!((waiting.len(), refused), (MOST_OTHERS + 1, 10_000 - MOST_OTHERS));
        assert_eq!(waiting.pop(), Some(container));
        assert_eq!(waiting.pop(), Some(flood(0)));
        while waiting.pop().is_some() {}
        waiting.shrink();
        assert!(waiting.is_empty());
    }
}
