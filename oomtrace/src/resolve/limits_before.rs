//! What one memory limit has killed before in this run: whether raising it has helped. Pure: the same cases in the same order have the
//! same past, live and in a replay.

use std::collections::VecDeque;

use crate::model::{Incident, LimitLevel, OomScope};

/// Limits that are remembered.
const REMEMBERED: usize = 256;
/// Sizes of one limit that are remembered.
const SIZES: usize = 8;

/// The past of the limit that killed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsBefore {
    /// How often it has killed at its present size, before this time.
    pub kills: u64,
    /// Its smaller sizes that have killed before, in bytes, in the order in which they did.
    pub smaller: Vec<u64>,
}

#[derive(Debug)]
struct Past {
    place: String,
    /// Each size that has killed, and how often: the latest last.
    sizes: Vec<(u64, u64)>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct LimitPasts {
    /// The latest last.
    pasts: VecDeque<Past>,
}

impl LimitPasts {
    /// Takes a kill; what its limit has done before.
    pub fn take(&mut self, incident: &Incident) -> LimitsBefore {
        let Some((place, limit)) = hit(incident) else { return LimitsBefore::default() };
        let known = self.pasts.iter().position(|past| past.place == place).and_then(|at| self.pasts.remove(at));
        let mut past = known.unwrap_or(Past { place, sizes: Vec::new() });
        let smaller = past.sizes.iter().map(|(size, _)| *size).filter(|size| *size < limit).collect();
        let same = past.sizes.iter().position(|(size, _)| *size == limit);
        let kills = same.map_or(0, |at| past.sizes.remove(at).1);
        past.sizes.push((limit, kills.saturating_add(1)));
        if past.sizes.len() > SIZES {
            past.sizes.remove(0);
        }
        self.pasts.push_back(past);
        if self.pasts.len() > REMEMBERED {
            self.pasts.pop_front();
        }
        LimitsBefore { kills, smaller }
    }
}

/// Whose limit it was, and its size in bytes. A pod's container has another cgroup each time that it starts: it goes by its pod and by
/// what it runs.
fn hit(incident: &Incident) -> Option<(String, u64)> {
    let oom = incident.oom.as_ref().filter(|oom| oom.scope == Some(OomScope::Memcg))?;
    let owner = oom.limit_owner.as_ref()?;
    let pod = incident.container.as_ref().and_then(|container| container.pod.as_ref());
    let is_pods = pod.is_some() && owner.level == LimitLevel::Container;
    let place = match owner.path.rsplit_once('/').filter(|_| is_pods) {
        Some((pod, _)) => format!("{pod}/{}", incident.victim.process.comm),
        None => owner.path.clone(),
    };
    Some((place, owner.limit_bytes?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{in_container, kill, oom};
    use crate::model::Pod;

    fn at(path: &str, mib: u64) -> Incident {
        oom(&[(path, mib, Some(mib))], Some((0, LimitLevel::Container)), OomScope::Memcg)
    }

    #[test]
    fn one_limit_is_followed_through_its_sizes_and_no_others() {
        let mut pasts = LimitPasts::default();
        for (path, mib, kills, smaller) in [
            ("/a", 64, 0, &[][..]),
            ("/a", 64, 1, &[]),
            ("/b", 96, 0, &[]),
            ("/a", 96, 0, &[64]),
            ("/a", 96, 1, &[64]),
            // Lowered again.
            ("/a", 64, 2, &[]),
            ("/a", 128, 0, &[96, 64]),
        ] {
            let found = pasts.take(&at(path, mib));
            let smaller: Vec<u64> = smaller.iter().map(|mib| mib << 20).collect();
            assert_eq!((found.kills, found.smaller), (kills, smaller), "{path} {mib}");
        }
        assert_eq!(pasts.take(&kill("/usr/bin/bash")), LimitsBefore::default());
    }

    #[test]
    fn a_pods_container_goes_by_its_pod_and_what_it_runs() {
        let with = |id: &str, comm: &str| {
            let mut incident = in_container(at(&format!("/kubepods/podx/{id}"), 64));
            incident.container.as_mut().unwrap().pod = Some(Pod::default());
            incident.victim.process.comm = comm.to_owned();
            incident
        };
        let mut pasts = LimitPasts::default();
        for (id, comm, kills) in [("1", "java", 0), ("2", "java", 1), ("3", "node", 0), ("4", "java", 2)] {
            assert_eq!(pasts.take(&with(id, comm)).kills, kills, "{id} {comm}");
        }
    }

    #[test]
    fn many_limits_and_many_sizes_take_no_room() {
        let mut pasts = LimitPasts::default();
        for number in 1..1_000 {
            pasts.take(&at("/a", number));
            pasts.take(&at(&format!("/{number}"), 1));
        }
        assert_eq!(pasts.pasts.len(), REMEMBERED);
        assert!(pasts.pasts.iter().all(|past| past.sizes.len() <= SIZES));
    }
}
