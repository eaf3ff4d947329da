//! The process that keeps the history of an oomtrace that watches. It takes incidents over a socket, says when they are on the disk, and
//! ends when the socket does: whatever becomes of it, the trace goes on, and whatever becomes of the trace, what it was handed is kept.
//!
//! It holds no capability that it can do without, and may write below the history's directory alone (Landlock, 5.13).

use std::io::{self, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landlock::{ABI, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::own::{capabilities, endurance};
use crate::probe::requirements::Capability;
use crate::resolve::case::EarlierByCause;
use crate::store::protocol::{self, Answer, Question, Said, ToKeep};
use crate::store::write::{Entry, Writer, make};
use crate::store::{Bounds, History, Rescued, StoreError, has_log, rescue};

/// From the first pause after a failure to the longest.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After so long without anything to keep, the log is taken into the file.
const SETTLED_AFTER_MS: u16 = 2_000;
/// The bounds are looked at after so many incidents, or so long after the last time.
const LOOKED_AFTER: usize = 256;
const LOOKED_AFTER_TIME: Duration = Duration::from_secs(3600);

/// Keeps what comes over `to_keep` in the history at `path`, and answers `asked`, until both are closed.
///
/// # Errors
/// When the other side of `to_keep` breaks the protocol; that it has gone is no error.
pub fn run(to_keep: UnixStream, asked: UnixStream, path: &Path, bounds: Bounds) -> io::Result<()> {
    confine(path);
    let place = path.to_owned();
    // It ends with the process, or when nobody asks any more.
    std::thread::Builder::new().name("answers".to_owned()).spawn(move || answer(asked, &place))?;
    Keeper { out: to_keep.try_clone()?, path: path.to_owned(), bounds, writer: None, looked: None, since_look: 0 }
        .run(to_keep)
}

/// Gives up what keeping does not need. The directory is made before, which may be anywhere.
fn confine(path: &Path) {
    endurance::shun_oom_killer();
    // What cannot be made is said when it is opened.
    let made = make(path);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    use std::os::unix::fs::MetadataExt as _;
    let own = nix::unistd::geteuid().as_raw();
    let is_own = std::fs::metadata(parent).is_ok_and(|parent| parent.uid() == own);
    let kept: &[capabilities::Kept] = match is_own {
        true => &[],
        false => &[(Capability::DacOverride, "to write in a directory of somebody else's")],
    };
    if let Err(error) = capabilities::reduce(kept) {
        log::debug!("the keeper of the history keeps its capabilities: {error}");
    }
    if made.is_ok()
        && let Err(error) = write_below(parent)
    {
        log::debug!("the keeper of the history is not confined by Landlock: {error}");
    }
}

fn write_below(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let writes = AccessFs::from_write(ABI::V5) | AccessFs::Execute;
    let allowed = PathBeneath::new(PathFd::new(directory)?, AccessFs::from_write(ABI::V5));
    Ruleset::default().handle_access(writes)?.create()?.add_rule(allowed)?.restrict_self()?;
    Ok(())
}

struct Keeper {
    out: UnixStream,
    path: std::path::PathBuf,
    bounds: Bounds,
    writer: Option<Writer>,
    looked: Option<Instant>,
    since_look: usize,
}

/// The other side has gone, or no history can be kept.
struct Over;

impl Keeper {
    fn run(mut self, to_keep: UnixStream) -> io::Result<()> {
        // Before anything is to be kept: what stands in the way is said at once.
        if self.keep(&[]).is_err() {
            return Ok(());
        }
        let mut lines = BufReader::new(to_keep);
        let mut entries = Vec::new();
        let mut is_settled = true;
        loop {
            if lines.buffer().is_empty() && !is_settled && !readable(lines.get_ref(), SETTLED_AFTER_MS) {
                // A reader that is in the way is there again next time.
                if let Some(writer) = &self.writer {
                    _ = writer.settle();
                }
                is_settled = true;
            }
            match protocol::take(&mut lines)? {
                None => return Ok(()),
                Some(ToKeep::Incident(incident)) => entries.push(Entry::Incident(Box::new(incident.into_owned()))),
                Some(ToKeep::Correction(correction)) => {
                    entries.push(Entry::Correction(Box::new(correction.into_owned())));
                }
                Some(ToKeep::Exit(exited)) => entries.push(Entry::Exit(Box::new(exited.into_owned()))),
                Some(ToKeep::Now) => {
                    if self.keep(&std::mem::take(&mut entries)).is_err() || self.say(&Said::Kept).is_err() {
                        return Ok(());
                    }
                    is_settled = false;
                }
            }
        }
    }

    fn say(&mut self, said: &Said) -> Result<(), Over> {
        protocol::put(&mut self.out, said).map_err(|_| Over)
    }

    /// Keeps them, however long that takes: a disk that is full may have room again.
    fn keep(&mut self, entries: &[Entry]) -> Result<(), Over> {
        let mut pause = PAUSE;
        let mut was_rescued = false;
        let mut was_moved = false;
        let mut in_trouble = false;
        loop {
            self.leave_what_was_moved()?;
            let error = match self.try_keep(entries) {
                // While it was written to. Once: whoever moves it all the time does not keep it.
                Ok(()) if !was_moved && self.leave_what_was_moved()? => {
                    was_moved = true;
                    continue;
                }
                Ok(()) if in_trouble => return self.say(&Said::Well),
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // Once: what is damaged again at once is the disk's doing, and waits for another one.
            if error.is_damage() && !std::mem::replace(&mut was_rescued, true) {
                self.writer = None;
                match rescue(&self.path, self.bounds, Timestamp::now()) {
                    Ok((writer, rescued)) => {
                        self.writer = Some(writer);
                        self.say(&Said::Notice(told_of(&error, &rescued)))?;
                        continue;
                    }
                    Err(again) => self.trouble(&again, &mut in_trouble)?,
                }
            } else if is_final(&error) {
                self.say(&Said::Refused(error.to_string()))?;
                return Err(Over);
            } else {
                self.trouble(&error, &mut in_trouble)?;
            }
            if !self.wait(pause) {
                // Nobody is there any more: one last time.
                _ = self.try_keep(entries);
                return Err(Over);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn trouble(&mut self, error: &StoreError, in_trouble: &mut bool) -> Result<(), Over> {
        if !std::mem::replace(in_trouble, true) {
            self.say(&Said::Trouble(error.to_string()))?;
        }
        Ok(())
    }

    /// What is written to a file that was moved or removed is lost to whoever looks for it: the next one is made where it was. True when it
    /// was so.
    fn leave_what_was_moved(&mut self) -> Result<bool, Over> {
        let Some(writer) = self.writer.take_if(|writer| writer.is_moved()) else { return Ok(false) };
        writer.leave();
        (self.looked, self.since_look) = (None, 0);
        let path = self.path.display();
        self.say(&Said::Notice(format!(
            "the history {path} was moved or removed; from here on it goes into a new one there"
        )))?;
        Ok(true)
    }

    fn try_keep(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let has_log = has_log(&self.path);
                let writer = Writer::open(&self.path, self.bounds)?;
                if has_log {
                    // It was not ended in order, and so may the machine not have been.
                    writer.check()?;
                }
                self.writer.insert(writer)
            }
        };
        if !entries.is_empty() {
            writer.append(entries)?;
        }
        self.since_look += entries.len();
        let is_due = self.looked.is_none_or(|at| self.since_look >= LOOKED_AFTER || at.elapsed() >= LOOKED_AFTER_TIME);
        // A kill of thousands at once is large by itself.
        let is_beyond = is_due || writer.is_beyond().or_else(|error| unless_kept(entries, error).map(|()| false))?;
        if is_beyond {
            let now = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
            match writer.retain(now) {
                Ok(removed) => log::debug!("{removed} incidents were beyond the history's bounds"),
                Err(error) => unless_kept(entries, error)?,
            }
            (self.looked, self.since_look) = (Some(Instant::now()), 0);
        }
        Ok(())
    }

    /// Waits; false when the other side has gone meanwhile.
    fn wait(&self, pause: Duration) -> bool {
        let timeout = PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX);
        let mut gone = [PollFd::new(self.out.as_fd(), PollFlags::empty())];
        matches!(poll(&mut gone, timeout), Ok(0) | Err(nix::Error::EINTR))
    }
}

/// What stands in the way of the bounds. What was to be kept is on the disk by then, and is not to be written again; that the file is damaged
/// shows the next time.
fn unless_kept(entries: &[Entry], error: StoreError) -> Result<(), StoreError> {
    if error.is_damage() && entries.is_empty() {
        return Err(error);
    }
    log::debug!("{error}");
    Ok(())
}

fn told_of(error: &StoreError, rescued: &Rescued) -> String {
    let saved = match rescued.saved {
        1 => "1 incident".to_owned(),
        saved => format!("{saved} incidents"),
    };
    format!("{error}; it is kept at {}, and {saved} of it went into a new one", rescued.aside.display())
}

/// No time will change it.
fn is_final(error: &StoreError) -> bool {
    match error {
        StoreError::Foreign { .. } | StoreError::Newer { .. } | StoreError::Untrusted { .. } | StoreError::Json(_) => {
            true
        }
        StoreError::File { error, .. } => matches!(
            error.raw_os_error(),
            Some(libc::EACCES | libc::EPERM | libc::EROFS | libc::ELOOP | libc::ENOTDIR | libc::EISDIR | libc::ENXIO)
        ),
        _ => false,
    }
}

fn readable(socket: &UnixStream, within_ms: u16) -> bool {
    let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    !matches!(poll(&mut ready, PollTimeout::from(within_ms)), Ok(0))
}

/// Answers questions, one after the other. A history that cannot be read has no answers.
fn answer(asked: UnixStream, path: &Path) {
    let Ok(mut out) = asked.try_clone() else { return };
    let mut questions = BufReader::new(asked);
    let mut history: Option<History> = None;
    while let Ok(Some(Question { number, key, before, lives })) = protocol::take(&mut questions) {
        // The old one is closed first: two that are open share their locks (fcntl(2)).
        drop(history.take_if(|history| history.is_moved()));
        if history.is_none() {
            history = History::open(path).ok();
        }
        let found = history.as_ref().map(|history| {
            let lives = if lives { history.lives(&key, before)? } else { Vec::new() };
            Ok::<_, StoreError>(EarlierByCause { lives, ..history.causes(&key, before)? })
        });
        let answer = match found {
            Some(Ok(earlier)) => Answer { number, earlier: Some(earlier) },
            // It may have been moved aside.
            Some(Err(_)) | None => {
                history = None;
                Answer { number, earlier: None }
            }
        };
        if protocol::put(&mut out, &answer).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
