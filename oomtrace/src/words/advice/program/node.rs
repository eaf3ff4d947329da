//! Node.js, and what runs on it.

use crate::text::bytes;
use crate::words::advice::program::{Program, Setting};

/// Of the limit: the rest is for buffers, code and stacks, which are not in the heap.
const SHARE: u64 = 75;

pub fn setting(program: &Program<'_>) -> Option<Setting> {
    if !matches!(program.exe, "node" | "nodejs") {
        return None;
    }
    let mib = program.share_mib(SHARE);
    // In MiB (node --v8-options).
    let set = program.option(&["--max-old-space-size", "--max_old_space_size"]).and_then(|mib| mib.parse::<u64>().ok());
    let limit = bytes(program.limit);
    match set {
        Some(set) if set.saturating_mul(1 << 20) > program.limit / 10 * 9 => Some(Setting {
            action: format!("lower --max-old-space-size={set} to {mib}"),
            why: format!("that is in MiB, and the limit is {limit}: the kernel kills before the heap is full"),
            at_fault: true,
        }),
        // The heap is bounded well below: it was something else that grew.
        Some(set) => Some(Setting {
            action: "look for what grows outside of the heap: Buffers, native modules, worker threads".to_owned(),
            why: format!("--max-old-space-size={set} keeps the heap well below the limit of {limit}"),
            at_fault: false,
        }),
        None => Some(Setting {
            action: format!("set NODE_OPTIONS=--max-old-space-size={mib}"),
            why: format!(
                "then Node collects its garbage before {limit} are full, or says itself that the heap is; the rest is for buffers, code and stacks"
            ),
            at_fault: false,
        }),
    }
}
