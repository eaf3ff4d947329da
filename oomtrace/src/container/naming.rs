//! What runtimes say of an incident's containers.

use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::placement::ContainerPlace;
use crate::incident::model::{Container, Incident};
use crate::verdict::requester;

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
    /// What the runtimes did not say, in words.
    missing: Vec<String>,
}

impl Names {
    /// There is a container to ask for.
    #[must_use]
    pub fn are_wanted(incident: &Incident) -> bool {
        incident.container.is_some() || incident.sender.container.is_some()
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
        Self { container, sender, requester, missing }
    }

    /// Adds them to the incident that they were asked for.
    pub fn apply(self, incident: &mut Incident) {
        incident.container = self.container;
        incident.sender.container = self.sender;
        incident.missing.extend(self.missing);
        incident.asking.container = self.requester;
    }
}
