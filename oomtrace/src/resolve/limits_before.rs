//! What one memory limit has killed before: whether raising it has helped. Pure: the same cases in the same order have the
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
        let Some((place, limit)) = place_of(incident) else { return LimitsBefore::default() };
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
#[must_use]
pub fn place_of(incident: &Incident) -> Option<(String, u64)> {
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
mod tests;
