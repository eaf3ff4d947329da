//! How far the figures of incidents that are alike lie apart: the block that stands for all of them has those of one. Pure.

use crate::model::Incident;
use crate::text::bytes;

/// A figure of an incident, in bytes.
type Figure = fn(&Incident) -> Option<u64>;

/// The figures that a block has of an OOM kill, and what is said of them where they differ.
const FIGURES: [(&str, Figure); 3] = [(" as limit", limit), (" in use", usage), (" anon", anon)];

/// See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// The least and the most of each of [`FIGURES`].
    figures: [Option<(u64, u64)>; FIGURES.len()],
}

impl Spread {
    /// Takes one more.
    pub fn take(&mut self, incident: &Incident) {
        for (range, (_, figure)) in self.figures.iter_mut().zip(FIGURES) {
            let Some(bytes) = figure(incident) else { continue };
            let (least, most) = range.unwrap_or((bytes, bytes));
            *range = Some((least.min(bytes), most.max(bytes)));
        }
    }

    /// `, 24 MiB to 60 MiB anon`: those that differ as they are shown; empty where none does.
    #[must_use]
    pub fn said(&self) -> String {
        let ranges = self.figures.iter().zip(FIGURES).filter_map(|(range, (unit, _))| Some(((*range)?, unit)));
        ranges
            .map(|((least, most), unit)| (bytes(least), bytes(most), unit))
            .filter(|(least, most, _)| least != most)
            .map(|(least, most, unit)| format!(", {least} to {most}{unit}"))
            .collect()
    }
}

/// The limit that it hit.
pub fn limit(incident: &Incident) -> Option<u64> {
    incident.oom.as_ref()?.limit_owner.as_ref()?.limit_bytes
}

fn usage(incident: &Incident) -> Option<u64> {
    incident.oom.as_ref()?.limit_owner.as_ref()?.usage_bytes
}

fn anon(incident: &Incident) -> Option<u64> {
    Some(incident.oom.as_ref()?.victim_memory.as_ref()?.anon_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{kill, oom};
    use crate::model::{LimitLevel, OomScope, VictimMemory};

    fn one(limit_mib: u64, usage_mib: u64, anon_mib: Option<u64>) -> Incident {
        let mut one = oom(&[("/a", 64, Some(64))], Some((0, LimitLevel::Unit)), OomScope::Memcg);
        let oom = one.oom.as_mut().unwrap();
        let owner = oom.limit_owner.as_mut().unwrap();
        (owner.limit_bytes, owner.usage_bytes) = (Some(limit_mib << 20), Some(usage_mib << 20));
        oom.victim_memory = anon_mib.map(|mib| VictimMemory {
            anon_bytes: mib << 20,
            file_bytes: 0,
            shmem_bytes: 0,
            swap_bytes: 0,
            page_tables_bytes: 0,
            total_vm_bytes: 0,
        });
        one
    }

    #[test]
    fn what_differs_has_its_least_and_its_most() {
        for (incidents, expected) in [
            (vec![one(64, 64, Some(60))], ""),
            (vec![one(64, 64, Some(60)), one(64, 64, Some(60))], ""),
            (vec![one(64, 64, Some(60)), one(64, 64, None), one(64, 64, Some(24))], ", 24 MiB to 60 MiB anon"),
            (vec![one(64, 64, None), one(32, 32, None)], ", 32 MiB to 64 MiB as limit, 32 MiB to 64 MiB in use"),
            (vec![kill("/usr/bin/bash"), kill("/usr/bin/bash")], ""),
        ] {
            let mut spread = Spread::default();
            incidents.iter().for_each(|incident| spread.take(incident));
            assert_eq!(spread.said(), expected);
        }
    }
}
