//! What a watching oomtrace holds, and what it gives up.

use std::path::Path;

use oomtrace::own::{self, calls, capabilities};
use oomtrace::probe::requirements;

use super::super::options::Runtimes;
use super::{Mark, Report};

/// Whether unprivileged users may use bpf(2).
const UNPRIVILEGED_BPF: &str = "/proc/sys/kernel/unprivileged_bpf_disabled";

pub fn report(report: &mut Report, options: &Runtimes) -> anyhow::Result<()> {
    let held = requirements::capabilities()?;
    let sockets = options.sockets();
    let users_socket = sockets.iter().any(|socket| own::is_users(socket));
    let kept = capabilities::kept(held, capabilities::Needs { bpf: false, users_socket });
    for (capability, why) in &kept {
        report.line(Mark::Note, capability.name(), &format!("kept, {why}"))?;
    }
    let disabled = std::fs::read_to_string(UNPRIVILEGED_BPF).is_ok_and(|text| text.trim() != "0");
    let why =
        if disabled { "given up where the kernel lets maps be read without it (5.19)" } else { "kept, to read maps" };
    report.line(Mark::Note, "CAP_BPF", why)?;
    report.line(Mark::Note, "others", "given up, all of them, and none can be inherited")?;
    if Path::new("/proc/sys/kernel/seccomp").exists() {
        let text =
            format!("{} are let through, some with certain arguments only; no program can be run", calls::count());
        report.line(Mark::Good, "system calls", &text)?;
    } else {
        report.line(Mark::Costs, "system calls", "this kernel cannot filter them (CONFIG_SECCOMP_FILTER)")?;
    }
    let text = "keeps threads that write from all other files; for others it would hide /proc/PID/exe of processes";
    let version =
        own::landlock_version().map_or_else(|| "not here".to_owned(), |version| format!("version {version}, {text}"));
    report.line(Mark::Note, "Landlock", &version)?;
    Ok(())
}
