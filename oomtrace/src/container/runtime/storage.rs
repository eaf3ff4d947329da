//! containers/storage: where Podman and CRI-O keep the names of their containers, `containers.json` in the graph root's directory
//! for containers (containers/storage, containers.go, 1.20 to 1.55). Podman has no daemon to ask.

use std::borrow::Cow;
use std::fmt::Formatter;
use std::path::{Path, PathBuf};

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::container::is_file_name;
use crate::container::metadata::Metadata;
use crate::container::runtime::bundle;
use crate::node::territory::Territory;

/// An entry takes some 500 bytes.
const MAX_FILE: u64 = 8 << 20;
/// root's graph root by default.
const ROOT: &str = "/var/lib/containers/storage";
/// A user's, below the home directory (containers/storage, types/options.go).
const BELOW_HOME: &str = ".local/share/containers/storage";
/// A directory for each way to store layers.
const FOLDERS: [&str; 3] = ["overlay-containers", "vfs-containers", "btrfs-containers"];

/// What containers/storage says of the container `id`, made by root or by the user whose home directory and uid are given.
#[must_use]
pub fn find(user: Option<(&Path, u32)>, id: &str) -> Option<Metadata> {
    if !is_file_name(id) {
        return None;
    }
    let graph: PathBuf = user.map_or_else(|| ROOT.into(), |(home, _)| home.join(BELOW_HOME));
    let open = |path: &Path| match user {
        Some((_, uid)) => Territory::of_user(path, uid),
        None => Territory::of_system(path),
    };
    FOLDERS.iter().find_map(|folder| {
        let folder = graph.join(folder);
        let stored = parse(&open(&folder).ok()?.read("containers.json", MAX_FILE).ok()?, id)?;
        let bundle = folder.join(id).join("userdata");
        let said = open(&bundle).ok().and_then(|opened| bundle::read(&opened, &bundle, user.map(|(_, uid)| uid)).ok());
        Some(stored.or(said.unwrap_or_default()))
    })
}

/// One of any number of containers, of which one is looked for: nothing of the others is kept.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    names: First<'a>,
    /// JSON again.
    #[serde(borrow, default)]
    metadata: Cow<'a, str>,
}

/// The first of a list of names; none of an empty one.
#[derive(Default)]
struct First<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for First<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Option<Cow<'de, str>>;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of names")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
                let first = names.next_element()?;
                while names.next_element::<IgnoredAny>()?.is_some() {}
                Ok(first)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }
        }
        deserializer.deserialize_any(Names).map(Self)
    }
}

/// Finds one container in the list.
struct Search<'a>(&'a str);

impl<'de> Visitor<'de> for Search<'_> {
    type Value = Option<Metadata>;

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of containers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(entry) = entries.next_element::<Entry<'de>>()? {
            if found.is_none() && entry.id == self.0 {
                found = Some(entry.describe());
            }
        }
        Ok(found)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Details {
    image_name: Option<String>,
    name: Option<String>,
}

impl Entry<'_> {
    fn describe(self) -> Metadata {
        let details: Details = serde_json::from_str(&self.metadata).unwrap_or_default();
        let name = details.name.or_else(|| self.names.0.map(Cow::into_owned));
        let image = details.image_name.filter(|image| !image.is_empty());
        Metadata { name, image, ..Metadata::default() }.bounded()
    }
}

/// What a `containers.json` says of the container `id`.
#[must_use]
pub fn parse(bytes: &[u8], id: &str) -> Option<Metadata> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.deserialize_seq(Search(id)).ok().flatten()
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
