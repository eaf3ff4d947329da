//! What runtimes say of an incident's containers.

use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::placement::Runtime;
use crate::incident::model::{Container, Incident};

/// The victim's container and the sender's, as their runtimes know them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Names {
    container: Option<Container>,
    sender: Option<Container>,
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
    pub async fn ask(
        incident: &Incident,
        victim_runtime: Option<Runtime>,
        sender_runtime: Option<Runtime>,
        directory: &Directory,
    ) -> Self {
        let (mut container, mut sender) = (incident.container.clone(), incident.sender.container.clone());
        let mut missing = Vec::new();
        if let Some(container) = &mut container
            && let Err(why) = directory.complete(container, victim_runtime).await
        {
            missing.push(why);
        }
        let same = container.as_ref().map(|c| &c.id) == sender.as_ref().map(|c| &c.id);
        if same {
            sender.clone_from(&container);
        } else if let Some(sender) = &mut sender
            && let Err(why) = directory.complete(sender, sender_runtime).await
        {
            missing.push(format!("of the sender: {why}"));
        }
        Self { container, sender, missing }
    }

    /// Adds them to the incident that they were asked for.
    pub fn apply(self, incident: &mut Incident) {
        incident.container = self.container;
        incident.sender.container = self.sender;
        incident.missing.extend(self.missing);
    }
}
