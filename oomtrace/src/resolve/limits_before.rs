//! What one memory limit has killed before: whether raising it has helped. Pure: the same cases in the same order have the
//! same past, live and in a replay.

use crate::model::{Incident, LimitLevel, OomScope};
use crate::recent::Recent;

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

/// Each size of a limit that has killed, and how often: the latest last.
type Sizes = Vec<(u64, u64)>;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct LimitPasts {
    pasts: Recent<String, Sizes, REMEMBERED>,
}

impl LimitPasts {
    /// Takes a kill; what its limit has done before.
    pub fn take(&mut self, incident: &Incident) -> LimitsBefore {
        let Some((place, limit)) = place_of(incident) else { return LimitsBefore::default() };
        let mut sizes = self.pasts.take(&place).unwrap_or_default();
        let smaller = sizes.iter().map(|(size, _)| *size).filter(|size| *size < limit).collect();
        let same = sizes.iter().position(|(size, _)| *size == limit);
        let kills = same.map_or(0, |at| sizes.remove(at).1);
        sizes.push((limit, kills.saturating_add(1)));
        if sizes.len() > SIZES {
            sizes.remove(0);
        }
        self.pasts.put(place, sizes);
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
