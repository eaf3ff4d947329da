//! What a signal costs in the kernel: the same signals for each that hooks the tracepoint, one after the other, because the first
//! of several pays for the caches of all; and in turns, because the machine is not always as fast.

use std::collections::BTreeMap;

use anyhow::Result;

use super::counters::{Counters, Counting};
use super::peers::Peer;
use super::watching::{NO_CONTAINERS, Watching};
use super::{Tools, counters, run_kills};

/// Children that end, each of which is a signal that nobody asked for.
pub const CHILDREN: u64 = 20_000;
/// Processes that are killed.
pub const KILLS: u64 = 4_000;

/// One program's cost, in nanoseconds a run.
pub struct Cost {
    pub name: &'static str,
    /// A SIGCHLD, which is not wanted.
    pub other_ns: f64,
    /// A SIGKILL.
    pub kill_ns: f64,
}

/// Each is measured so many times, in turns; the median counts.
pub const ROUNDS: usize = 3;

pub fn measure(tools: &Tools) -> Result<Vec<Cost>> {
    let _counting = Counting::start()?;
    let mut all: BTreeMap<usize, Vec<Cost>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let oomtrace = Watching::settled(&tools.oomtrace, NO_CONTAINERS.as_ref())?;
        let own = cost(tools, "oomtrace", || counters::of(oomtrace.pid(), "signal_generate"))?;
        drop(oomtrace);
        all.entry(0).or_default().push(own);
        for (place, start) in (1..).zip([Peer::empty, Peer::bpftrace, Peer::sigsnoop]) {
            let peer = start(tools)?;
            all.entry(place).or_default().push(cost(tools, peer.name, || peer.counters())?);
        }
    }
    Ok(all.into_values().filter_map(|costs| median(&costs)).collect())
}

fn median(costs: &[Cost]) -> Option<Cost> {
    let of = |value: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(value).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    Some(Cost { name: costs.first()?.name, other_ns: of(|cost| cost.other_ns)?, kill_ns: of(|cost| cost.kill_ns)? })
}

fn cost(tools: &Tools, name: &'static str, read: impl Fn() -> Result<Counters>) -> Result<Cost> {
    let before = read()?;
    run_kills(tools, &["children", &CHILDREN.to_string()])?;
    let between = read()?;
    run_kills(tools, &["storm", "1", &KILLS.to_string(), "0"])?;
    let (others, both) = (between.since(before), read()?.since(between));
    let other_ns = others.run_ns as f64 / others.runs.max(1) as f64;
    // Each kill's victim sends a SIGCHLD, too.
    let kills = both.run_ns as f64 - other_ns * both.runs.saturating_sub(KILLS) as f64;
    Ok(Cost { name, other_ns, kill_ns: kills / KILLS as f64 })
}
