//! Writes a recording while oomtrace watches. A thread of its own writes it, so that a disk that is slow, full or gone stands in
//! nobody's way: what it does not take in time is left out, and the recording says where.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use oomtrace_common::event::{Header, KIND_SIGNAL};

use crate::container::clients::ExistingClient;
use crate::event::BootNs;
use crate::model::{Lost, OutputName, Record};
use crate::node::signals::SIGKILL;
use crate::run::names::Names;
use crate::run::recording::Answer;
use crate::run::recording::Gap;
use crate::run::recording::Kind;
use crate::run::recording::MAGIC;
use crate::run::recording::Start;
use crate::run::recording::VERSION;
use crate::sink::notices;
use crate::sink::outlet::Outlet;
use crate::sink::outputs::say_trouble;
use crate::sink::queue::{Count, Entry, Limits, Pushed, Rank};
use crate::sink::steady::{Closing, Steady};

/// What waits for the disk.
const LIMITS: Limits = Limits { entries: 16_384, bytes: 8 << 20 };
/// Frames are handed over together, once there are so many bytes of them, or nothing more to do.
const CHUNK: usize = 64 << 10;

/// A recording that is being written. Clones write to the same file. Nothing here waits or fails: what cannot be written is
/// counted.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    pending: Mutex<Chunk>,
    outlet: Outlet<Vec<u8>>,
    /// How often something was left out.
    gaps: AtomicU64,
}

/// Whole frames.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    count: Count,
}

impl Recorder {
    /// Creates the file at `path`, for its owner alone. It must not be there yet, and neither must a link: whatever somebody else
    /// has put there is not written to. `lost` is called with what was left out of it, once there is room again.
    ///
    /// # Errors
    /// When it is there or cannot be made.
    pub fn create(path: &Path, lost: impl FnMut(Count) + Send + 'static) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        let closing = Arc::new(Closing::default());
        let steady = Steady::new(file, Arc::clone(&closing), say_trouble(OutputName::Recording));
        Self::to(steady, closing, lost)
    }

    /// Writes to `out`, as [`Self::create`] does to its file.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn to(
        mut out: impl Write + Send + 'static,
        closing: Arc<Closing>,
        mut lost: impl FnMut(Count) + Send + 'static,
    ) -> io::Result<Self> {
        let write = move |entry: Entry<Vec<u8>>| match entry {
            Entry::Item(frames) => out.write_all(&frames),
            Entry::Gap(count) => {
                let gap = Gap { kills: count.kills, others: count.others };
                out.write_all(&frame(Kind::Gap, &serde_json::to_vec(&gap)?)?)?;
                lost(count);
                Ok(())
            }
        };
        let ended = |error: Option<io::Error>| {
            if let Some(error) = error {
                notices::say(&format!("the recording ends here: {error}"));
            }
        };
        let outlet = Outlet::start("recording", LIMITS, closing, write, ended)?;
        Ok(Self(Arc::new(Inner { pending: Mutex::default(), outlet, gaps: AtomicU64::new(0) })))
    }

    /// The first frame; once.
    pub fn start(&self, start: &Start) {
        let mut head = MAGIC.to_vec();
        head.extend(VERSION.to_le_bytes());
        self.write(&head, Count::default());
        self.json(Kind::Start, start);
    }

    pub fn event(&self, bytes: &[u8]) {
        self.frame(Kind::Event, bytes, Count::one(is_sigkill(bytes)));
    }

    pub fn advance(&self, now: BootNs) {
        self.frame(Kind::Advance, &now.to_le_bytes(), Count::one(false));
    }

    pub fn lost(&self, lost: &Lost) {
        self.json(Kind::Lost, lost);
    }

    pub fn said(&self, record: &Record) {
        self.json(Kind::Said, record);
    }

    pub fn standing(&self, standing: &[ExistingClient]) {
        self.json(Kind::ExistingClient, &standing);
    }

    pub fn names(&self, incident: &str, names: &Names) {
        self.answer(&Answer::Names { incident: incident.to_owned(), names: Box::new(names.clone()) });
    }

    pub(super) fn answer(&self, answer: &Answer) {
        self.json(Kind::Answer, answer);
    }

    /// How often something was left out so far: what was answered before may be among it.
    pub(super) fn gaps(&self) -> u64 {
        self.0.gaps.load(Ordering::Relaxed)
    }

    /// Hands everything to the thread that writes.
    pub fn flush(&self) {
        self.hand_over(&mut self.0.pending.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Has everything written until then, and no longer; gives what never was.
    #[must_use]
    pub fn close(&self, until: Instant) -> Count {
        self.flush();
        self.0.outlet.close(until)
    }

    fn json(&self, kind: Kind, value: &impl serde::Serialize) {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.frame(kind, &bytes, Count::one(false)),
            // These types have no map whose keys are not strings: there is nothing else that fails.
            Err(error) => log::error!("not recorded: {error}"),
        }
    }

    pub(super) fn frame(&self, kind: Kind, payload: &[u8], count: Count) {
        match frame(kind, payload) {
            Ok(frame) => self.write(&frame, count),
            Err(error) => log::error!("not recorded: {} bytes: {error}", payload.len()),
        }
    }

    fn write(&self, bytes: &[u8], count: Count) {
        let mut pending = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.bytes.extend(bytes);
        pending.count += count;
        if pending.bytes.len() >= CHUNK {
            self.hand_over(&mut pending);
        }
    }

    fn hand_over(&self, pending: &mut Chunk) {
        if pending.bytes.is_empty() {
            return;
        }
        let Chunk { bytes, count } = std::mem::take(pending);
        let len = bytes.len();
        // Of one rank: events without the answers that belong to them would be judged wrongly.
        match self.0.outlet.push(bytes, len, Rank::First, count) {
            Pushed::Taken => return,
            Pushed::DroppedFirst => {
                notices::say(
                    "the recording's disk takes too little: what does not fit is left out from now on, and counted",
                );
            }
            Pushed::Dropped => {}
        }
        self.0.gaps.fetch_add(1, Ordering::Relaxed);
    }
}

/// A frame's bytes.
fn frame(kind: Kind, payload: &[u8]) -> io::Result<Vec<u8>> {
    let kind = [kind as u8];
    let mut crc = crc32fast::Hasher::new();
    crc.update(&kind);
    crc.update(payload);
    let len = u32::try_from(payload.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut frame = Vec::with_capacity(payload.len() + 9);
    frame.extend(len.to_le_bytes());
    frame.extend(kind);
    frame.extend(crc.finalize().to_le_bytes());
    frame.extend(payload);
    Ok(frame)
}

/// A raw event is a SIGKILL: its kind is the header's first field, and the signal's number follows the header.
fn is_sigkill(event: &[u8]) -> bool {
    let kind = event.first_chunk().map(|kind| u16::from_ne_bytes(*kind));
    let signal =
        event.get(size_of::<Header>()..).and_then(<[u8]>::first_chunk).map(|signal| u32::from_ne_bytes(*signal));
    kind == Some(KIND_SIGNAL) && signal == Some(SIGKILL)
}
