//! Recordings: the kernel side's raw events, and the node's answers that incidents were put together with. The same
//! pipeline runs over them on any machine, without root, to the same verdicts.
//!
//! ```text
//! OOMTRACE  version u16       all numbers little-endian
//! length u32  kind u8  crc32 u32  payload[length]       a frame; crc32 is of kind and payload
//! …
//! ```
//!
//! The first frame is the [`Start`]. A file is only ever appended to: what a crash left half-written at its end is dropped,
//! and said; where the disk did not take what came, there is a frame that says how much it was.

mod answers;
mod reader;
mod writer;

use serde::{Deserialize, Serialize};

use crate::container::clients::{ExistingClient, Socket};
use crate::correlate::Hooks;
use crate::event::BootNs;
use crate::model::{Candidates, Lost, Ready, Record};
use crate::node::functions::Function;
use crate::node::mappings::Mapped;
use crate::node::memory::Snapshot;
use crate::node::processes::Details;
use crate::placement::ContainerPlace;
use crate::redact::Privacy;
use crate::resolve::detail::Detail;
use crate::run::names::Names;

pub use answers::Recording;
pub use reader::{Contents, Damage, ParseError, ReadError, read, read_from};
pub use writer::Recorder;

const MAGIC: &[u8; 8] = b"OOMTRACE";
/// Version of everything in this module.
const VERSION: u16 = 1;
/// No frame is larger: an event has some KiB, an answer with a cgroup's statistics and labels a little more.
const MAX_FRAME: usize = 16 << 20;

/// What kind of frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Start = 1,
    /// An event's bytes, as they lay in the ring buffer.
    Event = 2,
    /// An episode was complete because time had come this far (nanoseconds on `CLOCK_BOOTTIME`).
    Advance = 3,
    /// What was not recorded, as the record that says so; until wire version 6 a number of events.
    Lost = 4,
    /// The node's answer to a question.
    Answer = 5,
    /// A record that came of no event: what a runtime said later.
    Said = 6,
    /// Who was connected to runtimes before.
    ExistingClient = 7,
    /// Here something was left out, because the disk did not take it.
    Gap = 8,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Start,
        Self::Event,
        Self::Advance,
        Self::Lost,
        Self::Answer,
        Self::Said,
        Self::ExistingClient,
        Self::Gap,
    ];

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// What was true for the whole recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Layout of the events' bytes.
    pub wire_version: u16,
    /// The kernel's, in bytes.
    pub page_size: u64,
    pub ready: Ready,
    /// Hooks that the correlator waits for.
    pub signal_generate: bool,
    pub mark_victim: bool,
    pub process_exit: bool,
    /// The kernel side read victims' arguments.
    pub reads_victims: bool,
    /// The host's mount namespace.
    #[serde(default)]
    pub host_mount: Option<u32>,
    /// systemd is the machine's first process (sd_booted(3)). None: not known.
    #[serde(default)]
    pub systemd: Option<bool>,
    /// When all hooks were attached, on `CLOCK_BOOTTIME`.
    #[serde(default)]
    pub since: BootNs,
    /// Sockets whose clients are recorded; empty when connections are not seen.
    #[serde(default)]
    pub sockets: Vec<Socket>,
    /// What of command lines and labels it holds; those of an earlier oomtrace hold all.
    #[serde(default = "all")]
    pub privacy: Privacy,
    /// What is shown besides; no part of the recording.
    #[serde(skip)]
    pub detail: Detail,
}

const fn all() -> Privacy {
    Privacy::Shown
}

impl Start {
    /// What the correlator knows of the hooks.
    #[must_use]
    pub fn hooks(&self) -> Hooks {
        Hooks { signal_generate: self.signal_generate, mark_victim: self.mark_victim, process_exit: self.process_exit }
    }
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Event(Vec<u8>),
    Advance(BootNs),
    Lost(Lost),
    Said(Box<Record>),
    ExistingClient(Vec<ExistingClient>),
    Gap(Gap),
}

/// What a recording lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// SIGKILLs.
    pub kills: u64,
    /// Other events, and answers.
    pub others: u64,
}

/// The node's answer to one question of [`crate::resolve::facts::Facts`], or a runtime's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Answer {
    Process {
        pid: u32,
        start: BootNs,
        details: Details,
    },
    User {
        uid: u32,
        name: Option<String>,
    },
    /// Nanoseconds from `CLOCK_BOOTTIME` to the wall clock.
    Clock {
        at: BootNs,
        offset_ns: i64,
    },
    Symbols {
        stack: Vec<u64>,
        names: Vec<String>,
        /// Of each name, the bytes from the function's start to the return address, and the function's size. None in recordings of
        /// before.
        #[serde(default)]
        places: Vec<(Option<u64>, Option<u64>)>,
    },
    /// Files at addresses of a process.
    Mapped {
        pid: u32,
        start: BootNs,
        addresses: Vec<u64>,
        files: Vec<Option<Mapped>>,
    },
    /// Functions on a process's stack.
    Functions {
        pid: u32,
        start: BootNs,
        functions: Vec<Option<Function>>,
    },
    Memory {
        pid: u32,
        start: BootNs,
        snapshot: Box<Snapshot>,
    },
    /// Whom the OOM killer could choose among.
    Candidates {
        pid: u32,
        start: BootNs,
        candidates: Box<Candidates>,
    },
    OomdKills {
        cgroup: String,
        kills: Option<u64>,
    },
    /// Of a cgroup that is, or is below, a container's, where its path does not tell.
    ContainerAt {
        path: String,
        place: Box<ContainerPlace>,
    },
    /// What runtimes said of an incident's containers.
    Names {
        incident: String,
        names: Box<Names>,
    },
}

#[cfg(test)]
mod tests;
