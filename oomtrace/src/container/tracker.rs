//! Which containers have a cgroup: a walk at start, and from then on what the kernel says when a cgroup comes, is renamed
//! or goes. It says so before the first process is in it.
//!
//! Only containers' own cgroups are kept: a kill brings its victim's whole path along. What a path does not tell, that a
//! cgroup of any name is a container of runc's or crun's, is found out here while the runtime still knows.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Instant;

use oomtrace_common::event::CgroupKey;

use crate::container::runtime::oci_state::States;
use crate::event::CgroupChange;
use crate::node::cgroups::{Hierarchy, Version};
use crate::node::warnings::Warnings;
use crate::placement::{ContainerPlace, On, Placement, Runtime, user_of};

/// Cgroups of containers that are kept; on v1 a container has several.
const CAPACITY: usize = 1 << 14;
/// Of these, in one place that is another's than root's: below a user's slice, or in a container.
const CAPACITY_OF_OTHERS: usize = 1 << 10;
/// Bytes of their paths.
const MAX_BYTES: usize = 8 << 20;
/// Changes that are remembered while a walk is under way.
const MAX_CHANGES: usize = 1 << 16;
/// Names of cgroups below users' slices that are looked up in those users' files, in each second.
const MAX_LOOKUPS: u32 = 200;
/// Levels that a walk goes down.
const MAX_DEPTH: usize = 24;
/// Cgroups that a walk looks at, and of these in one place that is another's than root's.
const MAX_WALKED: usize = 1 << 18;
const MAX_WALKED_OF_OTHERS: usize = 1 << 14;
/// Bytes of a path that is looked at.
const MAX_PATH: usize = 4096;

static FULL: Warnings = Warnings::new();

/// A cgroup: its hierarchy and its id there.
type Key = (u32, u64);

/// What a change did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Appeared(ContainerPlace),
    Gone(ContainerPlace),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Tracker {
    states: States,
    containers: HashMap<Key, ContainerPlace>,
    /// By path: containers that their path does not tell.
    unnamed: HashMap<String, ContainerPlace>,
    /// What came and went while a walk is under way, which may have seen it or not.
    walking: Option<Walking>,
    /// Containers in each place that is another's than root's.
    of_others: HashMap<String, usize>,
    bytes: usize,
    lookups: Option<(Instant, u32)>,
}

#[derive(Debug, Default)]
struct Walking {
    made: HashSet<Key>,
    gone: HashSet<Key>,
    /// There were more changes than are remembered: what the walk has found may be gone again.
    overflowed: bool,
}

/// A container's cgroup that a walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    key: Key,
    place: ContainerPlace,
}

impl Tracker {
    #[must_use]
    pub fn new(states: States) -> Self {
        Self { states, ..Self::default() }
    }

    /// Takes what the kernel says.
    pub fn take(&mut self, change: &CgroupChange) -> Vec<Change> {
        let CgroupKey { id, hierarchy, .. } = change.cgroup;
        let key = (hierarchy, id);
        let mut changes = Vec::new();
        // A new name may be another container's, or no container's.
        if let Some(place) = self.forget(key) {
            changes.push(Change::Gone(place));
        }
        let place = change.path.as_ref().and_then(|path| self.place_of(path, on(hierarchy)));
        if let Some(place) = place.filter(|place| self.keep(key, place.clone())) {
            changes.push(Change::Appeared(place));
        }
        if let Some(walking) = &mut self.walking {
            if walking.made.len() + walking.gone.len() >= MAX_CHANGES {
                walking.overflowed = true;
            } else {
                if change.path.is_some() { &mut walking.made } else { &mut walking.gone }.insert(key);
            }
        }
        changes
    }

    /// A walk begins: what the kernel says from now on is surer than what it finds.
    pub fn begin_walk(&mut self) {
        self.walking = Some(Walking::default());
    }

    /// Takes what a walk found: what it did not find is gone, as when the kernel's word of it was lost.
    pub fn end_walk(&mut self, found: Vec<Walked>) -> Vec<Change> {
        let Walking { made, gone, overflowed } = self.walking.take().unwrap_or_default();
        if overflowed {
            FULL.warn(
                "cgroups change faster than they can be looked at: containers may be missing until the next look",
            );
            return Vec::new();
        }
        let walked: HashSet<Key> = found.iter().map(|walked| walked.key).collect();
        let is_lost = |key: &&Key| !walked.contains(key) && !made.contains(key);
        let lost: Vec<Key> = self.containers.keys().filter(is_lost).copied().collect();
        let mut changes: Vec<Change> = lost.into_iter().filter_map(|key| self.forget(key)).map(Change::Gone).collect();
        for Walked { key, place } in found {
            if !gone.contains(&key) && !self.containers.contains_key(&key) && self.keep(key, place.clone()) {
                changes.push(Change::Appeared(place));
            }
        }
        changes
    }

    /// The container that the cgroup at `path` is of, or is below, where the path alone does not tell.
    #[must_use]
    pub fn container_at(&self, path: &str) -> Option<ContainerPlace> {
        if self.unnamed.is_empty() {
            return None;
        }
        let ends = path.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at).skip(1);
        let prefixes = ends.collect::<Vec<_>>().into_iter().chain([path.len()]).filter_map(|end| path.get(..end));
        let found = prefixes.filter_map(|prefix| self.unnamed.get(prefix));
        found.fold(None, |outer, place| Some(ContainerPlace { outer: outer.map(Box::new), ..place.clone() }))
    }

    /// Every container, each once, by its cgroup on the memory hierarchy where it has one.
    #[must_use]
    pub fn all(&self) -> Vec<ContainerPlace> {
        // Somebody's cgroup that has the name of another's container is one of its own, whatever becomes of its claim.
        let mut by_key: HashMap<(String, &str), (u32, &ContainerPlace)> = HashMap::new();
        for ((hierarchy, _), place) in &self.containers {
            let known = by_key.entry((place.key(), &place.cgroup)).or_insert((*hierarchy, place));
            if *hierarchy > known.0 {
                *known = (*hierarchy, place);
            }
        }
        let mut all: Vec<_> = by_key.into_values().map(|(_, place)| place.clone()).collect();
        all.sort_unstable_by(|a, b| a.cgroup.cmp(&b.cgroup));
        all
    }

    fn keep(&mut self, key: Key, place: ContainerPlace) -> bool {
        let others = others(&place.cgroup);
        let kept = others.as_ref().and_then(|others| self.of_others.get(others)).copied().unwrap_or_default();
        let bytes = self.bytes + size(&place);
        if self.containers.len() >= CAPACITY || bytes > MAX_BYTES || (others.is_some() && kept >= CAPACITY_OF_OTHERS) {
            FULL.warn(format_args!("too many containers: {:?} is named only when it is killed", place.cgroup));
            return false;
        }
        self.bytes = bytes;
        if let Some(others) = others {
            self.of_others.insert(others, kept + 1);
        }
        if matches!(place.runtime, Some(Runtime::Runc | Runtime::Crun)) {
            self.unnamed.insert(place.cgroup.clone(), place.clone());
        }
        self.containers.insert(key, place);
        true
    }

    fn forget(&mut self, key: Key) -> Option<ContainerPlace> {
        let place = self.containers.remove(&key)?;
        self.unnamed.remove(&place.cgroup);
        self.bytes = self.bytes.saturating_sub(size(&place));
        if let Some(others) = others(&place.cgroup)
            && let Some(kept) = self.of_others.get_mut(&others)
        {
            *kept = kept.saturating_sub(1);
            if *kept == 0 {
                self.of_others.remove(&others);
            }
        }
        Some(place)
    }

    /// As [`place_of`]. Looking in a user's files takes time, of which each second has only so much.
    fn place_of(&mut self, path: &str, on: On) -> Option<ContainerPlace> {
        if user_of(path).is_some() && Placement::parse(path).container.is_none() {
            let now = Instant::now();
            let (since, done) =
                self.lookups.filter(|(since, _)| now.duration_since(*since).as_secs() == 0).unwrap_or((now, 0));
            self.lookups = Some((since, done + 1));
            if done >= MAX_LOOKUPS {
                FULL.warn(
                    "users make cgroups faster than they can be looked at: some containers of theirs are not known",
                );
                return None;
            }
        }
        place_of(path, on, &self.states)
    }
}

/// Bytes that a container takes here, about.
fn size(place: &ContainerPlace) -> usize {
    const OVERHEAD: usize = 256;
    std::iter::successors(Some(place), |place| place.outer.as_deref())
        .map(|at| at.cgroup.len() + at.id.len() + OVERHEAD)
        .sum()
}

/// The place of another's than root's that the cgroup at `path` is in: a user's slice, or the outermost container above it.
fn others(path: &str) -> Option<String> {
    if let Some(uid) = user_of(path) {
        return Some(format!("/user.slice/user-{uid}.slice"));
    }
    let outermost = Placement::parse(path).containers().last()?.cgroup.clone();
    (outermost != path).then_some(outermost)
}

/// The container whose own cgroup is at `path`.
fn place_of(path: &str, on: On, states: &States) -> Option<ContainerPlace> {
    match Placement::parse(path).container {
        Some(container) if container.cgroup == path => Some(container.on(on)),
        // A cgroup within a container, which is the container's own affair: what a runtime in it keeps is not seen here.
        Some(_) => None,
        None => {
            let (runtime, id) = states.runtime_of(path.rsplit('/').next()?, user_of(path))?;
            Some(ContainerPlace { id, runtime: Some(runtime), cgroup: path.to_owned(), on, pod: None, outer: None })
        }
    }
}

/// The hierarchy of a number, among the two that are looked at.
fn on(hierarchy: u32) -> On {
    if hierarchy == 0 { On::Default } else { On::Memory }
}

/// Finds every container's cgroup. Takes some 5 µs a cgroup; what cannot be read is left out.
#[must_use]
pub fn walk(hierarchies: &[Hierarchy], memory_id: u32, states: &States) -> Vec<Walked> {
    let mut found = Vec::new();
    for hierarchy in hierarchies {
        let id = match hierarchy.version {
            Version::V2 => 0,
            Version::V1 if hierarchy.controllers.iter().any(|c| c == "memory") => memory_id,
            Version::V1 => continue,
        };
        let mut left = MAX_WALKED;
        below(&hierarchy.mount, "", 0, &mut left, &mut |path, inode| {
            if found.len() < 2 * CAPACITY {
                found.extend(place_of(path, on(id), states).map(|place| Walked { key: (id, inode), place }));
            }
        });
    }
    found
}

fn below(dir: &Path, path: &str, depth: usize, left: &mut usize, found: &mut dyn FnMut(&str, u64)) {
    if depth > MAX_DEPTH || path.len() > MAX_PATH {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        // A cgroup's directory holds its files too.
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        if *left == 0 {
            return FULL.warn("more cgroups than are looked at: containers may be missing");
        }
        *left -= 1;
        let path = format!("{path}/{}", entry.file_name().to_string_lossy());
        found(&path, metadata.ino());
        if is_others(&path) {
            // What another has made of it costs the rest nothing.
            let mut own = MAX_WALKED_OF_OTHERS.min(*left);
            let before = own;
            below(&entry.path(), &path, depth + 1, &mut own, found);
            *left -= before - own;
        } else {
            below(&entry.path(), &path, depth + 1, left, found);
        }
    }
}

/// The cgroup at `path` is one that another than root arranges: a user's slice, or a container's.
fn is_others(path: &str) -> bool {
    let is_slice = user_of(path).is_some() && path.bytes().filter(|byte| *byte == b'/').count() == 2;
    let placement = Placement::parse(path);
    is_slice || placement.container.is_some_and(|container| container.cgroup == path && container.outer.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";

    fn change(id: u64, path: Option<&str>) -> CgroupChange {
        CgroupChange { at: 0, cgroup: CgroupKey { id, hierarchy: 4, level: 2 }, path: path.map(str::to_owned) }
    }

    fn shown(changes: &[Change]) -> Vec<(&str, &str)> {
        changes
            .iter()
            .map(|change| match change {
                Change::Appeared(place) => ("appeared", place.id.as_str()),
                Change::Gone(place) => ("gone", place.id.as_str()),
            })
            .collect()
    }

    #[test]
    fn containers_come_and_go_and_what_is_none_is_not_kept() {
        let mut tracker = Tracker::default();
        let docker = format!("/docker/{ID}");
        assert_eq!(shown(&tracker.take(&change(1, Some(&docker)))), [("appeared", ID)]);
        for (id, path) in [(2, format!("{docker}/made-inside")), (3, "/system.slice/ssh.service".to_owned())] {
            assert_eq!(tracker.take(&change(id, Some(&path))), []);
        }
        assert_eq!((tracker.containers.len(), tracker.all().len()), (1, 1));
        assert_eq!(tracker.take(&change(2, None)), []);
        assert_eq!(shown(&tracker.take(&change(1, None))), [("gone", ID)]);
        assert!(tracker.containers.is_empty());
    }

    #[test]
    fn the_same_id_on_another_hierarchy_is_another_cgroup() {
        let mut tracker = Tracker::default();
        tracker.take(&change(1, Some(&format!("/docker/{ID}"))));
        let mut other = change(1, None);
        other.cgroup.hierarchy = 0;
        assert_eq!(tracker.take(&other), []);
        assert_eq!(tracker.containers.len(), 1);
    }

    #[test]
    fn a_new_name_is_another_container() {
        let mut tracker = Tracker::default();
        tracker.take(&change(1, Some("/lxc.payload.a")));
        assert_eq!(shown(&tracker.take(&change(1, Some("/lxc.payload.b")))), [("gone", "a"), ("appeared", "b")]);
        assert_eq!(shown(&tracker.take(&change(1, Some("/plain")))), [("gone", "b")]);
    }

    #[test]
    fn a_walk_brings_nothing_back_that_went_meanwhile() {
        let mut tracker = Tracker::default();
        let place = |name: &str| Placement::parse(&format!("/lxc.payload.{name}")).container.unwrap();
        let walked = |id, name: &str| Walked { key: (4, id), place: place(name) };
        tracker.take(&change(4, Some("/lxc.payload.d")));
        tracker.begin_walk();
        tracker.take(&change(1, None));
        tracker.take(&change(2, Some("/lxc.payload.b")));
        tracker.take(&change(5, Some("/lxc.payload.e")));
        let changes = tracker.end_walk(vec![walked(1, "a"), walked(2, "b"), walked(3, "c")]);
        // That 4 had gone was lost; 5 came when the walk was past it.
        assert_eq!(shown(&changes), [("gone", "d"), ("appeared", "c")]);
        assert_eq!(tracker.containers.len(), 3);
    }

    #[test]
    fn a_container_that_its_path_does_not_tell_is_found_by_the_path() {
        let mut tracker = Tracker::default();
        let place = |cgroup: &str| ContainerPlace {
            id: "web".to_owned(),
            runtime: Some(Runtime::Runc),
            cgroup: cgroup.to_owned(),
            on: On::Memory,
            pod: None,
            outer: None,
        };
        tracker.end_walk(vec![Walked { key: (4, 1), place: place("/jobs/web") }]);
        for (path, found) in [
            ("/jobs/web", true),
            ("/jobs/web/below/it", true),
            ("/jobs", false),
            ("/jobs/website", false),
            ("/", false),
        ] {
            assert_eq!(tracker.container_at(path).is_some(), found, "{path}");
        }
        tracker.take(&change(1, None));
        assert_eq!(tracker.container_at("/jobs/web"), None);
    }

    /// A user who makes any number of cgroups that look like containers takes nobody else's room.
    #[test]
    fn one_users_containers_are_only_so_many() {
        let mut tracker = Tracker::default();
        let slice = "/user.slice/user-1000.slice/user@1000.service";
        for number in 0..2 * CAPACITY_OF_OTHERS as u64 {
            tracker.take(&change(number, Some(&format!("{slice}/docker-{number:064x}.scope"))));
        }
        assert_eq!(tracker.containers.len(), CAPACITY_OF_OTHERS);
        assert_eq!(shown(&tracker.take(&change(u64::MAX, Some(&format!("/docker/{ID}"))))), [("appeared", ID)]);
        for number in 0..2 * CAPACITY_OF_OTHERS as u64 {
            tracker.take(&change(number, None));
        }
        tracker.take(&change(u64::MAX, None));
        assert_eq!((tracker.bytes, tracker.of_others.len(), tracker.containers.len()), (0, 0, 0));
    }
}
