//! What oomtrace does while nothing happens.

use std::time::Duration;

use anyhow::Result;

use super::Tools;
use super::watching::Watching;

/// How long nothing happens.
pub const SECONDS: u64 = 20;

pub struct Idle {
    pub wake_ups: u64,
    /// Of a hundredth of a second each.
    pub processor_ticks: u64,
}

pub fn measure(tools: &Tools) -> Result<Idle> {
    let watching = Watching::start(&tools.oomtrace, "/nonexistent".as_ref())?;
    watching.wait_until_quiet()?;
    let (wake_ups, ticks) = (watching.wake_ups()?, watching.processor_ticks()?);
    std::thread::sleep(Duration::from_secs(SECONDS));
    Ok(Idle { wake_ups: watching.wake_ups()? - wake_ups, processor_ticks: watching.processor_ticks()? - ticks })
}
