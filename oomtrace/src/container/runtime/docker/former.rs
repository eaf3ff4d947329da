//! Containers that are gone, as far as Docker's events still tell of their ends: the last 256 events of all containers, until the daemon ends
//! (daemon/events, 20.10 to 28).

use serde::Deserialize;

use crate::container::is_plain;
use crate::container::labels::Labels;
use crate::container::metadata::Metadata;
use crate::container::runtime::docker::life::{self, Happened};
use crate::container::runtime::docker::line::{self, Line};
use crate::placement::Runtime;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    #[serde(default)]
    attributes: Labels,
}

#[derive(Deserialize)]
struct Labelled {
    #[serde(rename = "Actor")]
    actor: Named,
}

/// Those that ended, and since when that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Former {
    /// Each once, the one that ended last behind the others.
    pub containers: Vec<FormerContainer>,
    /// Nanoseconds since 1970; none where Docker has no event at all.
    pub since_ns: Option<i64>,
}

/// A container that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerContainer {
    pub id: String,
    pub metadata: Metadata,
    /// What was done to it, the oldest first.
    pub events: Vec<Happened>,
}

/// The container that one line of the events says has ended. Its labels are among the attributes.
fn parse(line: &[u8]) -> Option<(String, Metadata)> {
    let mut labels = serde_json::from_slice::<Labelled>(line).ok()?.actor.attributes;
    let line = Line::of_container(line).filter(|line| line.action == "die" && is_plain(&line.actor.id))?;
    let attributes = line.actor.attributes;
    let (name, image) = (attributes.name.filter(|name| !name.is_empty()), attributes.image);
    let metadata = Metadata { runtime: Some(Runtime::Docker), name, image, ..Metadata::default() };
    labels.kept.retain(|key, _| !line::OWN.contains(&key.as_str()));
    Some((line.actor.id, metadata.bounded().with_labels(labels)))
}

/// What all events, a line each, tell of ends.
#[must_use]
pub fn parse_all(body: &[u8]) -> Former {
    let (mut events, since_ns) = life::past(body);
    let mut containers: Vec<FormerContainer> = Vec::new();
    for (id, metadata) in body.split(|byte| *byte == b'\n').filter_map(parse) {
        let known = containers.iter().position(|known| known.id == id).map(|index| containers.remove(index));
        let events = known.map_or_else(|| events.remove(&id).unwrap_or_default(), |known| known.events);
        containers.push(FormerContainer { id, metadata, events });
    }
    Former { containers, since_ns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ended_is_known_by_name_and_the_last_is_last() {
        let line = |id: &str, action: &str, name: &str| {
            format!(
                r#"{{"Type":"container","Action":{action:?},"Actor":{{"ID":{id:?},"Attributes":{{"name":{name:?},"image":"shop/web:1","exitCode":"137","com.docker.compose.service":"web"}}}},"timeNano":7}}"#
            )
        };
        let lines = [
            line("a", "die", "web"),
            line("b", "die", "web"),
            line("c", "start", "api"),
            line("a", "die", "web"),
            line("../x", "die", "web"),
            line("d", "die", ""),
            "{".to_owned(),
        ];
        let Former { containers: found, since_ns } = parse_all(lines.join("\n").as_bytes());
        let named: Vec<(&str, Option<&str>)> =
            found.iter().map(|ended| (ended.id.as_str(), ended.metadata.name.as_deref())).collect();
        assert_eq!(named, [("b", Some("web")), ("a", Some("web")), ("d", None)]);
        assert_eq!((found[1].events.len(), since_ns), (2, Some(7)));
        assert_eq!(found[0].metadata.image.as_deref(), Some("shop/web:1"));
        let labels = found[0].metadata.labels.as_ref().unwrap();
        assert_eq!(labels.keys().map(String::as_str).collect::<Vec<_>>(), ["com.docker.compose.service"]);
    }
}
