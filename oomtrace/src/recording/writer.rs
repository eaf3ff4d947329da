//! Writes a recording while oomtrace watches.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::rc::Rc;

use super::{Answer, Kind, MAGIC, Start, VERSION};
use crate::container::naming::Names;
use crate::incident::clients::Standing;
use crate::incident::model::{Lost, Record};
use crate::probe::event::BootNs;

/// A recording that is being written. Clones write to the same file. An error is kept until [`Recorder::flush`], so that
/// whoever records need not stop in the middle of an event.
#[derive(Clone)]
pub struct Recorder(Rc<RefCell<State>>);

struct State {
    out: Box<dyn Write>,
    error: Option<io::Error>,
}

impl Recorder {
    /// Creates the file at `path`, which must not be there yet.
    ///
    /// # Errors
    /// When it is there or cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(path)?;
        Ok(Self::to(Box::new(BufWriter::with_capacity(1 << 16, file))))
    }

    /// Writes to `out`.
    #[must_use]
    pub fn to(out: Box<dyn Write>) -> Self {
        Self(Rc::new(RefCell::new(State { out, error: None })))
    }

    /// The first frame; once.
    pub fn start(&self, start: &Start) {
        let mut head = MAGIC.to_vec();
        head.extend(VERSION.to_le_bytes());
        self.write(&head);
        self.json(Kind::Start, start);
    }

    pub fn event(&self, bytes: &[u8]) {
        self.frame(Kind::Event, bytes);
    }

    pub fn advance(&self, now: BootNs) {
        self.frame(Kind::Advance, &now.to_le_bytes());
    }

    pub fn lost(&self, lost: &Lost) {
        self.json(Kind::Lost, lost);
    }

    pub fn said(&self, record: &Record) {
        self.json(Kind::Said, record);
    }

    pub fn standing(&self, standing: &[Standing]) {
        self.json(Kind::Standing, &standing);
    }

    pub fn names(&self, incident: &str, names: &Names) {
        self.answer(&Answer::Names { incident: incident.to_owned(), names: Box::new(names.clone()) });
    }

    pub(super) fn answer(&self, answer: &Answer) {
        self.json(Kind::Answer, answer);
    }

    /// Hands everything to the kernel.
    ///
    /// # Errors
    /// The first that there was since the last call.
    pub fn flush(&self) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        match state.error.take() {
            Some(error) => Err(error),
            None => state.out.flush(),
        }
    }

    fn json(&self, kind: Kind, value: &impl serde::Serialize) {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.frame(kind, &bytes),
            Err(error) => self.keep(error.into()),
        }
    }

    pub(super) fn frame(&self, kind: Kind, payload: &[u8]) {
        let kind = [kind as u8];
        let mut crc = crc32fast::Hasher::new();
        crc.update(&kind);
        crc.update(payload);
        let Ok(len) = u32::try_from(payload.len()) else { return self.keep(io::ErrorKind::FileTooLarge.into()) };
        let mut frame = Vec::with_capacity(payload.len() + 9);
        frame.extend(len.to_le_bytes());
        frame.extend(kind);
        frame.extend(crc.finalize().to_le_bytes());
        frame.extend(payload);
        self.write(&frame);
    }

    fn write(&self, bytes: &[u8]) {
        let written = self.0.borrow_mut().out.write_all(bytes);
        if let Err(error) = written {
            self.keep(error);
        }
    }

    fn keep(&self, error: io::Error) {
        self.0.borrow_mut().error.get_or_insert(error);
    }
}
