//! What an oomtrace that watched has kept of a target.

mod gone;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use glob::Pattern;
use oomtrace::filter::Filter;
use oomtrace::model::{Container, Exited, Incident, LookedAt, TargetKind};
use oomtrace::past::answer::EARLIER;
use oomtrace::past::gather::{Whom, looked, unread};
use oomtrace::past::imitated::{imitates_unit, is_of_pod, may_be_container};
use oomtrace::sink::notices;
use oomtrace::store::{Candidate, History, Identity, Kept, Selection, StoreError, unreadable};
use oomtrace::text::pod_name;

/// Kills of the same thing that are named.
const SAME: usize = EARLIER + 1;
/// The latest kills that are looked through.
const LATEST: usize = 2_000;

/// Digits of a container's whole id.
const ID: usize = 64;

/// The history, as far as it can be read.
pub struct Watched {
    history: Option<History>,
    looked: LookedAt,
    /// What could not be read, by its kind and its number in the history: several searches may meet the same one.
    unreadable: RefCell<BTreeSet<(Kind, i64)>>,
}

/// What a history has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Incident,
    Exit,
}

impl Watched {
    /// Opens the history at that path; or says why it is left out.
    pub fn open(path: Result<PathBuf, String>) -> Self {
        let path = match path {
            Ok(path) => path,
            Err(why) => return Self::as_found(None, looked("history", false, None, why)),
        };
        match History::open(&path) {
            Ok(history) => {
                let is_missing = history.without_log;
                let cut = if is_missing { ", without its log, which cannot be read here" } else { "" };
                let said = format!("{}{cut}", path.display());
                let looked = LookedAt { is_missing, ..looked("history", true, None, said) };
                Self::as_found(Some(history), looked)
            }
            Err(error @ StoreError::Absent { .. }) => {
                Self::as_found(None, looked("history", false, None, error.to_string()))
            }
            Err(error) => Self::as_found(None, unread("history", error.to_string())),
        }
    }

    const fn as_found(history: Option<History>, looked: LookedAt) -> Self {
        Self { history, looked, unreadable: RefCell::new(BTreeSet::new()) }
    }

    /// Where it was looked, and what of it could not be read.
    pub fn looked(&self) -> LookedAt {
        let said = &self.looked.said;
        match unreadable(self.unreadable.borrow().len()) {
            None => self.looked.clone(),
            Some(unreadable) => {
                LookedAt { is_missing: true, said: format!("{said}; {unreadable}"), ..self.looked.clone() }
            }
        }
    }

    /// Kills of `whom`, the latest first; without anybody the latest ones of all, and as many with the routine ones.
    pub fn of(&self, whom: Option<&Whom>) -> Vec<Incident> {
        let Some(whom) = whom else {
            let mut found = self.matching(Filter::default(), SAME);
            found.extend(self.find(Selection { last: Some(SAME), routine: true, ..Selection::default() }));
            return latest_once(found);
        };
        if let (TargetKind::Container, Some(container)) = (whom.kind, &whom.container) {
            let mut found = self.same(Identity::of_container(container));
            // It may have been called otherwise then; and others may be called after it.
            if container.id.len() == ID {
                let filter = Filter { containers: vec![exactly(&container.id)], ..Filter::default() };
                let all = self.matching(filter, LATEST).into_iter();
                found.extend(all.filter(|incident| is_in(container, incident)));
            }
            return latest_once(found).into_iter().take(SAME).collect();
        }
        if whom.kind == TargetKind::Process {
            // Whoever names a process asks about a routine kill of it, too.
            let filter = filter_of(whom);
            let all = Selection { filter, last: Some(LATEST), routine: true, ..Selection::default() };
            return self.find(all).into_iter().filter(|incident| is_of(whom, incident)).take(SAME).collect();
        }
        let mut found = self.matching(filter_of(whom), LATEST);
        if whom.kind == TargetKind::Pod {
            // Where its runtime did not answer in time, only the uid is known, by which no filter chooses.
            found.extend(self.matching(Filter::default(), LATEST));
            found = latest_once(found);
        }
        found.retain(|incident| is_of(whom, incident));
        found.truncate(SAME);
        found
    }

    /// Ends with 137 of `whom`, or of all, that no SIGKILL made, the latest first.
    pub fn exits_of(&self, whom: Option<&Whom>) -> Vec<Exited> {
        let Some(whom) = whom else { return self.exits(None) };
        if let (TargetKind::Container, Some(container)) = (whom.kind, &whom.container) {
            return self.exits(Some(&Identity::of_container(container)));
        }
        let mut found = self.exits(None);
        found.retain(|exited| is_exit_of(whom, exited));
        found
    }

    /// With the kill that the last of these ends followed, which may have been another process's than was asked about; the latest first.
    pub fn with_followed(&self, mut found: Vec<Incident>, exits: &[Exited]) -> Vec<Incident> {
        let id = exits.first().and_then(|exited| exited.after.as_ref()?.incident.as_ref());
        let missing = id.filter(|id| !found.iter().any(|incident| incident.id == **id));
        let followed = missing.and_then(|id| said(self.history.as_ref()?.by_id(id)).flatten());
        found.extend(followed.filter(|followed| Some(&followed.id) == id));
        latest_once(found)
    }

    /// The end with that id, or whose id alone begins so.
    pub fn exit(&self, id: &str) -> Option<Exited> {
        said(self.history.as_ref()?.exit_by_id(id)).flatten()
    }

    /// Incidents whose ids begin so: some of them, where they are many; else an end that was no kill.
    pub fn beginning(&self, id: &str) -> Vec<Candidate> {
        let Some(history) = &self.history else { return Vec::new() };
        match history.by_id(&id.to_ascii_lowercase()) {
            Ok(Some(incident)) => {
                let name = Identity::of(&incident).name().to_owned();
                vec![Candidate { id: incident.id, time: incident.time, name }]
            }
            Err(StoreError::Ambiguous { candidates, .. }) => candidates,
            Ok(None) => {
                let exited = self.exit(&id.to_ascii_lowercase()).into_iter();
                let candidate = |exited: Exited| {
                    let name = Identity::of_exit(&exited).name().to_owned();
                    Candidate { id: exited.id, time: exited.time, name }
                };
                exited.map(candidate).collect()
            }
            Err(error) => {
                notices::say(&error.to_string());
                Vec::new()
            }
        }
    }

    fn exits(&self, identity: Option<&Identity>) -> Vec<Exited> {
        let exits = self.history.as_ref().and_then(|history| said(history.exits(identity))).unwrap_or_default();
        self.unreadable.borrow_mut().extend(exits.unreadable.into_iter().map(|seq| (Kind::Exit, seq)));
        exits.found
    }

    /// The incident with that id, or whose id alone begins so, and those of the same thing before it.
    ///
    /// # Errors
    /// When several ids begin so.
    pub fn incident(&self, id: &str) -> Result<Vec<Incident>, StoreError> {
        let Some(history) = &self.history else { return Ok(Vec::new()) };
        let Some(incident) = history.by_id(id)? else { return Ok(Vec::new()) };
        // Before a time that cannot be read there is nothing.
        let Ok(until) = incident.time.parse() else { return Ok(vec![incident]) };
        // Of those that came after it there may be any number.
        let identity = Some(Identity::of(&incident));
        let before = Selection { identity, until: Some(until), last: Some(EARLIER), ..Selection::default() };
        let mut found = self.find(before);
        found.insert(0, incident);
        Ok(found)
    }

    /// A process that is called so was killed, and its name can be written into a command as it is.
    pub fn has_victim(&self, comm: &str) -> bool {
        let filter = Filter { comms: vec![exactly(comm)], ..Filter::default() };
        is_plain(comm) && !self.matching(filter, 1).is_empty()
    }

    /// How the history chooses what is called so, where all kills in it are routine, and the name can be written into a command as it is.
    pub fn routine_in(&self, name: &str) -> Option<&'static str> {
        let by_pod = Filter { pods: vec![exactly(name)], ..Filter::default() };
        let by_container = Filter { containers: vec![exactly(name)], ..Filter::default() };
        let any = |filter: &Filter, routine: bool| {
            !self.find(Selection { filter: filter.clone(), last: Some(1), routine, ..Selection::default() }).is_empty()
        };
        let mut choices = [("--pod", by_pod), ("--container", by_container)].into_iter().filter(|_| is_plain(name));
        choices.find(|(_, filter)| any(filter, true) && !any(filter, false)).map(|(chosen, _)| chosen)
    }

    fn same(&self, identity: Identity) -> Vec<Incident> {
        self.find(Selection { identity: Some(identity), last: Some(SAME), ..Selection::default() })
    }

    fn matching(&self, filter: Filter, last: usize) -> Vec<Incident> {
        self.find(Selection { filter, last: Some(last), ..Selection::default() })
    }

    fn find(&self, selection: Selection) -> Vec<Incident> {
        let Some(history) = &self.history else { return Vec::new() };
        let mut found = Vec::new();
        for seq in said(history.seqs(&selection)).unwrap_or_default() {
            match said(history.kept(seq)) {
                Some(Kept::Whole(incident)) => found.push(*incident),
                Some(Kept::Gone) => {}
                Some(Kept::Unreadable) => _ = self.unreadable.borrow_mut().insert((Kind::Incident, seq)),
                // The same is to be said of all others.
                None => break,
            }
        }
        found
    }
}

/// It needs no quotes in a command.
fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/')) && !word.starts_with('-')
}

/// Something in that container was killed, or in one within it.
fn is_in(container: &Container, incident: &Incident) -> bool {
    let mut chain = incident.container.iter().flat_map(Container::chain);
    chain.any(|seen| may_be_container(seen, container))
}

/// The cgroups of its victim: on a hybrid hierarchy there are several.
fn paths_of(incident: &Incident) -> Vec<&String> {
    let memory = incident.memory.as_ref().and_then(|memory| memory.levels.first()).map(|level| &level.path);
    memory.into_iter().chain(&incident.victim.process.cgroup).collect()
}

/// Each once, the latest first.
fn latest_once(mut found: Vec<Incident>) -> Vec<Incident> {
    found.sort_by(|one, other| (&other.time, &other.id).cmp(&(&one.time, &one.id)));
    found.dedup_by(|one, other| one.id == other.id);
    found
}

/// What was found; what was in the way is said.
fn said<T>(found: Result<T, StoreError>) -> Option<T> {
    found.inspect_err(|error| notices::say(&error.to_string())).ok()
}

/// What finds kills of that pod, unit or process, and few others.
fn filter_of(whom: &Whom) -> Filter {
    match whom.kind {
        TargetKind::Pod => Filter { pods: vec![exactly(&whom.name)], ..Filter::default() },
        TargetKind::Unit => {
            Filter { units: whom.unit.as_deref().map(exactly).into_iter().collect(), ..Filter::default() }
        }
        TargetKind::Process => Filter { pids: whom.pid.into_iter().collect(), ..Filter::default() },
        _ => Filter::default(),
    }
}

/// What matches that text and no other.
fn exactly(text: &str) -> Pattern {
    // Escaped, it is a pattern whatever it has in it.
    Pattern::new(&Pattern::escape(text)).unwrap_or_default()
}

/// It is a kill of that pod, unit or process.
fn is_of(whom: &Whom, incident: &Incident) -> bool {
    match whom.kind {
        TargetKind::Process => whom.pid.is_some_and(|pid| incident.has_victim(pid)),
        // None of its cgroups may be an imitation.
        _ => is_place_of(whom, incident.container.as_ref(), incident.unit.as_ref(), &paths_of(incident)),
    }
}

/// It is an end of that pod, unit or process.
fn is_exit_of(whom: &Whom, exited: &Exited) -> bool {
    let paths: Vec<&String> = exited.process.cgroup.iter().collect();
    match whom.kind {
        TargetKind::Process => Some(exited.process.pid) == whom.pid,
        _ => is_place_of(whom, exited.container.as_ref(), exited.unit.as_ref(), &paths),
    }
}

/// It was in that pod or unit; `paths` are the cgroups of its process.
fn is_place_of(whom: &Whom, container: Option<&Container>, unit: Option<&String>, paths: &[&String]) -> bool {
    let pod = container.and_then(|container| container.pod.as_ref());
    match whom.kind {
        TargetKind::Pod => {
            // Of one that its runtime does not know the path alone says which pod it is in.
            let is_its = |uid: &String| {
                container.is_some_and(|container| {
                    let says = container.pod.as_ref().and_then(|pod| pod.uid.as_ref()) == Some(uid);
                    says && (container.confirmed || is_of_pod(&container.cgroup, uid))
                })
            };
            whom.pod_uid.as_ref().is_some_and(is_its) || pod.and_then(pod_name).is_some_and(|name| name == whom.name)
        }
        TargetKind::Unit => {
            let is_imitated = |own: &String| paths.iter().any(|path| imitates_unit(path, own));
            let is_its = |own: &String| unit == Some(own) && !is_imitated(own);
            whom.unit.as_ref().is_some_and(is_its)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
