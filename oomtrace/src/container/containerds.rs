//! The containerds of this node. Most have one, at `/run/containerd`; Kubernetes' distributions bring their own, at a place of their
//! own, and anybody's configuration may name another. So besides the usual places those count that a shim names which runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::container::runtime::bundle::TASKS;
use crate::container::runtime::containerd;
use crate::node::shims::{self, Shim};
use crate::profile::containerd::PLACES;

/// How many are kept; a node has one or two.
const MAX: usize = 16;
/// All processes are looked through no more often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A containerd: where it keeps what it knows, and where it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its state directory (`state` in its configuration), with its containers' bundles.
    pub state: PathBuf,
    pub socket: PathBuf,
}

impl Place {
    /// With its socket in its state directory, as by default.
    fn at(state: PathBuf) -> Self {
        Self { socket: state.join(containerd::SOCKET), state }
    }

    /// As a shim says. Its bundle lies in the state directory, which need not be that of the socket.
    fn of(shim: Shim) -> Option<Self> {
        let of_bundle = shim.bundle.as_deref().and_then(state_of);
        let state = of_bundle.or_else(|| shim.socket.parent().map(Path::to_path_buf))?;
        Some(Self { state, socket: shim.socket })
    }
}

/// The state directory that a bundle lies in.
fn state_of(bundle: &Path) -> Option<PathBuf> {
    let tasks = bundle.parent()?.parent()?;
    (tasks.file_name()? == TASKS).then(|| tasks.parent().map(Path::to_path_buf))?
}

/// Those that are known. Clones share them.
#[derive(Clone, Debug)]
pub struct Containerds {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug)]
struct Known {
    places: Vec<Place>,
    /// When all processes were last looked through.
    looked: Option<Instant>,
}

impl Containerds {
    /// The one whose state directory is `state`, and none besides: what nobody looks for is not found.
    #[must_use]
    pub fn only(state: PathBuf) -> Self {
        Self::with(vec![Place::at(state)])
    }

    /// The one whose state directory is `state`, those at the usual places of others, and those whose shims run.
    #[must_use]
    pub fn of_node(state: PathBuf) -> Self {
        let usual = PLACES.into_iter().map(|(state, socket)| Place { state: state.into(), socket: socket.into() });
        let all = Self::with(std::iter::once(Place::at(state)).chain(usual).collect());
        all.look();
        all
    }

    fn with(places: Vec<Place>) -> Self {
        Self { known: Arc::new(Mutex::new(Known { places, looked: None })) }
    }

    /// Those that are known, in the order in which they are asked.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        self.locked(|known| known.places.clone())
    }

    /// Looks whether a shim runs whose containerd is not known; whether there is one. Not more often than every few seconds.
    pub fn look(&self) -> bool {
        let is_due = self.locked(|known| {
            let is_due = known.looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
            known.looked = if is_due { Some(Instant::now()) } else { known.looked };
            is_due
        });
        is_due && self.add(shims::running())
    }

    fn add(&self, shims: Vec<Shim>) -> bool {
        self.locked(|known| {
            let before = known.places.len();
            for place in shims.into_iter().filter_map(Place::of) {
                let is_new = known.places.iter().all(|other| other.state != place.state);
                if is_new && known.places.len() < MAX {
                    log::debug!("containerd at {}, its state in {}", place.socket.display(), place.state.display());
                    known.places.push(place);
                }
            }
            known.places.len() > before
        })
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        // Nothing in here panics, and a list of paths is whole at any time.
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_names_its_containerd_wherever_that_keeps_its_state() {
        let shim =
            |socket: &str, bundle: Option<&str>| Shim { socket: socket.into(), bundle: bundle.map(PathBuf::from) };
        for (shim, state) in [
            (shim("/run/k/c.sock", Some("/run/k/state/io.containerd.runtime.v2.task/k8s.io/1f")), Some("/run/k/state")),
            // Elsewhere, as a shim of before: by its socket.
            (shim("/run/k/c.sock", Some("/")), Some("/run/k")),
            (shim("/run/k/c.sock", None), Some("/run/k")),
        ] {
            let of = format!("{shim:?}");
            assert_eq!(Place::of(shim).map(|place| place.state), state.map(PathBuf::from), "{of}");
        }
    }

    #[test]
    fn one_containerd_is_known_once_and_many_shims_take_no_room() {
        let all = Containerds::only("/run/containerd".into());
        let shims = |count: usize| {
            let of = |number: usize| Shim { socket: format!("/run/{number}/containerd.sock").into(), bundle: None };
            (0..count).map(of).collect::<Vec<_>>()
        };
        let own = Shim { socket: "/run/containerd/containerd.sock".into(), bundle: None };
        assert!(!all.add(vec![own.clone(), own]));
        assert!(all.add(shims(1)));
        assert!(!all.add(shims(1)));
        assert!(all.add(shims(10_000)));
        assert_eq!(all.places().len(), MAX);
    }
}
