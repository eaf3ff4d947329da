//! Which incidents a person wants to see. Filters are on the victim, and on collateral victims too: never on the sender.

use glob::{MatchOptions, Pattern};

use crate::correlate::{Episode, Kill};
use crate::event::Task;
use crate::model::{Cause, Container, Incident, Record};

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
    /// The container's labels; all of them.
    pub labels: Vec<Label>,
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
            Record::Incident(incident) => self.wants_container(incident) && self.wants_cause(incident),
            // A signal that is no kill has no cause to ask for.
            Record::Signal(incident) => self.wants_container(incident) && self.causes.is_empty(),
            // What is said of an incident that was wanted.
            Record::Contradiction(_) => true,
            Record::Ready(_) | Record::Lost(_) | Record::Repeat(_) => true,
        }
    }

    fn wants_container(&self, incident: &Incident) -> bool {
        if self.containers.is_empty() && self.namespaces.is_empty() && self.pods.is_empty() && self.labels.is_empty() {
            return true;
        }
        // What runs in a container runs in those around it, too: none gets out of sight by a cgroup that it makes within its own.
        incident.container.iter().flat_map(Container::chain).any(|container| self.is_wanted(container))
    }

    fn is_wanted(&self, container: &Container) -> bool {
        let pod = container.pod.as_ref();
        let namespace = pod.and_then(|pod| pod.namespace.as_deref()).unwrap_or_default();
        let pod = pod.and_then(|pod| pod.name.as_deref());
        let is_in = |patterns: &[Pattern], matches: &dyn Fn(&Pattern) -> bool| {
            patterns.is_empty() || patterns.iter().any(matches)
        };
        is_in(&self.namespaces, &|pattern| pod.is_some() && pattern.matches(namespace))
            && is_in(&self.pods, &|pattern| pod.is_some_and(|pod| is_pod(pattern, namespace, pod)))
            && self.labels.iter().all(|label| label.is_of(container))
            && self.is_named(container)
    }

    fn is_named(&self, container: &Container) -> bool {
        if self.containers.is_empty() {
            return true;
        }
        self.containers.iter().any(|pattern| {
            container.name.as_deref().is_some_and(|name| pattern.matches(name))
                || pattern.matches(&container.id)
                || (pattern.as_str().len() >= 4 && container.id.starts_with(pattern.as_str()))
        })
    }

    fn wants_cause(&self, incident: &Incident) -> bool {
        let cause = incident.verdict.as_ref().map(|v| v.cause);
        self.causes.is_empty() || cause.is_some_and(|cause| self.causes.contains(&cause))
    }

    fn is_below(&self, task: &Task) -> bool {
        [&task.cgroup_path, &task.memory_path].into_iter().flatten().any(|path| {
            self.cgroups.iter().any(|cgroup| {
                path.strip_prefix(cgroup.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cgroup == "/")
            })
        })
    }
}

/// A cgroup's path that does not start at its hierarchy's root.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a cgroup's path starts with /, for example /system.slice/nginx.service")]
pub struct RelativePath;

/// The pattern is for a pod's name, or with a slash for its namespace and name.
fn is_pod(pattern: &Pattern, namespace: &str, pod: &str) -> bool {
    if !pattern.as_str().contains('/') {
        return pattern.matches(pod);
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
mod tests {
    use super::*;
    use crate::correlate::{Correlator, Hooks, fixture};
    use crate::event::Event;

    fn episode(pid: u32, path: &str) -> Episode {
        let mut signal = fixture::signal(10, pid);
        signal.victim.memory_path = Some(path.to_owned());
        let mut correlator = Correlator::new(Hooks { signal_generate: true, mark_victim: true, process_exit: false });
        correlator.take(Event::Signal(Box::new(signal))).remove(0)
    }

    #[test]
    fn pids_and_cgroups_are_the_victims() {
        let filter = Filter { pids: vec![7], ..Filter::default() };
        assert!(filter.may_want(&episode(7, "/")));
        assert!(!filter.may_want(&episode(8, "/")));
        let filter = Filter { cgroups: vec!["/a/b".to_owned()], ..Filter::default() };
        for (path, wanted) in [("/a/b", true), ("/a/b/c", true), ("/a/bc", false), ("/a", false), ("/", false)] {
            assert_eq!(filter.may_want(&episode(7, path)), wanted, "{path}");
        }
        assert!(Filter { cgroups: vec!["/".to_owned()], ..Filter::default() }.may_want(&episode(7, "/x")));
    }

    #[test]
    fn pods_and_labels_are_the_containers() {
        use crate::judge::tests::{in_container, kill};
        use crate::model::Pod;
        let pod = Pod { name: Some("web-5d4".to_owned()), namespace: Some("shop".to_owned()), ..Pod::default() };
        let mut incident = in_container(kill("/usr/bin/bash"));
        let container = incident.container.as_mut().unwrap();
        container.pod = Some(pod);
        container.labels = Some([("app".to_owned(), "web".to_owned())].into());
        let in_pod = Record::Incident(incident.clone());
        incident.container.as_mut().unwrap().pod = None;
        let without_pod = Record::Incident(incident);
        let pattern = |text: &str| vec![Pattern::new(text).unwrap()];
        for (namespace, pod, label, wanted, without) in [
            ("shop", "", "", true, false),
            ("sh*", "web-*", "app", true, false),
            ("", "shop/web-5d4", "", true, false),
            ("", "web", "", false, false),
            ("", "sh*", "", false, false),
            ("", "s*/w*", "", true, false),
            ("", "*/5d4", "", false, false),
            ("*", "", "", true, false),
            ("other", "web-*", "", false, false),
            ("", "", "app=web", true, true),
            ("", "", "app=api", false, false),
            ("", "", "tier", false, false),
        ] {
            let of = |text: &str| if text.is_empty() { Vec::new() } else { pattern(text) };
            let labels = Label::parse(label).into_iter().collect();
            let filter = Filter { namespaces: of(namespace), pods: of(pod), labels, ..Filter::default() };
            let got = (filter.wants(&in_pod), filter.wants(&without_pod));
            assert_eq!(got, (wanted, without), "{namespace} {pod} {label}");
        }
        assert_eq!(Label::parse("=x"), None);
    }

    #[test]
    fn cgroup_paths_are_taken_as_people_write_them() {
        for (text, path) in [
            ("/docker/x", "/docker/x"),
            ("/docker/x/", "/docker/x"),
            ("/sys/fs/cgroup/memory/docker/x", "/docker/x"),
            ("/sys/fs/cgroup/unified/a", "/a"),
            ("/sys/fs/cgroup/system.slice/a.service", "/system.slice/a.service"),
            ("/sys/fs/cgroup", "/"),
            ("/sys/fs/cgroup/memory", "/"),
            ("/sys/fs/cgroups/a", "/sys/fs/cgroups/a"),
            ("/", "/"),
        ] {
            assert_eq!(cgroup_path(text).as_deref(), Ok(path), "{text}");
        }
        assert_eq!(cgroup_path("docker/x"), Err(RelativePath));
    }
}
