//! One JSON object a sample: `{"t": …, "anon_bytes": …}`, on lines of their own, or in a list.

use serde::Deserialize;
use serde_json::Value;

use crate::memory::read::{ReadError, time};
use crate::memory::sample::Sample;

/// Unknown fields are left to whoever wrote them.
#[derive(Deserialize)]
struct Line {
    t: Option<Value>,
    anon_bytes: Option<f64>,
    file_bytes: Option<f64>,
    shmem_bytes: Option<f64>,
    usage_bytes: Option<f64>,
    limit_bytes: Option<f64>,
    restart: Option<bool>,
}

pub fn read(text: &str) -> Result<Vec<Sample>, ReadError> {
    if text.starts_with('[') {
        let all: Vec<Line> = serde_json::from_str(text).map_err(|error| wrong(error.line(), &error.to_string()))?;
        return all.into_iter().map(|line| sample(line).map_err(|why| wrong(1, &why))).collect();
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let parsed = serde_json::from_str(line).map_err(|error| without_place(&error));
            parsed.and_then(sample).map_err(|why| wrong(index + 1, &why))
        })
        .collect()
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
    let sizes = [
        ("anon_bytes", line.anon_bytes),
        ("file_bytes", line.file_bytes),
        ("shmem_bytes", line.shmem_bytes),
        ("usage_bytes", line.usage_bytes),
        ("limit_bytes", line.limit_bytes),
    ];
    if let Some((name, Some(size))) = sizes.iter().find(|(_, size)| size.is_some_and(|size| size < 0.0)) {
        return Err(format!("{name} is {size}, and no size is below 0"));
    }
    let sample = Sample {
        t,
        anon: line.anon_bytes,
        file: line.file_bytes,
        shmem: line.shmem_bytes,
        usage: line.usage_bytes,
        limit: line.limit_bytes,
        restart: line.restart == Some(true),
    };
    if !sample.has_size() && !sample.restart {
        return Err("it has a time and no size (anon_bytes, file_bytes, shmem_bytes or usage_bytes)".to_owned());
    }
    Ok(sample)
}
