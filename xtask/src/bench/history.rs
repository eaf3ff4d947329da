//! Questions to a large history: `oomtrace/benches/history.rs`.

use anyhow::Result;

use super::report::place;

pub const HEADING: &str = "## A large history";
pub const INCIDENTS: &str = "1000000";

/// What the bench said, with what it was measured by.
pub fn section(said: &str) -> Result<String> {
    Ok(format!(
        "{HEADING}\n\n*{}*\n\nBy `cargo bench -p oomtrace --bench history -- {INCIDENTS}`: of 2,000 things on one node, made anew 50 times each, \
         over 30 days, some 5 KiB of JSON an incident. Each question has a connection of its own, as each `oomtrace history` has; budget: 100 \
         ms.\n\n{said}",
        place()?
    ))
}
