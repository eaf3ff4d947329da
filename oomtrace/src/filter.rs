//! Which incidents a person wants to see. Filters are on the victim, and on collateral victims too; one is on the sender.

use glob::{MatchOptions, Pattern};

use crate::correlate::{Episode, Kill};
use crate::event::Task;
use crate::model::{Cause, Compose, Container, Exited, Incident, Pod, Process, Record, Warning};
use crate::text::quote::quote;

/// A label that a container must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub key: String,
    /// None: any.
    pub value: Option<String>,
}

impl Label {
    /// From `KEY` or `KEY=VALUE`; none without a key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value.to_owned())));
        (!key.is_empty()).then(|| Self { key: key.to_owned(), value })
    }

    fn is_of(&self, container: &Container) -> bool {
        let found = container.labels.as_ref().and_then(|labels| labels.get(&self.key));
        found.is_some_and(|found| self.value.as_ref().is_none_or(|value| value == found))
    }
}

/// Each kind that is given must match; within a kind, one of the values.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Container name or id (or its beginning), with `*`, `?` and `[…]`.
    pub containers: Vec<Pattern>,
    /// The namespace of the container's pod.
    pub namespaces: Vec<Pattern>,
    /// The pod's name, or `NAMESPACE/NAME`.
    pub pods: Vec<Pattern>,
    /// The container's image.
    pub images: Vec<Pattern>,
    /// The container's labels; all of them.
    pub labels: Vec<Label>,
    /// The victim's systemd unit.
    pub units: Vec<Pattern>,
    /// The victim's name, or that of its executable's file.
    pub comms: Vec<Pattern>,
    /// The victim's user, by its number on the host.
    pub uids: Vec<u32>,
    /// The sender's name, that of its executable's file, or its pid; `kernel` is the kernel itself.
    pub senders: Vec<Pattern>,
    pub pids: Vec<u32>,
    /// A cgroup's path; whatever lives below it counts too.
    pub cgroups: Vec<String>,
    pub causes: Vec<Cause>,
}

impl Filter {
    /// What is known before anything is named: whether the episode can be wanted at all.
    #[must_use]
    pub fn may_want(&self, episode: &Episode) -> bool {
        let any_victim = |wanted: &dyn Fn(&Task) -> bool| episode.kills().filter_map(Kill::victim).any(wanted);
        (self.pids.is_empty() || any_victim(&|task| self.pids.contains(&task.key.pid)))
            && (self.cgroups.is_empty() || any_victim(&|task| self.is_below(task)))
    }

    /// The whole decision. Only incidents and signals are ever left out.
    #[must_use]
    pub fn wants(&self, record: &Record) -> bool {
        match record {
            Record::Incident(incident) => self.wants_all_but_cause(incident) && self.wants_cause(incident),
            // A signal that is no kill has no cause to ask for.
            Record::Signal(incident) => self.wants_all_but_cause(incident) && self.causes.is_empty(),
            // It has neither a cause nor a sender.
            Record::Exit(exited) => self.wants_exit(exited),
            Record::Warning(warning) => self.wants_warning(warning),
            // What is said of an incident that was wanted.
            Record::Contradiction(_) | Record::Correction(_) => true,
            Record::Ready(_) | Record::Event(_) | Record::Lost(_) | Record::Repeat(_) => true,
        }
    }

    /// The same of an incident when there are no episodes, by its processes' pids and cgroups as well: what the history's search must find.
    #[must_use]
    pub fn wants_recorded(&self, incident: &Incident) -> bool {
        let victims =
            || std::iter::once(&incident.victim.process).chain(incident.collateral.iter().map(|other| &other.process));
        let memory = incident.memory.iter().flat_map(|memory| memory.levels.first()).map(|level| level.path.as_str());
        let cgroups = || victims().filter_map(|victim| victim.cgroup.as_deref()).chain(memory.clone());
        self.wants_all_but_cause(incident)
            && self.wants_cause(incident)
            && (self.pids.is_empty() || victims().any(|victim| self.pids.contains(&victim.pid)))
            && (self.cgroups.is_empty() || cgroups().any(|path| self.is_below_any(path)))
    }

    /// One of the cgroups that are asked for is that path's, or above it.
    #[must_use]
    pub fn is_below_any(&self, path: &str) -> bool {
        self.cgroups.iter().any(|cgroup| is_below(path, cgroup))
    }

    /// The place that an incident was at is what is asked for: a container, a unit.
    #[must_use]
    pub fn wants_place(&self, container: Option<&Container>, unit: Option<&str>) -> bool {
        (!self.is_of_containers() || self.wants_any(container)) && self.is_unit(unit)
    }

    /// What a place's id, name, image and unit alone tell: it may be what is asked for. Of a container in no other one.
    #[must_use]
    pub fn may_want_place(
        &self,
        id: Option<&str>,
        name: Option<&str>,
        image: Option<&str>,
        unit: Option<&str>,
    ) -> bool {
        let is_its = || {
            let image = image.is_some_and(|image| self.images.iter().any(|pattern| fits(pattern, image)));
            id.is_some_and(|id| self.has_name(id, name) || self.names_services()) && (self.images.is_empty() || image)
        };
        (!self.is_of_containers() || is_its()) && self.is_unit(unit)
    }

    /// What [`Self::may_want_place`] says of a container in no other one is all that there is to say.
    #[must_use]
    pub fn goes_by_names(&self) -> bool {
        self.namespaces.is_empty() && self.pods.is_empty() && self.labels.is_empty() && !self.names_services()
    }

    /// It may ask for a service of compose's, `PROJECT/SERVICE`, which a container's labels tell.
    fn names_services(&self) -> bool {
        self.containers.iter().any(|pattern| pattern.as_str().contains('/'))
    }

    /// Nothing is left out.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        !self.is_of_places()
            && self.comms.is_empty()
            && self.uids.is_empty()
            && self.senders.is_empty()
            && self.pids.is_empty()
            && self.causes.is_empty()
    }

    /// A name that the history counts by is asked for, as it is shown: the whole of it, with its end where it was cut, or by a pattern
    /// with a `/` or a `>`, which no container's own name has.
    #[must_use]
    pub fn wants_name(&self, name: &str) -> bool {
        self.containers.iter().any(|pattern| {
            let text = pattern.as_str();
            is_written(text, name) || quote(text) == name || (text.contains(['/', '>']) && pattern.matches(name))
        })
    }

    /// A victim is what is asked for, but for its pid and cgroup.
    #[must_use]
    pub fn wants_process(&self, process: &Process) -> bool {
        self.is_comm(process) && self.is_uid(process)
    }

    /// A sender is what is asked for, by its name; the kernel is none.
    #[must_use]
    pub fn is_sender_called(&self, sender: Option<&Process>) -> bool {
        self.senders.iter().any(|pattern| match sender {
            Some(sender) => is_called(pattern, sender),
            None => pattern.matches("kernel"),
        })
    }

    fn wants_all_but_cause(&self, incident: &Incident) -> bool {
        self.wants_container(incident) && self.wants_victim(incident) && self.wants_sender(incident)
    }

    fn wants_exit(&self, exited: &Exited) -> bool {
        let is_asked_for = self.causes.is_empty() && self.senders.is_empty();
        is_asked_for
            && self.wants_place(exited.container.as_ref(), exited.unit.as_deref())
            && self.is_comm(&exited.process)
            && self.is_uid(&exited.process)
    }

    /// Nobody has died yet: who asks for a victim, a sender or a cause asks for none.
    fn wants_warning(&self, warning: &Warning) -> bool {
        let is_asked_for = self.causes.is_empty()
            && self.senders.is_empty()
            && self.comms.is_empty()
            && self.uids.is_empty()
            && self.pids.is_empty();
        is_asked_for
            && (self.wants_place(warning.container.as_ref(), warning.unit.as_deref())
                || warning.pod.as_ref().is_some_and(|pod| self.wants_whole_pod(pod)))
            && (self.cgroups.is_empty() || self.is_below_any(&warning.cgroup))
    }

    fn wants_victim(&self, incident: &Incident) -> bool {
        let mut victims =
            std::iter::once(&incident.victim.process).chain(incident.collateral.iter().map(|other| &other.process));
        self.is_unit(incident.unit.as_deref())
            && (self.comms.is_empty() && self.uids.is_empty()
                || victims.any(|victim| self.is_comm(victim) && self.is_uid(victim)))
    }

    fn is_unit(&self, unit: Option<&str>) -> bool {
        self.units.is_empty() || unit.is_some_and(|unit| self.units.iter().any(|pattern| fits(pattern, unit)))
    }

    fn is_comm(&self, process: &Process) -> bool {
        self.comms.is_empty() || self.comms.iter().any(|pattern| is_called(pattern, process))
    }

    fn is_uid(&self, process: &Process) -> bool {
        self.uids.is_empty() || process.uid.is_some_and(|uid| self.uids.contains(&uid))
    }

    fn wants_sender(&self, incident: &Incident) -> bool {
        let is_it = |pattern: &Pattern| match &incident.sender.process {
            Some(sender) => is_called(pattern, sender) || pattern.as_str() == sender.pid.to_string(),
            None => pattern.matches("kernel"),
        };
        self.senders.is_empty() || self.senders.iter().any(is_it)
    }

    /// It chooses by what only a container has.
    #[must_use]
    pub const fn is_of_containers(&self) -> bool {
        !(self.containers.is_empty()
            && self.namespaces.is_empty()
            && self.pods.is_empty()
            && self.images.is_empty()
            && self.labels.is_empty())
    }

    /// It chooses among places, whether anything was killed there or not.
    #[must_use]
    pub const fn is_of_places(&self) -> bool {
        self.is_of_containers() || !self.units.is_empty() || !self.cgroups.is_empty()
    }

    /// What is left of everything, for a person; none when that is everything.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        let patterns = |name: &str, all: &[Pattern]| {
            let all: Vec<_> = all.iter().map(|pattern| quote(pattern.as_str()).into_owned()).collect();
            (!all.is_empty()).then(|| format!("{name} {}", all.join(" or ")))
        };
        let numbers = |name: &str, all: &[u32]| {
            let all: Vec<_> = all.iter().map(u32::to_string).collect();
            (!all.is_empty()).then(|| format!("{name} {}", all.join(" or ")))
        };
        let label = |label: &Label| match &label.value {
            Some(value) => format!("label {}={}", quote(&label.key), quote(value)),
            None => format!("label {}", quote(&label.key)),
        };
        let cgroups: Vec<_> = self.cgroups.iter().map(|path| quote(path).into_owned()).collect();
        let causes: Vec<_> = self.causes.iter().map(|cause| cause.name()).collect();
        let parts = [
            patterns("container", &self.containers),
            patterns("namespace", &self.namespaces),
            patterns("pod", &self.pods),
            patterns("image", &self.images),
            patterns("unit", &self.units),
            patterns("victim", &self.comms),
            numbers("uid", &self.uids),
            numbers("pid", &self.pids),
            (!cgroups.is_empty()).then(|| format!("cgroup {}", cgroups.join(" or "))),
            patterns("sender", &self.senders),
            (!causes.is_empty()).then(|| format!("cause {}", causes.join(" or "))),
        ];
        let all: Vec<String> = parts.into_iter().flatten().chain(self.labels.iter().map(label)).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// One of these containers is what it asks for.
    #[must_use]
    pub fn wants_any<'a>(&self, containers: impl IntoIterator<Item = &'a Container>) -> bool {
        containers.into_iter().flat_map(Container::chain).any(|container| self.is_wanted(container))
    }

    fn wants_container(&self, incident: &Incident) -> bool {
        if !self.is_of_containers() {
            return true;
        }
        // What runs in a container runs in those around it, too: none gets out of sight by a cgroup that it makes within its own.
        self.wants_any(&incident.container)
    }

    /// It chooses pods alone, and this one.
    fn wants_whole_pod(&self, pod: &Pod) -> bool {
        let by_others = [&self.containers, &self.images, &self.units].iter().any(|patterns| !patterns.is_empty());
        !by_others && self.labels.is_empty() && self.is_in_pod(Some(pod))
    }

    fn is_in_pod(&self, pod: Option<&Pod>) -> bool {
        let namespace = pod.and_then(|pod| pod.namespace.as_deref()).unwrap_or_default();
        let pod = pod.and_then(|pod| pod.name.as_deref());
        let is_namespace = |pattern: &Pattern| pod.is_some() && pattern.matches(namespace);
        let is_pod = |pattern: &Pattern| pod.is_some_and(|pod| is_pod(pattern, namespace, pod));
        (self.namespaces.is_empty() || self.namespaces.iter().any(is_namespace))
            && (self.pods.is_empty() || self.pods.iter().any(is_pod))
    }

    fn is_wanted(&self, container: &Container) -> bool {
        let is_image = |pattern: &Pattern| container.image.as_deref().is_some_and(|image| fits(pattern, image));
        self.is_in_pod(container.pod.as_ref())
            && (self.images.is_empty() || self.images.iter().any(is_image))
            && self.labels.iter().all(|label| label.is_of(container))
            && self.is_named(container)
    }

    fn is_named(&self, container: &Container) -> bool {
        self.has_name(&container.id, container.name.as_deref())
            || Compose::of(container).filter(|compose| compose.is_named).is_some_and(|compose| {
                // As the history counts it. No container's own name has that sign.
                let mut services = self.containers.iter().filter(|pattern| pattern.as_str().contains('/'));
                services.any(|pattern| fits(pattern, &compose.full_name()))
            })
    }

    fn has_name(&self, id: &str, name: Option<&str>) -> bool {
        if self.containers.is_empty() {
            return true;
        }
        self.containers.iter().any(|pattern| {
            name.is_some_and(|name| fits(pattern, name))
                || pattern.matches(id)
                || (pattern.as_str().len() >= 4 && id.starts_with(pattern.as_str()))
        })
    }

    fn wants_cause(&self, incident: &Incident) -> bool {
        let cause = incident.verdict.as_ref().map(|v| v.cause);
        self.causes.is_empty() || cause.is_some_and(|cause| self.causes.contains(&cause))
    }

    fn is_below(&self, task: &Task) -> bool {
        [&task.cgroup_path, &task.memory_path].into_iter().flatten().any(|path| self.is_below_any(path))
    }
}

/// The path is that cgroup's, or one below it.
pub(crate) fn is_below(path: &str, cgroup: &str) -> bool {
    path.strip_prefix(cgroup).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cgroup == "/")
}

/// A cgroup's path that does not start at its hierarchy's root.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a cgroup's path starts with /, for example /system.slice/nginx.service")]
pub struct RelativePath;

/// The text matches, or is what is written, whatever of that has a meaning in a pattern.
fn fits(pattern: &Pattern, text: &str) -> bool {
    pattern.matches(text) || is_written(pattern.as_str(), text)
}

/// `written` is the text, or its end behind the sign that something was cut, as tables have it (`~` where there is ASCII alone).
fn is_written(written: &str, text: &str) -> bool {
    let end = written.strip_prefix(['…', '~']).filter(|end| !end.is_empty());
    written == text || end.is_some_and(|end| text.ends_with(end))
}

/// The process has that name, or its executable's file has.
fn is_called(pattern: &Pattern, process: &Process) -> bool {
    let file = process.exe.as_deref().and_then(|exe| exe.rsplit('/').next());
    fits(pattern, &process.comm) || file.is_some_and(|file| fits(pattern, file))
}

/// The pattern is for a pod's name, or with a slash for its namespace and name.
fn is_pod(pattern: &Pattern, namespace: &str, pod: &str) -> bool {
    if !pattern.as_str().contains('/') {
        return fits(pattern, pod);
    }
    let each_by_itself = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    pattern.matches_with(&format!("{namespace}/{pod}"), each_by_itself)
}

/// A cgroup's path as a person writes it, to the path from its hierarchy's root: the mount point, a v1 controller's name
/// and a slash at the end are taken off.
///
/// # Errors
/// When it is not an absolute path.
pub fn cgroup_path(text: &str) -> Result<String, RelativePath> {
    if !text.starts_with('/') {
        return Err(RelativePath);
    }
    let path = match text.strip_prefix("/sys/fs/cgroup") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let is_controller = |name: &str| {
                [
                    "memory",
                    "unified",
                    "systemd",
                    "cpu",
                    "cpu,cpuacct",
                    "cpuacct",
                    "cpuset",
                    "pids",
                    "blkio",
                    "devices",
                    "freezer",
                ]
                .contains(&name)
            };
            match rest.trim_start_matches('/').split_once('/') {
                Some((first, below)) if is_controller(first) => format!("/{below}"),
                None if is_controller(rest.trim_start_matches('/')) => "/".to_owned(),
                _ => rest.to_owned(),
            }
        }
        _ => text.to_owned(),
    };
    let trimmed = path.trim_end_matches('/');
    Ok(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
}

#[cfg(test)]
mod tests;
