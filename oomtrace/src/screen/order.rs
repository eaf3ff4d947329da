//! In which order entries stand.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use crate::placement::user_of;
use crate::screen::entry::Entry;

/// Entries of one user that stand among others.
const OF_A_USER: usize = 5;

/// By what, the first first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The nearest to its limit, by what the kernel cannot take back; then what has no limit, by size.
    #[default]
    Limit,
    /// What meets its limit next; then by nearness.
    Time,
    /// What grows fastest.
    Growth,
    /// What has most in use.
    Used,
    Name,
}

impl Order {
    pub const ALL: [Self; 5] = [Self::Limit, Self::Time, Self::Growth, Self::Used, Self::Name];

    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|order| *order == self).unwrap_or_default();
        Self::ALL.get(at + 1).copied().unwrap_or_default()
    }

    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Limit => "by limit",
            Self::Time => "by time left",
            Self::Growth => "by growth",
            Self::Used => "by use",
            Self::Name => "by name",
        }
    }

    /// Sorts; equal ones by name, so that nothing changes places for nothing.
    pub fn sort(self, entries: &mut [Entry]) {
        entries.sort_by(|a, b| {
            self.compare(a, b).then_with(|| a.name.cmp(&b.name)).then_with(|| a.memory.cgroup.cmp(&b.memory.cgroup))
        });
        if self != Self::Name {
            let behind = behind(entries);
            entries.sort_by_key(|entry| behind.contains(&entry.memory.cgroup));
        }
    }

    fn compare(self, a: &Entry, b: &Entry) -> Ordering {
        match self {
            Self::Limit => {
                let size = || b.memory.held_bytes.cmp(&a.memory.held_bytes);
                falling(a.share().map(hundredths), b.share().map(hundredths)).then_with(size)
            }
            Self::Time => {
                let at = |entry: &Entry| entry.limit_reached().map(|reached| -reached.median);
                falling(at(a), at(b)).then_with(|| Self::Limit.compare(a, b))
            }
            Self::Growth => falling(a.memory.growth_bytes_per_hour, b.memory.growth_bytes_per_hour),
            Self::Used => b.memory.latest.usage_bytes.cmp(&a.memory.latest.usage_bytes),
            Self::Name => Ordering::Equal,
        }
    }
}

/// Of what one user has, the first few stand where they belong, and the others behind all: a user can have any number of cgroups, each as near
/// to its limit as they like.
fn behind(entries: &[Entry]) -> HashSet<String> {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    let mut is_more = |entry: &&Entry| {
        let of_container = entry.container.as_ref().and_then(|container| container.user);
        let Some(uid) = of_container.or_else(|| user_of(&entry.memory.cgroup)).filter(|uid| *uid != 0) else {
            return false;
        };
        let count = counts.entry(uid).or_default();
        *count += 1;
        *count > OF_A_USER
    };
    entries.iter().filter(|entry| is_more(entry)).map(|entry| entry.memory.cgroup.clone()).collect()
}

/// What is not seen in the table does not change places in it.
fn hundredths(share: f64) -> f64 {
    (share * 100.0).floor()
}

/// The greatest first, those that have none last.
fn falling(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LimitLevel;
    use crate::screen::fixture::row;

    #[test]
    fn one_user_pushes_nobody_out_of_sight() {
        let entry = |cgroup: &str, held_mib: u64| Entry {
            name: cgroup.to_owned(),
            container: None,
            unit: None,
            memory: row(cgroup, LimitLevel::Unit, held_mib, held_mib, Some(100)),
            last_kill: None,
        };
        let mut entries: Vec<Entry> = (0..50)
            .map(|number| entry(&format!("/user.slice/user-1000.slice/user@1000.service/{number}.service"), 99))
            .chain([entry("/system.slice/bank.service", 94), entry("/system.slice/idle.service", 1)])
            .collect();
        for order in [Order::Limit, Order::Used] {
            order.sort(&mut entries);
            let at = |name: &str| entries.iter().position(|entry| entry.name.ends_with(name));
            assert_eq!((at("bank.service"), at("idle.service")), (Some(OF_A_USER), Some(OF_A_USER + 1)), "{order:?}");
        }
    }
}
