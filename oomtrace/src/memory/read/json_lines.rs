//! One JSON object a sample: `{"t": …, "anon_bytes": …}`, on lines of their own, or in a list.

use std::borrow::Cow;
use std::fmt::Formatter;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::memory::read::{Bytes, MOST, ReadError, shown, size, time};
use crate::memory::sample::Sample;

/// Unknown fields are left to whoever wrote them.
#[derive(Deserialize)]
struct Line {
    t: Option<Value>,
    #[serde(default, deserialize_with = "named")]
    anon_bytes: Option<Value>,
    #[serde(default, deserialize_with = "named")]
    file_bytes: Option<Value>,
    #[serde(default, deserialize_with = "named")]
    shmem_bytes: Option<Value>,
    #[serde(default, deserialize_with = "named")]
    usage_bytes: Option<Value>,
    limit_bytes: Option<Value>,
    restart: Option<bool>,
}

pub fn read(text: &str) -> Result<Vec<Sample>, ReadError> {
    if text.starts_with('[') {
        let List(samples) =
            serde_json::from_str(&without_nan(text)).map_err(|error| wrong(error.line(), &error.to_string()))?;
        return samples;
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut samples = Vec::new();
    for (index, line) in lines {
        if samples.len() >= MOST {
            return Err(ReadError::TooMany);
        }
        let parsed = serde_json::from_str(&without_nan(line)).map_err(|error| without_place(&error));
        samples.push(parsed.and_then(sample).map_err(|why| wrong(index + 1, &why))?);
    }
    Ok(samples)
}

/// Those of a list, one after the other: what is wrong with one ends it before the rest takes memory.
struct List(Result<Vec<Sample>, ReadError>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Samples;
        impl<'de> Visitor<'de> for Samples {
            type Value = List;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of samples")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<List, A::Error> {
                let mut all = Ok(Vec::new());
                while let (Ok(samples), Some(line)) = (&mut all, lines.next_element::<Line>()?) {
                    if samples.len() >= MOST {
                        all = Err(ReadError::TooMany);
                        break;
                    }
                    match sample(line) {
                        Ok(sample) => samples.push(sample),
                        Err(why) => all = Err(wrong(1, &why)),
                    }
                }
                while lines.next_element::<IgnoredAny>()?.is_some() {}
                Ok(List(all))
            }
        }
        deserializer.deserialize_seq(Samples)
    }
}

fn wrong(line: usize, why: &str) -> ReadError {
    ReadError::Line { line, why: why.to_owned() }
}

/// serde_json counts the lines of what it got, which is one.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| format!("{what} in column {}", error.column()))
}

fn sample(line: Line) -> Result<Sample, String> {
    let t = match &line.t {
        Some(Value::Number(number)) => number.as_f64().ok_or("t is no number that can be used")?,
        Some(Value::String(text)) => time(text)?,
        Some(_) => return Err("t is neither a number of Unix seconds nor a time".to_owned()),
        None => return Err("it has no t, the time".to_owned()),
    };
    let is_named = line.anon_bytes.is_some()
        || line.file_bytes.is_some()
        || line.shmem_bytes.is_some()
        || line.usage_bytes.is_some();
    let sample = Sample {
        t,
        anon: of(Bytes::Anon, line.anon_bytes)?,
        file: of(Bytes::File, line.file_bytes)?,
        shmem: of(Bytes::Shmem, line.shmem_bytes)?,
        usage: of(Bytes::Usage, line.usage_bytes)?,
        working_set: None,
        limit: of(Bytes::Limit, line.limit_bytes)?,
        restart: line.restart == Some(true),
        is_watched: false,
    };
    // One that is null was not known then; that there is none in the whole file is said of the file.
    if !is_named && !sample.restart {
        return Err("it has a time and no size (anon_bytes, file_bytes, shmem_bytes or usage_bytes)".to_owned());
    }
    Ok(sample)
}

/// A size: a number, or the same as text.
fn of(size_of: Bytes, value: Option<Value>) -> Result<Option<f64>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => size(size_of, &text),
        Some(Value::Number(number)) => size(size_of, &number.to_string()),
        Some(other) => Err(format!("{} is {}, and not a number of bytes", size_of.name(), shown(&other.to_string()))),
    }
}

/// Python writes what is no number as `NaN`, which JSON has not.
fn without_nan(line: &str) -> Cow<'_, str> {
    if line.contains("NaN") { Cow::Owned(line.replace("NaN", "null")) } else { Cow::Borrowed(line) }
}

/// A field that is there, also where it is null.
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
