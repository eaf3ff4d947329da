//! Whether a place is the container's that its name says, and what is said where that is not known.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::container::metadata::Metadata;
use crate::container::statement::Says;
use crate::model::Container;
use crate::node::cgroups::{self, Version};
use crate::placement::{ContainerPlace, On};
use crate::text;
use crate::text::quote::quote;

/// The process that was killed, to be compared with a container's first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Victim {
    pub pid: u32,
    /// In ticks.
    pub start: u64,
    /// It was the first of a pid namespace that is no deeper than a container's own.
    pub looks_like_init: bool,
}

/// The answer to a question about a place.
#[derive(Debug)]
pub enum Confirmation {
    /// It is the container's; and what is not known of it.
    Confirmed(Option<String>),
    /// Nobody can be asked, for this reason.
    Unconfirmed(String),
    /// It only has the name of a container's, as this fact says.
    Refuted(String),
}

/// What a runtime's word makes of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Confirmed,
    Refuted,
    Unconfirmed,
}

/// By what is known of the container, if anything is; `is_elsewhere`: a container of that id is known to be at another place.
pub fn standing(place: &ContainerPlace, known: Option<&Metadata>, is_elsewhere: bool) -> Standing {
    match known.map_or(Says::Nothing, |known| known.stated.of(place)) {
        Says::Yes => Standing::Confirmed,
        Says::No => Standing::Refuted,
        Says::Nothing if is_elsewhere => Standing::Refuted,
        // Its runtime knows it, and nobody but root makes cgroups there.
        Says::Nothing if known.is_some() && place.outer.is_none() && is_made_by_root(place) => Standing::Confirmed,
        Says::Nothing => Standing::Unconfirmed,
    }
}

/// A place's container, with those that it runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completed {
    /// None when no cgroup of the place is a container's.
    pub container: Option<Container>,
    /// What is not known, in words for the incident's `missing`.
    pub missing: Vec<String>,
    /// Cgroups that only have the name of a container's, as facts.
    pub refuted: Vec<String>,
}

/// A place's containers from the innermost on, while they are gone through.
#[derive(Debug, Default)]
pub struct Chain {
    containers: Vec<Container>,
    completed: Completed,
}

impl Chain {
    /// What is looked at now is around another container.
    pub fn has_inner(&self) -> bool {
        !self.containers.is_empty()
    }

    /// Something was looked at already, whatever it turned out to be.
    pub fn has_any(&self) -> bool {
        self.has_inner() || !self.completed.refuted.is_empty()
    }

    pub fn add(&mut self, container: Container, said: Confirmation) {
        let is_outer = self.has_inner();
        let of_outer = |why: String| if is_outer { format!("of the outer container: {why}") } else { why };
        match said {
            Confirmation::Confirmed(why) => self.completed.missing.extend(why.map(of_outer)),
            Confirmation::Unconfirmed(why) => self.completed.missing.push(of_outer(why)),
            Confirmation::Refuted(fact) => return self.completed.refuted.push(fact),
        }
        self.containers.push(container);
    }

    pub fn completed(self) -> Completed {
        let nest = |outer: Option<Container>, inner: Container| Some(Container { outer: outer.map(Box::new), ..inner });
        let container = self.containers.into_iter().rev().fold(None, nest);
        Completed { container, ..self.completed }
    }
}

pub fn refutation(place: &ContainerPlace) -> String {
    let (id, cgroup) = (quote(text::short_id(&place.id)), quote(&text::shorten_ids(&place.cgroup)).into_owned());
    format!("cgroup {cgroup} only has the name of container {id}, which has another cgroup: it is not that container")
}

/// `what` of it is missing for the same reason, if anything.
pub fn unconfirmed(place: &ContainerPlace, what: Option<&str>, why: &str) -> String {
    let id = text::short_id(&place.id);
    // Of many containers the same is said, where their runtime knows none of them.
    let why = why.replace(&place.id, "it").replace(id, "it");
    let what = what.map(|what| format!(", and {what}")).unwrap_or_default();
    format!("whether the cgroup is that container's, as its name says{what} ({why})")
}

/// Everything on the way to the cgroup belongs to root: nobody else made it. False as well when it is gone.
fn is_made_by_root(place: &ContainerPlace) -> bool {
    let all = cgroups::hierarchies().unwrap_or_default();
    let hierarchy = match place.on {
        On::Default => all.iter().find(|hierarchy| hierarchy.version == Version::V2),
        On::Memory => cgroups::memory(&all),
    };
    let Some(hierarchy) = hierarchy else { return false };
    let own = hierarchy.mount.join(place.cgroup.trim_start_matches('/'));
    let is_roots = |dir: &Path| dir.symlink_metadata().is_ok_and(|found| found.is_dir() && found.uid() == 0);
    own.ancestors().take_while(|dir| *dir != hierarchy.mount).all(is_roots)
}
