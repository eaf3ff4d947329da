//! What the flight recorder raises, as records: with the names of those whose limits they are, which a runtime may take its time for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::container::directory::Directory;
use crate::container::tracker::Tracker;
use crate::memory::recorder::warning::Raised;
use crate::model::{LimitLevel, Warning};
use crate::placement::{On, Placement};
use crate::redact::Privacy;
use crate::run::flight::FlightRecorder;
use crate::words::warning::{self, Named};

/// A runtime is waited for so long.
const NAMED_WITHIN: Duration = Duration::from_secs(4);
/// Warnings that wait for names at a time; the others wait to be raised.
const MAX_ASKED: usize = 16;

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
            warning::warning(raised, Named { time, node, container, unit })
        });
    }
}
