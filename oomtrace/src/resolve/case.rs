//! What the judge decides on: an incident without a verdict, and what only the judge needs to know of it.

use serde::{Deserialize, Serialize};

use crate::event::BootNs;
use crate::kubernetes::said::PodSaid;
use crate::model::{Container, Evidence, ExitedAfter, Incident, Login, Process, Runtime};
use crate::placement::ContainerPlace;
use crate::resolve::limits_before::LimitsBefore;
use crate::resolve::lives_before::{KeptLife, Life};

/// Everything that is known of a kill.
#[derive(Clone, Debug)]
pub struct Case {
    /// Without a verdict and a requester.
    pub incident: Incident,
    /// When the signal was generated, on `CLOCK_BOOTTIME`.
    pub at: BootNs,
    /// The containers of the incident, as its cgroups' paths name them.
    pub places: Places,
    /// What others than the kernel side say of it: evidence as it is.
    pub statements: Vec<Evidence>,
    /// Who may have asked a runtime for it.
    pub clients: RuntimeClients,
    /// The container of whoever asked, as its runtime knows it.
    pub requesters_container: Option<Container>,
    /// What the Kubernetes API says of the victim's pod.
    pub pod: Option<PodSaid>,
    /// It is no kill: the victim only ended as if by one.
    pub exited: Option<AsKilled>,
    /// Pid of the process whose end is the victim's `container_exit`.
    pub exited_init: Option<u32>,
    /// What the limit that was hit has killed before, in this run and as the history has it.
    pub limits_before: LimitsBefore,
    /// systemd is the machine's first process. None: not known.
    pub systemd: Option<bool>,
    /// Earlier lives of what it has killed, in this run and as the history has them, the oldest first; and how many milliseconds ago the
    /// last one of this run ended.
    pub lives_before: (Vec<Life>, Option<u64>),
    /// What the history has of kills of the same thing before. None: it was not asked, or did not answer.
    pub earlier: Option<EarlierByCause>,
}

/// Kills of the same thing before this one, routine ones left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EarlierByCause {
    /// How many of each cause, by its name in the contract.
    pub causes: Vec<(String, u64)>,
    /// The time of the first.
    pub first: Option<String>,
    /// The time of the last.
    pub last: Option<String>,
    /// The time of the oldest incident in the history.
    pub kept_since: Option<String>,
    /// What memory did in those that a limit ended, the oldest first; none where that was not asked.
    #[serde(default)]
    pub lives: Vec<KeptLife>,
}

/// A container's first process ended by exit(137), and no SIGKILL ended it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsKilled {
    /// What was killed before, if anything.
    pub after: Option<ExitedAfter>,
}

/// The containers of an incident, as its cgroups' paths name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub victim: Option<ContainerPlace>,
    pub sender: Option<ContainerPlace>,
    /// When the victim started, on `CLOCK_BOOTTIME`.
    pub victim_start: BootNs,
}

/// Who may have asked a runtime: what the judge chooses from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeClients {
    /// The latest first. Empty when the victim is in no container, or no process sent the signal.
    pub clients: Vec<RuntimeClient>,
    /// Connections are seen on this node.
    pub seen: bool,
    /// Between which times clients, or their ends, may have been missed, in milliseconds before the kill: from, and to.
    pub gaps: Vec<(u64, u64)>,
}

/// A process that was connected to a runtime's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeClient {
    pub process: Process,
    pub ancestors: Vec<Process>,
    pub place: Option<ContainerPlace>,
    pub unit: Option<String>,
    pub login: Option<Login>,
    /// Path of the socket.
    pub socket: String,
    /// Whose socket.
    pub runtime: Runtime,
    /// The user who listens on it, if that is known.
    pub owner: Option<u32>,
    /// It is known to be the runtime's own; taken for it in recordings of before.
    pub verified: bool,
    /// Each time that it was seen to turn to the runtime, the latest first.
    pub contacts: Vec<Contact>,
    /// There were more, before those.
    pub more: bool,
    /// It was connected before oomtrace was there.
    pub stood: bool,
    /// Milliseconds before the kill; none when it had not ended.
    pub ended_before_ms: Option<u64>,
    /// Its end would have been seen.
    pub followed: bool,
}

/// A client turned to the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Milliseconds before the kill.
    pub before_ms: u64,
    /// It wrote over a connection that was there already.
    pub wrote: bool,
}
