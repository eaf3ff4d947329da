//! One block an incident, for a person who was asleep a minute ago.
//!
//! ```text
//! 14:03:22  OOM KILL   web              docker 6c266caa8d7c · nginx:1.27
//!    killed    nginx[22490], pid 1 of the container, nginx -g daemon off;
//!    limit     512 MiB, the container's own: 512 MiB in use; the victim had 498 MiB anon, 2 MiB file
//!    do        docker update --memory 768m --memory-swap 768m web
//! ```

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::Sink;
use super::escape::escape;
use super::wrap::{cut_middle, wrap};
use crate::incident::model::{
    Attribution, Cause, Confidence, Container, Exit, Incident, OomScope, Process, Record, Role, SignalPath,
};
use crate::incident::text::{
    bytes, container_name, duration_ms, duration_us, init_ended, owner, path_name, process, short_id,
};
use crate::verdict::judge::stop_request;

const HEAD: Style = Style::new().bold();
const KILL: Style = AnsiColor::Red.on_default().bold();
const SIGNAL: Style = AnsiColor::Yellow.on_default().bold();
const LABEL: Style = AnsiColor::Cyan.on_default();
const DO: Style = AnsiColor::Green.on_default();
const DIM: Style = Style::new().dimmed();

/// Columns before a line's text: three blanks and the label.
const INDENT: usize = 13;
/// Ancestors shown; the JSON has all.
const ANCESTORS: usize = 4;
/// Collateral victims named; the JSON has all.
const COLLATERAL: usize = 5;
/// Columns of a command line; the JSON has all of it.
const CMDLINE: usize = 160;

/// How to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    pub color: bool,
    /// Columns of the terminal; none when it is not one.
    pub width: Option<usize>,
}

/// Writes blocks to `W`.
pub struct Human<W: Write> {
    out: W,
    look: Box<dyn Fn() -> Look>,
    first: bool,
}

impl<W: Write> Human<W> {
    /// `look` is asked for each block: a terminal's width changes.
    pub fn new(out: W, look: impl Fn() -> Look + 'static) -> Self {
        Self { out, look: Box::new(look), first: true }
    }
}

impl<W: Write> Sink for Human<W> {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        let (Record::Incident(incident) | Record::Signal(incident)) = record else { return Ok(()) };
        let block = block(incident, (self.look)());
        if !std::mem::take(&mut self.first) {
            self.out.write_all(b"\n")?;
        }
        self.out.write_all(block.as_bytes())?;
        self.out.flush()
    }
}

/// One incident, with a line feed at the end of each line.
#[must_use]
pub fn block(incident: &Incident, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    block.head(incident);
    block.line("killed", &killed(incident));
    block.collateral(incident);
    if incident.oom.is_some() {
        block.oom(incident);
    } else {
        block.sender(incident);
    }
    block.verdict(incident);
    block.text
}

struct Block {
    text: String,
    look: Look,
}

impl Block {
    fn head(&mut self, incident: &Incident) {
        let is_kill = incident.verdict.is_some();
        let what = match (incident.oom.is_some(), is_kill) {
            (true, _) => "OOM KILL".to_owned(),
            (false, _) => incident.signal.name.clone(),
        };
        let style = if is_kill { KILL } else { SIGNAL };
        let where_ = place_name(incident);
        let about = incident.container.as_ref().map(about).unwrap_or_default();
        let (time, what) = (self.paint(DIM, &local_time(&incident.time)), self.paint(style, &format!("{what:<9}")));
        let where_ = self.paint(HEAD, &format!("{:<16}", escape(&where_)));
        let about = self.paint(DIM, &escape(&about));
        // Writing to a String cannot fail.
        _ = writeln!(self.text, "{time}  {what}  {}", format!("{where_} {about}").trim_end());
    }

    fn line(&mut self, label: &str, text: &str) {
        self.styled_line(label, text, Style::new());
    }

    fn styled_line(&mut self, label: &str, text: &str, style: Style) {
        let width = self.look.width.map(|width| width.saturating_sub(INDENT).max(20));
        for (index, line) in wrap(&escape(text), width).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let label = self.paint(LABEL, &format!("{label:<10}"));
            let line = self.paint(style, line);
            _ = writeln!(self.text, "{}", format!("   {label}{line}").trim_end());
        }
    }

    fn collateral(&mut self, incident: &Incident) {
        let Some(first) = incident.collateral.first() else { return };
        let named: Vec<String> = incident.collateral.iter().take(COLLATERAL).map(|c| process(&c.process)).collect();
        let more = incident.collateral.len().saturating_sub(COLLATERAL);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = match first.role {
            Role::OomGroup => "killed as one group (memory.oom.group)",
            Role::SharedMm => "shared the victim's memory",
            Role::PidNamespace => "in the same pid namespace",
            Role::CgroupKill => "in the same cgroup",
            Role::ProcessGroup => "in the same process group",
        };
        self.line("also", &format!("{}{more}: {why}", named.join(", ")));
    }

    fn oom(&mut self, incident: &Incident) {
        let Some(oom) = &incident.oom else { return };
        let limit = match (&oom.limit_owner, oom.scope) {
            (Some(limit), _) => {
                let size = limit.limit_bytes.map_or_else(|| "unknown".to_owned(), bytes);
                let usage = limit.usage_bytes.map(|usage| format!(": {} in use", bytes(usage))).unwrap_or_default();
                let is_own = incident.container.as_ref().is_some_and(|c| c.cgroup == limit.path);
                let place = if is_own { String::new() } else { format!(" {}", limit.path) };
                format!("{size}, {}{place}{usage}", owner(limit.level))
            }
            (None, Some(OomScope::Memcg)) => "a memory cgroup's, which one could not be seen".to_owned(),
            (None, _) => "none: the machine itself ran out".to_owned(),
        };
        let host = incident.host_available_bytes.map(|left| format!("; the host had {} available", bytes(left)));
        self.line("limit", &format!("{limit}{}", host.unwrap_or_default()));
        if let Some(memory) = &oom.victim_memory {
            let parts = [
                ("anon", memory.anon_bytes),
                ("file", memory.file_bytes),
                ("shmem", memory.shmem_bytes),
                ("swap", memory.swap_bytes),
                ("page tables", memory.page_tables_bytes),
            ];
            let parts: Vec<String> = parts
                .iter()
                .filter(|(name, size)| *size > 0 || *name == "anon")
                .map(|(name, size)| format!("{} {name}", bytes(*size)))
                .collect();
            self.line("memory", &format!("the victim's: {}", parts.join(", ")));
        }
        if let Some(trigger) = &incident.trigger {
            let same = trigger.pid == incident.victim.process.pid;
            let text = if same { format!("{} itself", process(trigger)) } else { described(trigger) };
            self.line("trigger", &text);
        }
    }

    fn sender(&mut self, incident: &Incident) {
        let Some(sender) = &incident.sender.process else {
            self.line("by", "the kernel");
            return;
        };
        let mut by = described(sender);
        for ancestor in incident.sender.ancestors.iter().take(ANCESTORS) {
            by = format!("{by}  <  {}", process(ancestor));
        }
        if incident.sender.ancestors.len() > ANCESTORS {
            by.push_str("  <  …");
        }
        self.line("by", &by);
        let who = self.who(incident, sender);
        if !who.is_empty() {
            self.line("as", &who);
        }
    }

    /// The sender's user, login, container or unit: what tells one process on the host from another.
    fn who(&self, incident: &Incident, sender: &Process) -> String {
        let mut who = Vec::new();
        if let Some(uid) = sender.uid {
            who.push(sender.user.as_ref().map_or_else(|| format!("uid {uid}"), |user| format!("{user} (uid {uid})")));
        }
        if let Some(login) = &incident.sender.login {
            match (&login.user, login.uid) {
                (Some(user), _) => who.push(format!("logged in as {user}")),
                (None, Some(uid)) => who.push(format!("logged in as uid {uid}")),
                (None, None) => {}
            }
            who.extend(login.tty.as_ref().map(|tty| format!("on {tty}")));
        }
        let same = incident.container.as_ref().map(|c| &c.id) == incident.sender.container.as_ref().map(|c| &c.id);
        match &incident.sender.container {
            Some(_) if same => who.push("in the same container".to_owned()),
            Some(container) => {
                let name = container.name.as_deref().unwrap_or_else(|| short_id(&container.id));
                who.push(format!("in container {name}"));
            }
            None => who.extend(incident.sender.unit.as_ref().map(|unit| format!("in {unit}"))),
        }
        who.join(", ")
    }

    fn verdict(&mut self, incident: &Incident) {
        if let Some(verdict) = &incident.verdict {
            self.line("why", &why(incident, verdict.cause, verdict.confidence));
            for advice in &verdict.advice {
                self.styled_line("do", advice.command.as_ref().unwrap_or(&advice.action), DO);
            }
        }
        if incident.attribution != Attribution::Full {
            self.styled_line("unseen", &incident.missing.join("; "), DIM);
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.look.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// `nginx[22490], pid 1 of the container: nginx -g daemon off;`
fn killed(incident: &Incident) -> String {
    let victim = &incident.victim.process;
    let role = match (incident.victim.container_init, incident.container.is_some(), victim.pid_in_namespace) {
        (true, true, _) => ", pid 1 of the container".to_owned(),
        (true, false, _) => ", pid 1 of its pid namespace".to_owned(),
        (false, true, Some(pid)) if pid != victim.pid && incident.init_end.is_some() => {
            format!(", pid {pid} in the container")
        }
        (false, true, Some(pid)) if pid != victim.pid => {
            format!(", pid {pid} in the container, whose pid 1 was not hit")
        }
        _ => String::new(),
    };
    let ended =
        incident.victim.exit.as_ref().map(|exit| ending(exit, incident.victim.container_init)).unwrap_or_default();
    let cmdline = victim.cmdline.as_ref().map(|c| format!(": {}", command(c))).unwrap_or_default();
    format!("{}{role}{ended}{cmdline}", process(victim))
}

/// `, which exited 137 after 3 ms` for a container, as its runtime shows it; `, gone after 3 ms` for another process.
fn ending(exit: &Exit, is_init: bool) -> String {
    let after = exit.after_us.map(|us| format!(" after {}", duration_us(us))).unwrap_or_default();
    match exit.signal {
        // Runtimes show a death by signal as 128 and its number.
        Some(signal) if is_init => format!(", which exited {}{after}", 128 + signal),
        _ => format!(", gone{after}"),
    }
}

/// `runc[23120] runc --root … kill 6c266caa8d7c… 9`
fn described(process_: &Process) -> String {
    match &process_.cmdline {
        Some(cmdline) => format!("{} {}", process(process_), command(cmdline)),
        None => process(process_),
    }
}

/// A command line that fits: ids cut to their first digits, the middle left out. What a runtime does comes at the end.
fn command(cmdline: &[String]) -> String {
    let shortened: Vec<String> = cmdline.iter().map(|argument| shorten_ids(argument)).collect();
    cut_middle(&shortened.join(" "), CMDLINE)
}

/// Each run of 64 hexadecimal digits as its first twelve and an ellipsis.
fn shorten_ids(text: &str) -> String {
    let is_id = |part: &str| part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let parts = text.split_inclusive(|c: char| !c.is_ascii_hexdigit());
    parts
        .map(|part| {
            let digits = part.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
            let rest = part.get(digits.len()..).unwrap_or_default();
            if is_id(digits) { format!("{}…{rest}", short_id(digits)) } else { part.to_owned() }
        })
        .collect()
}

/// The container's or unit's name, else the victim's.
fn place_name(incident: &Incident) -> String {
    container_name(incident).or_else(|| incident.unit.clone()).unwrap_or_else(|| incident.victim.process.comm.clone())
}

/// `docker 6c266caa8d7c · nginx:1.27 · compose shop/web`
fn about(container: &Container) -> String {
    let runtime = container.runtime.as_deref().unwrap_or("container");
    let mut parts = vec![format!("{runtime} {}", short_id(&container.id))];
    parts.extend(container.image.clone());
    if let Some(pod) = &container.pod {
        let name = pod.name.as_ref().or(pod.uid.as_ref());
        parts.extend(name.map(|name| format!("pod {name}")));
    }
    if let Some(labels) = &container.labels
        && let Some(project) = labels.get("com.docker.compose.project")
    {
        let service = labels.get("com.docker.compose.service").map(|s| format!("/{s}")).unwrap_or_default();
        parts.push(format!("compose {project}{service}"));
    }
    parts.join(" · ")
}

/// One clause, and how sure it is when it is not certain.
fn why(incident: &Incident, cause: Cause, confidence: Confidence) -> String {
    let path = incident.signal.path.map(path_name);
    let by = |what: &str| path.map_or_else(|| what.to_owned(), |path| format!("{what}, by {path}"));
    let why = match cause {
        Cause::OomContainerLimit => "the container ran into its own memory limit".to_owned(),
        Cause::OomPodLimit => "the pod ran into its memory limit".to_owned(),
        Cause::OomUnitLimit => "the unit ran into its memory limit".to_owned(),
        Cause::OomSliceLimit => "a cgroup above it ran into its memory limit".to_owned(),
        Cause::OomHost => "the machine ran out of memory".to_owned(),
        Cause::OomConstrained => "the memory nodes that it may use were full".to_owned(),
        Cause::UserspaceOomKiller => "an out-of-memory daemon chose it".to_owned(),
        Cause::RuntimeKill => "the container runtime killed it, without a stop signal before".to_owned(),
        Cause::RuntimeStopTimeout => {
            let stop = stop_request(incident);
            let when = stop.map(|s| format!("{} came {} earlier", s.name, duration_ms(s.before_ms)));
            format!(
                "stop time-out: {} and it was still running",
                when.unwrap_or_else(|| "a stop signal came".to_owned())
            )
        }
        Cause::ServiceManagerKill => "systemd killed it".to_owned(),
        Cause::SameContainerKill => by("another process in the same container killed it"),
        Cause::ProcessKill => by("another process killed it"),
        Cause::SelfKill => by("it killed itself"),
        Cause::CgroupKill => "somebody wrote its cgroup's cgroup.kill".to_owned(),
        Cause::PidNamespaceExit => format!("{}, and the kernel killed the rest", init_ended(incident)),
        Cause::ParentExit => "its parent ended (PR_SET_PDEATHSIG)".to_owned(),
        Cause::RlimitCpu => "its CPU time was used up (RLIMIT_CPU)".to_owned(),
        Cause::Ptrace => "its tracer killed it".to_owned(),
        Cause::BpfProgram => "a BPF program killed it".to_owned(),
        Cause::KubeletProbeFailure => "a probe failed".to_owned(),
        Cause::KubeletEviction => "its pod was evicted".to_owned(),
        Cause::KubeletPreemption => "its pod was preempted".to_owned(),
        Cause::KubeletDeletion => "its pod was deleted".to_owned(),
        Cause::OtherKernel => match incident.signal.path {
            Some(SignalPath::OtherKernel) | None => {
                "the kernel killed it; which part of it could not be seen".to_owned()
            }
            Some(path) => format!("the kernel killed it, by {}", path_name(path)),
        },
    };
    match confidence {
        Confidence::Certain => why,
        Confidence::Likely => format!("{why} (likely)"),
        Confidence::Possible => format!("{why} (possible)"),
    }
}

/// Hours, minutes and seconds where this terminal is.
fn local_time(rfc3339: &str) -> String {
    let time: Result<jiff::Timestamp, _> = rfc3339.parse();
    time.map_or_else(
        |_| "--:--:--".to_owned(),
        |time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string(),
    )
}
