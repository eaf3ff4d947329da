//! What somebody means by a word: a container, a pod, a unit, a process or an incident. Where it may mean several, none of them is chosen.

use crate::model::{Compose, Container, TargetKind};
use crate::text::quote::quote;
use crate::text::{pod_name, short_id};

/// So many digits of an id are enough to mean it: a name may be made of digits as well.
const ID_DIGITS: usize = 4;

/// The largest pid that a kernel gives (`PID_MAX_LIMIT`, include/linux/threads.h, on 64 bits).
const MAX_PID: u32 = 4 << 20;

/// A word, with what it is said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `container:web`: none where it is not said.
    pub kind: Option<TargetKind>,
    pub word: String,
}

/// The words that may stand before one.
const KINDS: [(&str, TargetKind); 5] = [
    ("container:", TargetKind::Container),
    ("pod:", TargetKind::Pod),
    ("unit:", TargetKind::Unit),
    ("pid:", TargetKind::Process),
    ("incident:", TargetKind::Incident),
];

/// Endings of units' names that are theirs alone.
const UNITS: [&str; 6] = [".service", ".scope", ".slice", ".socket", ".mount", ".swap"];

impl Asked {
    #[must_use]
    pub fn of(text: &str) -> Self {
        let said = KINDS.iter().find_map(|(start, kind)| Some((*kind, text.strip_prefix(start)?)));
        match said {
            Some((kind, word)) => Self { kind: Some(kind), word: word.to_owned() },
            None => Self { kind: None, word: text.to_owned() },
        }
    }

    /// It may be one of that kind.
    #[must_use]
    pub fn may_be(&self, kind: TargetKind) -> bool {
        self.kind.is_none_or(|said| said == kind)
    }

    /// A process, by its number.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.word.parse().ok().filter(|pid| (1..=MAX_PID).contains(pid) && self.may_be(TargetKind::Process))
    }

    /// An incident, by the form of its id: `18ea58b4c3ec11ea-63494450-16416`.
    #[must_use]
    pub fn is_incident(&self) -> bool {
        if self.kind == Some(TargetKind::Incident) {
            return true;
        }
        let is_hex = |part: &str, len: usize| part.len() == len && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parts: Vec<&str> = self.word.split('-').collect();
        let [time, boot, pid] = parts.as_slice() else { return false };
        self.kind.is_none() && is_hex(time, 16) && is_hex(boot, 8) && pid.parse::<u32>().is_ok()
    }

    /// It may be the beginning of an incident's id.
    #[must_use]
    pub fn may_begin_incident(&self) -> bool {
        let is_hex = |part: &str, most: usize| part.len() <= most && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut parts = self.word.splitn(3, '-');
        let (time, boot, pid) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let is_whole = |part: &str, len: usize, next: Option<&str>| part.len() == len || next.is_none();
        self.kind.is_none()
            && self.word.len() >= ID_DIGITS
            && is_hex(time, 16)
            && is_whole(time, 16, boot)
            && boot.is_none_or(|boot| is_hex(boot, 8) && is_whole(boot, 8, pid))
            && pid.is_none_or(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// It can be nothing but a unit.
    #[must_use]
    pub fn is_unit(&self) -> bool {
        self.kind == Some(TargetKind::Unit) || (self.kind.is_none() && UNITS.iter().any(|end| self.word.ends_with(end)))
    }

    /// It may be the pod that the container is in, and is not the container itself.
    #[must_use]
    pub fn is_pod(&self, container: &Container) -> bool {
        let is_container = self.may_be(TargetKind::Container) && fits(container, &self.word).is_some();
        self.may_be(TargetKind::Pod) && fits_pod(container, &self.word) && !is_container
    }

    /// The unit's whole name.
    #[must_use]
    pub fn unit_name(&self) -> String {
        if UNITS.iter().any(|end| self.word.ends_with(end)) {
            self.word.clone()
        } else {
            format!("{}.service", self.word)
        }
    }
}

/// How well a container fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The word is the beginning of its id.
    Prefix,
    /// The word is its name, or its whole id.
    Exact,
}

/// How well a word fits a container: its name, its id, or the beginning of that; in a pod also `namespace/pod/container`, and of compose's
/// `project/service`.
#[must_use]
pub fn fits(container: &Container, word: &str) -> Option<Fit> {
    let in_pod = || {
        let pod = container.pod.as_ref()?;
        Some(format!("{}/{}/{}", pod.namespace.as_deref()?, pod.name.as_deref()?, container.name.as_deref()?))
    };
    if container.id == word || container.name.as_deref() == Some(word) || in_pod().as_deref() == Some(word) {
        return Some(Fit::Exact);
    }
    // PROJECT/SERVICE, as the history and `compose ps` have it.
    if Compose::of(container).is_some_and(|compose| compose.is_named && compose.full_name() == word) {
        return Some(Fit::Exact);
    }
    let is_id =
        word.len() >= ID_DIGITS && container.id.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && container.id.starts_with(&word.to_ascii_lowercase())).then_some(Fit::Prefix)
}

/// Those that the word fits best.
#[must_use]
pub fn best_fitting(containers: impl IntoIterator<Item = Container>, word: &str) -> Vec<Container> {
    let fitting = containers.into_iter().filter_map(|container| Some((fits(&container, word)?, container)));
    let fitting: Vec<(Fit, Container)> = fitting.collect();
    let best = fitting.iter().map(|(fit, _)| *fit).max();
    fitting.into_iter().filter(|(fit, _)| Some(*fit) == best).map(|(_, container)| container).collect()
}

/// The pod that a container belongs to is meant: `namespace/name`, or the name alone, or its uid.
#[must_use]
pub fn fits_pod(container: &Container, word: &str) -> bool {
    let Some(pod) = &container.pod else { return false };
    let name = pod.name.as_deref();
    let whole =
        name.zip(pod.namespace.as_deref()).is_some_and(|(name, namespace)| word == format!("{namespace}/{name}"));
    whole || name == Some(word) || pod.uid.as_deref() == Some(word)
}

/// A candidate as it would be asked for without doubt.
#[must_use]
pub fn spelled(kind: TargetKind, container: Option<&Container>, word: &str) -> String {
    let start = KINDS.iter().find(|(_, of)| *of == kind).map_or("", |(start, _)| *start);
    let name = match (kind, container) {
        // A name may be that of several: an id is not.
        (TargetKind::Container, Some(container)) => short_id(&container.id).to_owned(),
        (TargetKind::Pod, Some(container)) => {
            container.pod.as_ref().and_then(pod_name).unwrap_or_else(|| word.to_owned())
        }
        _ => word.to_owned(),
    };
    format!("{start}{}", quote(&name))
}

/// A container by its whole id, where others' begin so.
#[must_use]
pub fn spelled_whole(container: &Container) -> String {
    format!("container:{}", quote(&container.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pod;

    #[test]
    fn a_word_says_what_it_may_be() {
        for (text, pid, is_incident, is_unit) in [
            ("web", None, false, false),
            ("4711", Some(4711), false, false),
            ("0", None, false, false),
            ("pid:4711", Some(4711), false, false),
            ("container:4711", None, false, false),
            ("18ea58b4c3ec11ea-63494450-16416", None, true, false),
            ("incident:18ea", None, true, false),
            ("a-b-c", None, false, false),
            ("nginx.service", None, false, true),
            ("unit:nginx", None, false, true),
            ("pod:nginx.service", None, false, false),
        ] {
            let asked = Asked::of(text);
            assert_eq!((asked.pid(), asked.is_incident(), asked.is_unit()), (pid, is_incident, is_unit), "{text}");
        }
        for (text, may_be) in [
            ("18ea", true),
            ("18EA58b4c3ec11ea", true),
            ("18ea58b4c3ec11ea-", true),
            ("18ea58b4c3ec11ea-63494450-164", true),
            ("18e", false),
            ("18ea-63494450", false),
            ("18ea58b4c3ec11ea-63-1", false),
            ("18ea58b4c3ec11eaf", false),
            ("web", false),
            ("pod:18ea58b4", false),
        ] {
            assert_eq!(Asked::of(text).may_begin_incident(), may_be, "{text}");
        }
        // No kernel has so many.
        assert_eq!(Asked::of("18765432").pid(), None);
        assert_eq!(Asked::of("unit:nginx").unit_name(), "nginx.service");
        assert_eq!(Asked::of("a.scope").unit_name(), "a.scope");
    }

    #[test]
    fn a_container_is_meant_by_name_or_id_and_a_pod_by_its_name() {
        let id = "6c266caa8d7c".repeat(6).get(..64).unwrap().to_owned();
        let pod = Pod {
            name: Some("web-5d4".to_owned()),
            namespace: Some("shop".to_owned()),
            uid: Some("u-1".to_owned()),
            ..Pod::default()
        };
        let container =
            Container { id: id.clone(), name: Some("app".to_owned()), pod: Some(pod), ..Container::default() };
        for (word, fit, is_pod) in [
            ("app", Some(Fit::Exact), false),
            (id.as_str(), Some(Fit::Exact), false),
            ("6c26", Some(Fit::Prefix), false),
            ("6C266C", Some(Fit::Prefix), false),
            ("6c2", None, false),
            ("ap", None, false),
            ("shop/web-5d4/app", Some(Fit::Exact), false),
            ("shop/web-5d4", None, true),
            ("web-5d4", None, true),
            ("u-1", None, true),
            ("other/web-5d4", None, false),
        ] {
            assert_eq!((fits(&container, word), fits_pod(&container, word)), (fit, is_pod), "{word}");
        }
        let labels = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")];
        let labels = Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        let of_compose =
            |name: &str| Container { name: Some(name.to_owned()), labels: labels.clone(), ..Container::default() };
        assert_eq!(fits(&of_compose("shop-web-1"), "shop/web"), Some(Fit::Exact));
        assert_eq!(fits(&of_compose("innocent"), "shop/web"), None, "an image may have the labels");
        assert_eq!(spelled(TargetKind::Container, Some(&container), "app"), "container:6c266caa8d7c");
        assert_eq!(spelled(TargetKind::Pod, Some(&container), "web-5d4"), "pod:shop/web-5d4");
        assert_eq!(spelled(TargetKind::Unit, None, "nginx.service"), "unit:nginx.service");
    }
}
