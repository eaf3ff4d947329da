//! How things are on a node with many containers.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::crowd::{self, Crowd};
use super::watching::Watching;

/// Kills whose way to standard output is timed.
pub const KILLS: usize = 200;
/// Starts that are timed.
pub const STARTS: usize = 10;

/// One row: how things are with so many containers.
pub struct Row {
    pub containers: usize,
    pub cgroups: usize,
    /// From the start of the process to the line that says that every hook is attached.
    pub ready: Duration,
    pub resident_kib: u64,
    pub anonymous_kib: u64,
    /// From before kill(2) to the line on standard output: median and 99th of a hundred.
    pub verdict: [Duration; 2],
    pub named: usize,
}

pub fn measure(binary: &Path, containers: usize) -> Result<Row> {
    let crowd = Crowd::make(containers)?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(Watching::start(binary, crowd.state())?.ready);
    }
    let mut watching = Watching::settled(binary, crowd.state())?;
    let (resident_kib, anonymous_kib) = (watching.status("VmRSS")?, watching.status("RssAnon")?);
    let mut times = Vec::new();
    let mut named = 0;
    for number in 0..KILLS {
        let victim = crowd.process(number)?;
        let (took, is_named) = watching.time_kill(victim)?;
        times.push(took);
        named += usize::from(is_named);
    }
    Ok(Row {
        containers,
        cgroups: containers * crowd::CGROUPS_EACH,
        ready: percentile(&mut starts, 50),
        resident_kib,
        anonymous_kib,
        verdict: [percentile(&mut times, 50), percentile(&mut times, 99)],
        named,
    })
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}
