//! Containers' metadata: fetched when a container's cgroup appears, off the path of events, and kept for a while after it is
//! gone. A daemon that hangs costs one time-out, after which incidents go out without it for a while, and say so.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::container::metadata::Metadata;
use crate::container::runtime::docker::events::Events;
use crate::container::runtime::docker::{Docker, DockerError, line};
use crate::container::sources::Sources;
use crate::container::statement::{Init, Says, Statement, paths_of_docker};
use crate::model::Container;
use crate::placement::{ContainerPlace, Runtime};
use confirm::{Chain, Confirmation, Standing, refutation, standing, unconfirmed};
pub use confirm::{Completed, Victim};
pub use remembered::Partial;
use remembered::{Entry, Remembered};

mod asking;
mod confirm;
mod remembered;

/// How often a container that appears is reason enough to ask a daemon again that does not answer.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Questions at a time.
const MAX_ASKING: usize = 4;
/// After which time a container's first process is asked for that was not there before, and for how many containers at a time.
const LATER: Duration = Duration::from_secs(1);
const MAX_LATER: usize = 64;
/// How long a container that is gone is remembered by default.
pub const KEEP: Duration = Duration::from_secs(600);

/// Looks containers up and remembers them. Clones share what is remembered.
#[derive(Clone, Debug)]
pub struct Directory {
    sources: Rc<Sources>,
    keep: Duration,
    state: Rc<RefCell<Remembered>>,
    events: Events,
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
        (!self.state.borrow().down.contains_key(&None)).then(|| self.sources.docker.clone())
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
                    self.remember(&id, metadata);
                }
                self.listen();
                Ok(())
            }
            Err(error) => {
                self.failed(None, &error);
                if docker.socket().exists() { Err(error) } else { Ok(()) }
            }
        }
    }

    /// A container's cgroup is there: has its metadata fetched, in the background. Must run inside a `LocalSet`.
    pub fn appeared(&self, place: ContainerPlace) {
        let is_dockers = matches!(place.runtime, Some(Runtime::Docker) | None) && place.user().is_none();
        // A user's own daemon is asked at a kill alone: it may be slow for as long as it has cgroups to be asked about.
        if place.user().is_some() && matches!(place.runtime, Some(Runtime::Docker)) {
            return;
        }
        let mut state = self.state.borrow_mut();
        if is_dockers {
            // A Docker that starts containers is back. Others can make cgroups that look so, any number of them.
            let now = Instant::now();
            if state.asked_again.is_none_or(|at| now.duration_since(at) >= ASK_AGAIN) {
                state.asked_again = Some(now);
                state.down.remove(&None);
                self.listen();
            }
        }
        let entry = state.entry(&place.key());
        // On v1 a container has several cgroups; and one that comes back may have changed.
        if entry.asked && entry.gone.is_none() {
            return;
        }
        (entry.asked, entry.gone) = (true, None);
        if place.user().is_none() && place.outer.is_none() && entry.cgroup.is_none() {
            entry.cgroup = Some(place.cgroup.clone());
        }
        if !state.enqueue(place) {
            return log::debug!("too many containers at once: one is asked for when it is killed");
        }
        if state.asking < MAX_ASKING {
            state.asking += 1;
            let directory = self.clone();
            tokio::task::spawn_local(async move { directory.work().await });
        }
    }

    /// Listens to what Docker says happens, which may change what is remembered.
    fn listen(&self) {
        let state = Rc::downgrade(&self.state);
        self.events.listen(&self.sources.docker, move |id, name, is_changed| {
            let Some(state) = state.upgrade() else { return };
            let mut state = state.borrow_mut();
            if let Some((known, partial)) = state.known.get(id).and_then(|entry| called(id, entry, name, is_changed)) {
                // It is asked for again when it is needed, and called so where Docker cannot be asked.
                state.remember_partial(id, Rc::new(known), partial);
            }
        });
    }

    /// What Docker said of the container from `since_ns` on, around the kill at `kill_ns`, both in nanoseconds since 1970.
    #[must_use]
    pub fn said(&self, place: &ContainerPlace, since_ns: i64, kill_ns: i64) -> Vec<String> {
        let is_unlabelled = self.known(place).is_some_and(|known| line::is_unlabelled(&known));
        self.events.facts(&place.id, since_ns, kill_ns, is_unlabelled)
    }

    /// A container's cgroup is gone: it is remembered for a while.
    pub fn gone(&self, place: &ContainerPlace) {
        let now = Instant::now();
        let mut state = self.state.borrow_mut();
        state.leave(&place.key(), now);
        state.expire(now, self.keep);
    }

    /// Asks for what is queued, one after the other.
    async fn work(&self) {
        loop {
            let next = self.state.borrow_mut().dequeue();
            let Some(place) = next else { break };
            match self.fetch(&place).await {
                Ok(metadata) if metadata.stated.init.is_none() => self.ask_again(place),
                Ok(_) => {}
                Err(why) => log::debug!("{}: not known: {why}", place.cgroup),
            }
        }
        self.state.borrow_mut().asking -= 1;
    }

    /// A runtime makes a container's cgroup before it knows its first process: that is asked for a little later, while it lives.
    fn ask_again(&self, place: ContainerPlace) {
        if place.user().is_some() || self.state.borrow().later >= MAX_LATER {
            return;
        }
        self.state.borrow_mut().later += 1;
        let directory = self.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(LATER).await;
            directory.state.borrow_mut().later -= 1;
            if let Err(why) = directory.fetch(&place).await {
                log::debug!("{}: its first process is not known: {why}", place.cgroup);
            }
        });
    }

    /// A container as its runtime knows it now, and why not more is known; none when it is no container, but a cgroup with the name
    /// of one.
    pub async fn describe(&self, place: &ContainerPlace) -> Option<(Container, Option<String>)> {
        let mut container = place.container();
        let said = self.confirm(&mut container, place, None).await;
        match said {
            Confirmation::Confirmed(why) => Some((container, why)),
            Confirmation::Unconfirmed(why) => Some((container, Some(why))),
            Confirmation::Refuted(_) => None,
        }
    }

    /// Adds to a place's container what its runtime knows, and to those that it runs in. A cgroup that only has the name of a
    /// container is left out.
    pub async fn complete(&self, place: &ContainerPlace, victim: Option<Victim>) -> Completed {
        let mut chain = Chain::default();
        for place in std::iter::successors(Some(place), |place| place.outer.as_deref()) {
            let mut container = Container { outer: None, ..place.container() };
            let victim = victim.filter(|_| !chain.has_inner());
            let said = self.confirm(&mut container, place, victim).await;
            chain.add(container, said);
        }
        chain.completed()
    }

    /// The same by what is known already, where there is no time to ask; and what that is of the place's own container.
    #[must_use]
    pub fn recall(&self, place: &ContainerPlace, victim: Option<Victim>) -> (Completed, Recalled) {
        let mut chain = Chain::default();
        let mut recalled = Recalled::Nothing;
        for place in std::iter::successors(Some(place), |place| place.outer.as_deref()) {
            let mut container = Container { outer: None, ..place.container() };
            let known = self.known(place);
            let said = match (standing(place, known.as_deref(), self.is_elsewhere(place)), known) {
                (Standing::Refuted, _) => Confirmation::Refuted(refutation(place)),
                (Standing::Confirmed, Some(metadata)) => {
                    metadata.describe(&mut container);
                    container.confirmed = true;
                    let victim = victim.filter(|_| !chain.has_inner());
                    container.init_pid = init_without_asking(place, &metadata, victim);
                    if !chain.has_any() {
                        recalled = Recalled::Known(self.partial(place));
                    }
                    Confirmation::Confirmed(None)
                }
                // Why, is said of the incident.
                _ => Confirmation::Unconfirmed(String::new()),
            };
            chain.add(container, said);
        }
        let mut completed = chain.completed();
        completed.missing.retain(|why| !why.is_empty());
        (completed, recalled)
    }

    async fn confirm(&self, container: &mut Container, place: &ContainerPlace, victim: Option<Victim>) -> Confirmation {
        // It may be an earlier start, or of a list, which says less; or it was changed since.
        let is_fresh = |known: &Rc<Metadata>| known.stated.of(place) == Says::Yes && self.partial(place).is_none();
        let known = match self.known(place).filter(is_fresh) {
            Some(known) => Ok((known, None)),
            None => self.look_up(place).await,
        };
        let metadata = known.as_ref().ok().map(|(known, _)| known.as_ref());
        match (standing(place, metadata, self.is_elsewhere(place)), known) {
            (Standing::Refuted, _) => Confirmation::Refuted(refutation(place)),
            (Standing::Confirmed, Ok((metadata, from_before))) => {
                metadata.describe(container);
                container.confirmed = true;
                container.init_pid = self.init_of(place, &metadata, victim).await;
                // It is of that start, and of no other one.
                let is_of_this_start = metadata.init_pid.is_some() && metadata.init_pid == container.init_pid;
                container.restart_count = metadata.restart_count.filter(|_| is_of_this_start);
                let cut = metadata.cut.then(|| "some of the container's labels (they are too large)".to_owned());
                let unknown = from_before.map(|(partial, why)| format!("{} ({why})", partial.what()));
                Confirmation::Confirmed(unknown.or(cut))
            }
            (_, Ok(_)) => Confirmation::Unconfirmed(unconfirmed(
                place,
                None,
                "its runtime does not say which cgroup that container has",
            )),
            (_, Err(why)) => Confirmation::Unconfirmed(unconfirmed(place, Some(why.what()), &why.to_string())),
        }
    }

    /// A container of that id is known, of the machine's runtimes, in a cgroup that only root makes, and the place is not that one:
    /// it is below a user's slice, or within another container.
    fn is_elsewhere(&self, place: &ContainerPlace) -> bool {
        let (of_user, nested) = (place.user().is_some(), place.outer.is_some());
        let state = self.state.borrow();
        let Some(entry) = state.known.get(place.id.as_str()).filter(|_| of_user || nested) else { return false };
        entry.cgroup.as_ref().is_some_and(|at| *at != place.cgroup) || (of_user && entry.metadata.is_some())
    }

    /// The container's first process: the one that its runtime says, or the victim when nothing speaks against it. It changes with
    /// each start, so what is remembered must still be true.
    async fn init_of(&self, place: &ContainerPlace, metadata: &Metadata, victim: Option<Victim>) -> Option<u32> {
        if let Some(init) = init_without_asking(place, metadata, victim) {
            return Some(init);
        }
        let asked = self.fetch(place).await.ok()?;
        asked.stated.init_in(place).filter(|init| init.is_there()).map(|init| init.pid)
    }

    /// What is remembered of it may not be all, or not be true any more.
    fn partial(&self, place: &ContainerPlace) -> Option<Partial> {
        self.state.borrow().known.get(place.key().as_str()).and_then(|entry| entry.partial)
    }

    fn known(&self, place: &ContainerPlace) -> Option<Rc<Metadata>> {
        self.state.borrow().known.get(place.key().as_str()).and_then(|entry| entry.metadata.clone())
    }

    fn remember(&self, key: &str, metadata: Metadata) -> Rc<Metadata> {
        let metadata = Rc::new(metadata);
        self.state.borrow_mut().remember(key, Rc::clone(&metadata));
        metadata
    }
}

/// What is known of a container without asking for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recalled {
    /// Nothing: it is not known, or whether the cgroup is that container's is not.
    #[default]
    Nothing,
    /// What its runtime said before; and what is not known even so.
    Known(Option<Partial>),
}

/// What is known of the container `id`, under the name that an event has, and what that lacks; none where that adds nothing.
fn called(id: &str, entry: &Entry, name: Option<String>, is_changed: bool) -> Option<(Metadata, Partial)> {
    let named = Metadata { name, ..Metadata::default() }.bounded();
    match &entry.metadata {
        // What was not known before is not known by its change.
        Some(known) => {
            is_changed.then(|| (named.or(known.as_ref().clone()), entry.partial.unwrap_or(Partial::Changed)))
        }
        None => named.name.is_some().then(|| {
            let stated = Statement { paths: paths_of_docker(id, ""), init: None };
            (Metadata { runtime: Some(Runtime::Docker), stated, ..named }, Partial::Named)
        }),
    }
}

/// The container's first process as far as that is known: the one that its runtime said, where that is still there, or the victim when
/// nothing speaks against it. Asking takes as long as the runtime is busy with the very end of the container.
fn init_without_asking(place: &ContainerPlace, metadata: &Metadata, victim: Option<Victim>) -> Option<u32> {
    let remembered = metadata.stated.init_in(place);
    let is_victim = |init: &&Init| victim.is_some_and(|victim| (victim.pid, victim.start) == (init.pid, init.start));
    if let Some(init) = remembered.filter(|init| is_victim(init) || init.is_there()) {
        return Some(init.pid);
    }
    victim.filter(|victim| victim.looks_like_init && remembered.is_none()).map(|victim| victim.pid)
}

#[cfg(test)]
mod tests;
