//! A cgroup that is followed, with its name and its kills: a line of the table.

use schemars::JsonSchema;
use serde::Serialize;

use crate::filter::Filter;
use crate::memory::verdict::{Kind, LimitReached};
use crate::model::{Container, LimitLevel};
use crate::placement::Placement;
use crate::run::flight::Row;
use crate::screen::kills::{Kills, LastKill};
use crate::screen::names::{Named, Names};
use crate::text::quote::quote;
use crate::text::{full_name, unit_name};

/// A container, a pod or a unit whose memory is followed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Entry {
    /// What a person calls it: `web`, `shop/web-5d4/app`, `nginx.service`. Quoted as a shell would have it where it needs that.
    pub name: String,
    /// The container, as an incident in it would name it. Null: it is none, or nothing is known of it yet.
    pub container: Option<Container>,
    /// The unit, by its name. Null: it is none.
    pub unit: Option<String>,
    /// Its memory.
    pub memory: Row,
    /// The last kill in it that is known: one that was seen since oomtrace was started, or one of this boot that the history has. Null: none
    /// is.
    pub last_kill: Option<LastKill>,
}

/// Entries of all `rows` that `filter` wants, in no order of importance.
#[must_use]
pub fn entries(rows: Vec<Row>, names: &Names, kills: &Kills, filter: &Filter) -> Vec<Entry> {
    rows.into_iter()
        .filter_map(|row| {
            let named = names.get(&row.cgroup);
            // Pause, which runs nothing of the user's.
            let is_sandbox = named
                .and_then(Named::container)
                .and_then(|container| container.pod.as_ref())
                .is_some_and(|pod| pod.sandbox);
            if is_sandbox || matches!(named, Some(Named::NoContainer)) || !is_wanted(filter, &row, named) {
                return None;
            }
            let container = named.and_then(Named::container).cloned();
            let unit = (row.level == LimitLevel::Unit).then(|| last(&row.cgroup).to_owned());
            let name = match (&container, row.level) {
                (Some(container), _) => full_name(container),
                (None, LimitLevel::Pod) => names.pod_at(&row.cgroup).unwrap_or_else(|| unnamed(&row.cgroup)),
                (None, LimitLevel::Unit) => unit_name(last(&row.cgroup), Some(&row.cgroup)),
                (None, _) => unnamed(&row.cgroup),
            };
            let last_kill = kills.of(&row.cgroup, container.as_ref()).cloned();
            Some(Entry { name, container, unit, memory: row, last_kill })
        })
        .collect()
}

/// Filters on the victim's process, on the sender and on the cause choose incidents, and leave the table as it is.
fn is_wanted(filter: &Filter, row: &Row, named: Option<&Named>) -> bool {
    let unit = (row.level == LimitLevel::Unit).then(|| last(&row.cgroup));
    (filter.cgroups.is_empty() || filter.is_below_any(&row.cgroup))
        && filter.wants_place(named.and_then(Named::container), unit)
}

/// By its cgroup's own name, of which an id's beginning is enough.
fn unnamed(path: &str) -> String {
    let placement = Placement::parse(path);
    let own = placement.container.as_ref().filter(|place| place.cgroup == path);
    match own {
        Some(place) => quote(crate::text::short_id(&place.id)).into_owned(),
        None => quote(last(path)).into_owned(),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl Entry {
    /// What is in use that the kernel cannot take back, of the limit: from 0 to 1, or a little more. None: it has no limit.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let limit = self.memory.latest.limit_bytes.filter(|limit| *limit > 0)?;
        Some(self.memory.held_bytes as f64 / limit as f64)
    }

    /// All that is in use, of the limit.
    #[must_use]
    pub fn used(&self) -> Option<f64> {
        let limit = self.memory.latest.limit_bytes.filter(|limit| *limit > 0)?;
        Some(self.memory.latest.usage_bytes as f64 / limit as f64)
    }

    /// When the limit is met, if it goes on so.
    #[must_use]
    pub fn limit_reached(&self) -> Option<LimitReached> {
        let outlook = self.memory.outlook.as_ref()?;
        let climbs = matches!(outlook.verdict, Kind::Leak | Kind::Climbing);
        outlook.limit_reached_at.filter(|_| climbs)
    }

    /// How often it was started again: as its runtime counts, where that says so, else as often as it was seen.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        let container = self.container.as_ref();
        let of_pod = container.and_then(|container| container.pod.as_ref()?.restart_count);
        let of_runtime = container.and_then(|container| container.restart_count);
        of_pod.max(of_runtime).unwrap_or(0).max(self.memory.restarts)
    }

    /// It is shown also where only what matters is: a container, or what has a limit or a kill.
    #[must_use]
    pub fn is_of_interest(&self) -> bool {
        self.memory.level == LimitLevel::Container
            || self.memory.latest.limit_bytes.is_some()
            || self.last_kill.is_some()
    }
}
