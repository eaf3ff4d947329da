//! Whom a word means who is not there any more, by what was seen of him.

use std::cmp::Ordering;

use oomtrace::filter::Filter;
use oomtrace::model::{Container, Exited, Incident, TargetKind};
use oomtrace::past::gather::Whom;
use oomtrace::past::imitated::{Word, imitates_unit};
use oomtrace::past::target::{Asked, fits};

use super::{LATEST, Watched, exactly, paths_of};

impl Watched {
    /// Whom `asked` meant at the last kill of one who is not there any more, and is known to nobody else.
    pub fn whom(&self, asked: &Asked) -> Option<Whom> {
        let best = |incidents: Vec<Incident>| {
            incidents.into_iter().filter(|incident| is_called(incident, asked)).map(Seen::of).max_by(Seen::cmp)
        };
        let named =
            filters(asked).into_iter().filter_map(|filter| best(self.matching(filter, LATEST))).max_by(Seen::cmp);
        // What else a word may be, as a pod's uid, no filter chooses by.
        let found = named.or_else(|| best(self.matching(Filter::default(), LATEST)));
        // What ended by itself may have been seen as well, and nothing else of it.
        let is_exit = |exited: &Exited| is_place_called(exited.container.as_ref(), exited.unit.as_deref(), asked);
        let exited = self.exits(None).into_iter().filter(is_exit).map(Seen::of_exit).max_by(Seen::cmp);
        let Seen { container, unit, .. } = found.into_iter().chain(exited).max_by(Seen::cmp)?;
        let gone = |kind, name: String, container, unit| Whom {
            kind,
            name,
            container,
            pod_uid: None,
            unit,
            pid: None,
            is_there: Some(false),
            is_removed: false,
        };
        match (container, unit) {
            // All that was killed in it is meant, and in no other pod of the same owner.
            (Some(container), _) if asked.is_pod(&container) => Whom::pod(&container, Some(false)),
            (Some(container), _) => Some(gone(TargetKind::Container, asked.word.clone(), Some(container), None)),
            (None, Some(unit)) => Some(gone(TargetKind::Unit, unit.clone(), None, Some(unit))),
            (None, None) => None,
        }
    }
}

/// What `asked` may mean, as it was seen.
struct Seen {
    time: String,
    container: Option<Container>,
    unit: Option<String>,
    /// A user may have called it after one of the machine's.
    is_users: bool,
}

impl Seen {
    fn of(incident: Incident) -> Self {
        let is_users = is_users(incident.container.as_ref(), incident.unit.as_deref(), &paths_of(&incident));
        Self { time: incident.time, container: incident.container, unit: incident.unit, is_users }
    }

    fn of_exit(exited: Exited) -> Self {
        let paths: Vec<&String> = exited.process.cgroup.iter().collect();
        let is_users = is_users(exited.container.as_ref(), exited.unit.as_deref(), &paths);
        Self { time: exited.time, container: exited.container, unit: exited.unit, is_users }
    }

    /// The machine's come last, and of those the latest.
    fn cmp(one: &Self, other: &Self) -> Ordering {
        (!one.is_users, &one.time).cmp(&(!other.is_users, &other.time))
    }
}

fn is_users(container: Option<&Container>, unit: Option<&str>, paths: &[&String]) -> bool {
    match (container, unit) {
        (Some(container), _) => Word::of(container) < Word::Roots,
        (None, unit) => unit.is_some_and(|unit| paths.iter().any(|path| imitates_unit(path, unit))),
    }
}

/// What finds kills of whom `asked` may mean, one of each kind.
fn filters(asked: &Asked) -> Vec<Filter> {
    let Asked { word, .. } = asked;
    let mut filters = Vec::new();
    if asked.may_be(TargetKind::Container) {
        // Ids are in lower case.
        let containers = vec![exactly(word), exactly(&word.to_ascii_lowercase())];
        filters.push(Filter { containers, ..Filter::default() });
        // NAMESPACE/POD/CONTAINER
        let pod = word.rsplit_once('/').map(|(pod, _)| Filter { pods: vec![exactly(pod)], ..Filter::default() });
        filters.extend(pod);
    }
    if asked.may_be(TargetKind::Pod) {
        filters.push(Filter { pods: vec![exactly(word)], ..Filter::default() });
    }
    if asked.may_be(TargetKind::Unit) {
        filters.push(Filter { units: vec![exactly(&asked.unit_name())], ..Filter::default() });
    }
    filters
}

/// It is of a container, a pod or a unit that `asked` may mean.
fn is_called(incident: &Incident, asked: &Asked) -> bool {
    is_place_called(incident.container.as_ref(), incident.unit.as_deref(), asked)
}

fn is_place_called(container: Option<&Container>, unit: Option<&str>, asked: &Asked) -> bool {
    let Asked { word, .. } = asked;
    let is_container = |container: &Container| {
        (asked.may_be(TargetKind::Container) && fits(container, word).is_some()) || asked.is_pod(container)
    };
    let is_unit = |unit: &str| asked.may_be(TargetKind::Unit) && unit == asked.unit_name();
    container.is_some_and(is_container) || unit.is_some_and(is_unit)
}
