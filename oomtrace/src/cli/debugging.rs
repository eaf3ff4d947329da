//! What is shown to whoever debugs a kernel.

use clap::Args;
use oomtrace::resolve::detail::Detail;

/// In a recording, too, where `record` was given them.
#[derive(Clone, Copy, Debug, Args)]
pub struct Debugging {
    /// Show the kernel stack of each signal with offsets, and on an OOM kill the user stack of the allocation
    #[arg(long)]
    pub stack: bool,
    /// Show each of the kernel side's events as it came, field by field, besides what becomes of them. Filters do not apply to them
    #[arg(long)]
    pub raw: bool,
    /// On an OOM kill, show the processes that could be chosen, with their points, memory and oom_score_adj
    #[arg(long)]
    pub candidates: bool,
}

impl Debugging {
    pub fn detail(self) -> Detail {
        Detail { stack: self.stack, candidates: self.candidates, raw: self.raw }
    }
}
