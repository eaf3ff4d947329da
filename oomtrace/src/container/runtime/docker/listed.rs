//! Docker's list of containers: one after the other is read and bounded, so that a long list takes no more memory than what is kept
//! of it.

use std::fmt::Formatter;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::container::labels::Labels;
use crate::container::metadata::Metadata;
use crate::container::statement::{Statement, paths_of_docker};
use crate::placement::Runtime;

/// Containers that are kept.
pub const MAX_LISTED: usize = 4096;
/// Bytes that they take at most, together.
const MAX_BYTES: usize = 8 << 20;

/// The list, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub containers: Vec<(String, Metadata)>,
    /// There were more.
    pub cut: bool,
}

/// One of them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    names: Option<Vec<String>>,
    image: Option<String>,
    #[serde(default)]
    labels: Labels,
}

impl Entry {
    fn describe(self) -> (String, Metadata) {
        let name = self.names.unwrap_or_default().into_iter().find_map(|name| {
            // A link to another container shows as /other/name.
            let name = name.strip_prefix('/')?.to_owned();
            (!name.is_empty() && !name.contains('/')).then_some(name)
        });
        // The list does not say whether the container was given another parent than the default one.
        let stated = Statement { paths: paths_of_docker(&self.id, ""), init: None };
        let metadata =
            Metadata { runtime: Some(Runtime::Docker), name, image: self.image, stated, ..Metadata::default() };
        (self.id, metadata.bounded().with_labels(self.labels))
    }
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Listed;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of containers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Listed, A::Error> {
                let (mut listed, mut bytes) = (Listed::default(), 0);
                while let Some(entry) = entries.next_element::<Entry>()? {
                    let (id, metadata) = entry.describe();
                    bytes += id.len() + metadata.size();
                    if bytes > MAX_BYTES || listed.containers.len() >= MAX_LISTED {
                        listed.cut = true;
                        while entries.next_element::<IgnoredAny>()?.is_some() {}
                        break;
                    }
                    listed.containers.push((id, metadata));
                }
                Ok(listed)
            }
        }
        deserializer.deserialize_seq(Entries)
    }
}

/// Reads the body of an answer.
///
/// # Errors
/// When it is no list.
pub fn parse(body: &[u8]) -> Result<Listed, serde_json::Error> {
    serde_json::from_slice(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_bounded_while_it_is_read() {
        let many = format!("[{}]", vec![r#"{"Id":"a"}"#; 3 * MAX_LISTED].join(","));
        let listed = parse(many.as_bytes()).unwrap();
        assert_eq!((listed.containers.len(), listed.cut), (MAX_LISTED, true));
        let one = br#"[{"Id":"a","Names":["/other/web","/web"],"Image":"nginx","Labels":null}]"#;
        let listed = parse(one).unwrap();
        assert_eq!(listed.containers[0].1.name.as_deref(), Some("web"));
        assert!(parse(b"{}").is_err());
    }
}
