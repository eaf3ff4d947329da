//! Outputs. They only render or send; nothing is decided here.

pub mod csv;
pub mod fields;
pub mod human;
pub mod json;
pub mod notices;
pub mod outlet;
pub mod outputs;
pub mod queue;
pub mod report;
pub mod seen;
pub mod steady;
pub mod template;
pub(crate) mod weight;
pub mod wrap;
pub mod yaml;

use std::io;

use crate::model::Record;

/// Takes the stream's records, one by one.
pub trait Sink {
    /// Writes one record out, so that a reader has it.
    ///
    /// # Errors
    /// When the reader is gone (`BrokenPipe`) or the output fails.
    fn put(&mut self, record: &Record) -> io::Result<()>;
}
