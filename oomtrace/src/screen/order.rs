//! In which order entries stand.

use std::cmp::Ordering;

use crate::screen::entry::Entry;

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
