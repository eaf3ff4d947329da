//! What an oomtrace that watched has kept of a target.

use std::path::Path;

use oomtrace::model::{Container, Incident, LookedAt, TargetKind};
use oomtrace::past::gather::{Whom, looked};
use oomtrace::sink::notices;
use oomtrace::store::{History, Identity, Selection, StoreError};
use oomtrace::text::pod_name;

/// Kills of the same thing that are named.
const SAME: usize = 100;
/// The latest kills that are looked through for what no index knows.
const LATEST: usize = 2_000;
/// So many digits of an id are enough to mean it.
const ID_DIGITS: usize = 4;

/// The history, as far as it can be read.
pub struct Watched {
    history: Option<History>,
    pub looked: LookedAt,
}

impl Watched {
    /// Opens the history at `path`; none: it is left out.
    pub fn open(path: Option<&Path>) -> Self {
        let Some(path) = path else {
            return Self { history: None, looked: looked("history", false, None, "left out (--no-history)") };
        };
        match History::open(path) {
            Ok(history) => {
                let said = path.display().to_string();
                Self { history: Some(history), looked: looked("history", true, None, said) }
            }
            Err(error) => Self { history: None, looked: looked("history", false, None, error.to_string()) },
        }
    }

    /// Kills of `whom`, the latest first; without anybody the latest ones of all.
    pub fn of(&self, whom: Option<&Whom>) -> Vec<Incident> {
        let Some(whom) = whom else { return self.find(Selection { last: Some(SAME), ..Selection::default() }) };
        if let (TargetKind::Container, Some(container)) = (whom.kind, &whom.container) {
            return self.same(Identity::of_container(container));
        }
        let mut found = self.latest();
        found.retain(|incident| is_of(whom, incident));
        found.truncate(SAME);
        found
    }

    /// The incident with that id, or whose id alone begins so, and those of the same thing before it.
    ///
    /// # Errors
    /// When several ids begin so.
    pub fn incident(&self, id: &str) -> Result<Vec<Incident>, StoreError> {
        let Some(history) = &self.history else { return Ok(Vec::new()) };
        let Some(incident) = history.by_id(id)? else { return Ok(Vec::new()) };
        let mut before = self.same(Identity::of(&incident));
        before.retain(|other| other.time < incident.time);
        before.insert(0, incident);
        Ok(before)
    }

    /// Whom `word` meant at the last kill of one who is not there any more, and is known to nobody else.
    pub fn whom(&self, word: &str) -> Option<Whom> {
        let found = self.latest().into_iter().find(|incident| is_called(incident, word))?;
        let gone = |kind, name: String, container, unit| Whom {
            kind,
            name,
            container,
            pod_uid: None,
            unit,
            pid: None,
            is_there: Some(false),
        };
        match (found.container, found.unit) {
            (Some(container), _) => Some(gone(TargetKind::Container, word.to_owned(), Some(container), None)),
            (None, Some(unit)) => Some(gone(TargetKind::Unit, unit.clone(), None, Some(unit))),
            (None, None) => None,
        }
    }

    fn same(&self, identity: Identity) -> Vec<Incident> {
        self.find(Selection { identity: Some(identity), last: Some(SAME), ..Selection::default() })
    }

    fn latest(&self) -> Vec<Incident> {
        self.find(Selection { last: Some(LATEST), ..Selection::default() })
    }

    fn find(&self, selection: Selection) -> Vec<Incident> {
        match self.history.as_ref().map(|history| history.last(&selection)) {
            None => Vec::new(),
            Some(Ok(found)) => found.incidents,
            Some(Err(error)) => {
                notices::say(&error.to_string());
                Vec::new()
            }
        }
    }
}

/// It is a kill of that pod, unit or process.
fn is_of(whom: &Whom, incident: &Incident) -> bool {
    let pod = incident.container.as_ref().and_then(|container| container.pod.as_ref());
    match whom.kind {
        TargetKind::Pod => {
            pod.is_some_and(|pod| pod.uid.is_some() && pod.uid == whom.pod_uid)
                || pod.and_then(pod_name).is_some_and(|name| name == whom.name)
        }
        TargetKind::Unit => incident.unit.is_some() && incident.unit == whom.unit,
        TargetKind::Process => Some(incident.victim.process.pid) == whom.pid,
        _ => false,
    }
}

/// It is of a container, a pod or a unit that is called so.
fn is_called(incident: &Incident, word: &str) -> bool {
    let of_container = |container: &Container| {
        let pod = container.pod.as_ref();
        container.name.as_deref() == Some(word)
            || (word.len() >= ID_DIGITS && container.id.starts_with(word))
            || pod.and_then(pod_name).is_some_and(|name| name == word)
            || pod.is_some_and(|pod| pod.name.as_deref() == Some(word))
    };
    let is_unit = |unit: &str| unit == word || unit.strip_suffix(".service") == Some(word);
    incident.container.as_ref().is_some_and(of_container) || incident.unit.as_deref().is_some_and(is_unit)
}
