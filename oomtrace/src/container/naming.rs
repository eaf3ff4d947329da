//! What runtimes say of an incident's containers.

use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::placement::ContainerPlace;
use crate::incident::model::{Container, Evidence, Incident, Source};
use crate::verdict::judge::{is_by_runtime, same_container};
use crate::verdict::requester;

/// A runtime does what it is asked for within this time, in milliseconds.
const ASKED_BEFORE_MS: u64 = 2000;

/// The containers of an incident, as its cgroups' paths name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub victim: Option<ContainerPlace>,
    pub sender: Option<ContainerPlace>,
}

/// The containers of an incident, as their runtimes know them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Names {
    container: Option<Container>,
    sender: Option<Container>,
    #[serde(default)]
    requester: Option<Container>,
    /// What a runtime said of the kill.
    #[serde(default)]
    said: Vec<String>,
    /// What the runtimes did not say, in words.
    missing: Vec<String>,
}

impl Names {
    /// There is a container to ask for.
    #[must_use]
    pub fn are_wanted(incident: &Incident) -> bool {
        incident.container.is_some() || incident.sender.container.is_some()
    }

    /// Nothing but what the paths say, and why.
    #[must_use]
    pub fn none(incident: &Incident, why: &str) -> Self {
        let (container, sender) = (incident.container.clone(), incident.sender.container.clone());
        Self { container, sender, requester: None, said: Vec::new(), missing: vec![why.to_owned()] }
    }

    /// Asks the runtimes.
    pub async fn ask(incident: &Incident, places: &Places, directory: &Directory) -> Self {
        let (mut container, mut sender) = (incident.container.clone(), incident.sender.container.clone());
        let mut missing = Vec::new();
        if let (Some(container), Some(place)) = (&mut container, &places.victim)
            && let Err(why) = directory.complete(container, place).await
        {
            missing.push(why);
        }
        let same = container.as_ref().map(|c| &c.id) == sender.as_ref().map(|c| &c.id);
        if same {
            sender.clone_from(&container);
        } else if let (Some(sender), Some(place)) = (&mut sender, &places.sender)
            && let Err(why) = directory.complete(sender, place).await
        {
            missing.push(format!("of the sender: {why}"));
        }
        // Who asked is told by what the container is called.
        let found = requester::find(incident, container.as_ref()).and_then(|found| found.place);
        let requester = match found {
            Some(place) => {
                let mut container = place.container();
                if let Err(why) = directory.complete(&mut container, &place).await {
                    missing.push(format!("of the requester: {why}"));
                }
                Some(container)
            }
            None => None,
        };
        let said = places.victim.as_ref().map(|place| said(incident, place, directory)).unwrap_or_default();
        Self { container, sender, requester, said, missing }
    }

    /// Adds them to the incident that they were asked for.
    pub fn apply(self, incident: &mut Incident) {
        incident.container = self.container;
        incident.sender.container = self.sender;
        incident.missing.extend(self.missing);
        let evidence = |fact| Evidence { fact, source: Source::Runtime };
        incident.noted.extend(self.said.into_iter().map(evidence));
        incident.asking.container = self.requester;
    }
}

/// What Docker said of a kill that was asked of it, from the first stop signal on; and of one by a process that it was asked to
/// run in the container.
fn said(incident: &Incident, place: &ContainerPlace, directory: &Directory) -> Vec<String> {
    if !is_by_runtime(incident) && !same_container(incident) {
        return Vec::new();
    }
    let Ok(kill) = incident.time.parse::<jiff::Timestamp>() else { return Vec::new() };
    let asked_before = incident.preceding.iter().map(|stop| stop.before_ms).max().unwrap_or_default();
    let before_ns =
        i64::try_from(asked_before.saturating_add(ASKED_BEFORE_MS)).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    // 64 bits of nanoseconds last until 2262.
    let kill_ns = i64::try_from(kill.as_nanosecond()).unwrap_or_default();
    directory.said(place, kill_ns.saturating_sub(before_ns), kill_ns)
}
