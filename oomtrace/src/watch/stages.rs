//! The synchronous stages: a record's bytes to an event with names for its stack and `/proc` read in time, and an
//! episode to a draft of its incident.

use std::collections::HashMap;
use std::path::Path;
use std::thread::JoinHandle;

use crate::incident::assemble::{Context, Draft, assemble};
use crate::incident::correlate::Episode;
use crate::incident::model::{Ready, SCHEMA};
use crate::node::clock::WallClock;
use crate::node::heap;
use crate::node::identity::Identity;
use crate::node::memory::{MemoryFiles, Snapshot};
use crate::node::processes::Processes;
use crate::node::users::Users;
use crate::probe::decode::decode;
use crate::probe::event::{Event, ProcessKey};
use crate::probe::kallsyms::{Symbols, SymbolsError};

/// Pages of 4 KiB where the kernel does not say.
const PAGE_SIZE: u64 = 4096;

/// Snapshots of memory that wait for their incident.
const SNAPSHOTS: usize = 256;

/// What the stages need of the node.
pub struct Stages {
    page_size: u64,
    symbols: Lazy,
    identity: Identity,
    users: Users,
    processes: Processes,
    clock: WallClock,
    held: Vec<Event>,
    sees_exits: bool,
    /// The kernel side reads a victim's arguments in its own context: nothing need be read here while it dies.
    reads_victims: bool,
    memory: MemoryFiles,
    /// Read when the OOM killer marked a victim; taken when its incident is put together.
    snapshots: HashMap<ProcessKey, Snapshot>,
}

/// Reading 100,000 symbols takes some 50 ms: a thread does it while the hooks are being attached.
enum Lazy {
    Reading(JoinHandle<Result<Symbols, SymbolsError>>),
    Known(Symbols),
    Unknown,
}

impl Stages {
    pub fn new(sees_exits: bool, reads_victims: bool) -> Self {
        let reading = std::thread::Builder::new().name("kallsyms".to_owned()).spawn(|| {
            let symbols = Symbols::read(Path::new("/proc/kallsyms"));
            // The last of what start-up needed.
            heap::give_back();
            symbols
        });
        let page_size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
        Self {
            page_size: page_size.and_then(|size| u64::try_from(size).ok()).unwrap_or(PAGE_SIZE),
            symbols: reading.map_or(Lazy::Unknown, Lazy::Reading),
            identity: Identity::read(),
            users: Users::default(),
            processes: Processes::default(),
            clock: WallClock { offset_ns: 0 },
            held: Vec::new(),
            sees_exits,
            reads_victims,
            memory: MemoryFiles::find(),
            snapshots: HashMap::new(),
        }
    }

    /// The stream's first record.
    pub fn ready(&self, attached: Vec<String>, missing: Vec<String>) -> Ready {
        Ready {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: self.identity.node.clone(),
            boot_id: self.identity.boot_id.clone(),
            attached,
            missing,
        }
    }

    /// Decodes one record and keeps it for [`Self::take_held`]. Reads `/proc` now: a killed process soon has nothing to
    /// show.
    pub fn hold(&mut self, record: &[u8]) {
        let mut event = match decode(record, self.page_size) {
            Ok(event) => event,
            // The kernel side and this decoder are built together, so this is a bug worth a line.
            Err(error) => return log::error!("undecodable event of {} bytes: {error}", record.len()),
        };
        if let Event::Signal(signal) = &mut event {
            if !signal.preceding && !self.reads_victims {
                self.processes.look_up(signal.victim.key);
            }
            for ancestor in &signal.ancestors {
                self.processes.look_up(ancestor.key);
            }
            if let Some(symbols) = self.symbols.get() {
                signal.symbols = symbols.resolve(&signal.stack);
            }
        }
        if let Event::MarkVictim(mark) = &event
            && let Some(victim) = &mark.victim
            && let Some(path) = &victim.memory_path
        {
            // Those of processes that were only marked, and not killed, are never asked for.
            if self.snapshots.len() >= SNAPSHOTS {
                self.snapshots.clear();
            }
            self.snapshots.insert(victim.key, self.memory.read(path));
        }
        self.held.push(event);
    }

    /// The events decoded since the last call.
    pub fn take_held(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.held)
    }

    /// Puts an incident together from its episode.
    pub fn draft(&mut self, episode: Episode) -> Draft {
        // Read near the event, because the wall clock may have been stepped. It cannot fail after it worked once.
        if let Ok(clock) = WallClock::read() {
            self.clock = clock;
        }
        let snapshot = episode.chosen.victim().and_then(|victim| self.snapshots.remove(&victim.key));
        let mut context = Context {
            identity: &self.identity,
            clock: self.clock,
            users: &mut self.users,
            processes: &mut self.processes,
            sees_exits: self.sees_exits,
        };
        assemble(episode, snapshot, &mut context)
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
