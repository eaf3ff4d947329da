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
pub mod terminal;
pub(crate) mod weight;
pub mod wrap;
pub mod yaml;

use std::io;
use std::sync::Arc;

use crate::model::Record;

/// Takes the stream's records, one by one.
pub trait Sink {
    /// Writes one record out, so that a reader has it.
    ///
    /// # Errors
    /// When the reader is gone (`BrokenPipe`) or the output fails.
    fn put(&mut self, record: &Record) -> io::Result<()>;

    /// How many records are handed over at a time, where so many wait.
    fn at_once(&self) -> usize {
        1
    }

    /// Writes several out.
    ///
    /// # Errors
    /// As for one.
    fn put_all(&mut self, records: &[Arc<Record>]) -> io::Result<()> {
        records.iter().try_for_each(|record| self.put(record))
    }

    /// Nothing came for a moment: writes what was held back for the sake of others.
    ///
    /// # Errors
    /// As for a record.
    fn quiet(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Nothing more comes: writes what was held back.
    ///
    /// # Errors
    /// As for a record.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
