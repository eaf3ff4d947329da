//! `oomtrace schema`: the JSON Schema of the stream, made from the types.

use std::io::Write as _;

use oomtrace::incident::model::Record;

use super::exit::{Failure, Status};

pub fn run() -> Result<Status, Failure> {
    let schema = schemars::schema_for!(Record);
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &schema).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(Status::Done)
}
