//! What it costs to follow memory: `oomtrace/benches/flight.rs`.

use anyhow::Result;

use super::report::place;

pub const HEADING: &str = "## Following memory";
/// How long each row is measured.
pub const SECONDS: &str = "60";

/// The table, with what it was measured by.
pub fn section(table: &str) -> Result<String> {
    Ok(format!(
        "{HEADING}\n\n*{}*\n\nThe thread that follows memory, over {SECONDS} s each, from 75 s after the last cgroup was made, on the memory \
         controller's hierarchy: cgroups called as Docker's with a limit of 64 MiB, and what else this machine has. Busy ones have a process \
         that takes up to 8 MiB and gives them back each three seconds. Processor time is the kernel's own of that thread (schedstat), at 100 \
         % of one core; bytes are those of a curve and its name after that short time, at most some 15 KiB. Budget: 100 containers 0.05 % of \
         a core, 1,000 0.3 %, 16 KiB each.\n\n{table}",
        place()?
    ))
}
