//! Reads a recording, whoever wrote it: damaged, cut off, foreign or newer files give an error, never a panic.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Buf as _;
use oomtrace_common::event::{OLDEST_WIRE_VERSION, WIRE_VERSION};

use crate::model::{Lost, Record};
use crate::node::files;
use crate::redact::Privacy;
use crate::run::recording::Kind;
use crate::run::recording::MAGIC;
use crate::run::recording::MAX_FRAME;
use crate::run::recording::Start;
use crate::run::recording::Step;
use crate::run::recording::VERSION;
use crate::run::recording::answers::Answers;

/// Bytes of a recording, which is read whole: some hundred thousand kills.
const MAX_FILE: u64 = 1 << 30;

/// A recording, read whole.
#[derive(Debug)]
pub struct Contents {
    pub start: Start,
    pub steps: Vec<Step>,
    pub answers: Answers,
    /// Bytes at the end that were dropped: a frame that was not written to its end.
    pub torn: usize,
}

/// Why a file cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is no recording of oomtrace", path.display())]
    Foreign { path: PathBuf },
    #[error("{} is of a newer oomtrace (recording version {version}, this one reads {VERSION})", path.display())]
    Newer { path: PathBuf, version: u16 },
    #[error(
        "{} holds events of version {version}, this oomtrace reads {WIRE_VERSION}: replay it with the oomtrace {oomtrace} that recorded it",
        path.display()
    )]
    Wire { path: PathBuf, version: u16, oomtrace: String },
    #[error("{} is damaged at byte {at}: {source}", path.display())]
    Damaged { path: PathBuf, at: usize, source: Damage },
}

/// Reads the recording at `path`.
///
/// # Errors
/// When it cannot be read, or is not a whole recording of a version that this oomtrace knows.
pub fn read(path: &Path) -> Result<Contents, ReadError> {
    read_from(File::open(path), path)
}

/// Reads the recording of an open file, which errors call `path`.
///
/// # Errors
/// When it could not be opened, and as [`read`].
pub fn read_from(file: io::Result<File>, path: &Path) -> Result<Contents, ReadError> {
    let path_ = || path.to_owned();
    // It may come through a pipe.
    let bytes = file.and_then(|file| files::whole_of(file, MAX_FILE));
    let bytes = bytes.map_err(|source| ReadError::Io { path: path_(), source })?;
    Contents::parse(&bytes).map_err(|error| match error {
        ParseError::Foreign => ReadError::Foreign { path: path_() },
        ParseError::Newer(version) => ReadError::Newer { path: path_(), version },
        ParseError::Wire(version, oomtrace) => ReadError::Wire { path: path_(), version, oomtrace },
        ParseError::Damaged(at, source) => ReadError::Damaged { path: path_(), at, source },
    })
}

/// Why bytes are no recording that can be replayed.
#[derive(Debug)]
pub enum ParseError {
    /// No recording of oomtrace.
    Foreign,
    /// Of this newer version.
    Newer(u16),
    /// Its events are of this version, which the oomtrace named wrote.
    Wire(u16, String),
    /// From this byte on.
    Damaged(usize, Damage),
}

/// What is wrong with a frame, or with all of them together.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("a frame too large to be one")]
    TooLarge,
    #[error("its check sum is wrong")]
    CheckSum,
    #[error("an unknown kind of frame")]
    UnknownKind,
    #[error("no number")]
    NoNumber,
    #[error("no start")]
    NoStart,
    #[error("a second start")]
    SecondStart,
    #[error("it ends before it starts")]
    Empty,
    #[error("a page of no bytes")]
    PageSize,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Contents {
    /// Takes a recording's bytes apart.
    ///
    /// # Errors
    /// When they are not a whole recording of a version that this oomtrace knows.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        parse(bytes)
    }

    /// What of it may be shown. What was left out when it was recorded stays left out.
    #[must_use]
    pub fn private(mut self, privacy: Privacy) -> Self {
        if privacy <= self.start.privacy {
            return self;
        }
        for step in &mut self.steps {
            match step {
                Step::Event(event) => *event = privacy.event(event).into_owned(),
                Step::Said(record) => match record.as_mut() {
                    Record::Contradiction(said) => {
                        privacy.container(&mut said.container);
                        said.fact = privacy.text(&said.fact);
                    }
                    Record::Correction(said) => {
                        said.container.iter_mut().for_each(|container| privacy.container(container));
                        let facts = said.verdict.evidence.iter_mut().map(|evidence| &mut evidence.fact);
                        facts.for_each(|fact| *fact = privacy.text(fact));
                    }
                    Record::Warning(said) => {
                        said.container.iter_mut().for_each(|container| privacy.container(container));
                    }
                    _ => {}
                },
                Step::Advance(_) | Step::Lost(_) | Step::ExistingClient(_) | Step::Gap(_) => {}
            }
        }
        self.answers.private(privacy);
        self.start.ready.missing.extend(privacy.missing().map(str::to_owned));
        self.start.privacy = privacy;
        self
    }
}

fn parse(bytes: &[u8]) -> Result<Contents, ParseError> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(ParseError::Foreign)?;
    let version = rest.try_get_u16_le().map_err(|_| ParseError::Foreign)?;
    if version > VERSION {
        return Err(ParseError::Newer(version));
    }
    let mut start = None;
    let (mut steps, mut answers) = (Vec::new(), Answers::default());
    let mut torn = 0;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let damaged = |damage: Damage| ParseError::Damaged(at, damage);
        let no_json = |error: serde_json::Error| damaged(error.into());
        let (kind, payload) = match frame(&mut rest) {
            Ok(frame) => frame,
            Err(FrameError::Torn) => {
                torn = bytes.len() - at;
                break;
            }
            Err(FrameError::Damaged(damage)) => return Err(damaged(damage)),
        };
        let number = || Ok(u64::from_le_bytes(payload.try_into().map_err(|_| damaged(Damage::NoNumber))?));
        match (kind, &start) {
            (Kind::Start, None) => start = Some(read_start(payload, at)?),
            (Kind::Start, Some(_)) => return Err(damaged(Damage::SecondStart)),
            (_, None) => return Err(damaged(Damage::NoStart)),
            (Kind::Event, _) => steps.push(Step::Event(payload.to_vec())),
            (Kind::Advance, _) => steps.push(Step::Advance(number()?)),
            (Kind::Lost, _) => steps.push(Step::Lost(lost(payload).map_err(no_json)?)),
            (Kind::ExistingClient, _) => steps.push(Step::ExistingClient(json(payload).map_err(no_json)?)),
            (Kind::Said, _) => steps.push(Step::Said(json(payload).map_err(no_json)?)),
            (Kind::Gap, _) => steps.push(Step::Gap(json(payload).map_err(no_json)?)),
            (Kind::Answer, _) => answers.add(json(payload).map_err(no_json)?),
        }
    }
    let start = start.ok_or(ParseError::Damaged(bytes.len(), Damage::Empty))?;
    Ok(Contents { start, steps, answers, torn })
}

fn read_start(payload: &[u8], at: usize) -> Result<Start, ParseError> {
    let start: Start = json(payload).map_err(|error| ParseError::Damaged(at, error.into()))?;
    if !(OLDEST_WIRE_VERSION..=WIRE_VERSION).contains(&start.wire_version) {
        return Err(ParseError::Wire(start.wire_version, start.ready.version));
    }
    if start.page_size == 0 {
        return Err(ParseError::Damaged(at, Damage::PageSize));
    }
    Ok(start)
}

/// A number of events in eight bytes, as it was before kinds were counted; JSON, which is longer, since.
fn lost(payload: &[u8]) -> Result<Lost, serde_json::Error> {
    match payload.try_into() {
        Ok(number) => Ok(Lost { events: u64::from_le_bytes(number), ..Lost::default() }),
        Err(_) => json(payload),
    }
}

fn json<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(payload)
}

enum FrameError {
    /// The file ends within the frame.
    Torn,
    Damaged(Damage),
}

/// Takes the next frame off `rest`.
fn frame<'a>(rest: &mut &'a [u8]) -> Result<(Kind, &'a [u8]), FrameError> {
    let torn = |_| FrameError::Torn;
    let len = rest.try_get_u32_le().map_err(torn)? as usize;
    let number = rest.try_get_u8().map_err(torn)?;
    let crc = rest.try_get_u32_le().map_err(torn)?;
    if len > MAX_FRAME {
        return Err(FrameError::Damaged(Damage::TooLarge));
    }
    let (payload, after) = rest.split_at_checked(len).ok_or(FrameError::Torn)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[number]);
    hasher.update(payload);
    if hasher.finalize() != crc {
        return Err(if after.is_empty() { FrameError::Torn } else { FrameError::Damaged(Damage::CheckSum) });
    }
    *rest = after;
    Ok((Kind::from_number(number).ok_or(FrameError::Damaged(Damage::UnknownKind))?, payload))
}
