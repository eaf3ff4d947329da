//! `oomtrace schema`: the JSON Schema of what --json puts out, made from the types.

use std::io::Write as _;

use oomtrace::container::list::Listed;
use oomtrace::model::seen::SeenRecord;
use oomtrace::model::{Record, WhyRecord};
use oomtrace::screen::listing;

use super::exit::{Failure, Status};
use super::options::Schema;
use super::output::Stdout;

pub fn run(of: Schema) -> Result<Status, Failure> {
    let schema = match of {
        Schema::Stream => schemars::schema_for!(Record),
        Schema::Signals => schemars::schema_for!(SeenRecord),
        Schema::Why => schemars::schema_for!(WhyRecord),
        Schema::Top => schemars::schema_for!(listing::Top),
        Schema::Ps => schemars::schema_for!(Listed),
    };
    let mut out = Stdout::new();
    serde_json::to_writer_pretty(&mut out, &schema).map_err(std::io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(Status::Done)
}
