//! JSON lines: one record a line, flushed, with nothing in it that a terminal would act upon.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use crate::model::Record;
use crate::sink::Sink;
use crate::text::escape;

/// Writes records to `W`.
pub struct Json<W: Write> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Json<W> {
    pub fn new(out: W) -> Self {
        Self { out, line: Vec::new() }
    }
}

impl<W: Write> Sink for Json<W> {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        self.line.clear();
        append(&mut self.line, record)?;
        // One write a line: a reader never sees half of one from two writers.
        self.out.write_all(&self.line)?;
        self.out.flush()
    }
}

/// Appends `value` as a line.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn append(line: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *line, Safe))?;
    line.push(b'\n');
    Ok(())
}

/// JSON must escape C0 only; this escapes all that is unsafe on a terminal.
struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| escape::is_unsafe(*c)) {
            let (before, from) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = from.get(c.len_utf8()..).unwrap_or_default();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Lost, Ready};

    #[test]
    fn a_record_is_one_line_that_says_its_type() {
        let mut out = Vec::new();
        Json::new(&mut out).put(&Record::Lost(Lost { events: 3, kills: 2, exits: 1, ..Lost::default() })).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"type":"lost","events":3,"kills":2,"oom_marks":0,"oom_choices":0,"exits":1,"arguments":0,"#,
                r#""stop_signals":0,"signals":0,"connections":0,"disconnections":0,"cgroups":0,"#,
                r#""limited":{"stop_signals":0,"signals":0,"connections":0,"cgroups":0},"unwritten":null}"#,
                "\n"
            )
        );
    }

    #[test]
    fn unsafe_characters_are_escaped_and_read_back_the_same() {
        let name = "a\x1b[2J\u{9b}\u{202e}\u{e0001}\"\\b\n容";
        let ready = Ready {
            schema: 1,
            version: String::new(),
            node: Some(name.to_owned()),
            boot_id: None,
            attached: vec![],
            missing: vec![],
            sandbox: None,
        };
        let mut out = Vec::new();
        Json::new(&mut out).put(&Record::Ready(ready)).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert!(!line.trim_end().chars().any(escape::is_unsafe), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["node"], name);
    }
}
