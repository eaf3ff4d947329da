//! A thread that writes what a bounded queue hands it. Whoever fills the queue never waits for it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::own::writer;
use crate::sink::queue::{Count, Entry, Limits, Pushed, Queue, Rank, Taken};
use crate::sink::steady::Closing;

/// Nothing more has come for so long: what was held back for others is written.
const QUIET: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug)]
pub struct Outlet<T> {
    queue: Arc<Queue<T>>,
    closing: Arc<Closing>,
}

impl<T: Send + 'static> Outlet<T> {
    /// Starts the thread `name`, which gives each entry to `write`, in order. With its first error it ends, and `ended` has it;
    /// none when it was closed and all is written. `closing` ends its waiting for room, and is set by [`Self::close`].
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(
        name: &str,
        limits: Limits,
        closing: Arc<Closing>,
        mut write: impl FnMut(Entry<T>) -> io::Result<()> + Send + 'static,
        ended: impl FnOnce(Option<io::Error>) + Send + 'static,
    ) -> io::Result<Self> {
        let each = move |taken: Taken<T>| match taken {
            Taken::Entries(entries) => entries.into_iter().try_for_each(&mut write),
            Taken::Quiet | Taken::End => Ok(()),
        };
        Self::start_many(name, limits, 1, closing, each, ended)
    }

    /// The same, with up to `most` entries at a time: for what is no more work for many than for one. `write` is also called when nothing more
    /// has come for a moment, once, and at the end.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start_many(
        name: &str,
        limits: Limits,
        most: usize,
        closing: Arc<Closing>,
        mut write: impl FnMut(Taken<T>) -> io::Result<()> + Send + 'static,
        ended: impl FnOnce(Option<io::Error>) + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(limits));
        let of_thread = Arc::clone(&queue);
        writer::spawn(name, move || {
            // Also when it panics: nobody may wait for it then.
            let ends = EndsQueue(&of_thread);
            let mut is_quiet = true;
            let result = loop {
                // Who waits for nothing is not woken.
                let taken = of_thread.take(most, (!is_quiet).then_some(QUIET));
                is_quiet = matches!(taken, Taken::Quiet);
                let is_end = matches!(taken, Taken::End);
                match write(taken) {
                    Ok(()) if !is_end => {}
                    result => break result,
                }
            };
            drop(ends);
            ended(result.err());
        })?;
        Ok(Self { queue, closing })
    }

    /// Hands `item` over, which takes `bytes` and counts as `count`.
    pub fn push(&self, item: T, bytes: usize, rank: Rank, count: Count) -> Pushed {
        self.queue.push(item, bytes, rank, count)
    }

    /// See [`Queue::behind`].
    #[must_use]
    pub fn behind(&self) -> Option<u64> {
        self.queue.behind()
    }

    /// Has what is in the queue written until then, and no longer; gives what never was, dropped entries included.
    #[must_use]
    pub fn close(&self, until: Instant) -> Count {
        self.queue.close();
        self.closing.set();
        self.queue.wait_until_written(until)
    }
}

struct EndsQueue<'a, T>(&'a Queue<T>);

impl<T> Drop for EndsQueue<'_, T> {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    const LIMITS: Limits = Limits { entries: 4, bytes: 1 << 20 };

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn a_writer_that_stalls_delays_nobody_and_what_did_not_fit_is_said_in_its_place() {
        let (go, wait) = channel::<()>();
        let written = Arc::new(Mutex::new(Vec::new()));
        let writes = Arc::clone(&written);
        let write = move |entry| {
            _ = wait.recv();
            writes.lock().unwrap().push(entry);
            Ok(())
        };
        let outlet = Outlet::start("test", LIMITS, Arc::default(), write, |_| {}).unwrap();
        let pushed: Vec<Pushed> = (0..20).map(|n| outlet.push(n, 1, Rank::First, Count::one(true))).collect();
        assert!(pushed.contains(&Pushed::DroppedFirst));
        let left = outlet.close(Instant::now());
        assert_eq!(left, Count { kills: 20, others: 0 });
        drop(go);
        let lost = outlet.close(soon());
        let written = written.lock().unwrap();
        let items = written.iter().filter(|entry| matches!(entry, Entry::Item(_))).count() as u64;
        assert_eq!((items + lost.kills, written.last()), (20, Some(&Entry::Gap(lost))));
    }

    #[test]
    fn an_error_ends_it_and_panics_do() {
        for panics in [false, true] {
            let (tell, told) = channel();
            let write = move |_: Entry<u32>| {
                assert!(!panics, "a writer that panics");
                Err(io::ErrorKind::BrokenPipe.into())
            };
            let outlet = Outlet::start("test", LIMITS, Arc::default(), write, move |error| {
                _ = tell.send(error.map(|error| error.kind()));
            })
            .unwrap();
            outlet.push(1, 1, Rank::First, Count::one(true));
            assert_eq!(told.recv().ok().flatten(), (!panics).then_some(io::ErrorKind::BrokenPipe));
            assert_eq!(outlet.close(soon()), Count { kills: 1, others: 0 });
        }
    }
}
