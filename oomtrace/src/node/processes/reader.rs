//! Reads `/proc/<pid>` in a thread of its own. A command line is read from its process's memory, under a lock that the process can
//! hold for as long as it wants: by a page fault that its own file system or its own userfaultfd does not answer, and a writer that
//! waits behind it (mm/memory.c, `__access_remote_vm`, 5.4 to 7.3). Whoever asks waits a moment, and goes on without.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use crate::event::ProcessKey;
use crate::node::processes::details::{Details, read};

/// Threads at a time, those that are stuck among them.
const MAX_THREADS: usize = 4;
/// How long one answer is waited for; it takes some 50 µs.
const PATIENCE: Duration = Duration::from_millis(50);
/// What is waited in vain altogether: this much at once, and this part of the time that passes.
const MAX_LOST: Duration = Duration::from_millis(250);
const LOST_PART: u32 = 20;
/// Waited for even when nothing is left.
const LEAST: Duration = Duration::from_millis(1);

/// Each incident says which command lines are missing for it.
static ALL_STUCK: Once = Once::new();

/// What comes of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Known(Details),
    /// The process is gone, or nothing is known of it.
    Gone,
    /// It did not come in time: what is missing is missing for that.
    Late,
}

/// Asks the thread.
#[derive(Debug)]
pub struct Reader {
    proc: PathBuf,
    tick_ns: u64,
    threads: Arc<AtomicUsize>,
    worker: Option<Worker>,
    patience: Patience,
}

#[derive(Debug)]
struct Worker {
    questions: SyncSender<ProcessKey>,
    answers: Receiver<Option<Details>>,
}

impl Reader {
    pub fn new(proc: PathBuf, tick_ns: u64) -> Self {
        let patience = Patience { left: MAX_LOST, since: Instant::now() };
        Self { proc, tick_ns, threads: Arc::default(), worker: None, patience }
    }

    /// What `/proc` says of the process.
    pub fn read(&mut self, key: ProcessKey) -> Answer {
        let Some(worker) = self.worker.take().or_else(|| self.start()) else { return Answer::Late };
        if worker.questions.try_send(key).is_err() {
            return Answer::Late;
        }
        let (asked, patience) = (Instant::now(), self.patience.now());
        match worker.answers.recv_timeout(patience) {
            Ok(answer) => {
                self.worker = Some(worker);
                answer.map_or(Answer::Gone, Answer::Known)
            }
            Err(error) => {
                // The thread ends when it comes back, and finds that nobody waits.
                self.patience.lost(asked.elapsed());
                if error == RecvTimeoutError::Timeout {
                    log::debug!("/proc/{}/cmdline is not read in time", key.pid);
                }
                Answer::Late
            }
        }
    }

    fn start(&self) -> Option<Worker> {
        if self.threads.fetch_add(1, Ordering::Relaxed) >= MAX_THREADS {
            self.threads.fetch_sub(1, Ordering::Relaxed);
            ALL_STUCK.call_once(|| {
                log::warn!(
                    "{MAX_THREADS} processes do not let their command lines be read: until one does, those of others are missing, too, as \
                     each incident says"
                );
            });
            return None;
        }
        let running = Running(Arc::clone(&self.threads));
        let (questions, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let (proc, tick_ns) = (self.proc.clone(), self.tick_ns);
        let work = move || {
            let _running = running;
            while let Ok(key) = asked.recv() {
                if answer.send(read(&proc, tick_ns, key)).is_err() {
                    return;
                }
            }
        };
        match std::thread::Builder::new().name("proc".to_owned()).spawn(work) {
            Ok(_) => Some(Worker { questions, answers }),
            Err(error) => {
                log::debug!("no thread to read /proc: {error}");
                None
            }
        }
    }
}

/// Counts a thread for as long as it runs.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long may still be waited.
#[derive(Debug)]
struct Patience {
    left: Duration,
    since: Instant,
}

impl Patience {
    fn now(&mut self) -> Duration {
        let passed = self.since.elapsed();
        self.since += passed;
        self.left = (self.left + passed / LOST_PART).min(MAX_LOST);
        self.left.clamp(LEAST, PATIENCE)
    }

    fn lost(&mut self, waited: Duration) {
        self.left = self.left.saturating_sub(waited);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A read of a FIFO never happens, so a thread that does not come back is made by hand.
    #[test]
    fn a_thread_that_is_stuck_costs_little_and_is_not_waited_for_again() {
        let mut reader = Reader::new("/proc".into(), 10_000_000);
        let threads = Arc::clone(&reader.threads);
        let mut stuck = Vec::new();
        let started = Instant::now();
        for _ in 0..MAX_THREADS {
            let (questions, asked) = sync_channel(1);
            let (answer, answers) = sync_channel(1);
            threads.fetch_add(1, Ordering::Relaxed);
            stuck.push((asked, answer, Running(Arc::clone(&threads))));
            reader.worker = Some(Worker { questions, answers });
            assert_eq!(reader.read(ProcessKey { pid: 1, start: 0 }), Answer::Late);
            assert!(reader.worker.is_none());
        }
        assert!(started.elapsed() >= PATIENCE);
        // None is left, until one comes back.
        assert_eq!(reader.read(ProcessKey { pid: 1, start: 0 }), Answer::Late);
        stuck.pop();
        assert!(reader.start().is_some());
    }

    #[test]
    fn what_is_waited_in_vain_is_limited() {
        let mut patience = Patience { left: MAX_LOST, since: Instant::now() };
        assert_eq!(patience.now(), PATIENCE);
        patience.lost(MAX_LOST * 2);
        assert!(patience.now() < PATIENCE);
    }
}
