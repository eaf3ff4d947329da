//! Compilers and linkers: so many at a time.

use crate::text::bytes;
use crate::words::advice::program::{Program, Setting};

const PROGRAMS: [&str; 16] = [
    "cc1",
    "cc1plus",
    "clang",
    "clang++",
    "ld",
    "ld.bfd",
    "ld.gold",
    "ld.lld",
    "lto1",
    "lto1-wpa",
    "mold",
    "rust-lld",
    "rustc",
    "compile",
    "link",
    "swift-frontend",
];

pub fn setting(program: &Program<'_>) -> Option<Setting> {
    // Go's compiler and linker have common names, and a place of their own.
    let is_gos = program.args.first().is_some_and(|path| path.contains("/pkg/tool/"));
    let is_clang = program.exe.strip_prefix("clang-").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    let is_known = PROGRAMS.contains(&program.exe) && (is_gos || !matches!(program.exe, "compile" | "link"));
    if !is_known && !is_clang {
        return None;
    }
    let fit = program.fitting(None).map(|count| format!(" to {count}")).unwrap_or_default();
    let own = program.own.map(|own| format!(": this one had {}", bytes(own))).unwrap_or_default();
    Some(Setting {
        action: format!("lower the number of jobs of the build{fit} (make -j, ninja -j, cargo --jobs, go build -p)"),
        why: format!(
            "a build starts one for each of the machine's processors, and all share {}{own}",
            bytes(program.limit)
        ),
        at_fault: false,
    })
}
