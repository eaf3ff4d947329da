//! Containers that are gone, as far as Docker's events still tell of their ends: the last 256 events of all containers, until the daemon ends
//! (daemon/events, 20.10 to 28).

use serde::Deserialize;

use crate::container::is_plain;
use crate::container::labels::Labels;
use crate::container::metadata::Metadata;
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

/// The container that one line of the events says has ended, by its id. Its labels are among the attributes.
#[must_use]
pub fn parse(line: &[u8]) -> Option<(String, Metadata)> {
    let mut labels = serde_json::from_slice::<Labelled>(line).ok()?.actor.attributes;
    let line = Line::of_container(line).filter(|line| line.action == "die" && is_plain(&line.actor.id))?;
    let attributes = line.actor.attributes;
    let (name, image) = (attributes.name.filter(|name| !name.is_empty()), attributes.image);
    let metadata = Metadata { runtime: Some(Runtime::Docker), name, image, ..Metadata::default() };
    labels.kept.retain(|key, _| !line::OWN.contains(&key.as_str()));
    Some((line.actor.id, metadata.bounded().with_labels(labels)))
}

/// Those that ended, each once, the one that ended last behind the others.
#[must_use]
pub fn parse_all(body: &[u8]) -> Vec<(String, Metadata)> {
    let mut found: Vec<(String, Metadata)> = Vec::new();
    for (id, metadata) in body.split(|byte| *byte == b'\n').filter_map(parse) {
        found.retain(|(known, _)| *known != id);
        found.push((id, metadata));
    }
    found
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
        let found = parse_all(lines.join("\n").as_bytes());
        let named: Vec<(&str, Option<&str>)> =
            found.iter().map(|(id, metadata)| (id.as_str(), metadata.name.as_deref())).collect();
        assert_eq!(named, [("b", Some("web")), ("a", Some("web")), ("d", None)]);
        assert_eq!(found[0].1.image.as_deref(), Some("shop/web:1"));
        let labels = found[0].1.labels.as_ref().unwrap();
        assert_eq!(labels.keys().map(String::as_str).collect::<Vec<_>>(), ["com.docker.compose.service"]);
    }
}
