//! What oomtrace does while nothing happens.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Tools;
use super::watching::{NO_CONTAINERS, Watching};

/// How long nothing happens, at a time.
pub const SECONDS: u64 = 10;
/// How often: whatever else lives on the machine may kill something meanwhile, and the quietest time counts.
pub const TIMES: usize = 4;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Idle {
    pub wake_ups: u64,
    /// Of a hundredth of a second each.
    pub processor_ticks: u64,
}

pub fn measure(tools: &Tools) -> Result<Idle> {
    let watching = Watching::settled(&tools.oomtrace, NO_CONTAINERS.as_ref())?;
    let times: Vec<Idle> = (0..TIMES).map(|_| once(&watching)).collect::<Result<_>>()?;
    times.into_iter().min().context("nothing was measured")
}

fn once(watching: &Watching) -> Result<Idle> {
    let (wake_ups, ticks) = (watching.wake_ups()?, watching.processor_ticks()?);
    std::thread::sleep(Duration::from_secs(SECONDS));
    Ok(Idle { wake_ups: watching.wake_ups()? - wake_ups, processor_ticks: watching.processor_ticks()? - ticks })
}
