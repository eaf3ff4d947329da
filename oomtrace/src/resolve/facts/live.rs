//! The node itself.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread::JoinHandle;

use crate::container::tracker::Tracker;
use crate::event::{BootNs, ProcessKey};
use crate::model::{Candidates, Hog, Timeline, UserFrame};
use crate::node::candidates::CandidateScope;
use crate::node::clock::{WallClock, boot_now};
use crate::node::functions::Function;
use crate::node::mappings::{self, Mapped};
use crate::node::memory::{MemoryFiles, MemoryScope, Snapshot};
use crate::node::namespaces;
use crate::node::oomd;
use crate::node::processes::{Details, Processes};
use crate::node::users::Users;
use crate::own::heap;
use crate::placement::ContainerPlace;
use crate::probe::kallsyms::{Frame, Symbols, SymbolsError};
use crate::redact::Privacy;
use crate::resolve::facts::Facts;
use crate::resolve::facts::namer::Namer;

/// What memory did before a kill.
pub trait Curves {
    /// Of the cgroup at `path`, or of the nearest above it that is followed, up to `kill`; none when none is.
    fn timeline(&self, path: &str, kill: BootNs) -> Option<Timeline>;

    /// Who took the machine's memory by `kill`; none where nobody stands out.
    fn hog(&self, kill: BootNs) -> Option<Hog>;

    /// Why it may be that one is not followed; none while there is room for all.
    fn left_out(&self) -> Option<String>;
}

/// Reads from the running system.
pub struct Live {
    symbols: Lazy,
    namer: Namer,
    users: Users,
    processes: Processes,
    memory: MemoryFiles,
    clock: WallClock,
    tracker: Rc<RefCell<Tracker>>,
    curves: Option<Box<dyn Curves>>,
    /// Without the host's pids `/proc` shows other processes by these numbers.
    sees_pids: bool,
    unknown: Details,
}

/// Reading 100,000 symbols takes some 50 ms: a thread does it while the hooks are being attached.
enum Lazy {
    Reading(JoinHandle<Result<Symbols, SymbolsError>>),
    Known(Symbols),
    Unknown,
}

impl Live {
    /// `page_size` in bytes; `tracker` is fed by whoever reads the events; of command lines, what `privacy` lets through is given;
    /// `curves` has followed memory so far.
    #[must_use]
    pub fn new(
        page_size: u64,
        tracker: Rc<RefCell<Tracker>>,
        privacy: Privacy,
        curves: Option<Box<dyn Curves>>,
    ) -> Self {
        let reading = std::thread::Builder::new().name("kallsyms".to_owned()).spawn(|| {
            let symbols = Symbols::read(Path::new("/proc/kallsyms"));
            // The last of what start-up needed.
            heap::give_back_all();
            symbols
        });
        Self {
            symbols: reading.map_or(Lazy::Unknown, Lazy::Reading),
            namer: Namer::default(),
            users: Users::default(),
            processes: Processes::new(PathBuf::from("/proc"), privacy),
            memory: MemoryFiles::find(page_size),
            clock: WallClock { offset_ns: 0 },
            tracker,
            curves,
            sees_pids: namespaces::sees_hosts_pids(),
            unknown: Details::default(),
        }
    }
}

impl Facts for Live {
    fn process(&mut self, key: ProcessKey, comm: Option<&str>) -> &Details {
        if self.sees_pids { self.processes.look_up(key, comm) } else { &self.unknown }
    }

    fn user(&mut self, uid: u32) -> Option<String> {
        self.users.name(uid)
    }

    fn clock(&mut self, _at: BootNs) -> WallClock {
        // It cannot fail after it worked once.
        if let Ok(clock) = WallClock::read() {
            self.clock = clock;
        }
        self.clock
    }

    fn symbols(&mut self, stack: &[u64]) -> Vec<Frame> {
        self.symbols.get().map(|symbols| symbols.resolve(stack)).unwrap_or_default()
    }

    fn mapped(&mut self, key: ProcessKey, addresses: &[u64]) -> Vec<Option<Mapped>> {
        // The process has just run: its pid is no other's yet.
        if self.sees_pids { mappings::mapped(Path::new("/proc"), key.pid, addresses) } else { Vec::new() }
    }

    fn seek_functions(&mut self, key: ProcessKey, stack: &[UserFrame]) {
        if self.sees_pids {
            self.namer.ask(Path::new("/proc"), key, stack);
        }
    }

    fn functions(&mut self, key: ProcessKey) -> Vec<Option<Function>> {
        self.namer.take(key)
    }

    fn memory(&mut self, _victim: ProcessKey, scene: MemoryScope<'_>) -> Snapshot {
        let mut snapshot = self.memory.read(scene);
        if !self.sees_pids {
            snapshot.largest.clear();
            snapshot.incomplete = true;
        }
        if let Some(curves) = &self.curves {
            let of = |path: &str| curves.timeline(path, scene.at);
            snapshot.timeline = scene.owner.and_then(of).or_else(|| of(scene.cgroup));
            snapshot.hog = if scene.owner.is_none() { curves.hog(scene.at) } else { None };
            snapshot.unfollowed = curves.left_out().filter(|_| snapshot.timeline.is_none());
        }
        snapshot
    }

    fn candidates(&mut self, _victim: ProcessKey, scope: CandidateScope<'_>, at: BootNs) -> Candidates {
        if !self.sees_pids {
            return Candidates { incomplete: true, ..Candidates::default() };
        }
        let found = self.memory.candidates(scope);
        let after = boot_now().ok().and_then(|now| now.checked_sub(at)).map(|after| after / 1000);
        Candidates { read_after_us: after, ..found }
    }

    fn container_at(&mut self, path: &str) -> Option<ContainerPlace> {
        self.tracker.borrow().container_at(path)
    }

    fn oomd_kills(&mut self, cgroup: &str) -> Option<u64> {
        oomd::kills(cgroup)
    }
}

impl Lazy {
    /// The symbols; waits for them the first time.
    fn get(&mut self) -> Option<&Symbols> {
        if let Self::Reading(_) = self
            && let Self::Reading(thread) = std::mem::replace(self, Self::Unknown)
        {
            match thread.join() {
                Ok(Ok(symbols)) => *self = Self::Known(symbols),
                Ok(Err(error)) => log::warn!("no names for kernel functions: {error}"),
                Err(_) => log::error!("the thread that reads kernel symbols panicked"),
            }
        }
        match self {
            Self::Known(symbols) => Some(symbols),
            Self::Reading(_) | Self::Unknown => None,
        }
    }
}
