//! Labels and annotations. Whoever starts a container may give it any number of any length: they are bounded while they are read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Formatter;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Bytes of one container's that are kept.
pub const MAX_BYTES: usize = 16 << 10;
/// So many that each takes more memory than it has bytes are no labels.
const MAX_LABELS: usize = 256;

/// The labels that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    pub kept: BTreeMap<String, String>,
    bytes: usize,
    /// Some were left out because there were too many, or they were too large.
    pub cut: bool,
}

impl Labels {
    /// Adds one, when there is room.
    pub fn add(&mut self, key: &str, value: &str) {
        let bytes = self.bytes + key.len() + value.len();
        if bytes > MAX_BYTES || self.kept.len() >= MAX_LABELS {
            self.cut = true;
            return;
        }
        self.bytes = bytes;
        self.kept.insert(key.to_owned(), value.to_owned());
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Labels;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut labels = Labels::default();
                while let Some((key, value)) = map.next_entry::<Cow<'de, str>, Cow<'de, str>>()? {
                    labels.add(&key, &value);
                }
                Ok(labels)
            }

            /// What Docker writes for none.
            fn visit_unit<E>(self) -> Result<Labels, E> {
                Ok(Labels::default())
            }
        }
        deserializer.deserialize_any(All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_and_too_large_ones_are_left_out() {
        let long = "x".repeat(MAX_BYTES);
        let labels: Labels = serde_json::from_str(&format!(r#"{{"a":"1","b":"{long}","c":"3"}}"#)).unwrap();
        assert_eq!(
            (labels.kept.into_keys().collect::<Vec<_>>(), labels.cut),
            (vec!["a".to_owned(), "c".to_owned()], true)
        );
        let many: Vec<String> = (0..10_000).map(|number| format!("\"{number}\":\"\"")).collect();
        let labels: Labels = serde_json::from_str(&format!("{{{}}}", many.join(","))).unwrap();
        assert_eq!((labels.kept.len(), labels.cut), (MAX_LABELS, true));
        assert_eq!(serde_json::from_str::<Labels>("null").unwrap(), Labels::default());
    }
}
