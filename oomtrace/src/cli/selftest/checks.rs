//! What the selftest checks, printed one by one.

use std::io::{self, Write as _};

use oomtrace::model::{Cause, Confidence, Incident, OomScope, SenderKind, SignalPath};
use oomtrace::probe::hook::Hook;
use oomtrace::probe::load::Probe;
use oomtrace::text;
use oomtrace::text::escape::escape;

use crate::cli::exit::Status;
use crate::cli::output;

/// Counts and prints checks.
#[derive(Default)]
pub struct Checks {
    passed: u32,
    failed: u32,
    /// What this kernel does not have.
    missing: u32,
}

impl Checks {
    /// Every hook is attached.
    pub fn hooks(&mut self, probe: &Probe) -> io::Result<()> {
        for hook in Hook::ALL.into_iter().filter(|hook| !probe.unneeded.contains(hook)) {
            if hook.may_be_refused() && !probe.has(hook) {
                self.missing += 1;
                writeln!(output::text(), "miss  {} is not attached  ({})", hook.name(), hook.cost())?;
                continue;
            }
            let detail = if probe.has(hook) { "" } else { hook.cost() };
            self.check(&format!("{} is attached", hook.name()), probe.has(hook), detail)?;
        }
        Ok(())
    }

    /// The OOM kill of `pid` at the limit of the cgroup `name`; `by_record` when the OOM killer's own record is read.
    pub fn oom(&mut self, incident: &Incident, pid: u32, name: &str, limit: u64, by_record: bool) -> io::Result<()> {
        let oom = incident.oom.as_ref();
        let owner = oom.and_then(|oom| oom.limit_owner.as_ref());
        let cause = incident.verdict.as_ref().map(|v| v.cause);
        let summary = incident.verdict.as_ref().map(|v| v.summary.clone()).unwrap_or_default();
        self.check("an OOM kill is reported, with its victim", incident.victim.process.pid == pid, &summary)?;
        self.check("its cause is a cgroup's limit", cause == Some(Cause::OomSliceLimit), &as_json(cause))?;
        let confidence = incident.verdict.as_ref().map(|v| v.confidence);
        let expected = if by_record { Confidence::Certain } else { Confidence::Likely };
        self.check("it is as sure as it can be here", confidence == Some(expected), &as_json(confidence))?;
        self.check(
            "a memory cgroup ran out, not the machine",
            oom.and_then(|oom| oom.scope) == Some(OomScope::Memcg),
            &as_json(oom.and_then(|oom| oom.scope)),
        )?;
        let path = owner.map(|owner| owner.path.clone()).unwrap_or_default();
        self.check("the limit is that of the scratch cgroup", path.ends_with(&format!("/{name}")), &path)?;
        let size = owner.and_then(|owner| owner.limit_bytes);
        let shown = size.map(text::bytes).unwrap_or_default();
        self.check("its size is the one that was set", size == Some(limit), &shown)?;
        let trigger = incident.trigger.as_ref();
        let shown = trigger.map(text::process).unwrap_or_default();
        self.check("the victim triggered it itself", trigger.map(|t| t.pid) == Some(pid), &shown)?;
        let memory = oom.and_then(|oom| oom.victim_memory.as_ref()).map(|memory| memory.anon_bytes);
        let shown = memory.map(|anon| format!("{} anon", text::bytes(anon))).unwrap_or_default();
        // The rest of the limit is page tables and the program's own file.
        self.check("the victim's memory fills it", memory.is_some_and(|anon| anon > limit / 2), &shown)?;
        self.check("the kernel sent the signal", incident.sender.kind == SenderKind::Kernel, "")?;
        self.ending(incident)
    }

    /// The victim's end and its arguments were seen.
    fn ending(&mut self, incident: &Incident) -> io::Result<()> {
        let exit = incident.victim.exit.as_ref();
        let after = exit.and_then(|exit| exit.after_us);
        let shown = after.map(|us| format!("after {}", text::duration_us(us))).unwrap_or_default();
        self.check("the victim ended by SIGKILL", exit.and_then(|exit| exit.signal) == Some(9), &shown)?;
        let arguments = incident.victim.process.cmdline.clone().unwrap_or_default();
        let is_ours = arguments.get(1).is_some_and(|argument| argument == "selftest-child");
        self.check("the victim's command line is known", is_ours, &arguments.join(" "))
    }

    /// The kill(2) of `pid` by this process.
    pub fn kill(&mut self, incident: &Incident, pid: u32) -> io::Result<()> {
        let summary = incident.verdict.as_ref().map(|v| v.summary.clone()).unwrap_or_default();
        self.check("a kill(2) is reported, with its victim", incident.victim.process.pid == pid, &summary)?;
        let sender = incident.sender.process.as_ref();
        let shown = sender.map(text::process).unwrap_or_default();
        self.check("the sender is this process", sender.map(|s| s.pid) == Some(std::process::id()), &shown)?;
        let arguments: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
        let cmdline = sender.and_then(|s| s.cmdline.clone()).unwrap_or_default();
        self.check("the sender's command line is this one's", cmdline == arguments, &cmdline.join(" "))?;
        let parent = incident.sender.ancestors.first().map(|a| a.pid);
        let expected = u32::try_from(nix::unistd::getppid().as_raw()).ok();
        let shown = incident.sender.ancestors.first().map(text::process).unwrap_or_default();
        self.check("the sender's parent is this one's", parent == expected, &shown)?;
        let cause = incident.verdict.as_ref().map(|v| v.cause);
        let same_container = incident.container.is_some();
        let expected = if same_container { Cause::SameContainerKill } else { Cause::ProcessKill };
        self.check("its cause is a process", cause == Some(expected), &as_json(cause))?;
        let path = incident.signal.path;
        let shown = path.map(text::path_name).unwrap_or_default();
        self.check("the signal's path is kill", path == Some(SignalPath::Kill), shown)?;
        self.ending(incident)
    }

    /// Nothing was lost.
    pub fn lost(&mut self, lost: u64) -> io::Result<()> {
        self.check("no event was lost", lost == 0, &lost.to_string())
    }

    /// A check that could not even be made.
    pub fn fail(&mut self, what: &str, why: &str) -> io::Result<()> {
        self.check(what, false, why)
    }

    /// The last line, and the status.
    pub fn end(&self) -> io::Result<Status> {
        let missing = match self.missing {
            0 => String::new(),
            number => format!(", {number} missing on this kernel"),
        };
        writeln!(output::text(), "\nselftest: {} passed, {} failed{missing}", self.passed, self.failed)?;
        Ok(if self.failed == 0 { Status::Done } else { Status::Failed })
    }

    fn check(&mut self, what: &str, holds: bool, detail: &str) -> io::Result<()> {
        let word = if holds { "ok  " } else { "FAIL" };
        *(if holds { &mut self.passed } else { &mut self.failed }) += 1;
        let detail = if detail.is_empty() { String::new() } else { format!("  ({})", escape(detail)) };
        writeln!(output::text(), "{word}  {what}{detail}")
    }
}

/// A value of the contract as its JSON has it; `none` where there is none.
fn as_json(value: Option<impl serde::Serialize>) -> String {
    let json = value.and_then(|value| serde_json::to_value(value).ok());
    json.as_ref().and_then(|json| json.as_str()).unwrap_or("none").to_owned()
}
