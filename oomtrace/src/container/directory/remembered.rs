//! What is remembered of containers, and those that wait to be asked for: bounded in number and in bytes, whoever makes cgroups.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::container::metadata::Metadata;
use crate::container::runtime::docker::DockerError;
use crate::placement::ContainerPlace;

/// Containers kept; a container's metadata is some hundred bytes, and up to some KiB with many labels.
pub const CAPACITY: usize = 1 << 15;
/// Containers that wait to be asked for, and bytes of where they are; those beyond are asked for when they are killed.
const MAX_QUEUED: usize = 1 << 12;
pub const MAX_QUEUED_BYTES: usize = 1 << 20;
/// Bytes of metadata that are kept, of all containers together, and of the keys that they are kept under.
pub const MAX_BYTES: usize = 12 << 20;
/// What an entry takes besides its texts, about: in the map, and in the list of those that are gone.
const ENTRY_BYTES: usize = 256;

#[derive(Debug, Default)]
pub struct Remembered {
    pub known: HashMap<Rc<str>, Entry>,
    /// What is gone, and since when, the oldest first. Each entry is here once at the most: whoever makes and removes one cgroup again and
    /// again takes no room.
    pub gone: VecDeque<(Instant, Rc<str>)>,
    /// Waiting to be asked for.
    pub queue: VecDeque<ContainerPlace>,
    /// Bytes of the paths in that.
    pub queued_bytes: usize,
    pub asking: usize,
    /// Whose first process is asked for later.
    pub later: usize,
    /// Daemons of Docker's that are not to be asked before this time, and why: the machine's, and users' own.
    pub down: HashMap<Option<u32>, (Instant, DockerError)>,
    /// When a container that appeared was last reason to ask the machine's again.
    pub asked_again: Option<Instant>,
    /// Bytes of all entries.
    pub bytes: usize,
}

/// What of a container is not known, where something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partial {
    /// It was changed since.
    Changed,
    /// A list alone has it.
    Listed,
    /// An event alone has it.
    Named,
}

impl Partial {
    /// In words for the incident's `missing`.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Changed => "what was changed of the container lately",
            Self::Listed => "what its runtime knows besides its name, image and labels",
            Self::Named => "what its runtime knows besides its name",
        }
    }
}

#[derive(Debug, Default)]
pub struct Entry {
    /// None while it is being asked for.
    pub metadata: Option<Rc<Metadata>>,
    /// It was asked for by itself, not just found in a list, which says less.
    pub asked: bool,
    /// It may not be all, or not be true any more: it is asked for when it is needed, and counts where that gives no answer.
    pub partial: Option<Partial>,
    /// Since when it is gone.
    pub gone: Option<Instant>,
    /// It stands in the list of those that are gone, although it may be back.
    listed: bool,
    /// Where it is, when that is neither below a user's slice nor within another container.
    pub cgroup: Option<String>,
}

impl Remembered {
    /// The container's entry, with room made for it.
    pub fn entry(&mut self, key: &str) -> &mut Entry {
        let bytes = ENTRY_BYTES + key.len();
        if !self.known.contains_key(key) {
            while (self.known.len() >= CAPACITY || self.bytes + bytes > MAX_BYTES) && !self.known.is_empty() {
                self.forget_one();
            }
            self.bytes += bytes;
        }
        self.known.entry(Rc::from(key)).or_default()
    }

    /// The container is gone.
    pub fn leave(&mut self, key: &str, now: Instant) {
        let Some(key) = self.known.get_key_value(key).map(|(key, _)| Rc::clone(key)) else { return };
        let Some(entry) = self.known.get_mut(&key) else { return };
        entry.gone = entry.gone.or(Some(now));
        if !std::mem::replace(&mut entry.listed, true) {
            self.gone.push_back((now, key));
        }
    }

    pub fn expire(&mut self, now: Instant, keep: Duration) {
        while let Some((since, _)) = self.gone.front()
            && now.duration_since(*since) >= keep
            && let Some((_, key)) = self.gone.pop_front()
        {
            let Some(entry) = self.known.get_mut(&key) else { continue };
            match entry.gone {
                // It is back.
                None => entry.listed = false,
                Some(since) if now.duration_since(since) < keep => self.gone.push_back((since, key)),
                Some(_) => self.forget(&key),
            }
        }
    }

    pub fn forget(&mut self, key: &str) {
        let Some(Entry { metadata, .. }) = self.known.remove(key) else { return };
        let bytes = ENTRY_BYTES + key.len() + metadata.map_or(0, |metadata| metadata.size());
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Makes room: those that are gone go first, the oldest of them before the others.
    fn forget_one(&mut self) {
        let oldest = self.gone.pop_front().map(|(_, key)| key).or_else(|| self.known.keys().next().cloned());
        if let Some(oldest) = oldest {
            // One that is back goes as well: it is asked for again when it is killed.
            self.forget(&oldest);
        }
    }

    pub fn remember(&mut self, key: &str, metadata: Rc<Metadata>) {
        let size = metadata.size();
        // Its entry may not be there yet, or go in this very loop.
        while self.bytes + size + ENTRY_BYTES + key.len() > MAX_BYTES && !self.known.is_empty() {
            self.forget_one();
        }
        let entry = self.entry(key);
        entry.partial = None;
        let before = entry.metadata.replace(metadata);
        self.bytes = (self.bytes + size).saturating_sub(before.map_or(0, |before| before.size()));
    }

    /// The same for what may not be all, or not be true any more.
    pub fn remember_partial(&mut self, key: &str, metadata: Rc<Metadata>, partial: Partial) {
        self.remember(key, metadata);
        self.entry(key).partial = Some(partial);
    }

    /// Has the container asked for; false when too many wait already.
    pub fn enqueue(&mut self, place: ContainerPlace) -> bool {
        let bytes = path_bytes(&place);
        if self.queue.len() >= MAX_QUEUED || self.queued_bytes + bytes > MAX_QUEUED_BYTES {
            return false;
        }
        self.queued_bytes += bytes;
        self.queue.push_back(place);
        true
    }

    pub fn dequeue(&mut self) -> Option<ContainerPlace> {
        let place = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(path_bytes(&place));
        Some(place)
    }
}

/// Bytes of a place's paths, and of those around it.
fn path_bytes(place: &ContainerPlace) -> usize {
    std::iter::successors(Some(place), |place| place.outer.as_deref())
        .map(|place| place.cgroup.len() + ENTRY_BYTES)
        .sum()
}
