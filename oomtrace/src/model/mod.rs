//! The contract: what one line of `oomtrace --json` is. `oomtrace schema` prints the JSON Schema of [`Record`].
//!
//! Unknown or not applicable is `null`, never a made-up value. Times are RFC 3339 UTC with nanoseconds, sizes bytes,
//! pids the host's; a duration says its unit in its name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::event::Disposition;
pub use candidate::{Candidate, Candidates, Skipped};
pub use compose::Compose;
pub use container::{Container, Limits};
pub use contradiction::Contradiction;
pub use correction::Correction;
pub use course::{Course, CourseKind};
pub use earlier::EarlierKills;
pub use effect::Effect;
pub use event::KernelEvent;
pub use exited::{Exited, ExitedAfter};
pub use incident::{Attribution, Collateral, Incident, InitEnd, InitKilled, Role};
pub use lost::{Limited, Lost};
pub use memory::*;
pub use missing::{MissingPart, NamedMissing};
pub use place::{ContainerPlace, On, PodPlace};
pub use pod::*;
pub use process::{Exit, Namespaces, Process, Victim};
pub use ready::{Ready, Sandbox};
pub use repeat::Repeat;
pub use requester::Requester;
pub use routine::Routine;
pub use runtime::Runtime;
pub use sender::{Elevation, Login, Sender, SenderKind};
pub use signal::{Preceding, Signal, SignalPath};
pub use timeline::{Hog, Timeline, TimelinePoint};
pub use unwritten::{OutputName, Unwritten};
pub use user_frame::UserFrame;
pub use verdict::{Advice, Cause, Confidence, Evidence, Source, Verdict};
pub use warning::{Reached, Warning, WarningKind};
pub use why::*;

mod candidate;
mod compose;
mod container;
mod contradiction;
mod correction;
mod course;
mod earlier;
mod effect;
mod event;
mod exited;
mod incident;
mod lost;
mod memory;
mod missing;
mod names;
mod place;
mod pod;
mod process;
mod ready;
mod repeat;
mod requester;
mod routine;
mod runtime;
pub mod seen;
mod sender;
mod signal;
mod timeline;
mod unseen;
mod unwritten;
mod user_frame;
mod verdict;
mod warning;
mod why;

/// Version of the contract; a field that changes its meaning or goes away makes a new one.
pub const SCHEMA: u32 = 1;

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// Every hook is attached: kills from now on are seen. Always the first line.
    Ready(Ready),
    /// The incident that comes next is like one before.
    Repeat(Repeat),
    /// A kill.
    Incident(Incident),
    /// A signal that `--signal` asked for, other than SIGKILL. An incident without a verdict: a process may handle it.
    Signal(Incident),
    /// A container's first process ended with 137, and no SIGKILL ended it.
    Exit(Exited),
    /// A runtime or the kubelet says something else of an incident that was put out before.
    Contradiction(Contradiction),
    /// A memory limit is nearly met, or will be soon.
    Warning(Warning),
    /// More is known of an incident that was put out before.
    Correction(Correction),
    /// One of the kernel side's events, with --raw alone.
    Event(KernelEvent),
    /// Events that were not recorded, by kind, or records that an output could not take.
    Lost(Lost),
}
