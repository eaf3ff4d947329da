//! A part of the contract: one kill episode.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    Container, Correction, EarlierKills, Memory, MissingPart, NamedMissing, Oom, Preceding, Process, Requester,
    Routine, Sender, Signal, Verdict, Victim,
};

/// One kill episode: one verdict, one victim, any collateral.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// Version of the contract.
    pub schema: u32,
    /// Sortable by time, and unique across reboots and nodes.
    pub id: String,
    /// When the signal was generated.
    pub time: String,
    /// The host's name.
    pub node: Option<String>,
    /// The kernel's id of this boot.
    pub boot_id: Option<String>,
    /// The judgement. Null for a signal that is not a kill.
    pub verdict: Option<Verdict>,
    /// The process that was killed: a thread group, never a single thread.
    pub victim: Victim,
    /// Further victims of the same episode. Empty when there are none.
    pub collateral: Vec<Collateral>,
    /// The victim's container.
    pub container: Option<Container>,
    /// The victim's systemd unit: a service or a scope.
    pub unit: Option<String>,
    /// Who generated the signal: a process, or the kernel by itself.
    pub sender: Sender,
    /// Who asked the runtime to kill, as opposed to the runtime that did. Null when no runtime killed, or nobody was seen.
    pub requester: Option<Requester>,
    /// OOM only: the process whose allocation ran into the limit. Neither the victim nor a killer, but it may be the
    /// victim.
    pub trigger: Option<Process>,
    /// The signal, and the path that it took through the kernel.
    pub signal: Signal,
    /// Stop signals that the victim got before, the oldest first.
    pub preceding: Vec<Preceding>,
    /// OOM only: what the OOM killer went by. Null when the OOM killer did not send the signal.
    pub oom: Option<Oom>,
    /// OOM only: what was in use at that instant, from the victim's cgroup to the root. Null when the victim's mark was not seen.
    pub memory: Option<Memory>,
    /// Whether everything that the verdict rests on could be seen.
    pub attribution: Attribution,
    /// What could not be seen, in words.
    pub missing: Vec<String>,
    /// Entries of `missing` that have a name, for programs. Empty when there are none.
    #[serde(default)]
    pub missing_parts: Vec<NamedMissing>,
    /// Why the first process of the victim's pid namespace ended, when that is what the kernel killed the victim for.
    #[serde(default)]
    pub init_end: Option<InitEnd>,
    /// Why nobody needs to be woken for it; text leaves such kills out unless --all is given. Null: somebody may want to know.
    #[serde(default)]
    pub routine: Option<Routine>,
    /// What the history has of kills of the same thing before: of the same Compose service, pod's owner, container's name, unit, or program.
    /// Null: no history is kept, it did not answer in time, or the kill is routine.
    #[serde(default)]
    pub earlier: Option<EarlierKills>,
}

impl Incident {
    /// Adds to `missing` what is about `part`.
    pub fn add_missing(&mut self, part: MissingPart, entry: String) {
        self.missing.push(entry.clone());
        self.missing_parts.push(NamedMissing { part, entry });
    }

    /// Takes what is about `part` out of `missing`.
    pub fn forget_missing(&mut self, part: MissingPart) {
        let Self { missing, missing_parts, .. } = self;
        missing.retain(|entry| !missing_parts.iter().any(|named| named.part == part && named.entry == *entry));
        missing_parts.retain(|named| named.part != part);
    }

    /// Takes what became known of it later. Its container stays where that is not known then.
    pub fn correct(&mut self, correction: Correction) {
        let Correction { incident: _, time: _, verdict, container, missing, missing_parts } = correction;
        self.verdict = Some(verdict);
        self.container = container.or(self.container.take());
        (self.missing, self.missing_parts) = (missing, missing_parts);
    }

    /// The victim lives in a container: by its cgroup, or by a pid namespace of its own.
    #[must_use]
    pub fn is_contained(&self) -> bool {
        let process = &self.victim.process;
        self.container.is_some() || process.pid_in_namespace.is_some_and(|pid| pid != process.pid)
    }

    /// The process with that pid is its victim, or one of the others that were killed with it.
    #[must_use]
    pub fn has_victim(&self, pid: u32) -> bool {
        self.victim.process.pid == pid || self.collateral.iter().any(|other| other.process.pid == pid)
    }
}

/// Why the first process of a pid namespace ended, whose other processes the kernel then killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InitEnd {
    /// The first process of the pid namespace.
    pub init: Process,
    /// The SIGKILL that ended it. Null: none was seen.
    pub killed: Option<InitKilled>,
    /// Its exit status as wait(2) gives it. Null: its end was not seen.
    pub status: Option<u32>,
    /// It was the first process of the container, and not that of a namespace that was made within it.
    pub of_container: bool,
    /// The last stop signal that it got before. Null: none was seen.
    #[serde(default)]
    pub asked: Option<Preceding>,
}

/// The SIGKILL that ended the first process of a pid namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InitKilled {
    /// The process that sent it. Null: the kernel by itself.
    pub by: Option<Process>,
    /// How long before the victim's own SIGKILL, in milliseconds.
    pub before_ms: u64,
}

/// A further victim of the same episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Collateral {
    /// The process that died too.
    pub process: Process,
    /// Why it died too.
    pub role: Role,
}

/// Why a further victim died too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// memory.oom.group is set above it.
    OomGroup,
    /// It shared the victim's memory.
    SharedMm,
    /// Its pid namespace's init ended.
    PidNamespace,
    /// It was in the cgroup that was killed as one, by a write to cgroup.kill.
    CgroupKill,
    /// It was in the same cgroup, whose processes the same sender killed one by one.
    OneByOne,
    /// The same call killed it, kill(-PGID) or kill(-1), or the next one: timeout(1) kills its command, then its process group.
    ProcessGroup,
}

/// How much of what happened could be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// Everything that the verdict rests on was seen.
    Full,
    /// A part was not seen; `missing` says which, and the confidence is lower where it matters.
    Partial,
    /// Neither the sender nor the path nor an OOM kill was seen: the end alone is known.
    None,
}
