//! Has a process keep the history of what is put out, and asks it what there was before.

use std::borrow::Cow;
use std::cell::{Cell, RefCell, RefMut};
use std::io::{self, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};

use crate::model::{Incident, Lost, OutputName, Record, Unwritten};
use crate::resolve::case::EarlierByCause;
use crate::sink::Sink;
use crate::sink::notices;
use crate::sink::queue::Count;
use crate::store::counted::{CountedKills, Kill};
use crate::store::protocol::{self, Answer, Question, Said, ToKeep};
use crate::store::{Bounds, Identity};
use crate::text::nanoseconds;

/// The verb by which this program runs as a keeper: its history, days and bytes are its arguments.
pub const VERB: &str = "history-keeper";

/// Records that go into one transaction, where so many wait.
const AT_ONCE: usize = 256;
/// A verdict waits so long for what there was before.
const ANSWERED_WITHIN: Duration = Duration::from_millis(30);
/// After an answer that came too late no question is put for so long: a disk that stands still delays one verdict, and not each.
const REST: Duration = Duration::from_secs(5);

/// Starts the process; gives what is handed over to it and what asks it.
///
/// # Errors
/// When there can be no process.
pub fn start(path: &Path, bounds: Bounds, is_asked_for: bool) -> io::Result<(Kept, Asker)> {
    wait_for_nobody()?;
    let (to_keep, keepers_to_keep) = UnixStream::pair()?;
    let (asked, keepers_asked) = UnixStream::pair()?;
    Command::new("/proc/self/exe")
        .arg0("oomtrace")
        .arg(VERB)
        .arg(path)
        .args([bounds.days.to_string(), bounds.bytes.to_string()])
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(keepers_to_keep)))
        .stdout(Stdio::from(OwnedFd::from(keepers_asked)))
        .stderr(Stdio::null())
        // Ctrl-C is for the one that watches.
        .process_group(0)
        .spawn()?;
    let settled = Settled::default();
    Ok((Kept::new(to_keep, is_asked_for, settled.clone())?, Asker::new(asked, settled)))
}

/// Has processes that are started leave nothing behind when they end: nobody waits for them.
///
/// # Errors
/// When the kernel refuses, which it never does.
pub fn wait_for_nobody() -> io::Result<()> {
    let ignored = SigAction::new(SigHandler::SigIgn, SaFlags::SA_NOCLDWAIT, SigSet::empty());
    // SAFETY: ignoring runs no code of ours.
    unsafe { sigaction(Signal::SIGCHLD, &ignored) }?;
    Ok(())
}

/// How many of the incidents that were handed over have been kept, or are lost; they are handed over and kept in one order.
#[derive(Clone, Debug, Default)]
struct Settled(Arc<AtomicU64>);

impl Settled {
    fn add(&self, incidents: u64) {
        // What is asked after it was seen finds them in the history.
        self.0.fetch_add(incidents, Ordering::Release);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// The sink. It takes incidents, corrections, and ends with 137 that no SIGKILL made, and nothing else.
pub struct Kept {
    out: io::BufWriter<UnixStream>,
    said: BufReader<UnixStream>,
    /// What could not be taken, for the other outputs.
    lost: Box<dyn FnMut(Unwritten) + Send>,
    /// Somebody named the file: what stands in the way is said to everybody.
    is_asked_for: bool,
    settled: Settled,
}

impl Kept {
    fn new(to_keep: UnixStream, is_asked_for: bool, settled: Settled) -> io::Result<Self> {
        let said = BufReader::new(to_keep.try_clone()?);
        Ok(Self { out: io::BufWriter::new(to_keep), said, lost: Box::new(|_| {}), is_asked_for, settled })
    }

    /// Has `lost` called with what was not kept.
    #[must_use]
    pub fn saying(mut self, lost: impl FnMut(Unwritten) + Send + 'static) -> Self {
        self.lost = Box::new(lost);
        self
    }

    /// Hands them over, and waits until they are on the disk.
    fn keep(&mut self, records: &[Arc<Record>]) -> Result<(), Ended> {
        // A socket that takes nothing more has been closed by the keeper, which may have said why.
        if self.hand_over(records).is_err() {
            self.listen()?;
        }
        self.listen()
    }

    fn hand_over(&mut self, records: &[Arc<Record>]) -> io::Result<()> {
        for record in records {
            match record.as_ref() {
                Record::Incident(incident) => protocol::put(&mut self.out, &ToKeep::Incident(Cow::Borrowed(incident)))?,
                Record::Correction(correction) => {
                    protocol::put(&mut self.out, &ToKeep::Correction(Cow::Borrowed(correction)))?;
                }
                Record::Exit(exited) => protocol::put(&mut self.out, &ToKeep::Exit(Cow::Borrowed(exited)))?,
                _ => {}
            }
        }
        protocol::put(&mut self.out, &ToKeep::Now)?;
        self.out.flush()
    }

    /// Until all is kept.
    fn listen(&mut self) -> Result<(), Ended> {
        loop {
            match protocol::take(&mut self.said) {
                Ok(Some(Said::Kept)) => return Ok(()),
                Ok(Some(Said::Notice(text))) => notices::say(&text),
                Ok(Some(Said::Trouble(text))) => {
                    notices::say(&format!("{text}; watching goes on, and it is tried again"));
                }
                Ok(Some(Said::Well)) => notices::say("the history can be written again"),
                Ok(Some(Said::Refused(text))) => return Err(Ended::Refused(text)),
                Ok(None) | Err(_) => return Err(Ended::Gone),
            }
        }
    }
}

/// Nothing more is kept.
enum Ended {
    /// It never was, and why.
    Refused(String),
    /// The keeper has ended.
    Gone,
}

fn is_kept(record: &Record) -> bool {
    // With the first record it shows whether anything can be.
    matches!(record, Record::Ready(_)) || !count(record).is_zero()
}

/// What of it is lost with a history that cannot take it.
const fn count(record: &Record) -> Count {
    match record {
        Record::Incident(_) => Count::one(true),
        Record::Correction(_) | Record::Exit(_) => Count::one(false),
        _ => Count { kills: 0, others: 0 },
    }
}

impl Sink for Kept {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        self.put_all(&[Arc::new(record.clone())])
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }

    fn put_all(&mut self, records: &[Arc<Record>]) -> io::Result<()> {
        for record in records {
            if let Record::Lost(Lost { unwritten: Some(unwritten), .. }) = record.as_ref()
                && unwritten.output == OutputName::History
            {
                self.settled.add(unwritten.kills);
                (self.lost)(*unwritten);
            }
        }
        if !records.iter().any(|record| is_kept(record)) {
            return Ok(());
        }
        let mut all = Count::default();
        records.iter().for_each(|record| all += count(record));
        let kept = self.keep(records);
        self.settled.add(all.kills);
        kept.map_err(|ended| {
            // Whoever may not write to the machine's history has not asked for one.
            let is_wanted = self.is_asked_for || nix::unistd::geteuid().is_root();
            let (text, kind) = match ended {
                Ended::Refused(text) => (format!("no history is kept: {text}"), io::ErrorKind::BrokenPipe),
                Ended::Gone => (
                    "the history is not kept any more: the process that keeps it has ended".to_owned(),
                    io::ErrorKind::ConnectionAborted,
                ),
            };
            if is_wanted || kind == io::ErrorKind::ConnectionAborted {
                notices::say(&text);
                if !all.is_zero() {
                    let Count { kills, others } = all;
                    (self.lost)(Unwritten { output: OutputName::History, kills, others });
                }
            }
            kind.into()
        })
    }
}

/// Asks the keeper what there was before. One question at a time; in the thread that watches.
#[derive(Debug)]
pub struct Asker {
    state: tokio::sync::Mutex<State>,
    number: Cell<u64>,
    /// It was slow: until then no verdict waits for it.
    rests_until: Cell<Option<Instant>>,
    counted: RefCell<CountedKills>,
    /// Incidents that were handed over.
    handed: Cell<u64>,
    settled: Settled,
}

#[derive(Debug)]
enum State {
    Closed(Option<UnixStream>),
    Open(tokio::io::BufReader<tokio::net::UnixStream>),
}

impl Asker {
    fn new(asked: UnixStream, settled: Settled) -> Self {
        Self {
            state: tokio::sync::Mutex::const_new(State::Closed(Some(asked))),
            number: Cell::new(0),
            rests_until: Cell::new(None),
            counted: RefCell::default(),
            handed: Cell::new(0),
            settled,
        }
    }

    /// Kills of the identity before that time, in nanoseconds since 1970, and with `lives` what memory did before them. Where the answer does
    /// not come in time, or with `at_once` is not waited for: what it was the last time, with the kills since; none where that is not known.
    /// Kills that were handed over count, though the history cannot be written and the answer lacks them.
    pub async fn ask(&self, identity: &Identity, before: i64, lives: bool, at_once: bool) -> Option<EarlierByCause> {
        let is_resting = self.rests_until.get().is_some_and(|until| Instant::now() < until);
        if at_once || is_resting {
            return self.counted.borrow().recall(identity.key(), before);
        }
        let number = self.number.get().wrapping_add(1);
        self.number.set(number);
        let question = Question { number, key: identity.key().to_owned(), before, lives };
        let mut line = serde_json::to_vec(&question).ok()?;
        line.push(b'\n');
        let asked = self.counted_now().asked(identity.key());
        match tokio::time::timeout(ANSWERED_WITHIN, self.answer(&line, number)).await {
            Ok(answer) => {
                // A history that cannot be read has none.
                let earlier = answer?.earlier?;
                Some(self.counted_now().answered(identity.key(), before, earlier, asked))
            }
            Err(_) => {
                self.rests_until.set(Some(Instant::now() + REST));
                self.counted.borrow().recall(identity.key(), before)
            }
        }
    }

    /// An incident is handed over to the history: before its sink has it, and in the same order.
    pub fn put(&self, incident: &Incident) {
        let number = self.handed.get().saturating_add(1);
        self.handed.set(number);
        // The history counts no others.
        let verdict = incident.verdict.as_ref().filter(|_| incident.routine.is_none());
        if let Some((verdict, at)) = verdict.zip(nanoseconds(&incident.time)) {
            let identity = Identity::of(incident);
            let (id, time) = (incident.id.clone(), incident.time.clone());
            let kill = Kill { id, number, at, time, cause: verdict.cause.name() };
            self.counted_now().killed(identity.key(), kill);
        }
    }

    /// What was said of an incident that went into the history is not true any more.
    pub fn correct(&self, incident: &Incident) {
        if let Some(verdict) = &incident.verdict {
            self.counted_now().corrected(&incident.id, Identity::of(incident).key(), &verdict.cause.name());
        }
    }

    fn counted_now(&self) -> RefMut<'_, CountedKills> {
        let mut counted = self.counted.borrow_mut();
        counted.settled(self.settled.get());
        counted
    }

    async fn answer(&self, question: &[u8], number: u64) -> Option<Answer> {
        let mut state = self.state.lock().await;
        if let State::Closed(socket) = &mut *state {
            let socket = socket.take()?;
            socket.set_nonblocking(true).ok()?;
            *state = State::Open(tokio::io::BufReader::new(tokio::net::UnixStream::from_std(socket).ok()?));
        }
        let State::Open(socket) = &mut *state else { return None };
        // A line is far below what the socket holds: it is written whole or not at all.
        socket.get_mut().write_all(question).await.ok()?;
        loop {
            let mut line = String::new();
            if socket.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let answer: Answer = serde_json::from_str(&line).ok()?;
            // One that came too late for its question is left out.
            if answer.number == number {
                return Some(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests;
