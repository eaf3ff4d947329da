//! One block an incident, for a person who was asleep a minute ago.
//!
//! ```text
//! 14:03:22  OOM KILL   web: the container ran into its own memory limit of 512 MiB
//!    in        docker 6c266caa8d7c · nginx:1.27
//!    killed    nginx[22490], pid 1 of the container: nginx -g 'daemon off;'
//!    limit     512 MiB, the container's own: 512 MiB in use; the host had 3 GiB available right after
//!    memory    the victim's: 498 MiB anon, 2 MiB file
//!    do        raise the container's memory limit, or find out what grew:
//!              docker update --memory 768m --memory-swap 768m web
//! ```

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::model::{
    Contradiction, Correction, Exited, Incident, Lost, OomOrigin, OomScope, OutputName, Process, Record, Repeat, Role,
    Unwritten, Verdict,
};
use crate::sink::Sink;
use crate::sink::outputs::counted;
use crate::sink::queue::Count;
use crate::sink::wrap::wrap;
use crate::text::escape::escape;
use crate::text::quote::quote;
use crate::text::{bytes, elevation, host_available, name_or_id, other_large_processes, owner, process};
use crate::words::repeats::{Repeats, said};
use words::{
    about, asked, brief, described, effect_words, full_name, killed, login, parents, place_name, time_of, user,
};

mod debugging;
mod words;

pub use words::belongs_to;

const HEAD: Style = Style::new().bold();
const KILL: Style = AnsiColor::Red.on_default().bold();
const SIGNAL: Style = AnsiColor::Yellow.on_default().bold();
const LABEL: Style = AnsiColor::Cyan.on_default();
const DO: Style = AnsiColor::Green.on_default();
const DIM: Style = Style::new().dimmed();

/// Columns before a line's text: three blanks and the label.
const INDENT: usize = 13;
/// Other processes named as the largest.
const LARGEST: usize = 3;
/// Collateral victims named; the JSON has all.
const COLLATERAL: usize = 5;

/// How to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    pub color: bool,
    /// Columns of the terminal; none when it is not one.
    pub width: Option<usize>,
    /// One line an incident.
    pub brief: bool,
    /// Kills for which nobody needs to be woken, too.
    pub all: bool,
    pub time: TimeForm,
}

/// How times are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeForm {
    /// Hours, minutes and seconds where this machine is; with the day, where that is not today.
    #[default]
    Local,
    /// The same in UTC.
    Utc,
    /// RFC 3339, in UTC.
    Iso,
    /// How long ago.
    Relative,
}

/// Writes blocks to `W`.
pub struct Human<W: Write> {
    out: W,
    look: Box<dyn Fn() -> Look + Send>,
    first: bool,
    /// What was written last is one line of many, and no block.
    after_line: bool,
    /// Kills that were left out since the last block.
    routine: u64,
    /// The first of those that are like the one whose block was written last.
    latest: Option<String>,
    repeats: Repeats,
    /// The line that counts repeats, which stays open on a terminal to be written anew.
    series: Option<Series>,
}

/// The incidents that are alike and stand below one block.
struct Series {
    /// The count that was written last.
    written: u64,
    latest: String,
    /// The line has no end yet.
    open: bool,
}

impl<W: Write> Human<W> {
    /// `look` is asked for each block: a terminal's width changes.
    pub fn new(out: W, look: impl Fn() -> Look + Send + 'static) -> Self {
        Self {
            out,
            look: Box::new(look),
            first: true,
            after_line: false,
            routine: 0,
            latest: None,
            repeats: Repeats::default(),
            series: None,
        }
    }
}

impl<W: Write> Sink for Human<W> {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        let look = (self.look)();
        let repeat = match record {
            Record::Incident(incident) if incident.routine.is_none() || look.all => self.repeats.take(incident),
            _ => None,
        };
        if let Record::Incident(incident) = record
            && let Some(repeat) = repeat.as_ref().filter(|repeat| self.latest.as_ref() == Some(&repeat.first))
            && !look.brief
        {
            return self.count(incident, repeat, look);
        }
        let block = match record {
            Record::Incident(Incident { routine: Some(_), .. }) if !look.all => {
                self.routine += 1;
                return Ok(());
            }
            Record::Incident(incident) | Record::Signal(incident) => block(incident, look),
            Record::Exit(exited) => exit(exited, look),
            Record::Contradiction(said) => contradiction(said, look),
            Record::Correction(correction) => corrected(correction, look),
            Record::Lost(Lost { unwritten: Some(unwritten), .. }) => left_out(unwritten, (self.look)()),
            Record::Lost(lost) if lost.kills > 0 => lost_kills(lost, (self.look)()),
            Record::Event(event) => debugging::event(event, look),
            // The first has standard error's, the last is for whoever reads records.
            Record::Ready(_) | Record::Lost(_) | Record::Repeat(_) => return Ok(()),
        };
        self.end_series()?;
        if let Record::Incident(incident) = record {
            self.latest = Some(repeat.map_or_else(|| incident.id.clone(), |repeat| repeat.first));
        }
        let is_line = matches!(record, Record::Event(_));
        let follows_line = is_line && self.after_line;
        if !(std::mem::take(&mut self.first) || look.brief || follows_line) {
            self.out.write_all(b"\n")?;
        }
        self.after_line = is_line;
        let routine = std::mem::take(&mut self.routine);
        if routine > 0 && !look.brief {
            self.out.write_all(left_unsaid(routine, look).as_bytes())?;
        }
        self.out.write_all(block.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Human<W> {
    /// One more that is like the block above: a terminal has one line for them all, which is written anew; elsewhere there is a line each
    /// time that the number has doubled.
    fn count(&mut self, incident: &Incident, repeat: &Repeat, look: Look) -> io::Result<()> {
        let line = repeated(incident, repeat, look);
        let series = self.series.get_or_insert_with(|| Series { written: 1, latest: String::new(), open: false });
        series.latest.clone_from(&line);
        if look.width.is_some() {
            // A shorter line leaves nothing of a longer one.
            let before = if series.open { "\r\x1b[K" } else { "" };
            series.open = true;
            series.written = repeat.count;
            self.out.write_all(format!("{before}{line}").as_bytes())?;
        } else if repeat.count >= 2 * series.written {
            series.written = repeat.count;
            series.latest.clear();
            self.out.write_all(format!("{line}\n").as_bytes())?;
        }
        self.out.flush()
    }

    /// Something else comes: the last count stands.
    fn end_series(&mut self) -> io::Result<()> {
        let Some(Series { latest, open, .. }) = self.series.take() else { return Ok(()) };
        match (open, latest.is_empty()) {
            (true, _) => self.out.write_all(b"\n"),
            (false, false) => self.out.write_all(format!("{latest}\n").as_bytes()),
            (false, true) => Ok(()),
        }
    }
}

/// `×4 in 3.2 s, the same limit (64 MiB), restarted by Docker each time (always; back-off 1.6 s)`, without a line feed.
fn repeated(incident: &Incident, repeat: &Repeat, look: Look) -> String {
    let text = said(incident, repeat);
    // On one line, whatever the terminal's width: it is written anew.
    let room = look.width.map_or(usize::MAX, |width| width.saturating_sub(4).max(20));
    let text: String = escape(&text).chars().take(room).collect();
    let block = Block { text: String::new(), look };
    format!("   {}", block.paint(SIGNAL, &text))
}

/// One incident, with a line feed at the end of each line.
#[must_use]
pub fn block(incident: &Incident, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    block.head(incident);
    if look.brief {
        return block.text;
    }
    if let Some(container) = &incident.container {
        block.line("in", &about(container));
    }
    let is_kill = incident.verdict.is_some();
    block.line(if is_kill { "killed" } else { "to" }, &killed(incident));
    if let Some(effect) = incident.signal.effect {
        block.line("did", effect_words(effect, incident));
    }
    block.collateral(incident);
    if incident.oom.is_some() {
        block.oom(incident);
    } else {
        block.sender(incident);
    }
    block.advice(incident);
    block.debugging(incident);
    block.text
}

/// `3 routine kills before this one: --all shows them`.
fn left_unsaid(routine: u64, look: Look) -> String {
    let (kills, them) = if routine == 1 { ("kill", "it") } else { ("kills", "them") };
    let text = format!("{routine} routine {kills} before this one: --all shows {them}");
    let block = Block { text: String::new(), look };
    format!("{}\n\n", block.paint(DIM, &text))
}

/// What a runtime says against it, with a line feed at the end of each line.
fn contradiction(said: &Contradiction, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    block.title(&said.time, "CONFLICT", SIGNAL, &full_name(&said.container), &said.fact);
    if !look.brief {
        block.line("in", &about(&said.container));
    }
    block.text
}

/// A container's first process that only looks killed, with a line feed at the end of each line.
fn exit(exited: &Exited, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let name = || quote(&exited.process.comm).into_owned();
    let place = exited.container.as_ref().map_or_else(name, full_name);
    block.title(&exited.time, "EXIT 137", SIGNAL, &place, &exited.why);
    if !look.brief {
        exited.container.iter().for_each(|container| block.line("in", &about(container)));
        block.line("ended", &described(&exited.process));
    }
    block.text
}

/// What is known by now of an incident that was put out before, with a line feed at the end of each line.
fn corrected(correction: &Correction, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let place = correction.container.as_ref().map_or_else(|| correction.incident.clone(), full_name);
    block.title(&correction.time, "NOW KNOWN", SIGNAL, &place, &correction.verdict.why);
    if !look.brief {
        block.line("killed", &format!("as said above, incident {}", correction.incident));
        block.remedies(&correction.verdict, &correction.missing);
    }
    block.text
}

/// Kills that are not reported must not be missed by whoever reads the others: a line of its own.
fn lost_kills(lost: &Lost, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let words = block.paint(KILL, &lost.words().unwrap_or_default());
    block.text = words + "\n";
    block.text
}

/// What an output could not take.
fn left_out(unwritten: &Unwritten, look: Look) -> String {
    let Unwritten { output, kills, others } = *unwritten;
    let mut block = Block { text: String::new(), look };
    let text = match output {
        OutputName::Stderr => "nothing can be written there at the moment".to_owned(),
        OutputName::Recording => format!("{kills} kills and {others} other events and answers are not in it"),
        OutputName::Stdout | OutputName::Selftest => {
            format!("{} not written: too little was read, or the disk was full", counted(Count { kills, others }))
        }
    };
    block.title(&format!("{:.9}", jiff::Timestamp::now()), "LOST", KILL, output.as_str(), &text);
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
        let mut said = incident.verdict.as_ref().map(|verdict| verdict.why.clone()).unwrap_or_default();
        if self.look.brief {
            said = brief(incident, &said);
        }
        self.title(&incident.time, &what, style, &place_name(incident), &said);
    }

    /// A block's first line: when, what, where, and why.
    fn title(&mut self, time: &str, what: &str, style: Style, place: &str, said: &str) {
        let (time, what) = (time_of(time, jiff::Timestamp::now(), self.look.time), format!("{what:<9}"));
        let indent = time.len() + what.len() + 4;
        let text =
            if said.is_empty() { escape(place) } else { escape(&format!("{place}: {said}")).into_owned().into() };
        let width = self.look.width.filter(|_| !self.look.brief).map(|width| width.saturating_sub(indent).max(20));
        for (index, line) in wrap(&text, width).iter().enumerate() {
            let before = match index {
                0 => format!("{}  {}  ", self.paint(DIM, &time), self.paint(style, &what)),
                _ => " ".repeat(indent),
            };
            // Writing to a String cannot fail.
            _ = writeln!(self.text, "{}", format!("{before}{}", self.paint(HEAD, line)).trim_end());
        }
    }

    /// A line that is to be pasted as it is: it has no label, and is not broken.
    fn command(&mut self, command: &str) {
        let command = self.paint(DO, &escape(command));
        _ = writeln!(self.text, "{}{command}", " ".repeat(INDENT));
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
            Role::CgroupKill | Role::OneByOne => "in the same cgroup",
            Role::ProcessGroup => "killed by the same call, which was for a process group or for all processes",
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
                let place = if is_own { String::new() } else { format!(" {}", quote(&limit.path)) };
                format!("{size}, {}{place}{usage}", owner(limit.level))
            }
            (None, Some(OomScope::Memcg)) => "a memory cgroup's, which one could not be seen".to_owned(),
            (None, Some(OomScope::Cpuset)) => "none: the memory nodes of its cpuset were full".to_owned(),
            (None, Some(OomScope::Mempolicy)) => "none: the nodes of its memory policy were full".to_owned(),
            (None, _) if oom.origin == Some(OomOrigin::Sysrq) => "none: nothing need have run out".to_owned(),
            (None, _) if oom.origin == Some(OomOrigin::MinTtl) => {
                "none: pages could not be kept for min_ttl_ms".to_owned()
            }
            (None, _) => "none: the machine itself ran out".to_owned(),
        };
        let host = host_available(incident).map(|left| format!("; the host had {} available right after", bytes(left)));
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
            let others = other_large_processes(incident, LARGEST).map(|others| format!("; besides it: {others}"));
            self.line("memory", &format!("the victim's: {}{}", parts.join(", "), others.unwrap_or_default()));
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
        self.line("by", &format!("{}{}", described(sender), parents(&incident.sender.ancestors)));
        let who = self.who(incident, sender);
        if !who.is_empty() {
            self.line("as", &who);
        }
        if let Some(requester) = &incident.requester {
            self.line("asked", &asked(requester));
        }
    }

    /// The sender's user, login, container or unit: what distinguishes one process on the host from another.
    fn who(&self, incident: &Incident, sender: &Process) -> String {
        let mut who = Vec::new();
        who.extend(user(sender));
        who.extend(incident.sender.elevation.as_ref().map(elevation));
        who.extend(incident.sender.login.iter().flat_map(login));
        let same = incident.container.as_ref().map(|c| &c.id) == incident.sender.container.as_ref().map(|c| &c.id);
        match &incident.sender.container {
            Some(_) if same => who.push("in the same container".to_owned()),
            Some(container) => {
                who.push(format!("in container {}", name_or_id(container)));
            }
            None => who.extend(incident.sender.unit.as_ref().map(|unit| format!("in {}", quote(unit)))),
        }
        who.join(", ")
    }

    fn advice(&mut self, incident: &Incident) {
        match &incident.verdict {
            Some(verdict) => self.remedies(verdict, &incident.missing),
            None => self.unseen(&incident.missing),
        }
    }

    fn remedies(&mut self, verdict: &Verdict, missing: &[String]) {
        for advice in &verdict.advice {
            let colon = if advice.command.is_some() { ":" } else { "" };
            self.styled_line("do", &format!("{}{colon}", advice.action), DO);
            if let Some(command) = &advice.command {
                self.command(command);
            }
        }
        self.unseen(missing);
    }

    fn unseen(&mut self, missing: &[String]) {
        // That a command line could not be read is seen by its not being there.
        let is_small = |what: &&String| what.starts_with("the victim's command line");
        let unseen: Vec<&str> = missing.iter().filter(|what| !is_small(what)).map(String::as_str).collect();
        if !unseen.is_empty() {
            self.styled_line("unseen", &unseen.join("; "), DIM);
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.look.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests;
