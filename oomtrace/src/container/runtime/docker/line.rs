//! One line of Docker's events, live or past, and which of its attributes are Docker's own words: a container's labels lie among them, and
//! stand in the place of all that Docker writes but the name and the image (daemon/events.go, `copyAttributes`, 1.12 to 28).

use serde::Deserialize;

use crate::container::metadata::Metadata;

/// Attributes that Docker writes by itself, and that are no labels.
pub const OWN: [&str; 5] = ["execDuration", "exitCode", "image", "name", "signal"];
/// Those of them in whose place a label may stand.
const REPLACED: [&str; 3] = ["execDuration", "exitCode", "signal"];

/// A line, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Line {
    #[serde(rename = "Type")]
    kind: String,
    pub action: String,
    pub actor: Actor,
    #[serde(rename = "timeNano")]
    pub time_nano: i64,
}

#[derive(Deserialize)]
pub struct Actor {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "Attributes", default)]
    pub attributes: Attributes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Attributes {
    signal: Option<String>,
    #[serde(rename = "exitCode")]
    exit_code: Option<String>,
    /// Docker's own in every event.
    pub name: Option<String>,
    /// Likewise, of a container that has an image.
    pub image: Option<String>,
}

impl Line {
    /// None when it is not about a container.
    pub fn of_container(line: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(line).ok().filter(|line| line.kind == "container")
    }

    /// The signal that was sent; none where the line has it from a label, or may have.
    pub fn signal(&self) -> Option<&str> {
        self.actor.attributes.signal.as_deref().filter(|_| self.action == "kill" && !self.is_labelled())
    }

    /// How it ended, likewise.
    pub fn exit_code(&self) -> Option<i64> {
        let code = self.actor.attributes.exit_code.as_deref().filter(|_| self.action == "die" && !self.is_labelled());
        code.and_then(|code| code.parse().ok())
    }

    /// It has what only an end or a signal has by itself: its container has a label of that name, which stands in the place of Docker's own
    /// word in all its events. That it is not so in one line shows nothing.
    pub fn is_labelled(&self) -> bool {
        let Attributes { signal, exit_code, .. } = &self.actor.attributes;
        let has_code = self.action == "die" || self.action.starts_with("exec_die");
        (exit_code.is_some() && !has_code) || (signal.is_some() && self.action != "kill")
    }

    /// A label in the place of the signal would show here, where Docker writes none by itself.
    pub fn would_show_signal(&self) -> bool {
        self.action != "kill"
    }

    /// Likewise of the exit code.
    pub fn would_show_code(&self) -> bool {
        self.action != "die" && !self.action.starts_with("exec_die")
    }
}

/// All labels of the container are known, and none of them stands in the place of Docker's own word.
#[must_use]
pub fn is_unlabelled(container: &Metadata) -> bool {
    let labels = container.labels.as_ref().filter(|_| !container.cut);
    labels.is_some_and(|labels| REPLACED.iter().all(|name| !labels.contains_key(*name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_speaks_for_docker_is_noticed() {
        for (action, attributes, is, code, signal) in [
            ("die", r#"{"exitCode":"137"}"#, false, Some(137), None),
            ("kill", r#"{"signal":"9"}"#, false, None, Some("9")),
            ("exec_die", r#"{"exitCode":"1"}"#, false, None, None),
            ("exec_start: x", r#"{"exitCode":"1"}"#, true, None, None),
            ("start", r#"{"exitCode":"0"}"#, true, None, None),
            ("die", r#"{"exitCode":"137","signal":"9"}"#, true, None, None),
            ("kill", r#"{"exitCode":"9","signal":"9","name":"web"}"#, true, None, None),
        ] {
            let line = format!(
                r#"{{"Type":"container","Action":{action:?},"Actor":{{"ID":"a","Attributes":{attributes}}},"timeNano":7}}"#
            );
            let line = Line::of_container(line.as_bytes()).unwrap();
            assert_eq!(
                (line.is_labelled(), line.exit_code(), line.signal()),
                (is, code, signal),
                "{action} {attributes}"
            );
        }
        assert!(Line::of_container(br#"{"Type":"image","Action":"pull","Actor":{"ID":"a"},"timeNano":7}"#).is_none());
    }

    #[test]
    fn what_is_not_known_of_labels_may_be_a_label() {
        let with = |labels: &[&str], cut| Metadata {
            labels: Some(labels.iter().map(|label| ((*label).to_owned(), "9".to_owned())).collect()),
            cut,
            ..Metadata::default()
        };
        assert!(is_unlabelled(&with(&[], false)) && is_unlabelled(&with(&["name", "a"], false)));
        for container in [with(&["signal"], false), with(&["exitCode"], false), with(&[], true), Metadata::default()] {
            assert!(!is_unlabelled(&container), "{container:?}");
        }
    }
}
