//! What the flight recorder raises, as records: with the names of those whose limits they are, which a runtime may take its time for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::container::directory::Directory;
use crate::container::tracker::Tracker;
use crate::memory::recorder::warning::Raised;
use crate::model::{LimitLevel, Pod, Warning};
use crate::placement::{ContainerPlace, On, Placement};
use crate::redact::Privacy;
use crate::run::flight::FlightRecorder;
use crate::words::warning::{self, Named};

/// A runtime is waited for so long.
const NAMED_WITHIN: Duration = Duration::from_secs(4);
/// Containers of a pod of which one has to tell what that is called.
const ASKED_OF_POD: usize = 3;
/// Warnings that wait for names at a time; the others wait to be raised.
const MAX_ASKED: usize = 16;

/// The pod of the first of these whose runtime says its name.
async fn pod_of(directory: &Directory, containers: Vec<ContainerPlace>) -> Option<Pod> {
    for place in containers {
        let named = directory.complete(&place, None).await.container;
        // A name that its runtime has not confirmed is anybody's.
        let pod = named.filter(|named| named.confirmed).and_then(|named| named.pod).filter(|pod| pod.name.is_some());
        if let Some(Pod { name, namespace, uid, qos, .. }) = pod {
            return Some(Pod { name, namespace, uid, qos, ..Pod::default() });
        }
    }
    None
}

/// See the module's documentation.
pub struct Warnings {
    flight: Option<FlightRecorder>,
    directory: Directory,
    tracker: Rc<RefCell<Tracker>>,
    privacy: Privacy,
    node: Option<String>,
    naming: JoinSet<Warning>,
}

impl Warnings {
    pub fn new(
        flight: Option<FlightRecorder>,
        directory: Directory,
        tracker: Rc<RefCell<Tracker>>,
        privacy: Privacy,
        node: Option<String>,
    ) -> Self {
        Self { flight, directory, tracker, privacy, node, naming: JoinSet::new() }
    }

    /// The next one, once there is one. Cancel-safe.
    pub async fn next(&mut self) -> Warning {
        loop {
            let flight = self.flight.clone();
            let raised = async {
                match &flight {
                    Some(flight) => flight.raised().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(named) = self.naming.join_next() => match named {
                    Ok(warning) => return warning,
                    Err(error) => log::error!("a warning was not named: {error}"),
                },
                raised = raised, if self.naming.len() < MAX_ASKED => self.name(raised),
            }
        }
    }

    /// Has its container named, in the background.
    fn name(&mut self, raised: Raised) {
        let placement = Placement::parse(&raised.cgroup);
        let on = self.flight.as_ref().map_or(On::Memory, FlightRecorder::on);
        let of_path = placement.container.filter(|_| raised.level == LimitLevel::Container).map(|place| place.on(on));
        let place = of_path.or_else(|| self.tracker.borrow().container_at(&raised.cgroup));
        let unit = placement.unit.filter(|_| raised.level == LimitLevel::Unit);
        let within = if raised.level == LimitLevel::Pod { self.within(&raised.cgroup) } else { Vec::new() };
        let (directory, privacy, node) = (self.directory.clone(), self.privacy, self.node.clone());
        let time = format!("{:.9}", jiff::Timestamp::now());
        self.naming.spawn_local(async move {
            let container = match &place {
                Some(place) => {
                    let named = tokio::time::timeout(NAMED_WITHIN, directory.complete(place, None)).await;
                    // It goes by its id.
                    named.map_or_else(|_| Some(place.container()), |named| named.container)
                }
                None => None,
            };
            let container = container.map(|mut container| {
                privacy.container(&mut container);
                container
            });
            let pod = tokio::time::timeout(NAMED_WITHIN, pod_of(&directory, within)).await.ok().flatten();
            warning::warning(raised, Named { time, node, container, pod, unit })
        });
    }

    /// Some of the containers in the pod whose cgroup that is.
    fn within(&self, cgroup: &str) -> Vec<ContainerPlace> {
        let is_within = |place: &ContainerPlace| {
            place.outer.is_none() && place.cgroup.strip_prefix(cgroup).is_some_and(|rest| rest.starts_with('/'))
        };
        self.tracker.borrow().all().into_iter().filter(is_within).take(ASKED_OF_POD).collect()
    }
}
