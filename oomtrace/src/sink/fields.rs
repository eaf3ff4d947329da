//! Fields of the contract by path, as `victim.exit.status`: which there are is read off the schema.

use std::collections::BTreeSet;

use schemars::Schema;
use serde_json::{Map, Value};

/// Paths that are looked at for names like one that is not there: this deep.
const DEPTH: usize = 5;
/// Names that are offered.
const OFFERED: usize = 5;
/// From here on, of 1, two names are near.
const NEAR: f64 = 0.8;

/// A field's path. Behind a map's name all of the rest is a key, whatever it has in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// Its value in `root`; none where something on the way is null.
    #[must_use]
    pub fn of<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, |value, part| match value {
            Value::Object(fields) => fields.get(part),
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

/// The path that `text` is, in what `schema` describes.
///
/// # Errors
/// When there is no such field; the text has those that are like it.
pub fn path(schema: &Schema, text: &str) -> Result<Path, String> {
    let root = schema.as_value();
    let mut kinds = resolved(root, root);
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if kinds.iter().any(|kind| kind.get("additionalProperties").is_some_and(Value::is_object)) {
            parts.push(rest.to_owned());
            return Ok(Path(parts));
        }
        let (part, behind) = rest.split_once('.').unwrap_or((rest, ""));
        let is_number = part.parse::<usize>().is_ok();
        let next: Vec<&Value> = kinds
            .iter()
            .filter_map(|kind| kind.get("properties")?.get(part).or_else(|| kind.get("items").filter(|_| is_number)))
            .chain(kinds.iter().filter_map(|kind| kind.get("items").filter(|_| is_number)))
            .collect();
        if next.is_empty() || (behind.is_empty() && rest.ends_with('.')) {
            return Err(unknown(root, text));
        }
        kinds = next.into_iter().flat_map(|next| resolved(root, next)).collect();
        parts.push(part.to_owned());
        rest = behind;
    }
    if parts.is_empty() { Err(unknown(root, text)) } else { Ok(Path(parts)) }
}

/// The objects that `schema` may be: what it refers to, and what it is one of.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Map<String, Value>> {
    let Some(object) = schema.as_object() else { return Vec::new() };
    let name = object.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
    let referred = name.and_then(|name| root.get("$defs")?.get(name));
    let choices = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| object.get(key)?.as_array()).flatten();
    let others = referred.into_iter().chain(choices).flat_map(|schema| resolved(root, schema));
    std::iter::once(object).chain(others).collect()
}

/// All paths to names, as far as [`DEPTH`].
fn all(root: &Value) -> BTreeSet<String> {
    fn walk(root: &Value, schema: &Value, before: &str, depth: usize, found: &mut BTreeSet<String>) {
        if depth == 0 {
            return;
        }
        for kind in resolved(root, schema) {
            for (name, schema) in kind.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let path = format!("{before}{name}");
                walk(root, schema, &format!("{path}."), depth - 1, found);
                found.insert(path);
            }
            if let Some(items) = kind.get("items") {
                walk(root, items, &format!("{before}0."), depth - 1, found);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(root, root, "", DEPTH, &mut found);
    found
}

/// What is said of a field that is not there.
fn unknown(root: &Value, text: &str) -> String {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let all = all(root);
    let name = last(text);
    let likeness = |path: &String| {
        let whole = strsim::jaro_winkler(path, text);
        // `{comm}` is somebody's; the shortest path is nearest to what is meant.
        let own = if text.contains('.') { 0.0 } else { strsim::jaro_winkler(&last(path), &name) };
        whole.max(own)
    };
    let near = all.iter().map(|path| (likeness(path), path.matches('.').count(), path));
    let mut near: Vec<(f64, usize, &String)> = near.filter(|(likeness, ..)| *likeness >= NEAR).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let near: Vec<String> = near.iter().take(OFFERED).map(|(.., path)| format!("{{{path}}}")).collect();
    let near = if near.is_empty() {
        let tops: Vec<&String> = all.iter().filter(|path| !path.contains('.')).collect();
        format!("the first names are {}", tops.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "))
    } else {
        format!("near it: {}", near.join(", "))
    };
    format!("there is no field {{{text}}}; {near}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Incident;

    #[test]
    fn what_is_in_the_schema_is_a_field() {
        let schema = schemars::schema_for!(Incident);
        for (text, parts) in [
            ("time", Some(vec!["time"])),
            ("verdict.cause", Some(vec!["verdict", "cause"])),
            // Flattened, optional, recursive, in a list, in a map.
            ("victim.comm", Some(vec!["victim", "comm"])),
            ("container.outer.outer.name", Some(vec!["container", "outer", "outer", "name"])),
            ("sender.ancestors.0.comm", Some(vec!["sender", "ancestors", "0", "comm"])),
            ("victim.cmdline.1", Some(vec!["victim", "cmdline", "1"])),
            (
                "container.labels.com.docker.compose.project",
                Some(vec!["container", "labels", "com.docker.compose.project"]),
            ),
            ("oom.limit_owner.limit_bytes", Some(vec!["oom", "limit_owner", "limit_bytes"])),
            ("", None),
            (".", None),
            ("time.", None),
            ("time.x", None),
            ("nope", None),
            ("sender.ancestors.comm", None),
        ] {
            let expected = parts.map(|parts| Path(parts.into_iter().map(str::to_owned).collect()));
            assert_eq!(path(&schema, text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn one_that_is_not_there_is_told_those_that_are_near() {
        let schema = schemars::schema_for!(Incident);
        for (text, near) in [
            ("verdict.couse", "{verdict.cause}"),
            ("comm", "{victim.comm}"),
            ("limit_bytes", "{oom.limit_owner.limit_bytes}"),
            ("container.nam", "{container.name}"),
            ("sender.ancestors.comm", "{sender.ancestors.0.comm}"),
            ("qqqq", "the first names are attribution, boot_id"),
        ] {
            let said = path(&schema, text).unwrap_err();
            assert!(said.contains(near) && said.contains(&format!("{{{text}}}")), "{text}: {said}");
        }
    }
}
