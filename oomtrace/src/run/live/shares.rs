//! How many incidents wait for runtimes, and whose: one container may die as often as it likes, and leaves the others their answers.

use std::collections::HashMap;

use crate::resolve::case::Case;

/// Those of one, and of all: those beyond go without.
const OF_ONE: usize = 128;
const OF_ALL: usize = 1024;
/// One of which none waits is still asked for beyond that, up to this.
const EVER: usize = 4096;

/// Whose share it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// A user's, who may make any number of cgroups.
    User(u32),
    /// A container's, whatever it makes within it.
    Container(String),
    Cgroup(Option<String>),
}

impl Whose {
    pub fn of(case: &Case) -> Self {
        let Some(place) = &case.places.victim else { return Self::Cgroup(case.incident.victim.process.cgroup.clone()) };
        if let Some(uid) = place.user() {
            return Self::User(uid);
        }
        let outermost = std::iter::successors(Some(place), |it| it.outer.as_deref()).last().unwrap_or(place);
        Self::Container(outermost.id.clone())
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Shares {
    waiting: HashMap<Whose, usize>,
    all: usize,
}

impl Shares {
    /// Takes one more, where it has a share.
    pub fn take(&mut self, whose: Whose) -> bool {
        let own = self.waiting.get(&whose).copied().unwrap_or_default();
        let has_share = match own {
            0 => self.all < EVER,
            _ => self.all < OF_ALL && own < OF_ONE,
        };
        if has_share {
            self.waiting.insert(whose, own + 1);
            self.all += 1;
        }
        has_share
    }

    /// One of its waits no more.
    pub fn give_back(&mut self, whose: &Whose) {
        let Some(own) = self.waiting.get_mut(whose) else { return };
        self.all -= 1;
        *own -= 1;
        if *own == 0 {
            self.waiting.remove(whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(number: usize) -> Whose {
        Whose::Container(number.to_string())
    }

    #[test]
    fn one_containers_incidents_leave_others_their_answers() {
        let mut shares = Shares::default();
        let taken = |shares: &mut Shares, whose: &Whose, count: usize| {
            (0..count).filter(|_| shares.take(whose.clone())).count()
        };
        assert_eq!(taken(&mut shares, &container(0), 10_000), OF_ONE);
        assert_eq!(taken(&mut shares, &Whose::User(1000), 10_000), OF_ONE);
        assert_eq!(taken(&mut shares, &container(1), 3), 3);
        for number in 2..OF_ALL / OF_ONE {
            taken(&mut shares, &container(number), 10_000);
        }
        assert_eq!(shares.all, OF_ALL);
        // One that has none is still asked for.
        assert_eq!((taken(&mut shares, &container(99), 2), shares.all), (1, OF_ALL + 1));
        assert_eq!(taken(&mut shares, &container(1), 1), 0);
        for _ in 0..OF_ONE {
            shares.give_back(&container(0));
            shares.give_back(&container(1));
        }
        assert_eq!(shares.all, OF_ALL + 1 - OF_ONE - 3);
        assert!(!shares.waiting.contains_key(&container(0)) && shares.take(container(1)));
        shares.give_back(&Whose::Cgroup(None));
        for number in 0..10_000 {
            shares.take(Whose::Cgroup(Some(number.to_string())));
        }
        assert_eq!(shares.all, EVER);
    }
}
