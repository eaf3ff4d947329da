//! Signals that came before a kill, as long as they may have to do with it. Whoever sends many pushes out its own only: what is kept
//! is shared out between senders by where they live, so that a process that signals itself cannot hide a runtime's request to stop. What
//! the machine's own root sent, outside of containers, goes last.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::event::decode::prefix;
use crate::event::{BootNs, ProcessKey, Signal};
use crate::placement::Placement;

/// How long a signal is remembered. No stop takes longer, except one that somebody gave hours for by hand.
const REMEMBERED_NS: BootNs = 3_600_000_000_000;
/// Signals remembered in all, some KiB each.
const ALL: usize = 512;
/// The latest that are remembered of one process, of one sender's place and of all.
const PER_SENDER: usize = 4;
const PER_PROCESS: usize = 12;

/// Where senders live.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    /// As root of the machine, and in no container: as runtimes do.
    trusted: bool,
    root: bool,
    /// The cgroup two levels below the root: a service's, a user's, a pod's. Who has one of the first level makes any number of them.
    cgroup: String,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct EarlierSignals {
    of: HashMap<ProcessKey, VecDeque<Kept>>,
    places: HashMap<Place, BTreeMap<u64, ProcessKey>>,
    next: u64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    place: Place,
    signal: Signal,
}

impl EarlierSignals {
    /// Remembers `signal`, without the parts that only a kill needs.
    pub fn insert(&mut self, mut signal: Signal) {
        (signal.stack, signal.symbols, signal.ancestors) = (Vec::new(), Vec::new(), Vec::new());
        let (victim, at, place) = (signal.victim.key, signal.at, place(&signal));
        let number = self.next;
        self.next += 1;
        self.places.entry(place.clone()).or_default().insert(number, victim);
        let of_victim = self.of.entry(victim).or_default();
        of_victim.push_back(Kept { number, place: place.clone(), signal });
        let of_place = of_victim.iter().filter(|kept| kept.place == place).count();
        let excess = if of_place > PER_SENDER {
            of_victim.iter().find(|kept| kept.place == place)
        } else if of_victim.len() > PER_PROCESS {
            // The oldest of the sender with most.
            let count = |of: &Place| of_victim.iter().filter(|kept| kept.place == *of).count();
            of_victim.iter().rev().max_by_key(|kept| (!kept.place.trusted, count(&kept.place)))
        } else {
            None
        };
        if let Some(number) = excess.map(|kept| kept.number) {
            self.remove(victim, number);
        }
        self.forget(&place, at);
        if self.places.values().map(BTreeMap::len).sum::<usize>() > ALL
            && let Some((&number, &victim)) = self
                .places
                .iter()
                .max_by_key(|(place, of)| (!place.trusted, of.len()))
                .and_then(|(_, of)| of.first_key_value())
        {
            self.remove(victim, number);
        }
    }

    /// What `victim` got before `at` that may have to do with it, oldest first.
    pub fn take(&mut self, victim: ProcessKey, at: BootNs) -> Vec<Signal> {
        let kept = self.of.remove(&victim).unwrap_or_default();
        for Kept { number, place, .. } in &kept {
            self.release(place, *number);
        }
        let recent = |signal: &Signal| at.saturating_sub(signal.at) <= REMEMBERED_NS;
        kept.into_iter().map(|kept| kept.signal).filter(recent).collect()
    }

    /// The latest that `victim` got before `at` that may have to do with it; it stays remembered.
    pub fn latest(&self, victim: ProcessKey, at: BootNs) -> Option<&Signal> {
        let latest = &self.of.get(&victim)?.back()?.signal;
        (at.saturating_sub(latest.at) <= REMEMBERED_NS).then_some(latest)
    }

    /// Forgets what is too old of what came from `place`.
    fn forget(&mut self, place: &Place, now: BootNs) {
        while let Some((&number, &victim)) = self.places.get(place).and_then(BTreeMap::first_key_value) {
            let kept = self.of.get(&victim).and_then(|of| of.iter().find(|kept| kept.number == number));
            if kept.is_some_and(|kept| now.saturating_sub(kept.signal.at) <= REMEMBERED_NS) {
                return;
            }
            self.remove(victim, number);
            self.release(place, number);
        }
    }

    fn remove(&mut self, victim: ProcessKey, number: u64) {
        let Some(of_victim) = self.of.get_mut(&victim) else { return };
        let at = of_victim.iter().position(|kept| kept.number == number);
        let removed = at.and_then(|at| of_victim.remove(at));
        if of_victim.is_empty() {
            self.of.remove(&victim);
        }
        if let Some(Kept { place, .. }) = removed {
            self.release(&place, number);
        }
    }

    fn release(&mut self, place: &Place, number: u64) {
        if let Some(of_place) = self.places.get_mut(place) {
            of_place.remove(&number);
            if of_place.is_empty() {
                self.places.remove(place);
            }
        }
    }
}

fn place(signal: &Signal) -> Place {
    let sender = &signal.sender;
    let paths = [(&sender.cgroup, &sender.cgroup_path), (&sender.memory_cgroup, &sender.memory_path)];
    let path = paths.into_iter().filter(|(cgroup, _)| cgroup.level > 0).find_map(|(_, path)| path.as_deref());
    let path = path.unwrap_or("/");
    let root = sender.uid == 0;
    let is_machines = root && sender.namespaces.is_none_or(|own| own.user_level == 0);
    let trusted = is_machines && Placement::parse(path).container.is_none();
    Place { trusted, root, cgroup: prefix(path, 2) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::fixture;

    fn stop(sender: u32, place: &str, victim: u32, at: BootNs) -> Signal {
        let mut signal = Signal { number: 15, at, ..fixture::signal(sender, victim) };
        signal.sender.cgroup.level = 3;
        signal.sender.cgroup_path = Some(place.to_owned());
        signal
    }

    fn senders(signals: &[Signal]) -> Vec<u32> {
        signals.iter().map(|signal| signal.sender.key.pid).collect()
    }

    #[test]
    fn a_flood_pushes_out_its_own_only() {
        let mut earlier = EarlierSignals::default();
        let key = |victim: u32| fixture::task(victim).key;
        earlier.insert(stop(1, "/system.slice/docker.service", 20, 1));
        for victim in 1_000..3_000 {
            // Cgroups of one's own lie below one's own.
            earlier.insert(stop(2, &format!("/user.slice/user-1000.slice/x/{victim}"), victim, 2));
        }
        for n in 0..2_000 {
            // A container of the victim's own pod, as root and as others.
            let mut from_inside = stop(3, &format!("/kubepods.slice/kubepods-burstable.slice/pod/{n}"), 20, 3);
            from_inside.sender.uid = n % 7;
            earlier.insert(from_inside);
        }
        assert!(earlier.of.values().map(VecDeque::len).sum::<usize>() <= ALL);
        let kept: usize = earlier.places.values().map(BTreeMap::len).sum();
        assert_eq!(kept, earlier.of.values().map(VecDeque::len).sum::<usize>());
        let of_container = earlier.take(key(20), 4);
        assert!(of_container.len() <= PER_PROCESS);
        assert!(senders(&of_container).contains(&1), "{:?}", senders(&of_container));
        assert!(earlier.take(key(20), 4).is_empty());
    }

    /// Who has a cgroup of the first level has any number of the second.
    #[test]
    fn many_places_of_ones_own_push_out_no_runtimes_signal() {
        let mut earlier = EarlierSignals::default();
        let key = |victim: u32| fixture::task(victim).key;
        earlier.insert(stop(1, "/system.slice/docker.service", 20, 1));
        for n in 0..2_000 {
            let mut from_inside = stop(3, &format!("/lxc.payload.web/{n}/x"), 20 + n % 2 * n, 3);
            from_inside.sender.uid = 100_000;
            earlier.insert(from_inside);
        }
        assert!(senders(&earlier.take(key(20), 4)).contains(&1));
    }

    #[test]
    fn the_latest_of_one_sender_are_kept_oldest_first() {
        let mut earlier = EarlierSignals::default();
        (1..=10).for_each(|n| earlier.insert(stop(n, "/a/b", 20, u64::from(n))));
        assert_eq!(senders(&earlier.take(fixture::task(20).key, 11)), [7, 8, 9, 10]);
        assert!(earlier.places.is_empty() && earlier.of.is_empty());
    }

    #[test]
    fn beyond_so_many_of_one_process_the_oldest_of_the_place_with_most_goes() {
        let mut earlier = EarlierSignals::default();
        let mut from = |places: &[&str]| {
            for (place, n) in places.iter().zip(1..) {
                earlier.insert(stop(n, place, 20, u64::from(n)));
            }
            senders(&earlier.take(fixture::task(20).key, 100))
        };
        let full = ["/x/1", "/a/1", "/a/1", "/a/1", "/a/1", "/b/1", "/b/1", "/b/1", "/c/1", "/c/1", "/c/1", "/c/1"];
        assert_eq!(full.len(), PER_PROCESS);
        assert_eq!(from(&full), (1..=12).collect::<Vec<_>>());
        assert_eq!(from(&[&full[..], &["/d/1"]].concat()), [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    }

    #[test]
    fn beyond_so_many_in_all_the_oldest_of_the_place_with_most_goes() {
        let mut earlier = EarlierSignals::default();
        earlier.insert(stop(1, "/a/b", 1, 1));
        let all = u32::try_from(ALL).unwrap();
        (2..=all).for_each(|victim| earlier.insert(stop(2, "/c/d", victim, 1)));
        assert_eq!(earlier.of.len(), ALL);
        earlier.insert(stop(3, "/e/f", all + 1, 1));
        assert_eq!(earlier.of.len(), ALL);
        let mut is_kept = |victim: u32| !earlier.take(fixture::task(victim).key, 2).is_empty();
        assert_eq!([1, 2, 3, all, all + 1].map(&mut is_kept), [true, false, true, true, true]);
    }

    /// Its own cgroup's path where it has one, else that of the memory hierarchy.
    #[test]
    fn a_place_is_two_levels_deep_and_roots_is_another() {
        let mut signal = stop(1, "/a/b/c", 20, 1);
        (signal.sender.memory_cgroup.level, signal.sender.memory_path) = (0, Some("/m/n/o".to_owned()));
        let of = |trusted, root, cgroup: &str| Place { trusted, root, cgroup: cgroup.to_owned() };
        assert_eq!(place(&signal), of(true, true, "/a/b"));
        // Root of a user namespace, which anybody makes; and in a container.
        let namespaces = |user_level| crate::event::Namespaces { mount: None, user: 1, user_level, user_owner: 0 };
        signal.sender.namespaces = Some(namespaces(0));
        assert_eq!(place(&signal), of(true, true, "/a/b"));
        signal.sender.namespaces = Some(namespaces(1));
        assert_eq!(place(&signal), of(false, true, "/a/b"));
        signal.sender.namespaces = None;
        let container = format!("/docker/{}", "b".repeat(64));
        let within = Signal {
            sender: crate::event::Task { cgroup_path: Some(container.clone()), ..signal.sender.clone() },
            ..signal.clone()
        };
        assert_eq!(place(&within), of(false, true, &container));
        signal.sender.uid = 1;
        assert_eq!(place(&signal), of(false, false, "/a/b"));
        signal.sender.cgroup.level = 0;
        assert_eq!(place(&signal), of(false, false, "/"));
        signal.sender.memory_cgroup.level = 1;
        assert_eq!(place(&signal), of(false, false, "/m/n"));
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut earlier = EarlierSignals::default();
        earlier.insert(stop(1, "/a/b", 20, 1));
        earlier.insert(stop(1, "/c/d", 21, 1));
        earlier.insert(stop(1, "/a/b", 22, 1));
        earlier.insert(stop(2, "/a/b", 20, REMEMBERED_NS + 1));
        assert_eq!(earlier.of.len(), 3);
        earlier.insert(stop(2, "/a/b", 20, REMEMBERED_NS + 2));
        // What came from elsewhere is, when something comes from there, or when it is asked for.
        assert_eq!((earlier.of.len(), earlier.of.contains_key(&fixture::task(21).key)), (2, true));
        assert_eq!(senders(&earlier.take(fixture::task(20).key, REMEMBERED_NS + 3)), [2, 2]);
        assert!(earlier.take(fixture::task(21).key, 4 * 24 * REMEMBERED_NS).is_empty());
    }
}
