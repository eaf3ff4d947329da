//! YAML: one document a record, flushed, with nothing in it that a terminal would act upon.
//!
//! It is written here because no library escapes what turns text around or hides it; what is written is a small part of YAML, in which
//! a string is plain only where no version of YAML reads it as anything else. A library reads it back in the tests.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::Record;
use crate::sink::Sink;
use crate::text::escape::is_unsafe;

/// Writes records to `W`.
pub struct Yaml<W: Write> {
    out: W,
}

impl<W: Write> Yaml<W> {
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Sink for Yaml<W> {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        self.out.write_all(document(record)?.as_bytes())?;
        self.out.flush()
    }
}

/// `value` as a document, with the line that begins it.
///
/// # Errors
/// When it cannot be written as JSON, whose values these are.
pub fn document(value: &impl Serialize) -> io::Result<String> {
    // By way of JSON's text, and not of its values: those forget the order of fields, which is the one to read them in.
    let node: Node = serde_json::from_slice(&serde_json::to_vec(value)?)?;
    let mut text = "---\n".to_owned();
    node.block(&mut text, 0);
    Ok(text)
}

/// A value of JSON, with its fields in their order.
enum Node {
    /// Null, true, false or a number, which are the same in both.
    Plain(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Its lines, each behind `indent` blanks.
    fn block(&self, text: &mut String, indent: usize) {
        match self {
            Self::Map(fields) if !fields.is_empty() => {
                for (name, value) in fields {
                    // Writing to a String cannot fail.
                    _ = write!(text, "{:indent$}{}:", "", string(name));
                    value.behind(text, indent);
                }
            }
            Self::List(items) if !items.is_empty() => {
                for item in items {
                    _ = write!(text, "{:indent$}-", "");
                    item.behind(text, indent);
                }
            }
            other => _ = writeln!(text, "{:indent$}{}", "", other.scalar()),
        }
    }

    /// It behind its name or its dash: on the same line where it has only one.
    fn behind(&self, text: &mut String, indent: usize) {
        let is_nested = match self {
            Self::Map(fields) => !fields.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Plain(_) | Self::Text(_) => false,
        };
        if is_nested {
            text.push('\n');
            self.block(text, indent + 2);
        } else {
            _ = writeln!(text, " {}", self.scalar());
        }
    }

    fn scalar(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Text(text) => string(text),
            Self::List(_) => "[]".to_owned(),
            Self::Map(_) => "{}".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Plain("null".to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(field) = fields.next_entry()? {
            map.push(field);
        }
        Ok(Node::Map(map))
    }
}

/// A string: plain where nobody can take it for anything else, and in double quotes otherwise.
fn string(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if is_unsafe(c) || is_unprintable(c) => match u32::from(c) {
                code @ ..=0xff => _ = write!(quoted, "\\x{code:02x}"),
                code @ ..=0xffff => _ = write!(quoted, "\\u{code:04x}"),
                code => _ = write!(quoted, "\\U{code:08x}"),
            },
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Not among the characters that YAML 1.2 has as they are (5.1).
fn is_unprintable(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Letters, digits and what means nothing between them; no word of YAML 1.1 or 1.2, and no beginning of a number, a time or a mark.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.split(' ').all(|word| !word.is_empty() && word.chars().all(is_part))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{case, in_container, kill};
    use crate::model::Lost;
    use crate::words::conclude;

    #[test]
    fn a_library_reads_back_what_was_written() {
        let mut incident = in_container(kill("/usr/sbin/runc"));
        incident.victim.process.comm = "a\x1b[2J\u{9b}\u{202e}\u{e0001}\"\\b\n容".to_owned();
        incident.victim.process.cmdline = Some(
            [
                "no",
                "~",
                "1e3",
                "- a",
                "a: b",
                "#",
                "",
                " ",
                "2026-01-02",
                "0x1f",
                ".inf",
                "'",
                "a #b",
                "\u{fffe}",
                "=",
                "<<",
            ]
            .map(str::to_owned)
            .to_vec(),
        );
        incident.container.as_mut().unwrap().labels =
            Some([("yes", "on"), ("a: b", "\r\n"), ("", "x")].map(|(key, value)| (key.into(), value.into())).into());
        for record in [conclude(case(incident)), Record::Lost(Lost::default())] {
            let text = document(&record).unwrap();
            assert!(text.starts_with("---\n") && !text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text}");
            let read: Record = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(read, record);
        }
    }

    #[test]
    fn it_is_as_people_write_it() {
        let json = concat!(
            r#"{"type": "incident", "id": null, "count": -1, "empty": [], "none": {}, "list": ["a b", "true", "1"], "#,
            r#""of": [{"x": [1], "y": "é"}]}"#
        );
        let expected = "\
---
type: incident
id: null
count: -1
empty: []
none: {}
list:
  - a b
  - \"true\"
  - \"1\"
of:
  -
    x:
      - 1
    \"y\": \"é\"
";
        let node: Node = serde_json::from_str(json).unwrap();
        let mut text = "---\n".to_owned();
        node.block(&mut text, 0);
        assert_eq!(text, expected);
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(serde_saphyr::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn each_record_is_a_document_of_its_own() {
        let mut out = Vec::new();
        let mut yaml = Yaml::new(&mut out);
        for _ in 0..3 {
            yaml.put(&Record::Lost(Lost::default())).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        assert_eq!(serde_saphyr::from_multiple::<Record>(&text).unwrap().len(), 3);
    }
}
