//! What is done with an input: nothing of it may panic, whoever made the bytes. `cargo fuzz` looks for inputs that do; the
//! ordinary tests run those that it found worth keeping.

use std::io;

use oomtrace::incident::model::Record;
use oomtrace::probe::decode::decode;
use oomtrace::recording::{Contents, replay};
use oomtrace::sink::Sink;
use oomtrace::watch::filter::Filter;

/// Puts each record into words, and keeps none.
struct Nowhere;

impl Sink for Nowhere {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(io::sink(), record)?;
        Ok(())
    }
}

/// An event's bytes, as the ring buffer could hold them.
pub fn event(data: &[u8]) {
    _ = decode(data, 4096);
}

/// A recording's bytes. What can be read is judged.
pub fn file(data: &[u8]) {
    if let Ok(contents) = Contents::parse(data) {
        _ = replay(contents, &Filter::default(), &mut Nowhere);
    }
}

/// A recording whose frames are framed as they should be, which no fuzzer finds by itself because of the check sums: what
/// they hold is the input's. A frame in the input: its kind, two bytes of length, and its payload.
pub fn steps(data: &[u8]) {
    let mut bytes = START.to_vec();
    let mut rest = data;
    while let [kind, low, high, after @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (payload, after) = after.split_at(len);
        bytes.extend(frame(*kind, payload));
        rest = after;
    }
    file(&bytes);
}

/// A frame as `recording` documents it.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(payload);
    let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
    bytes.push(kind);
    bytes.extend(hasher.finalize().to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// The head of a recording of this version.
const START: &[u8] = include_bytes!("start");
