//! A line of one's own for each incident: text with fields of the JSON in it, `{time} {container.name} {verdict.cause}`.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::model::Record;
use crate::sink::fields::{self, Path};
use crate::sink::json;
use crate::sink::{Sink, notices};
use crate::text::escape::escape;
use crate::text::quote::quote;

/// What stands for what is null.
const NONE: &str = "-";
/// What asks for a field's JSON.
const AS_JSON: &str = ":json";

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Path),
    /// As JSON, whatever it is.
    Json(Path),
}

impl Template {
    /// Fields are those of `T`, behind which `:json` stands for their JSON. Two braces are one, `\t` is a tab, `\\` a backslash.
    ///
    /// # Errors
    /// When a brace has no other, or a field is not there.
    pub fn parse<T: JsonSchema>(text: &str) -> Result<Self, String> {
        let schema = schemars::schema_for!(T);
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let mut after = rest.clone();
            match (c, after.next()) {
                ('{', Some('{')) | ('}', Some('}')) | ('\\', Some('\\')) => {
                    plain.push(c);
                    rest = after;
                }
                ('\\', Some('t')) => {
                    plain.push('\t');
                    rest = after;
                }
                ('{', _) => {
                    let (name, behind) =
                        rest.as_str().split_once('}').ok_or("a { has no } behind it; {{ stands for a brace")?;
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(match name.strip_suffix(AS_JSON) {
                        Some(name) => Part::Json(fields::path(&schema, name)?),
                        None => Part::Field(fields::path(&schema, name)?),
                    });
                    rest = behind.chars();
                }
                ('}', _) => return Err("a } has no { before it; }} stands for a brace".to_owned()),
                _ => plain.push(c),
            }
        }
        parts.push(Part::Text(plain));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self(parts))
    }

    /// `value` as its line, with the line feed at its end.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn line(&self, value: &impl Serialize) -> io::Result<String> {
        let value = serde_json::to_value(value)?;
        let mut line = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Field(path) => line.push_str(&shown(path.of(&value).unwrap_or(&Value::Null))?),
                Part::Json(path) => line.push_str(&as_json(path.of(&value).unwrap_or(&Value::Null))?),
            }
        }
        line.push('\n');
        Ok(line)
    }
}

/// One field, with nothing in it that a terminal would act upon. Words of a command line are quoted as a shell has it; what is more than a
/// list of words is JSON.
fn shown(value: &Value) -> io::Result<String> {
    Ok(match value {
        Value::Null => NONE.to_owned(),
        Value::String(text) => escape(text).into_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let words: Vec<_> = items.iter().filter_map(Value::as_str).map(quote).collect();
            if words.is_empty() { NONE.to_owned() } else { words.join(" ") }
        }
        Value::Array(_) | Value::Object(_) => as_json(value)?,
        other => other.to_string(),
    })
}

/// One field as JSON: a text is in quotes, so that it cannot pass for what stands around it.
fn as_json(value: &Value) -> io::Result<String> {
    let mut line = Vec::new();
    json::append(&mut line, value)?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// Writes a line an incident to `W`.
pub struct Lines<W: Write> {
    out: W,
    template: Template,
    /// Kills for which nobody needs to be woken, too.
    all: bool,
}

impl<W: Write> Lines<W> {
    pub fn new(out: W, template: Template, all: bool) -> Self {
        Self { out, template, all }
    }
}

impl<W: Write> Sink for Lines<W> {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        let incident = match record {
            Record::Incident(incident) if incident.routine.is_none() || self.all => incident,
            Record::Signal(incident) => incident,
            // What is missing has none of these fields, and is not to be missed.
            Record::Lost(lost) if lost.kills > 0 => {
                lost.words().iter().for_each(|words| notices::say(words));
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.out.write_all(self.template.line(incident)?.as_bytes())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{case, in_container, kill};
    use crate::model::{Incident, Routine};
    use crate::text::escape::is_unsafe;
    use crate::words::conclude;

    fn incident() -> Incident {
        let mut incident = in_container(kill("/usr/bin/bash"));
        incident.victim.process.comm = "a\x1b[2J\nb".to_owned();
        incident.victim.process.cmdline = Some(vec!["a".to_owned(), "b c\x1b".to_owned()]);
        match conclude(case(incident)) {
            Record::Incident(incident) => incident,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fields_stand_where_they_were_asked_for() {
        for (text, line) in [
            ("", ""),
            ("plain", "plain"),
            ("{{}} {victim.pid}", "{} 20"),
            ("{verdict.cause}/{verdict.confidence}", "process_kill/certain"),
            ("{container.name}|{trigger.comm}|{oom.limit_owner.limit_bytes}", "-|-|-"),
            ("{victim.comm}\\t{victim.container_init}\\\\", "a\\x1b[2J\\nb\tfalse\\"),
            ("{victim.cmdline}", r"a $'b c\033'"),
            ("{victim.cmdline.0} {victim.cmdline.7}", "a -"),
            ("{victim.comm:json} {victim.pid:json}", r#""a\u001b[2J\nb" 20"#),
            ("{victim.cmdline:json}{container.name:json}", r#"["a","b c\u001b"]null"#),
            ("{sender.elevation} {preceding}", "- -"),
        ] {
            let written = Template::parse::<Incident>(text).unwrap().line(&incident()).unwrap();
            assert_eq!(written, format!("{line}\n"), "{text}");
        }
    }

    #[test]
    fn what_is_no_template_is_said() {
        for (text, said) in [
            ("{time", "has no }"),
            ("time}", "has no {"),
            ("{}", "there is no field {}"),
            ("{victim.comm:yaml}", "there is no field"),
            ("{verdict.couse:json}", "near it: {verdict.cause}"),
            ("{verdict.couse}", "near it: {verdict.cause}"),
        ] {
            let error = Template::parse::<Incident>(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn each_incident_is_one_safe_line_and_routine_ones_are_asked_for() {
        let mut routine = incident();
        routine.routine = Some(Routine::Helper);
        for (all, lines) in [(false, 1), (true, 2)] {
            let mut out = Vec::new();
            let template = Template::parse::<Incident>("{victim} {victim.comm:json} {sender.process.comm}").unwrap();
            let mut sink = Lines::new(&mut out, template, all);
            for incident in [incident(), routine.clone()] {
                sink.put(&Record::Incident(incident)).unwrap();
            }
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.lines().count(), lines, "{text}");
            assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text:?}");
        }
    }
}
