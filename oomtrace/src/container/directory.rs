//! Containers' metadata: fetched when a container's cgroup appears, off the path of events, and kept for a while after it is
//! gone. A daemon that hangs costs one time-out, after which incidents go out without it for a while, and say so.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::docker::{Docker, DockerError};
use super::events::Events;
use super::metadata::Metadata;
use super::placement::{ContainerPlace, Runtime};
use super::sources::{Sources, Unknown};
use crate::incident::model::Container;
use crate::node::processes;

/// Containers kept; a container's metadata is some hundred bytes, and up to some KiB with many labels.
const CAPACITY: usize = 1 << 15;
/// Containers that wait to be asked for; those beyond are asked for when they are killed.
const MAX_QUEUED: usize = 1 << 12;
/// Bytes of metadata that are kept, of all containers together.
const MAX_BYTES: usize = 12 << 20;
/// How often a container that appears is reason enough to ask a daemon again that does not answer.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Questions at a time.
const MAX_ASKING: usize = 4;
/// How long a daemon that did not answer is not asked again.
const BACK_OFF: Duration = Duration::from_secs(10);
/// How long a container that is gone is remembered unless told otherwise.
pub const KEEP: Duration = Duration::from_secs(600);

/// Looks containers up and remembers them. Clones share what is remembered.
#[derive(Clone, Debug)]
pub struct Directory {
    sources: Rc<Sources>,
    keep: Duration,
    state: Rc<RefCell<State>>,
    events: Events,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<String, Entry>,
    /// What is gone, and since when, the oldest first.
    gone: VecDeque<(Instant, String)>,
    /// Waiting to be asked for.
    queue: VecDeque<ContainerPlace>,
    asking: usize,
    /// Docker is not to be asked before this time, and why.
    down: Option<(Instant, DockerError)>,
    /// When a container that appeared was last reason to ask it again.
    asked_again: Option<Instant>,
    /// Bytes of all metadata.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// None while it is being asked for.
    metadata: Option<Rc<Metadata>>,
    /// It was asked for by itself, not just found in a list, which says less.
    asked: bool,
    gone: bool,
}

impl State {
    /// The container's entry, with room made for it.
    fn entry(&mut self, key: String) -> &mut Entry {
        if self.known.len() >= CAPACITY && !self.known.contains_key(&key) {
            // Those that are gone first.
            let oldest = self.gone.pop_front().map(|(_, key)| key).or_else(|| self.known.keys().next().cloned());
            if let Some(oldest) = oldest {
                self.forget(&oldest);
            }
        }
        self.known.entry(key).or_default()
    }

    fn expire(&mut self, now: Instant, keep: Duration) {
        while let Some((since, _)) = self.gone.front()
            && now.duration_since(*since) >= keep
            && let Some((_, key)) = self.gone.pop_front()
        {
            // It may be back.
            if self.known.get(&key).is_some_and(|entry| entry.gone) {
                self.forget(&key);
            }
        }
    }

    fn forget(&mut self, key: &str) {
        let metadata = self.known.remove(key).and_then(|entry| entry.metadata);
        self.bytes = self.bytes.saturating_sub(metadata.map_or(0, |metadata| metadata.size()));
    }

    fn remember(&mut self, key: String, metadata: Rc<Metadata>) {
        let size = metadata.size();
        while self.bytes + size > MAX_BYTES && !self.known.is_empty() {
            let oldest = self.gone.pop_front().map(|(_, key)| key).or_else(|| self.known.keys().next().cloned());
            let Some(oldest) = oldest else { break };
            self.forget(&oldest);
        }
        let before = self.entry(key).metadata.replace(metadata);
        self.bytes = (self.bytes + size).saturating_sub(before.map_or(0, |before| before.size()));
    }
}

impl Directory {
    /// `keep`: how long a container that is gone is remembered.
    #[must_use]
    pub fn new(sources: Sources, keep: Duration) -> Self {
        Self { sources: Rc::new(sources), keep, state: Rc::default(), events: Events::default() }
    }

    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Docker's client; none while the daemon does not answer.
    #[must_use]
    pub fn docker(&self) -> Option<Docker> {
        self.state.borrow().down.is_none().then(|| self.sources.docker.clone())
    }

    /// Fetches the names of all containers that Docker runs, so that their first kill needs no question.
    ///
    /// # Errors
    /// When Docker is here and does not answer. A node without Docker is no error.
    pub async fn preload(&self) -> Result<(), DockerError> {
        let docker = &self.sources.docker;
        match docker.list().await {
            Ok(containers) => {
                log::debug!("{} containers known to Docker", containers.len());
                for (id, metadata) in containers {
                    self.remember(id, metadata);
                }
                self.listen();
                Ok(())
            }
            Err(error) => {
                self.failed(&error);
                if docker.socket().exists() { Err(error) } else { Ok(()) }
            }
        }
    }

    /// A container's cgroup is there: has its metadata fetched, in the background. Must run inside a `LocalSet`.
    pub fn appeared(&self, place: ContainerPlace) {
        let is_dockers = matches!(place.runtime, Some(Runtime::Docker) | None);
        let mut state = self.state.borrow_mut();
        if is_dockers {
            // A Docker that starts containers is back. Others can make cgroups that look so, any number of them.
            let now = Instant::now();
            if state.asked_again.is_none_or(|at| now.duration_since(at) >= ASK_AGAIN) {
                (state.asked_again, state.down) = (Some(now), None);
                self.listen();
            }
        }
        let entry = state.entry(place.key());
        // On v1 a container has several cgroups; and one that comes back may have changed.
        if entry.asked && !entry.gone {
            return;
        }
        (entry.asked, entry.gone) = (true, false);
        if state.queue.len() >= MAX_QUEUED {
            return log::debug!("too many containers at once: {} is asked for when it is killed", place.id);
        }
        state.queue.push_back(place);
        if state.asking < MAX_ASKING {
            state.asking += 1;
            let directory = self.clone();
            tokio::task::spawn_local(async move { directory.work().await });
        }
    }

    /// Listens to what Docker says happens, which may change what is remembered.
    fn listen(&self) {
        let state = Rc::downgrade(&self.state);
        self.events.listen(&self.sources.docker, move |id| {
            // It is asked for again when it is needed.
            if let Some(state) = state.upgrade() {
                state.borrow_mut().forget(id);
            }
        });
    }

    /// What Docker said of the container from `since_ns` on, around the kill at `kill_ns`, both in nanoseconds since 1970.
    #[must_use]
    pub fn said(&self, place: &ContainerPlace, since_ns: i64, kill_ns: i64) -> Vec<String> {
        self.events.facts(&place.id, since_ns, kill_ns)
    }

    /// A container's cgroup is gone: it is remembered for a while.
    pub fn gone(&self, place: &ContainerPlace) {
        let now = Instant::now();
        let key = place.key();
        let mut state = self.state.borrow_mut();
        if let Some(entry) = state.known.get_mut(&key)
            && !std::mem::replace(&mut entry.gone, true)
        {
            state.gone.push_back((now, key));
        }
        state.expire(now, self.keep);
    }

    /// Asks for what is queued, one after the other.
    async fn work(&self) {
        loop {
            let next = self.state.borrow_mut().queue.pop_front();
            let Some(place) = next else { break };
            if let Err(why) = self.fetch(&place).await {
                log::debug!("{}: not known: {why}", place.cgroup);
            }
        }
        self.state.borrow_mut().asking -= 1;
    }

    /// A container as its runtime knows it now; and why not more is known.
    pub async fn describe(&self, place: &ContainerPlace) -> (Container, Option<String>) {
        let mut container = place.container();
        // A list says less than each by itself.
        let fetched = self.fetch(place).await;
        match fetched.or_else(|why| self.known(place).ok_or(why)) {
            Ok(metadata) => {
                metadata.describe(&mut container);
                container.init_pid = metadata.init_pid.filter(|pid| is_process_of(*pid, &place.cgroup));
                (container, None)
            }
            Err(why) => (container, Some(why.to_string())),
        }
    }

    /// Adds to `container` what its runtime knows, and to those that it runs in.
    ///
    /// # Errors
    /// Why there is nothing to add, in words for the incident's `missing`.
    pub async fn complete(&self, container: &mut Container, place: &ContainerPlace) -> Result<(), String> {
        let mut missing = self.complete_one(container, place).await.err();
        let (mut outer, mut place) = (container.outer.as_deref_mut(), place.outer.as_deref());
        while let (Some(container), Some(here)) = (outer, place) {
            if let Err(why) = self.complete_one(container, here).await {
                missing.get_or_insert_with(|| format!("of the outer container: {why}"));
            }
            (outer, place) = (container.outer.as_deref_mut(), here.outer.as_deref());
        }
        missing.map_or(Ok(()), Err)
    }

    async fn complete_one(&self, container: &mut Container, place: &ContainerPlace) -> Result<(), String> {
        let metadata = self.look_up(place).await.map_err(|why| why.to_string())?;
        metadata.describe(container);
        if container.init_pid.is_none() {
            container.init_pid = self.init_pid(place, &metadata).await;
        }
        if metadata.cut {
            return Err("some of the container's labels (they are too large)".to_owned());
        }
        Ok(())
    }

    /// The container's first process. It changes with each start, so what is remembered must still be true.
    async fn init_pid(&self, place: &ContainerPlace, remembered: &Metadata) -> Option<u32> {
        let is_its = |pid: &u32| is_process_of(*pid, &place.cgroup);
        if let Some(pid) = remembered.init_pid.filter(is_its) {
            return Some(pid);
        }
        let found = self.fetch(place).await.ok()?;
        found.init_pid.filter(is_its)
    }

    async fn look_up(&self, place: &ContainerPlace) -> Result<Rc<Metadata>, Unknown> {
        if let Some(known) = self.known(place) {
            return Ok(known);
        }
        let fetched = self.fetch(place).await;
        // It may have been fetched meanwhile, before its runtime forgot it.
        fetched.or_else(|why| self.known(place).ok_or(why))
    }

    fn known(&self, place: &ContainerPlace) -> Option<Rc<Metadata>> {
        self.state.borrow().known.get(&place.key()).and_then(|entry| entry.metadata.clone())
    }

    /// Asks the runtime.
    async fn fetch(&self, place: &ContainerPlace) -> Result<Rc<Metadata>, Unknown> {
        match self.sources.ask(place).await {
            Some(said) => Ok(self.remember(place.key(), said?)),
            None => self.fetch_from_docker(place).await.map_err(Unknown::Docker),
        }
    }

    async fn fetch_from_docker(&self, place: &ContainerPlace) -> Result<Rc<Metadata>, DockerError> {
        if let Some((until, why)) = &self.state.borrow().down
            && Instant::now() < *until
        {
            return Err(why.clone());
        }
        let docker = &self.sources.docker;
        if self.known(place).is_none() {
            // The names first: while a container starts, the rest takes as long as that does.
            match docker.glance(&place.id).await {
                Ok(metadata) => _ = self.remember(place.key(), metadata),
                Err(error) if error.is_down() => {
                    self.failed(&error);
                    return Err(error);
                }
                Err(error) => log::debug!("{error}"),
            }
        }
        match docker.inspect(&place.id).await {
            Ok(metadata) => {
                self.state.borrow_mut().down = None;
                Ok(self.remember(place.key(), metadata))
            }
            Err(error) => {
                // One that is starting this container, for longer than is waited, still knows its name.
                if !error.is_down() || docker.glance(&place.id).await.is_err() {
                    self.failed(&error);
                }
                Err(error)
            }
        }
    }

    fn remember(&self, key: String, metadata: Metadata) -> Rc<Metadata> {
        let metadata = Rc::new(metadata);
        self.state.borrow_mut().remember(key, Rc::clone(&metadata));
        metadata
    }

    fn failed(&self, error: &DockerError) {
        if error.is_down() {
            log::debug!("{error}; not asked for {} s", BACK_OFF.as_secs());
            self.state.borrow_mut().down = Some((Instant::now() + BACK_OFF, error.clone()));
        }
    }
}

/// The process is in a cgroup of the container's, or below one. By its name: in a cgroup namespace of its own, as in a
/// container, a reader sees paths from elsewhere (cgroup_namespaces(7)).
fn is_process_of(pid: u32, path: &str) -> bool {
    let Some(name) = path.rsplit('/').next().filter(|name| !name.is_empty()) else { return false };
    processes::cgroups(pid).iter().any(|at| at.split('/').any(|part| part == name))
}

#[cfg(test)]
mod tests;
