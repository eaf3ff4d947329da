//! The flight recorder: follows the memory of containers, pods and units while oomtrace watches, so that a kill has a past.
//!
//! A thread of its own reads the cgroups' files (`sampler.rs`). Whoever reads events reports to it which cgroups come and go, and asks it
//! for what led to a kill; neither waits for the other longer than it takes to copy a curve. It sleeps until the next cgroup is due: with
//! none, for good. What is followed is bounded by number, by descriptors, and for each place that is another's than root's.

mod book;
mod followed;
mod pace;
mod room;
mod row;
mod sampler;
mod waiting;
mod walk;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::Notify;

use crate::event::{BootNs, CgroupChange};
use crate::memory::recorder::warning::{Raised, Rules};
use crate::model::{Hog, Timeline};
use crate::node::cgroups::{self, Version};
use crate::node::clock::{WallClock, boot_now};
use crate::node::gauge::Gauges;
use crate::node::warnings::Warnings;
use crate::own::writer;
use crate::placement::{ContainerPlace, On};
use crate::resolve::facts::live::Curves;
use book::Book;
use sampler::Sampler;

pub use row::{Row, Seen};

static FULL: Warnings = Warnings::new();
/// Cgroups that come and go and wait to be looked at.
const MAX_WAITING: usize = 1 << 12;

/// A handle to the thread; clones are of the same one. It ends with the last of them.
#[derive(Clone, Debug)]
pub struct FlightRecorder {
    shared: Arc<Shared>,
    /// Ends the thread.
    _end: Arc<End>,
    /// The kernel's number of the hierarchy that has the memory controller.
    hierarchy: u32,
    on: On,
}

/// What both sides share. Nobody reads a file while holding the lock.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the thread.
    wake: OwnedFd,
    /// Something was raised.
    raised: Notify,
}

#[derive(Debug, Default)]
struct State {
    book: Book,
    /// Cgroups that came, by their paths, and that went, by their ids.
    came: Vec<String>,
    went: Vec<u64>,
    /// More came or went than wait: all are to be looked for.
    rescan: bool,
    stop: bool,
    /// What is to be said, the oldest first.
    raised: VecDeque<Raised>,
}

/// Why nothing is followed.
#[derive(Debug, thiserror::Error)]
pub enum FlightError {
    #[error("no memory controller is mounted here")]
    NoController,
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
}

impl FlightRecorder {
    /// Starts following all that is there, and finds what is there already by itself; `rules`: what is raised, if anything is.
    ///
    /// # Errors
    /// When there is no memory controller, or there can be no thread.
    pub fn start(rules: Option<Rules>) -> Result<Self, FlightError> {
        let hierarchies = cgroups::hierarchies()?;
        let memory = cgroups::memory(&hierarchies).ok_or(FlightError::NoController)?;
        let (gauges, is_v2) = (Gauges::new(memory), memory.version == Version::V2);
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(io::Error::from)?;
        let shared = Arc::new(Shared { state: Mutex::default(), wake, raised: Notify::new() });
        let sampler = Sampler::new(gauges, Arc::clone(&shared), rules)?;
        // It is confined when this returns: whoever filters system calls next leaves it none that it needs for that.
        writer::spawn_below("flight", &memory.mount, move || sampler.run())?;
        Ok(Self {
            _end: Arc::new(End(Arc::clone(&shared))),
            shared,
            hierarchy: if is_v2 { 0 } else { cgroups::memory_hierarchy_id() },
            on: if is_v2 { On::Default } else { On::Memory },
        })
    }

    /// Which hierarchy it follows.
    #[must_use]
    pub const fn on(&self) -> On {
        self.on
    }

    /// Takes what the kernel says of a cgroup.
    pub fn cgroup(&self, change: &CgroupChange) {
        if change.cgroup.hierarchy != self.hierarchy {
            return;
        }
        match &change.path {
            Some(path) if crate::memory::recorder::scope::scope(path).is_some() => self.follow(path.clone()),
            Some(_) => {}
            None => {
                let mut state = self.shared.lock();
                // Most cgroups are nobody's.
                if !state.book.room.has(change.cgroup.id) {
                    return;
                }
                if state.went.len() >= MAX_WAITING {
                    // It is noticed at the next look.
                    return;
                }
                state.went.push(change.cgroup.id);
                drop(state);
                self.shared.wake();
            }
        }
    }

    /// A container that its path does not tell.
    pub fn container(&self, place: &ContainerPlace) {
        if place.on == self.on && crate::memory::recorder::scope::scope(&place.cgroup).is_none() {
            let mut state = self.shared.lock();
            let is_named = state.book.room.name(&place.cgroup);
            if !is_named {
                state.book.room.leave_out();
            }
            drop(state);
            if is_named {
                self.follow(place.cgroup.clone());
            } else {
                FULL.warn("more containers than are followed by name: the memory of some is not followed");
            }
        }
    }

    /// A container's cgroup is gone.
    pub fn container_gone(&self, place: &ContainerPlace) {
        if place.on == self.on {
            self.shared.lock().book.room.unname(&place.cgroup);
        }
    }

    fn follow(&self, path: String) {
        let mut state = self.shared.lock();
        if state.came.len() >= MAX_WAITING {
            state.rescan = true;
        } else {
            state.came.push(path);
        }
        drop(state);
        self.shared.wake();
    }

    /// What the kernel said of cgroups was lost: all are looked for again.
    pub fn rescan(&self) {
        self.shared.lock().rescan = true;
        self.shared.wake();
    }

    /// What is to be said, once there is something. Cancel-safe.
    pub async fn raised(&self) -> Raised {
        loop {
            if let Some(raised) = self.shared.lock().raised.pop_front() {
                return raised;
            }
            self.shared.raised.notified().await;
        }
    }

    /// Every cgroup that is followed now, as a screen shows it: in the order of their paths.
    ///
    /// # Errors
    /// When a clock cannot be read, which does not happen.
    pub fn rows(&self) -> nix::Result<Vec<Row>> {
        let (now, clock) = (boot_now()?, WallClock::read()?);
        Ok(self.shared.lock().book.rows(now, clock))
    }

    /// What it takes, for a benchmark.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.shared.lock().book.seen()
    }
}

impl Curves for FlightRecorder {
    fn timeline(&self, path: &str, kill: BootNs) -> Option<Timeline> {
        self.shared.lock().book.timeline(path, kill)
    }

    fn hog(&self, kill: BootNs) -> Option<Hog> {
        self.shared.lock().book.hog(kill)
    }

    fn left_out(&self) -> Option<String> {
        self.shared.lock().book.room.left_out()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // It is awake already when the count is full.
        _ = rustix::io::write(self.wake.as_fd(), &1_u64.to_ne_bytes());
    }
}

#[derive(Debug)]
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().stop = true;
        self.0.wake();
    }
}
