//! `oomtrace doctor`: what this kernel and node offer, and what is lost where something is missing.

use std::io::{self, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use oomtrace::node::cgroups::{self, Mode, Version};
use oomtrace::probe::btf::Btf;
use oomtrace::probe::hook::Hook;
use oomtrace::probe::kallsyms::Symbols;
use oomtrace::probe::layout::{KernelLayout, MarkVictimArg};
use oomtrace::probe::load::{LoadError, Options, Probe};
use oomtrace::probe::requirements::{self, BTF_PATH, Capabilities, Capability, Lockdown};
use oomtrace::sink::wrap::wrap_behind;
use oomtrace::text::escape::escape;

use super::exit::{Failure, Status};
use super::options::Doctor;
use super::output;

mod kubernetes;
mod runtimes;
mod sandbox;

/// The inode of the initial pid namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Good,
    /// Something is not seen.
    Costs,
    /// Nothing is seen.
    Fatal,
    /// Neither good nor bad.
    Note,
}

pub fn run(options: &Doctor) -> Result<Status, Failure> {
    let mut report = Report { out: Box::new(output::text()), color: options.color.on_stdout(), width: output::width() };
    report.section("Kernel")?;
    kernel(&mut report)?;
    report.section("Privileges")?;
    privileges(&mut report)?;
    report.section("While watching")?;
    sandbox::report(&mut report, &options.runtimes)?;
    report.section("Hooks")?;
    let status = hooks(&mut report)?;
    report.section("Cgroups")?;
    cgroups(&mut report)?;
    report.section("Runtimes")?;
    runtimes::report(&mut report, &options.runtimes)?;
    report.section("Kubernetes")?;
    kubernetes::report(&mut report, &options.kubernetes)?;
    Ok(status)
}

fn kernel(report: &mut Report) -> io::Result<()> {
    let uname = nix::sys::utsname::uname()?;
    let release = format!("{} {}", uname.release().to_string_lossy(), uname.machine().to_string_lossy());
    report.line(Mark::Note, "release", &release)?;
    match requirements_btf() {
        Ok(layout) => {
            report.line(Mark::Good, "BTF", BTF_PATH)?;
            for missing in layout.missing() {
                report.line(Mark::Costs, "BTF", &format!("a field is not there; not seen: {missing}"))?;
            }
            let form = match layout.mark_victim {
                Some(MarkVictimArg::Task) => "hands over a task",
                Some(MarkVictimArg::Tid) => "hands over a thread id; the victim is found through its SIGKILL",
                None => "is not there",
            };
            report.line(Mark::Note, "mark_victim", form)?;
        }
        Err(why) => report.line(Mark::Fatal, "BTF", &why)?,
    }
    match Lockdown::read() {
        Lockdown::None => report.line(Mark::Good, "lockdown", "none")?,
        Lockdown::Integrity => report.line(Mark::Good, "lockdown", "integrity, which leaves tracing alone")?,
        Lockdown::Confidentiality => {
            report.line(Mark::Fatal, "lockdown", "confidentiality: BPF programs may not read kernel memory")?;
        }
        Lockdown::Unknown => {
            report.line(Mark::Note, "lockdown", "not shown by this kernel (no securityfs mounted, or no lockdown)")?
        }
    }
    match Symbols::read(Path::new("/proc/kallsyms")) {
        Ok(symbols) => report.line(Mark::Good, "kallsyms", &format!("{} functions", symbols.len())),
        Err(why) => report.line(
            Mark::Costs,
            "kallsyms",
            &format!("{why}; a signal's path is then inferred, and marked as such"),
        ),
    }
}

fn requirements_btf() -> Result<KernelLayout, String> {
    let bytes = requirements::read_btf(Path::new(BTF_PATH))
        .map_err(|e| format!("cannot read {BTF_PATH}: {e}; oomtrace needs CONFIG_DEBUG_INFO_BTF=y"))?;
    let btf = Btf::parse(&bytes, &KernelLayout::wanted_types()).map_err(|e| e.to_string())?;
    Ok(KernelLayout::resolve(&btf))
}

fn privileges(report: &mut Report) -> anyhow::Result<()> {
    let capabilities = requirements::capabilities().context("cannot read this process's capabilities")?;
    for (capability, fatal, cost) in [
        (Capability::Bpf, true, "BPF programs cannot be loaded"),
        (Capability::Perfmon, true, "BPF programs may not read kernel memory"),
        (Capability::Syslog, false, "kernel functions have no names: a signal's path is inferred"),
        (Capability::SysPtrace, false, "executables of other users' processes are not shown"),
        (Capability::IpcLock, false, "oomtrace's memory may be swapped or its code dropped when the machine runs out"),
        (Capability::DacReadSearch, false, "files of other users cannot be read, the Docker socket among them"),
    ] {
        capability_line(report, capabilities, capability, fatal, cost)?;
    }
    match std::fs::read_link("/proc/self/ns/pid") {
        Ok(namespace) if namespace == Path::new(INITIAL_PID_NAMESPACE) => {
            report.line(Mark::Good, "pid namespace", "the host's")?;
        }
        Ok(_) => report.line(
            Mark::Costs,
            "pid namespace",
            "not the host's: command lines of victims and of parents cannot be read (run with hostPID, --pid host)",
        )?,
        Err(error) => report.line(Mark::Costs, "pid namespace", &format!("not known: {error}"))?,
    }
    Ok(())
}

fn capability_line(
    report: &mut Report,
    capabilities: Capabilities,
    capability: Capability,
    fatal: bool,
    cost: &str,
) -> io::Result<()> {
    // CAP_SYS_ADMIN includes the two that are needed to trace (kernel/bpf/syscall.c and kernel/bpf/verifier.c, 5.8).
    let has = capabilities.has(capability) || (fatal && capabilities.has(Capability::SysAdmin));
    match (has, fatal) {
        (true, _) => report.line(Mark::Good, capability.name(), ""),
        (false, true) => report.line(Mark::Fatal, capability.name(), cost),
        (false, false) => report.line(Mark::Costs, capability.name(), cost),
    }
}

/// Loads and attaches, as watching would, and detaches again.
fn hooks(report: &mut Report) -> anyhow::Result<Status> {
    match Probe::load(&Options::default()) {
        Ok(probe) => {
            for hook in &Hook::ALL {
                match probe.has(*hook) {
                    _ if probe.unneeded.contains(hook) => {
                        report.line(Mark::Note, hook.name(), "not needed on this kernel")?;
                    }
                    true if *hook == Hook::SignalGenerate => {
                        let how = match &probe.untyped {
                            None => "loaded and attached; reads kernel memory by its types".to_owned(),
                            Some(why) => {
                                format!("loaded and attached; reads kernel memory by calls, which takes longer: {why}")
                            }
                        };
                        report.line(Mark::Good, hook.name(), &how)?;
                    }
                    true => report.line(Mark::Good, hook.name(), "loaded and attached")?,
                    false => {
                        let why = probe.refused.iter().find(|(refused, _)| refused == hook);
                        let why = why.map(|(_, why)| why.to_string()).unwrap_or_default();
                        report.line(Mark::Costs, hook.name(), &format!("{why}; without it: {}", hook.cost()))?;
                    }
                }
            }
            Ok(Status::Done)
        }
        Err(error) => {
            report.line(Mark::Fatal, "load", &error.to_string())?;
            Ok(fatal_status(error))
        }
    }
}

fn fatal_status(error: LoadError) -> Status {
    Failure::from(error).status()
}

fn cgroups(report: &mut Report) -> anyhow::Result<()> {
    let hierarchies = cgroups::hierarchies().context("cannot read /proc/self/mountinfo")?;
    let (mark, mode) = match cgroups::mode(&hierarchies) {
        Mode::Unified => (Mark::Good, "v2"),
        Mode::Hybrid => (Mark::Good, "hybrid: v1, and v2 beside it"),
        Mode::Legacy => (Mark::Good, "v1"),
        Mode::None => (Mark::Note, "none is mounted here; the kernel side sees them all the same"),
    };
    report.line(mark, "mode", mode)?;
    if let Some(part) = hierarchies.iter().find(|hierarchy| !cgroups::is_whole(hierarchy)) {
        let text = format!(
            "{} is a part of its hierarchy only: containers that are there already are not found, nor their memory.stat \
             (mount the host's /sys/fs/cgroup)",
            part.mount.display()
        );
        report.line(Mark::Costs, "view", &text)?;
    }
    match cgroups::memory(&hierarchies) {
        Some(memory) => {
            let version = if memory.version == Version::V1 { "v1" } else { "v2" };
            report.line(Mark::Good, "memory", &format!("{version}, {}", memory.mount.display()))?;
        }
        None => report.line(
            Mark::Costs,
            "memory",
            "no hierarchy has the memory controller: the selftest cannot make its OOM kill",
        )?,
    }
    Ok(())
}

struct Report {
    out: Box<dyn Write>,
    color: bool,
    /// Columns of the terminal; none where there is none.
    width: Option<usize>,
}

/// Columns before what is said of something, and as few where that leaves too little.
const COLUMN: usize = 29;
const NARROW_COLUMN: usize = 8;
/// What is said has at least so many.
const LEAST: usize = 30;

/// `what` and `text`, which begin behind the sign, in lines that break between words.
fn laid_out(what: &str, text: &str, width: Option<usize>) -> String {
    let what = format!("{what:<20} ");
    let rest = if width.is_some_and(|width| width < COLUMN + LEAST) { NARROW_COLUMN } else { COLUMN };
    let lines = wrap_behind(&escape(text), NARROW_COLUMN + what.len(), rest, width);
    format!("{what}{}", lines.join(&format!("\n{}", " ".repeat(rest)))).trim_end().to_owned()
}

impl Report {
    fn section(&mut self, name: &str) -> io::Result<()> {
        let name = self.paint(Style::new().bold(), name);
        writeln!(self.out, "{name}")
    }

    fn line(&mut self, mark: Mark, what: &str, text: &str) -> io::Result<()> {
        let (sign, style) = match mark {
            Mark::Good => ("ok  ", AnsiColor::Green.on_default()),
            Mark::Costs => ("miss", AnsiColor::Yellow.on_default()),
            Mark::Fatal => ("FAIL", AnsiColor::Red.on_default().bold()),
            Mark::Note => ("    ", Style::new()),
        };
        let sign = self.paint(style, sign);
        writeln!(self.out, "  {sign}  {}", laid_out(what, text, self.width))
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_breaks_between_words() {
        let text = "files of other users cannot be read, the Docker socket among them";
        assert_eq!(laid_out("CAP_BPF", "", Some(60)), "CAP_BPF");
        assert_eq!(laid_out("x", text, None), format!("{:<20} {text}", "x"));
        for width in [40, 58, 59, 60, 80, 200] {
            let shown = format!("  miss  {}", laid_out("CAP_DAC_READ_SEARCH", text, Some(width)));
            assert!(shown.lines().all(|line| line.len() <= width), "{width}: {shown}");
            assert!(shown.split_whitespace().skip(2).eq(text.split_whitespace()), "{width}: {shown}");
        }
    }
}
