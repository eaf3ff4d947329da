//! .NET.

use crate::text::bytes;
use crate::words::advice::program::{Program, Setting};

/// Percent; the runtime's own is 75. It is written in hexadecimal digits (learn.microsoft.com, runtime configuration of the garbage
/// collector).
const SHARE: u64 = 60;

pub fn setting(program: &Program<'_>) -> Option<Setting> {
    (program.exe == "dotnet").then(|| Setting {
        action: format!("set DOTNET_GCHeapHardLimitPercent={SHARE:X} ({SHARE} %, in hexadecimal digits), or DOTNET_gcServer=0"),
        why: format!(
            "its heap may take 75 % of {} by itself, and one heap for each processor with the server's garbage collector",
            bytes(program.limit)
        ),
        at_fault: false,
    })
}
