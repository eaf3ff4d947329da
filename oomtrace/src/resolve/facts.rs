//! What an incident needs of the node besides the kernel side's events. Live it is read; in a replay it comes from the
//! recording.

pub mod live;
mod namer;

use crate::event::{BootNs, ProcessKey};
use crate::model::{Candidates, UserFrame};
use crate::node::candidates::CandidateScope;
use crate::node::clock::WallClock;
use crate::node::functions::Function;
use crate::node::mappings::Mapped;
use crate::node::memory::{MemoryScope, Snapshot};
use crate::node::processes::Details;
use crate::placement::ContainerPlace;
use crate::probe::kallsyms::Frame;

/// The node's answers. What is not known is empty, never made up.
pub trait Facts {
    /// What `/proc` says of a process that runs a program of the name `comm`, if that is known; what it says of another program is
    /// no answer. Asked as soon as an event names one, because it may be gone soon.
    fn process(&mut self, key: ProcessKey, comm: Option<&str>) -> &Details;

    /// The name of a user.
    fn user(&mut self, uid: u32) -> Option<String>;

    /// The wall clock, read when the event at `at` is put together: it may be stepped meanwhile.
    fn clock(&mut self, at: BootNs) -> WallClock;

    /// The functions that return addresses lie in; empty without symbols.
    fn symbols(&mut self, stack: &[u64]) -> Vec<Frame>;

    /// What is mapped at addresses of a process: one answer for each.
    fn mapped(&mut self, key: ProcessKey, addresses: &[u64]) -> Vec<Option<Mapped>>;

    /// Starts to look for the functions of a process's stack: it may be gone before its incident is put together.
    fn seek_functions(&mut self, _key: ProcessKey, _stack: &[UserFrame]) {}

    /// The functions of a process's stack, one answer for each frame; empty when they were not asked for, or not found in time.
    fn functions(&mut self, key: ProcessKey) -> Vec<Option<Function>>;

    /// Memory around `victim`, right after it was marked.
    fn memory(&mut self, victim: ProcessKey, scene: MemoryScope<'_>) -> Snapshot;

    /// Whom the OOM killer could choose among besides the victim that it marked at `at`.
    fn candidates(&mut self, victim: ProcessKey, scope: CandidateScope<'_>, at: BootNs) -> Candidates;

    /// The container that the cgroup at `path` is of, or is below, where the path alone does not tell.
    fn container_at(&mut self, path: &str) -> Option<ContainerPlace>;

    /// How often systemd-oomd says on a cgroup, or on one above it, that it killed there.
    fn oomd_kills(&mut self, cgroup: &str) -> Option<u64>;
}
