//! One record as a block of lines.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::curve::curve;
use super::words::{
    about, asked, brief, described, effect_words, full_name, killed, login, named, parents, place_name, user, when,
};
use super::{Look, without};
use crate::model::{
    Attribution, Cause, Contradiction, Correction, Evidence, Exited, Incident, LimitLevel, Lost, MissingPart,
    NamedMissing, OomOrigin, OomScope, OutputName, Process, Role, SignalPath, Unwritten, Verdict, Warning,
};
use crate::sink::outputs::counted;
use crate::sink::queue::Count;
use crate::sink::wrap::{wrap, wrap_behind};
use crate::text::escape::escape;
use crate::text::quote::quote;
use crate::text::{
    bytes, elevation, host_available, known_name, name_or_id, other_large_processes, owner, pod_name, process,
    shorten_ids, source,
};
use crate::words::earlier::again;
use crate::words::folded::Folded;

const HEAD: Style = Style::new().bold();
const KILL: Style = AnsiColor::Red.on_default().bold();
pub(super) const SIGNAL: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const LABEL: Style = AnsiColor::Cyan.on_default();
const DO: Style = AnsiColor::Green.on_default();
pub(super) const DIM: Style = Style::new().dimmed();

/// Columns before a line's text: three blanks and the label.
const INDENT: usize = 13;
/// Other processes named as the largest.
const LARGEST: usize = 3;
/// Collateral victims named; the JSON has all.
const COLLATERAL: usize = 5;

/// One incident, with a line feed at the end of each line.
#[must_use]
pub fn block(incident: &Incident, look: Look) -> String {
    counted_block(incident, None, look)
}

/// The same of the last of several like ones, behind whose name stands how many these are.
pub(super) fn counted_block(incident: &Incident, folded: Option<&Folded>, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    block.head(incident, folded);
    if look.brief {
        return block.text;
    }
    if let Some(container) = &incident.container {
        block.line("in", &about(container));
    }
    let is_kill = incident.verdict.is_some();
    block.line(if is_kill { "killed" } else { "to" }, &killed(incident, look.verbose));
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
    if look.verbose {
        block.evidence(incident);
    }
    block.debugging(incident);
    block.text
}

/// The first line of a block alone.
pub(super) fn headline(incident: &Incident, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    block.head(incident, None);
    block.text
}

/// What a block says is to be done, alone.
pub(super) fn remedies(incident: &Incident, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    if let Some(verdict) = &incident.verdict {
        block.remedies(verdict, &[], &[]);
    }
    block.text
}

/// What a block says of a kill between its first line and what is to be done, each with its label.
#[must_use]
pub fn facts(incident: &Incident) -> Vec<(String, String)> {
    // In its own words, and without what is said elsewhere.
    let bare = Incident { verdict: None, missing: Vec::new(), ..incident.clone() };
    let text = block(&bare, Look { width: None, color: false, ..Look::default() });
    let is_kill = incident.verdict.is_some();
    let mut facts: Vec<(String, String)> = Vec::new();
    for line in text.lines().skip(1) {
        let (label, said) = line.split_at_checked(INDENT).unwrap_or((line, ""));
        match (label.trim(), facts.last_mut()) {
            ("", Some((_, before))) => {
                before.push(' ');
                before.push_str(said);
            }
            // A signal without a verdict is said to have gone to somebody.
            ("to", _) if is_kill => facts.push(("killed".to_owned(), said.to_owned())),
            (label, _) => facts.push((label.to_owned(), said.to_owned())),
        }
    }
    facts
}

/// A runtime killed it: how that went is seldom asked.
fn is_by_runtime(incident: &Incident) -> bool {
    use Cause::*;
    let cause = incident.verdict.as_ref().map(|verdict| verdict.cause);
    matches!(
        cause,
        Some(
            RuntimeKill
                | RuntimeStopTimeout
                | KubeletProbeFailure
                | KubeletEviction
                | KubeletPreemption
                | KubeletDeletion
        )
    )
}

/// `3 routine kills before this one: --all shows them`.
pub(super) fn left_unsaid(routine: u64, look: Look) -> String {
    let (kills, them) = if routine == 1 { ("kill", "it") } else { ("kills", "them") };
    let text = format!("{routine} routine {kills} before this one: --all shows {them}");
    let block = Block { text: String::new(), look };
    format!("{}\n\n", block.paint(DIM, &text))
}

/// What a runtime says against it, with a line feed at the end of each line.
pub(super) fn contradiction(said: &Contradiction, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    block.title(&said.time, "CONFLICT", SIGNAL, &full_name(&said.container), &said.fact);
    if !look.brief {
        block.line("in", &about(&said.container));
    }
    block.text
}

/// A container's first process that only looks killed, with a line feed at the end of each line.
pub(super) fn exit(exited: &Exited, look: Look) -> String {
    let mut block = Block { text: exit_headline(exited, look), look };
    if !look.brief {
        exited.container.iter().for_each(|container| block.line("in", &about(container)));
        block.line("ended", &described(&exited.process));
    }
    block.text
}

/// Its first line alone.
pub(super) fn exit_headline(exited: &Exited, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let name = || quote(&exited.process.comm).into_owned();
    let place = exited.container.as_ref().map_or_else(name, |container| {
        let pod = container.pod.as_ref().and_then(pod_name).map(|pod| format!("{pod}/")).unwrap_or_default();
        format!("{pod}{}", known_name(container))
    });
    block.title(&exited.time, "EXIT 137", SIGNAL, &place, &exited.why);
    block.text
}

/// What is known by now of an incident that was put out before, with a line feed at the end of each line.
pub(super) fn corrected(correction: &Correction, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let place = correction.container.as_ref().map_or_else(|| correction.incident.clone(), full_name);
    block.title(&correction.time, "NOW KNOWN", SIGNAL, &place, &correction.verdict.why);
    if !look.brief {
        block.line("killed", &format!("as said above, incident {}", correction.incident));
        block.remedies(&correction.verdict, &correction.missing, &correction.missing_parts);
    }
    block.text
}

/// What is to come, with a line feed at the end of each line.
pub(super) fn warning(warning: &Warning, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let place = match (&warning.container, &warning.unit) {
        (Some(container), _) => full_name(container),
        (None, Some(unit)) => quote(unit).into_owned(),
        (None, None) => quote(&shorten_ids(&warning.cgroup)).into_owned(),
    };
    block.title(&warning.time, "WARNING", SIGNAL, &place, &warning.why);
    if look.brief {
        return block.text;
    }
    warning.container.iter().for_each(|container| block.line("in", &about(container)));
    let (held, limit, usage) = (bytes(warning.held_bytes), bytes(warning.limit_bytes), bytes(warning.usage_bytes));
    block.line("memory", &format!("{held} of {limit} cannot be taken back; {usage} in use with page cache"));
    if let Some(reached) = &warning.reached {
        let time = |text: &str| when(text, look);
        let high = reached.high.as_deref().map_or_else(|| "later or never".to_owned(), time);
        let (median, low) = (time(&reached.median), time(&reached.low));
        block.line("met", &format!("at {median}, between {low} and {high}"));
    }
    block.text
}

/// Kills that are not reported must not be missed by whoever reads the others: a line of its own.
pub(super) fn lost_kills(lost: &Lost, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    for line in wrap(&lost.words().unwrap_or_default(), look.width) {
        // Writing to a String cannot fail.
        _ = writeln!(block.text, "{}", block.paint(KILL, &line));
    }
    block.text
}

/// What an output could not take.
pub(super) fn left_out(unwritten: &Unwritten, look: Look) -> String {
    let Unwritten { output, kills, others } = *unwritten;
    let mut block = Block { text: String::new(), look };
    let text = match output {
        OutputName::Stderr => "nothing can be written there at the moment".to_owned(),
        OutputName::Recording => format!("{kills} kills and {others} other events and answers are not in it"),
        OutputName::History => format!("{} not kept: its disk was full, or too slow", counted(Count { kills, others })),
        OutputName::Stdout | OutputName::Selftest => {
            format!("{} not written: too little was read, or the disk was full", counted(Count { kills, others }))
        }
    };
    block.title(&format!("{:.9}", jiff::Timestamp::now()), "LOST", KILL, output.as_str(), &text);
    block.text
}

pub(super) struct Block {
    pub(super) text: String,
    pub(super) look: Look,
}

impl Block {
    fn head(&mut self, incident: &Incident, folded: Option<&Folded>) {
        let is_kill = incident.verdict.is_some();
        let what = match (incident.oom.is_some(), is_kill) {
            (true, _) => "OOM KILL".to_owned(),
            (false, _) => incident.signal.name.clone(),
        };
        let style = if is_kill { KILL } else { SIGNAL };
        let mut said = incident.verdict.as_ref().map(|verdict| verdict.why.clone()).unwrap_or_default();
        if let Some(again) = again(incident).filter(|_| is_kill) {
            said = if said.is_empty() { again } else { format!("{said}, {again}") };
        }
        if self.look.brief {
            said = brief(incident, &said);
        }
        let time = |text: &str| when(text, self.look);
        let count = folded.and_then(|folded| folded.said(time)).map(|count| format!(" {count}")).unwrap_or_default();
        self.title(&incident.time, &what, style, &format!("{}{count}", place_name(incident)), &said);
    }

    /// A block's first line: when, what, where, and why.
    pub(super) fn title(&mut self, time: &str, what: &str, style: Style, place: &str, said: &str) {
        let (time, what) = (when(time, self.look), format!("{what:<9}"));
        let indent = time.len() + what.len() + 4;
        let text =
            if said.is_empty() { escape(place) } else { escape(&format!("{place}: {said}")).into_owned().into() };
        for (index, line) in wrap_behind(&text, indent, INDENT, self.look.width).iter().enumerate() {
            let before = match index {
                0 if line.is_empty() => format!("{}  {}", self.paint(DIM, &time), self.paint(style, what.trim_end())),
                0 => format!("{}  {}  ", self.paint(DIM, &time), self.paint(style, &what)),
                _ => " ".repeat(INDENT),
            };
            // Writing to a String cannot fail.
            _ = writeln!(self.text, "{}", format!("{before}{}", self.paint(HEAD, line)).trim_end());
        }
    }

    /// A line that is to be pasted as it is: it has no label, and is not broken.
    pub(super) fn command(&mut self, command: &str) {
        let command = self.paint(DO, &escape(command));
        _ = writeln!(self.text, "{}{command}", " ".repeat(INDENT));
    }

    pub(super) fn line(&mut self, label: &str, text: &str) {
        self.styled_line(label, text, Style::new());
    }

    fn styled_line(&mut self, label: &str, text: &str, style: Style) {
        for (index, line) in wrap_behind(&escape(text), INDENT, INDENT, self.look.width).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            // Blanks have no colour, so that none is left at a line's end.
            let label = format!("{}{}", self.paint(LABEL, label), " ".repeat(10_usize.saturating_sub(label.len())));
            let line = self.paint(style, line);
            _ = writeln!(self.text, "{}", format!("   {label}{line}").trim_end());
        }
    }

    pub(super) fn collateral(&mut self, incident: &Incident) {
        let Some(first) = incident.collateral.first() else { return };
        let named: Vec<String> = incident.collateral.iter().take(COLLATERAL).map(|c| process(&c.process)).collect();
        let more = incident.collateral.len().saturating_sub(COLLATERAL);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = match first.role {
            Role::OomGroup => "killed as one group (memory.oom.group)",
            Role::SharedMm => "shared the victim's memory",
            Role::PidNamespace => "in the same pid namespace",
            Role::CgroupKill | Role::OneByOne => "in the same cgroup",
            Role::ProcessGroup => {
                "killed by the same call, or the next one, which was for a process group or for all processes"
            }
        };
        self.line("also", &format!("{}{more}: {why}", named.join(", ")));
    }

    pub(super) fn oom(&mut self, incident: &Incident) {
        let Some(oom) = &incident.oom else { return };
        let limit = match (&oom.limit_owner, oom.scope) {
            (Some(limit), _) => {
                let size = limit.limit_bytes.map_or_else(|| "unknown".to_owned(), bytes);
                let usage = limit.usage_bytes.map(bytes).filter(|usage| *usage != size);
                let usage = usage.map(|usage| format!(": {usage} in use")).unwrap_or_default();
                let is_own = limit.level == LimitLevel::Container
                    || incident.container.as_ref().is_some_and(|c| c.cgroup == limit.path);
                let place = match self.look.verbose {
                    true => format!(" {}", quote(&limit.path)),
                    false if is_own => String::new(),
                    false => format!(" {}", quote(&shorten_ids(&limit.path))),
                };
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
            let others = other_large_processes(incident, LARGEST).map(|others| format!("; next: {others}"));
            self.line("memory", &format!("the victim's: {}{}", parts.join(", "), others.unwrap_or_default()));
        }
        if let Some(curve) = curve(incident, self.look) {
            self.line("curve", &curve);
        }
        if let Some(trigger) = &incident.trigger {
            let is_victim = trigger.pid == incident.victim.process.pid;
            match (is_victim, self.look.verbose) {
                (true, false) => {}
                (true, true) => self.line("trigger", &format!("{} itself", process(trigger))),
                (false, _) => self.line("trigger", &described(trigger)),
            }
        }
    }

    fn sender(&mut self, incident: &Incident) {
        let Some(sender) = &incident.sender.process else {
            // Where no signal was seen nobody knows, and `unseen` says so.
            if incident.signal.path != Some(SignalPath::Unseen) || incident.attribution != Attribution::Partial {
                self.line("by", "the kernel");
            }
            return;
        };
        if let Some(requester) = &incident.requester {
            self.line("asked", &asked(requester));
        }
        let is_short = is_by_runtime(incident) && !self.look.verbose;
        let (own, parents) = match is_short {
            true => (process(sender), named(&incident.sender.ancestors, 1)),
            false => (described(sender), parents(&incident.sender.ancestors)),
        };
        self.line("by", &format!("{own}{parents}"));
        // A runtime is the machine's, mostly: who asked it is the one to know.
        let who = self.who(incident, sender);
        let is_said = is_short && incident.requester.is_some();
        if !is_said && !who.is_empty() {
            self.line("as", &who);
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
            Some(verdict) => self.remedies(verdict, &incident.missing, &incident.missing_parts),
            None => self.unseen(&incident.missing, &incident.missing_parts),
        }
    }

    pub(super) fn remedies(&mut self, verdict: &Verdict, missing: &[String], named: &[NamedMissing]) {
        for advice in &verdict.advice {
            let colon = if advice.command.is_some() { ":" } else { "" };
            self.styled_line("do", &format!("{}{colon}", advice.action), DO);
            if let Some(command) = &advice.command {
                self.command(command);
            }
            if self.look.verbose && !advice.why.is_empty() {
                self.styled_line("", &format!("because {}", advice.why), DIM);
            }
        }
        self.unseen(missing, named);
    }

    /// What the verdict rests on, and where each of it comes from.
    fn evidence(&mut self, incident: &Incident) {
        self.facts(incident.verdict.as_ref().map(|verdict| verdict.evidence.as_slice()).unwrap_or_default());
        self.line("id", &incident.id);
    }

    pub(super) fn facts(&mut self, facts: &[Evidence]) {
        for (index, evidence) in facts.iter().enumerate() {
            let text = format!("{} (says {})", evidence.fact, source(evidence.source));
            self.line(if index == 0 { "evidence" } else { "" }, &text);
        }
    }

    /// A line that is no part of a block, in a weak colour.
    pub(super) fn dim(&mut self, text: &str) {
        for line in wrap(&escape(text), self.look.width) {
            _ = writeln!(self.text, "{}", self.paint(DIM, &line));
        }
    }

    /// The same as any other.
    pub(super) fn plain(&mut self, text: &str) {
        for line in wrap(&escape(text), self.look.width) {
            _ = writeln!(self.text, "{line}");
        }
    }

    pub(super) fn faint(&mut self, label: &str, text: &str) {
        self.styled_line(label, text, DIM);
    }

    fn unseen(&mut self, missing: &[String], named: &[NamedMissing]) {
        // That a command line could not be read is seen by its not being there.
        let named = if self.look.verbose { &[][..] } else { named };
        let unseen: Vec<&str> = without(missing, named, MissingPart::VictimCommandLine).map(String::as_str).collect();
        if !unseen.is_empty() {
            self.styled_line("unseen", &unseen.join("; "), DIM);
        }
    }

    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        if self.look.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
