//! What is around the kills: which containers there are, and who is connected to runtimes. Fed by events, and by two
//! threads: one walks the cgroups, the other looks who was connected before.

mod listeners;

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::container::clients::{ExistingClient, Socket};
use crate::container::directory::Directory;
use crate::container::runtime::docker::DEFAULT_SOCKET;
use crate::container::sockets::{self, Bound};
use crate::container::tracker::{Change, Tracker, Walked, walk};
use crate::event::{CgroupChange, Connect, ProcessKey};
use crate::node::cgroups;
use crate::node::namespaces;
use crate::node::processes;
use crate::node::unix_sockets;
use crate::node::warnings::Warnings;
use crate::placement::{ContainerPlace, Placement, Runtime, user_of};
use crate::probe::sockets::Sockets;
use crate::run::flight::FlightRecorder;
use crate::run::live::naming::NAMES_ANOTHER;
use crate::sink::notices;
use listeners::Listeners;

static FULL: Warnings = Warnings::new();
/// Between two walks: at least this, and so many times what the last one took, but not longer than a person waits.
const WALK_PAUSE: Duration = Duration::from_secs(2);
const MAX_WALK_PAUSE: Duration = Duration::from_secs(60);
const WALK_PART: u32 = 10;
/// The kernel side's map of clients is looked through no more often.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// See the module's documentation.
pub struct NodeWatch {
    directory: Directory,
    tracker: Rc<RefCell<Tracker>>,
    sockets: Vec<Socket>,
    watched: Sockets,
    users: Vec<u32>,
    listeners: Listeners,
    flight: Option<FlightRecorder>,
    /// When those that are gone were last forgotten.
    swept: Option<Instant>,
    /// It was said that there is no Docker for its containers.
    has_said_no_docker: Cell<bool>,
}

/// What the threads are at.
#[derive(Default)]
pub struct Search {
    walking: Option<oneshot::Receiver<Vec<Walked>>>,
    /// Another walk is wanted: events were lost since the last one began.
    again: bool,
    /// When the walk that is under way began.
    began: Option<Instant>,
    /// The next walk begins no earlier.
    pause: Option<Instant>,
    looking: Option<oneshot::Receiver<Vec<ExistingClient>>>,
}

/// What a thread has found.
pub enum SearchResult {
    /// It is time for another walk.
    Due,
    /// Which containers there are.
    Containers(Vec<Walked>),
    /// Who was connected before.
    ExistingClient(Vec<ExistingClient>),
}

impl Search {
    /// What a thread has found, once it has; never, when none is at work. Cancel-safe.
    pub async fn next(&mut self) -> SearchResult {
        tokio::select! {
            walked = finished(&mut self.walking) => {
                self.walking = None;
                // However long a walk takes, most of the time none is under way.
                let took = self.began.take().map_or(Duration::ZERO, |began| began.elapsed());
                self.pause = Some(Instant::now() + (took * WALK_PART).clamp(WALK_PAUSE, MAX_WALK_PAUSE));
                SearchResult::Containers(walked)
            }
            () = due(self.pause), if self.again && self.walking.is_none() => SearchResult::Due,
            standing = finished(&mut self.looking) => {
                self.looking = None;
                SearchResult::ExistingClient(standing)
            }
        }
    }
}

impl NodeWatch {
    /// Has the clients of `sockets` reported from now on; `flight` hears which cgroups come and go.
    pub fn new(directory: Directory, sockets: Vec<Socket>, watched: Sockets, flight: Option<FlightRecorder>) -> Self {
        let tracker = Rc::new(RefCell::new(Tracker::new(directory.sources().states.clone())));
        let mut new = Self {
            directory,
            tracker,
            sockets,
            watched,
            users: Vec::new(),
            listeners: Listeners::default(),
            flight,
            swept: None,
            has_said_no_docker: Cell::new(false),
        };
        new.watch(sockets::users());
        new
    }

    #[must_use]
    pub fn tracker(&self) -> Rc<RefCell<Tracker>> {
        Rc::clone(&self.tracker)
    }

    /// Looks what is there already. Later than watching, so that nothing falls in between.
    pub fn start(&self) -> Search {
        let sockets = self.sockets.clone();
        let users = self.users.clone();
        let mut search =
            Search { looking: thread("connections", move || standing(&sockets, &users)), ..Search::default() };
        self.walk(&mut search);
        search
    }

    /// Walks all cgroups: at the start, and when events were lost. One walk at a time: another that is asked for meanwhile follows
    /// later, once.
    pub fn walk(&self, search: &mut Search) {
        if search.walking.is_some() || search.pause.is_some_and(|until| Instant::now() < until) {
            search.again = true;
            return;
        }
        (search.again, search.began) = (false, Some(Instant::now()));
        let states = self.directory.sources().states.clone();
        let walking = thread("cgroups", move || {
            let hierarchies = cgroups::hierarchies().unwrap_or_default();
            walk(&hierarchies, cgroups::memory_hierarchy_id(), &states)
        });
        // What the kernel says counts from here on; nothing of it is taken before this returns.
        if walking.is_some() {
            self.tracker.borrow_mut().begin_walk();
        }
        search.walking = walking;
    }

    /// What the kernel said of cgroups was lost: all are looked for again.
    pub fn lost(&self, search: &mut Search) {
        self.walk(search);
        if let Some(flight) = &self.flight {
            flight.rescan();
        }
    }

    /// Takes which containers a walk found, and walks again where that is wanted.
    pub fn walked(&self, walked: Vec<Walked>) {
        let changes = self.tracker.borrow_mut().end_walk(walked);
        self.tell(changes);
    }

    /// Takes who was connected before; gives those that still live, whose ends are reported from now on.
    pub fn follow(&mut self, standing: Vec<ExistingClient>) -> Vec<ExistingClient> {
        for client in &standing {
            self.watched.follow(client.pid);
        }
        // Later than following, so that no end falls in between.
        let lives = |client: &ExistingClient| processes::is_alive(ProcessKey { pid: client.pid, start: client.start });
        standing.into_iter().filter(lives).collect()
    }

    /// Takes what the kernel says of a cgroup.
    pub fn cgroup(&mut self, change: &CgroupChange) {
        if let Some(uid) = change.path.as_deref().and_then(user_of)
            && !self.users.contains(&uid)
        {
            if self.users.len() < sockets::MAX_USERS {
                self.watch(vec![uid]);
            } else {
                FULL.warn(format_args!("too many users: who asks user {uid}'s runtimes for a kill is not seen"));
            }
        }
        if let Some(flight) = &self.flight {
            flight.cgroup(change);
        }
        let changes = self.tracker.borrow_mut().take(change);
        self.tell(changes);
    }

    /// Whether a client came to a runtime's own socket, and not to one that somebody else has bound to its path.
    pub fn is_runtimes(&mut self, connect: &Connect) -> bool {
        if !connect.followed && self.swept.is_none_or(|at| at.elapsed() > SWEEP_EVERY) {
            // The kernel side's map is full: ends of processes were missed.
            self.swept = Some(Instant::now());
            self.watched.forget_gone();
        }
        connect.listener.is_none_or(|listener| self.listeners.is_runtimes(listener))
    }

    /// The kernel side follows these no more.
    pub fn forget(&mut self, pids: Vec<u32>) {
        for pid in pids {
            self.watched.forget(pid);
        }
    }

    fn tell(&self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Appeared(place) => {
                    if let Some(flight) = &self.flight {
                        flight.container(&place);
                    }
                    self.say_without_docker(&place);
                    self.directory.appeared(place);
                }
                Change::Gone(place) => {
                    if let Some(flight) = &self.flight {
                        flight.container_gone(&place);
                    }
                    self.directory.gone(&place);
                }
            }
        }
    }

    /// Says once what it costs that there is no socket of Docker's, where it has containers. That one was named and is not there, or is there
    /// and does not answer, is said by others at the start.
    fn say_without_docker(&self, place: &ContainerPlace) {
        let socket = self.directory.sources().docker.socket();
        let is_silent = self.has_said_no_docker.get() || socket != Path::new(DEFAULT_SOCKET);
        if is_silent || !is_of_machines_docker(place) || socket.exists() {
            return;
        }
        self.has_said_no_docker.set(true);
        notices::say(&format!(
            "there is no Docker at {}: its containers go by their ids, without names, images and labels{NAMES_ANOTHER}",
            socket.display()
        ));
    }

    /// Watches the sockets, those of `users` among them.
    fn watch(&mut self, users: Vec<u32>) {
        for (number, socket) in (0..).zip(&self.sockets) {
            for Bound { path, owner } in sockets::bound_paths(socket, &users) {
                if let Err(why) = self.watched.watch(&path, number, owner) {
                    FULL.warn(format_args!("{why}: who asks there for a kill is not seen"));
                }
            }
        }
        self.users.extend(users);
    }
}

/// Made by the machine's Docker, as the cgroup's path says; a bare id may be another runtime's.
fn is_of_machines_docker(place: &ContainerPlace) -> bool {
    place.runtime == Some(Runtime::Docker) && place.user().is_none() && place.outer.is_none()
}

async fn due(at: Option<Instant>) {
    tokio::time::sleep(at.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))).await;
}

/// Runs `work` in a thread of its own.
fn thread<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Option<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Whoever waited may be gone.
        _ = done.send(work());
    });
    match spawned {
        Ok(_) => Some(result),
        Err(error) => {
            log::warn!("no thread for {name}: {error}");
            None
        }
    }
}

async fn finished<T: Default>(of: &mut Option<oneshot::Receiver<T>>) -> T {
    match of {
        // It panicked, which is its own to tell.
        Some(result) => result.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

/// Who is connected to one of `sockets`.
fn standing(sockets: &[Socket], users: &[u32]) -> Vec<ExistingClient> {
    // Their pids would be others' in the kernel side's events.
    if !namespaces::sees_hosts_pids() {
        return Vec::new();
    }
    let paths: Vec<(u32, Bound)> = (0..)
        .zip(sockets)
        .flat_map(|(number, socket)| sockets::bound_paths(socket, users).into_iter().map(move |bound| (number, bound)))
        .collect();
    let names: Vec<String> = paths.iter().map(|(_, bound)| bound.path.clone()).collect();
    let connected = unix_sockets::connected(&names).unwrap_or_else(|error| {
        log::warn!("who is connected to runtimes already is not known: {error}");
        Vec::new()
    });
    let describe = |connected: unix_sockets::Connected| {
        let (socket, bound) = paths.get(connected.socket)?;
        let outline = processes::outline(connected.pid)?;
        let cgroup = Placement::telling(&outline.cgroups).map(|(path, _)| path.clone());
        Some(ExistingClient {
            pid: connected.pid,
            start: outline.start,
            socket: *socket,
            comm: outline.comm,
            uid: outline.uid,
            cgroup,
            owner: Some(bound.owner),
        })
    };
    connected.into_iter().filter_map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_machines_docker_made_goes_without_it() {
        const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";
        for (path, is) in [
            ("/docker/ID", true),
            ("/system.slice/docker-ID.scope", true),
            ("/docker/ID/docker/ID", false),
            ("/user.slice/user-1000.slice/user@1000.service/docker-ID.scope", false),
            ("/system.slice/cri-containerd-ID.scope", false),
            ("/jobs/ID", false),
        ] {
            let place = Placement::parse(&path.replace("ID", ID)).container.unwrap();
            assert_eq!(is_of_machines_docker(&place), is, "{path}");
        }
    }
}
