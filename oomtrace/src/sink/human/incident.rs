//! An incident as a block of lines.

use super::block::{Block, DIM, DO, INDENT, KILL, SIGNAL};
use super::curve::curve;
use super::words::{
    about, asked, brief, described, effect_words, killed, login, named, parents, place_name, user, when,
};
use super::{Look, without};
use crate::model::{
    Attribution, Cause, Evidence, Incident, LimitLevel, MissingPart, NamedMissing, OomOrigin, OomScope, Process, Role,
    SignalPath, Verdict,
};
use crate::text::quote::quote;
use crate::text::{
    bytes, elevation, full_name, host_available, other_large_processes, owner, process, shorten_ids, source, unit_name,
};
use crate::words::earlier::again;
use crate::words::folded::Folded;

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
                who.push(format!("in container {}", full_name(container)));
            }
            None => who.extend(
                incident.sender.unit.as_deref().map(|unit| format!("in {}", unit_name(unit, sender.cgroup.as_deref()))),
            ),
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

    fn unseen(&mut self, missing: &[String], named: &[NamedMissing]) {
        // That a command line could not be read is seen by its not being there.
        let named = if self.look.verbose { &[][..] } else { named };
        let unseen: Vec<&str> = without(missing, named, MissingPart::VictimCommandLine).map(String::as_str).collect();
        if !unseen.is_empty() {
            self.styled_line("unseen", &unseen.join("; "), DIM);
        }
    }
}
