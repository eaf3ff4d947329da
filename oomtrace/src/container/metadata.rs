//! What a runtime knows of a container, whichever runtime it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::container::labels::Labels;
use crate::container::statement::Statement;
use crate::model::{Container, Limits, Pod};
use crate::placement::Runtime;

/// Bytes of one name or image that are kept; Docker's own names and references stay far below.
const MAX_NAME: usize = 1024;

/// See the module's documentation. What is not known is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    pub runtime: Option<Runtime>,
    /// The socket of the very daemon that has it, where a node may have several.
    #[serde(default)]
    pub runtime_socket: Option<String>,
    pub name: Option<String>,
    pub image: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    /// Its first process, on the host. It changes with each start.
    pub init_pid: Option<u32>,
    pub pod: PodNames,
    pub limits: Option<Limits>,
    /// As the runtime writes it: `always`, `on-failure:3`.
    pub restart_policy: Option<String>,
    /// How often its runtime had started it again when its first process was `init_pid`.
    #[serde(default)]
    pub restart_count: Option<u32>,
    /// It is removed when it ends.
    #[serde(default)]
    pub auto_remove: Option<bool>,
    /// The signal that it is stopped by, as the runtime has it.
    #[serde(default)]
    pub stop_signal: Option<String>,
    /// How long it has after that, in seconds.
    #[serde(default)]
    pub stop_timeout_s: Option<u64>,
    /// Where its cgroup is.
    #[serde(default)]
    pub stated: Statement,
    /// Labels were left out because there were too many.
    pub cut: bool,
}

/// A pod's names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodNames {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub uid: Option<String>,
    /// The container is the pod's sandbox.
    #[serde(default)]
    pub sandbox: bool,
}

impl PodNames {
    /// Nothing says that there is a pod.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Metadata {
    /// Bounded in size.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for text in [
            &mut self.name,
            &mut self.image,
            &mut self.restart_policy,
            &mut self.stop_signal,
            &mut self.pod.name,
            &mut self.pod.namespace,
            &mut self.pod.uid,
        ] {
            if text.as_ref().is_some_and(|text| text.len() > MAX_NAME) {
                *text = None;
                self.cut = true;
            }
        }
        self.stated = self.stated.bounded();
        self
    }

    /// With these labels.
    #[must_use]
    pub fn with_labels(self, labels: Labels) -> Self {
        Self { cut: self.cut || labels.cut, labels: Some(labels.kept), ..self }
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        const OVERHEAD: usize = 96;
        let texts = [
            &self.runtime_socket,
            &self.stop_signal,
            &self.name,
            &self.image,
            &self.restart_policy,
            &self.pod.name,
            &self.pod.namespace,
            &self.pod.uid,
        ];
        let labels = self.labels.iter().flatten().map(|(key, value)| key.len() + value.len() + OVERHEAD);
        labels.sum::<usize>()
            + self.stated.paths.iter().map(|path| path.len() + OVERHEAD).sum::<usize>()
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
            + size_of::<Self>()
            + OVERHEAD
    }

    /// Fills in what is not known yet.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            runtime: self.runtime.or(other.runtime),
            runtime_socket: self.runtime_socket.or(other.runtime_socket),
            name: self.name.or(other.name),
            image: self.image.or(other.image),
            labels: self.labels.or(other.labels),
            init_pid: self.init_pid.or(other.init_pid),
            pod: PodNames {
                name: self.pod.name.or(other.pod.name),
                namespace: self.pod.namespace.or(other.pod.namespace),
                uid: self.pod.uid.or(other.pod.uid),
                sandbox: self.pod.sandbox || other.pod.sandbox,
            },
            limits: self.limits.or(other.limits),
            restart_policy: self.restart_policy.or(other.restart_policy),
            restart_count: self.restart_count.or(other.restart_count),
            auto_remove: self.auto_remove.or(other.auto_remove),
            stop_signal: self.stop_signal.or(other.stop_signal),
            stop_timeout_s: self.stop_timeout_s.or(other.stop_timeout_s),
            stated: if self.stated == Statement::default() { other.stated } else { self.stated },
            cut: self.cut || other.cut,
        }
    }

    /// With the names of the same container that were known before, where it has none.
    #[must_use]
    pub fn named_as(self, known: &Self) -> Self {
        Self {
            name: self.name.or_else(|| known.name.clone()),
            image: self.image.or_else(|| known.image.clone()),
            labels: self.labels.or_else(|| known.labels.clone()),
            ..self
        }
    }

    /// Adds it to a container that is known by its path, all but the first process.
    pub fn describe(&self, container: &mut Container) {
        if container.runtime.is_none() {
            container.runtime = self.runtime;
        }
        container.runtime_socket.clone_from(&self.runtime_socket);
        container.name.clone_from(&self.name);
        container.image.clone_from(&self.image);
        container.labels.clone_from(&self.labels);
        container.limits.clone_from(&self.limits);
        container.restart_policy.clone_from(&self.restart_policy);
        container.auto_remove = self.auto_remove;
        container.stop_signal.clone_from(&self.stop_signal);
        container.stop_timeout_s = self.stop_timeout_s;
        if !self.pod.is_empty() || container.pod.is_some() {
            let pod: &mut Pod = container.pod.get_or_insert_default();
            pod.name.clone_from(&self.pod.name);
            pod.namespace.clone_from(&self.pod.namespace);
            pod.uid = pod.uid.take().or_else(|| self.pod.uid.clone());
            pod.sandbox = self.pod.sandbox;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::labels;

    #[test]
    fn hostile_sizes_are_cut_and_said() {
        let long = "x".repeat(labels::MAX_BYTES);
        let mut labels = Labels::default();
        for (key, value) in [("a", "1"), ("b", long.as_str()), ("c", "3")] {
            labels.add(key, value);
        }
        let name = Some("n".repeat(MAX_NAME + 1));
        let metadata = Metadata { name, image: Some("i".to_owned()), ..Metadata::default() }.with_labels(labels);
        assert!(metadata.size() < labels::MAX_BYTES);
        let bounded = metadata.bounded();
        assert_eq!((bounded.name, bounded.image.as_deref(), bounded.cut), (None, Some("i"), true));
        assert_eq!(bounded.labels.unwrap().into_keys().collect::<Vec<_>>(), ["a", "c"]);
        let small = Metadata { name: Some("web".to_owned()), ..Metadata::default() };
        assert_eq!(small.clone().bounded(), small);
    }

    #[test]
    fn the_first_answer_counts_and_the_second_fills_in() {
        let with = |name: Option<&str>, image: Option<&str>| Metadata {
            name: name.map(str::to_owned),
            image: image.map(str::to_owned),
            ..Metadata::default()
        };
        assert_eq!(with(Some("a"), None).or(with(Some("b"), Some("i"))), with(Some("a"), Some("i")));
    }
}
