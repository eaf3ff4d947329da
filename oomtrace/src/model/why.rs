//! The contract's part about `oomtrace why`: what became of somebody, as it was watched or as it was found after the fact.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Cause, Collateral, Confidence, Container, Exited, Incident, Memory, Oom, Process, Role, SCHEMA,
    Sender, Signal, Verdict, Victim,
};

/// What `oomtrace why --json` prints: one line, with a `type` as the records of the stream have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WhyRecord {
    /// The answer.
    Why(Box<Why>),
}

/// The answer to "why did it end?".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// Version of the contract.
    pub schema: u32,
    /// When it was asked.
    pub time: String,
    /// The host's name.
    pub node: Option<String>,
    /// The kernel's id of this boot.
    pub boot_id: Option<String>,
    /// What was asked about, as it was written. Null: the last kill on this node.
    pub asked: Option<String>,
    /// What that is. Null: the node.
    pub target: Option<WhyTarget>,
    /// What the answer is.
    pub answer: Answer,
    /// The answer in one sentence.
    pub summary: String,
    /// The kill, as an oomtrace that was running then saw it. Null: none did, or nothing is left of it.
    pub incident: Option<Incident>,
    /// Its end with 137 that no SIGKILL made, as an oomtrace that was running then saw it: `answer` is `ended`, and `incident` the kill of
    /// another process that came right before, where that was kept. Null: it did not end so.
    pub exit: Option<Exited>,
    /// The kill or the end is of another container than the one in `target`: an earlier one of that name, or another one of the same Compose
    /// service or pod's owner. Null: no container was asked about, or nothing was found.
    pub is_of_another: Option<bool>,
    /// The container that was killed, or ended, has been removed: a command of `incident`'s advice that names it changes nothing any more.
    /// Null: it is there, or nobody says.
    #[serde(default)]
    pub is_removed: Option<bool>,
    /// The kill or the end, as far as others have left traces of it. Null where `incident` or `exit` is there, and where nothing was found.
    pub reconstructed: Option<Reconstructed>,
    /// Kills of the same before, the latest first; a hundred at most.
    pub earlier: Vec<EarlierKill>,
    /// Where it was looked, and what was there.
    pub looked_at: Vec<LookedAt>,
}

impl Why {
    /// The container that ended, or that the victim was in.
    #[must_use]
    pub fn ended_in(&self) -> Option<&Container> {
        let of_exit = self.exit.as_ref().map(|exited| exited.container.as_ref());
        let ended = of_exit.or_else(|| self.incident.as_ref().map(|incident| incident.container.as_ref()));
        ended.or_else(|| self.reconstructed.as_ref().map(|found| found.container.as_ref())).flatten()
    }

    /// The verdict on the kill, watched or put together.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        let watched = self.incident.as_ref().map(|incident| incident.verdict.as_ref());
        watched.or_else(|| self.reconstructed.as_ref().map(|found| found.verdict.as_ref())).flatten()
    }

    /// What the OOM killer went by, the same way.
    #[must_use]
    pub fn oom(&self) -> Option<&Oom> {
        let watched = self.incident.as_ref().map(|incident| incident.oom.as_ref());
        watched.or_else(|| self.reconstructed.as_ref().map(|found| found.oom.as_ref())).flatten()
    }
}

/// What the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was killed, and an oomtrace saw it: `incident`.
    Watched,
    /// It was killed, and others have left traces that say why: `reconstructed`.
    Killed,
    /// It ended as if by SIGKILL (137), and nothing that is left says by whom, or whether it was one.
    Unexplained,
    /// It ended by itself, or by another signal than SIGKILL.
    Ended,
    /// It lives, and nothing that is left says that anything of it was killed.
    Alive,
    /// Nothing was found.
    Nothing,
}

/// What was asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhyTarget {
    /// What it is.
    pub kind: TargetKind,
    /// Its name; a container's id, where it has none.
    pub name: String,
    /// The container, as far as its runtime still knows it.
    pub container: Option<Container>,
    /// It is there now. Null: not known.
    pub is_running: Option<bool>,
    /// When its present life began.
    pub running_since: Option<String>,
    /// A container that does not run, and that its restart policy is about to start again. Null: not known.
    #[serde(default)]
    pub is_restarting: Option<bool>,
    /// A container that is there, and of which nothing runs until somebody goes on with it (docker pause). Null: not known.
    #[serde(default)]
    pub is_paused: Option<bool>,
    /// How often its restart policy has started it again since somebody started it. Null: not known.
    #[serde(default)]
    pub restarts: Option<u32>,
}

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A container.
    Container,
    /// A Kubernetes pod.
    Pod,
    /// A systemd unit.
    Unit,
    /// A process.
    Process,
    /// An incident of before, by its id.
    Incident,
}

/// A kill or an end, put together after the fact. What a field does not say, nothing that is left says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reconstructed {
    /// When it was. By the kernel's log this is to about a second: its clock stands still while the machine sleeps.
    pub time: Option<String>,
    /// Why, as far as the traces say; `certain` only where the kernel's own report names the victim, what ran out, and whose limit it was. Null:
    /// they do not say.
    pub verdict: Option<Verdict>,
    /// The process that was killed.
    pub victim: Option<Victim>,
    /// Others that were killed with it, by the same report.
    pub collateral: Vec<Process>,
    /// Its container.
    pub container: Option<Container>,
    /// Its systemd unit.
    pub unit: Option<String>,
    /// The process whose allocation ran into the limit.
    pub trigger: Option<Process>,
    /// What the OOM killer went by, as the kernel's report has it.
    pub oom: Option<Oom>,
    /// What was in use then, as the kernel's report has it.
    pub memory: Option<Memory>,
    /// How the container or the unit ended, as its manager says.
    pub end: Option<SaidEnd>,
    /// Who was logged in then: whoever killed it by hand is possibly among them, and nobody need be.
    pub sessions: Vec<Session>,
    /// What of it cannot be known any more, as whether a cgroup was that of the container that its name says.
    pub unknown: Vec<String>,
    /// What an oomtrace that was running would have known besides.
    pub missing: Vec<String>,
}

impl Reconstructed {
    /// The same as an incident, where a process is known, so that it is shown in the same words. It has no id, and no sender but the kernel.
    #[must_use]
    pub fn as_incident(&self) -> Option<Incident> {
        Some(Incident {
            schema: SCHEMA,
            id: String::new(),
            time: self.time.clone().unwrap_or_default(),
            node: None,
            boot_id: None,
            verdict: self.verdict.clone(),
            victim: self.victim.clone()?,
            collateral: self
                .collateral
                .iter()
                .map(|process| Collateral { process: process.clone(), role: Role::OomGroup })
                .collect(),
            container: self.container.clone(),
            unit: self.unit.clone(),
            sender: Sender::kernel(),
            requester: None,
            trigger: self.trigger.clone(),
            signal: Signal::unseen_sigkill(),
            preceding: Vec::new(),
            oom: self.oom.clone(),
            memory: self.memory.clone(),
            attribution: Attribution::Partial,
            missing: Vec::new(),
            missing_parts: Vec::new(),
            init_end: None,
            routine: None,
            earlier: None,
        })
    }
}

/// How something ended, as its manager says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SaidEnd {
    /// Who says so: `Docker`, `the kubelet`, `systemd`, `Podman`.
    pub by: String,
    /// When it ended.
    pub time: Option<String>,
    /// When that life began.
    pub started: Option<String>,
    /// The exit code; 128 and the number of a signal that ended it, as runtimes write it.
    pub exit_code: Option<i64>,
    /// It says that the OOM killer was at work in that life: in the container, on any of its processes.
    pub oom_killed: Option<bool>,
    /// What it calls the reason: `OOMKilled`, `oom-kill`, `timeout` …
    pub reason: Option<String>,
}

/// Somebody who was logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The user's name.
    pub user: String,
    /// The terminal, or the session's number.
    pub tty: String,
    /// From where; null: from this machine, or not known.
    pub from: Option<String>,
    /// Since when.
    pub since: String,
    /// Until when; null: it had not ended when this was asked, or its end was not written down.
    pub until: Option<String>,
}

/// A kill of before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlierKill {
    /// When it was.
    pub time: Option<String>,
    /// Where it was: the container, the unit, or the process.
    pub place: String,
    /// The incident's id, where it was watched. Null: it is known after the fact.
    pub incident: Option<String>,
    /// Why. Null: not known.
    pub cause: Option<Cause>,
    /// How sure that is.
    pub confidence: Option<Confidence>,
    /// The limit that was hit.
    pub limit_bytes: Option<u64>,
    /// How long its life had lasted, in milliseconds. Null: not known.
    pub after_start_ms: Option<u64>,
    /// In a clause.
    pub why: String,
}

/// Where it was looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LookedAt {
    /// Where: `history`, `kernel log`, `journal`, `docker`, `kubernetes`, `systemd`, `cgroup`, `logins`.
    pub place: String,
    /// It could be read.
    pub is_read: bool,
    /// It is there, and not all of it could be read: what it has may be missing from the answer. What was left out, and what this node does
    /// not have, is not meant.
    #[serde(default)]
    pub is_missing: bool,
    /// How far back it reaches, where it says so.
    pub since: Option<String>,
    /// What was there, or why it could not be read.
    pub said: String,
}
