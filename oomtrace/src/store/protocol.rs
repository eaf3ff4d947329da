//! What a watching oomtrace and the process that keeps its history say to each other: lines of JSON over two sockets, one for what is to be
//! kept and one for questions.

use std::io::{self, BufRead, Read as _, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::{Correction, Exited, Incident};
use crate::resolve::case::EarlierByCause;

/// The longest line that is read: an incident has as many victims as a storm kills at once.
const LONGEST: u64 = 64 << 20;

/// To the keeper.
#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, on its way to a list")]
pub enum ToKeep<'a> {
    Incident(std::borrow::Cow<'a, Incident>),
    Correction(std::borrow::Cow<'a, Correction>),
    Exit(std::borrow::Cow<'a, Exited>),
    /// What came since the last such line is to be kept now.
    Now,
}

/// From the keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// All up to the last [`ToKeep::Now`] is on the disk.
    Kept,
    /// It cannot be written at the moment; it is tried again.
    Trouble(String),
    /// It can be written again.
    Well,
    /// For a person.
    Notice(String),
    /// It will not be kept; the keeper ends.
    Refused(String),
}

/// What is asked about an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The answer has the same.
    pub number: u64,
    /// `Identity::key`.
    pub key: String,
    /// Nanoseconds since 1970.
    pub before: i64,
    /// What memory did in its earlier lives is asked as well.
    pub lives: bool,
}

/// Kills of an identity before a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub number: u64,
    /// None: the history cannot be read.
    pub earlier: Option<EarlierByCause>,
}

/// Writes one line.
///
/// # Errors
/// When nobody reads.
pub fn put(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    out.write_all(&line)
}

/// Reads one line; none at the end.
///
/// # Errors
/// When it cannot be read, or is not what is expected.
pub fn take<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let read = from.take(LONGEST).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    // The other side has ended in the middle of it.
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}
