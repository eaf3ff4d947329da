//! The kernel side's count of what it did not record, by kind.

use aya::maps::{Map, MapData, MapError, PerCpuArray};
use oomtrace_common::counts::{COUNTS_MAP, Counts, KINDS};

use crate::probe::attach_error::chain;

/// See the module's documentation.
pub struct Counter(PerCpuArray<MapData, Counts>);

/// The kernel does not give its own counter.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the kernel's count of what was not recorded (map {COUNTS_MAP}): {}", chain(.0))]
pub struct CounterError(#[source] MapError);

impl Counter {
    /// Takes the map [`COUNTS_MAP`].
    pub(super) fn new(map: Map) -> Result<Self, MapError> {
        PerCpuArray::try_from(map).map(Self)
    }

    /// What was not recorded since load.
    ///
    /// # Errors
    /// When the kernel refuses to read its own counter.
    pub fn read(&self) -> Result<Counts, CounterError> {
        let per_cpu = self.0.get(&0, 0).map_err(CounterError)?;
        Ok(per_cpu.iter().fold(Counts::default(), |sum, counts| combine(&sum, counts, u64::saturating_add)))
    }
}

/// What has come from `earlier` to `now`.
#[must_use]
pub fn since(now: &Counts, earlier: &Counts) -> Counts {
    combine(now, earlier, u64::saturating_sub)
}

fn combine(a: &Counts, b: &Counts, with: impl Fn(u64, u64) -> u64) -> Counts {
    let all = |a: &[u64; KINDS], b: &[u64; KINDS]| -> [u64; KINDS] {
        let mut all = *a;
        all.iter_mut().zip(b).for_each(|(a, b)| *a = with(*a, *b));
        all
    };
    Counts { lost: all(&a.lost, &b.lost), limited: all(&a.limited, &b.limited), no_kills: with(a.no_kills, b.no_kills) }
}
