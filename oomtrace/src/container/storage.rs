//! containers/storage: where Podman and CRI-O keep the names of their containers, `containers.json` in the graph root's folder
//! for containers (containers/storage, containers.go, 1.20 to 1.55). Podman has no daemon to ask.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer as _, SeqAccess, Visitor};

use super::metadata::Metadata;
use super::{bundle, is_file_name, read_bounded};

/// An entry takes some 500 bytes.
const MAX_FILE: u64 = 16 << 20;
/// root's graph root unless told otherwise.
const ROOT: &str = "/var/lib/containers/storage";
/// A user's, below the home folder (containers/storage, types/options.go).
const BELOW_HOME: &str = ".local/share/containers/storage";
/// A folder for each way to store layers.
const FOLDERS: [&str; 3] = ["overlay-containers", "vfs-containers", "btrfs-containers"];

/// What containers/storage says of the container `id`, made by root or by the user whose home folder is given.
#[must_use]
pub fn find(home: Option<&Path>, user: Option<u32>, id: &str) -> Option<Metadata> {
    if !is_file_name(id) {
        return None;
    }
    let graph: PathBuf = home.map_or_else(|| ROOT.into(), |home| home.join(BELOW_HOME));
    FOLDERS.iter().find_map(|folder| {
        let folder = graph.join(folder);
        let stored = parse(&read_bounded(&folder.join("containers.json"), MAX_FILE).ok()?, id)?;
        let said = bundle::read(&folder.join(id).join("userdata/config.json"), user).unwrap_or_default();
        Some(stored.or(said))
    })
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    id: String,
    #[serde(default)]
    names: Vec<String>,
    /// JSON again.
    #[serde(default)]
    metadata: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Details {
    image_name: Option<String>,
    name: Option<String>,
}

/// Takes the entry of this id out of a list, and holds one at a time: a user's file may be a list of millions.
struct Only<'a>(&'a str);

impl<'de> Visitor<'de> for Only<'_> {
    type Value = Option<Entry>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list of containers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(entry) = list.next_element::<Entry>()? {
            if found.is_none() && entry.id == self.0 {
                found = Some(entry);
            }
        }
        Ok(found)
    }
}

fn parse(bytes: &[u8], id: &str) -> Option<Metadata> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let entry = reader.deserialize_seq(Only(id)).ok()??;
    let details: Details = serde_json::from_str(&entry.metadata).unwrap_or_default();
    let name = details.name.or_else(|| entry.names.into_iter().next());
    Some(Metadata { name, image: details.image_name.filter(|i| !i.is_empty()), ..Metadata::default() }.bounded())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_images_are_those_of_the_id() {
        let file = br#"[{"id":"aa","names":["other"],"image":"x","layer":"y","metadata":"{}"},
            {"id":"bb","names":["web"],"metadata":"{\"image-name\":\"docker.io/library/nginx:1.27\",\"name\":\"web\"}"},
            {"id":"cc","names":["plain"]}]"#;
        let found = parse(file, "bb").unwrap();
        assert_eq!(
            (found.name.as_deref(), found.image.as_deref()),
            (Some("web"), Some("docker.io/library/nginx:1.27"))
        );
        assert_eq!(parse(file, "cc").unwrap().name.as_deref(), Some("plain"));
        assert_eq!(parse(file, "dd"), None);
        assert_eq!(parse(b"{", "bb"), None);
        let empty = format!("[{}{{\"id\":\"bb\"}}]", "{},".repeat(10_000));
        assert!(parse(empty.as_bytes(), "bb").is_some());
    }
}
