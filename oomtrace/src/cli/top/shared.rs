//! What the threads of a screen have in common: what waits to be shown, and what is wanted.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oomtrace::model::Record;
use oomtrace::screen::key::Key;
use oomtrace::screen::kills::Kills;
use oomtrace::screen::names::{Named, Names};
use oomtrace::screen::state::Before;
use oomtrace::sink::Sink;
use oomtrace::sink::notices;
use tokio::sync::Notify;

/// Of each, so many wait at the most.
const MOST_KEYS: usize = 256;
const MOST_RECORDS: usize = 256;
const MOST_NOTICES: usize = 64;
/// Cgroups whose names are asked for at a time.
const MOST_WANTED: usize = 512;

/// See the module's documentation.
pub struct Shared {
    inner: Mutex<Inner>,
    /// Something waits to be shown, or it ends.
    filled: Condvar,
    /// Records were taken.
    taken: Condvar,
    /// Names are wanted.
    pub wanted: Notify,
    /// It was left.
    leaving: Notify,
}

#[derive(Default)]
struct Inner {
    waiting: Waiting,
    /// Lines that were diverted, for whoever reads standard error later.
    said: Vec<String>,
    unsaid: usize,
    names: Names,
    wanted: Vec<(String, u32)>,
    ended: bool,
    failed: bool,
    /// Nobody draws any more, or did yet.
    is_still: bool,
}

/// What waits to be shown.
#[derive(Default)]
pub struct Waiting {
    pub keys: VecDeque<Key>,
    pub records: VecDeque<Record>,
    pub notices: VecDeque<String>,
    /// The terminal has another size.
    pub resized: bool,
    /// Whoever has the terminal wants it to stop for a while.
    pub suspend: bool,
    /// It goes on after it was stopped.
    pub continued: bool,
    pub named: bool,
    /// Kills from before.
    pub earlier: Option<(Kills, Option<Before>)>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.keys.is_empty()
            && self.records.is_empty()
            && self.notices.is_empty()
            && self.earlier.is_none()
            && !(self.resized || self.suspend || self.continued || self.named)
    }
}

impl Shared {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner { is_still: true, ..Inner::default() }),
            filled: Condvar::new(),
            taken: Condvar::new(),
            wanted: Notify::new(),
            leaving: Notify::new(),
        })
    }

    /// What a thread that panicked leaves is still what waits.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.lock().waiting);
        self.filled.notify_one();
    }

    pub fn key(&self, key: Key) {
        self.put(|waiting| {
            if waiting.keys.len() < MOST_KEYS {
                waiting.keys.push_back(key);
            }
        });
    }

    pub fn resized(&self) {
        self.put(|waiting| waiting.resized = true);
    }

    pub fn suspend(&self) {
        self.put(|waiting| waiting.suspend = true);
    }

    pub fn continued(&self) {
        self.put(|waiting| waiting.continued = true);
    }

    /// Kills from before it was started, and how many these were.
    pub fn earlier(&self, kills: Kills, before: Option<Before>) {
        self.put(|waiting| waiting.earlier = Some((kills, before)));
    }

    /// A line that would go to standard error.
    pub fn notice(&self, line: &[u8]) {
        // Broken for a terminal where it would have been written.
        let line = String::from_utf8_lossy(line).trim_end().replace("\n  ", " ");
        if line.is_empty() {
            return;
        }
        let mut inner = self.lock();
        if inner.said.len() < MOST_NOTICES {
            inner.said.push(line.clone());
        } else {
            inner.unsaid += 1;
        }
        if inner.waiting.notices.len() >= MOST_NOTICES {
            inner.waiting.notices.pop_front();
        }
        inner.waiting.notices.push_back(line);
        drop(inner);
        self.filled.notify_one();
    }

    /// What waits, once there is something, or after `time`; none when it ends.
    pub fn next(&self, time: Duration) -> Option<Waiting> {
        let until = Instant::now() + time;
        let mut inner = self.lock();
        loop {
            if inner.ended {
                return None;
            }
            let left = until.saturating_duration_since(Instant::now());
            if !inner.waiting.is_empty() || left == Duration::ZERO {
                let waiting = std::mem::take(&mut inner.waiting);
                drop(inner);
                self.taken.notify_all();
                return Some(waiting);
            }
            inner = self.filled.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Does something with the names that are known, and has the names of those asked for that it gives.
    pub fn with_names<T>(&self, work: impl FnOnce(&mut Names) -> (T, Vec<(String, u32)>)) -> T {
        let mut inner = self.lock();
        let (done, mut wanted) = work(&mut inner.names);
        wanted.truncate(MOST_WANTED);
        let is_any = !wanted.is_empty();
        inner.wanted = wanted;
        drop(inner);
        if is_any {
            self.wanted.notify_one();
        }
        done
    }

    /// Cgroups whose names are wanted, with how often each was made anew.
    pub fn take_wanted(&self) -> Vec<(String, u32)> {
        std::mem::take(&mut self.lock().wanted)
    }

    pub fn name(&self, cgroup: String, named: Named, restarts: u32, now: u64) {
        let mut inner = self.lock();
        inner.names.put(cgroup, named, restarts, now);
        inner.waiting.named = true;
        drop(inner);
        self.filled.notify_one();
    }

    /// Whoever sits before it has left, or nothing can be drawn.
    pub fn leave(&self, failed: bool) {
        let mut inner = self.lock();
        inner.ended = true;
        inner.failed |= failed;
        drop(inner);
        self.filled.notify_all();
        self.taken.notify_all();
        self.leaving.notify_one();
    }

    /// Nothing is shown any more.
    pub fn end(&self) {
        self.lock().ended = true;
        self.filled.notify_all();
        self.taken.notify_all();
    }

    /// Whether somebody draws from now on.
    pub fn draws(&self, draws: bool) {
        self.lock().is_still = !draws;
        self.taken.notify_all();
    }

    /// Ends what is shown, and waits until nobody draws; no longer than `time`, for the terminal may take nothing.
    pub fn end_and_wait(&self, time: Duration) {
        self.end();
        let inner = self.lock();
        _ = self.taken.wait_timeout_while(inner, time, |inner| !inner.is_still);
    }

    pub fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// Completes when it was left.
    pub async fn left(&self) {
        self.leaving.notified().await;
    }

    /// Says on standard error what was said while the screen was there.
    pub fn say_rest(&self) {
        let (said, unsaid) = {
            let mut inner = self.lock();
            (std::mem::take(&mut inner.said), inner.unsaid)
        };
        for line in said {
            notices::say(line.strip_prefix("oomtrace: ").unwrap_or(&line));
        }
        if unsaid > 0 {
            notices::say(&format!("{unsaid} lines more were shown on the screen alone"));
        }
    }
}

/// Hands records to the screen, and waits where that does not take them.
pub struct ToScreen(pub Arc<Shared>);

impl Sink for ToScreen {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        let mut inner = self.0.lock();
        while inner.waiting.records.len() >= MOST_RECORDS && !inner.ended {
            inner = self.0.taken.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if !inner.ended {
            inner.waiting.records.push_back(record.clone());
        }
        drop(inner);
        self.0.filled.notify_one();
        Ok(())
    }
}
