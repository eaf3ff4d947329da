//! A bounded queue between whoever has something to put out and the thread that writes it. Putting in never waits: what does
//! not fit is dropped, counted, and marked at its place among the rest.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much a queue holds. One entry always fits into an empty queue, however large it is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub entries: usize,
    pub bytes: usize,
}

/// What an item may take the room of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Kills, and counts of what was lost: these may fill all of the queue.
    First,
    /// All else, which may fill half of it.
    Other,
}

/// What was dropped, or not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Kills, which nothing else may take the place of.
    pub kills: u64,
    pub others: u64,
}

impl Count {
    /// One entry.
    #[must_use]
    pub const fn one(is_kill: bool) -> Self {
        if is_kill { Self { kills: 1, others: 0 } } else { Self { kills: 0, others: 1 } }
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.kills == 0 && self.others == 0
    }
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, more: Self) {
        self.kills += more.kills;
        self.others += more.others;
    }
}

/// What comes out of a queue.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<T> {
    Item(T),
    /// Here so much was dropped.
    Gap(Count),
}

/// What there is for the thread that writes.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    Entries(Vec<Entry<T>>),
    /// Nothing came for as long as it was waited for.
    Quiet,
    /// All was taken, and nothing more will come.
    End,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Taken,
    /// It is the first of those that are dropped here.
    DroppedFirst,
    Dropped,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    /// Something came in, or the queue was closed.
    filled: Condvar,
    /// What was taken out has been written.
    drained: Condvar,
    limits: Limits,
}

#[derive(Debug)]
struct State<T> {
    entries: VecDeque<(Entry<T>, Weight)>,
    bytes: usize,
    /// Items of a rank are being dropped, until half of their room is free again: a queue that is always nearly full would
    /// have a gap for each item.
    dropping: Dropping,
    /// What is being written.
    in_hand: Option<Weight>,
    closed: bool,
    /// The thread that writes has ended.
    ended: bool,
    /// Entries that were handed to it.
    taken: u64,
    /// Dropped, or left over when the thread ended.
    lost: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Dropping {
    first: bool,
    others: bool,
}

impl Dropping {
    fn of(&mut self, rank: Rank) -> &mut bool {
        match rank {
            Rank::First => &mut self.first,
            Rank::Other => &mut self.others,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    bytes: usize,
    count: Count,
}

impl Weight {
    fn plus(mut self, more: Self) -> Self {
        self.bytes += more.bytes;
        self.count += more.count;
        self
    }
}

impl<T> Queue<T> {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let state = State {
            entries: VecDeque::new(),
            bytes: 0,
            dropping: Dropping::default(),
            in_hand: None,
            closed: false,
            ended: false,
            taken: 0,
            lost: Count::default(),
        };
        Self { state: Mutex::new(state), filled: Condvar::new(), drained: Condvar::new(), limits }
    }

    /// Puts `item` in, which takes `bytes` and counts as `count`. Never waits.
    pub fn push(&self, item: T, bytes: usize, rank: Rank, count: Count) -> Pushed {
        let mut state = self.lock();
        if state.closed || state.ended {
            state.lost += count;
            return Pushed::Dropped;
        }
        if !state.has_room(bytes, rank, self.limits) {
            state.lost += count;
            match state.entries.back_mut() {
                Some((Entry::Gap(gap), _)) => *gap += count,
                _ => state.entries.push_back((Entry::Gap(count), Weight::default())),
            }
            let was_dropping = std::mem::replace(state.dropping.of(rank), true);
            return if was_dropping { Pushed::Dropped } else { Pushed::DroppedFirst };
        }
        *state.dropping.of(rank) = false;
        state.bytes += bytes;
        state.entries.push_back((Entry::Item(item), Weight { bytes, count }));
        drop(state);
        self.filled.notify_one();
        Pushed::Taken
    }

    /// The next entries, `most` at the most, once there is one; what was taken before counts as written. It is waited for so long, and as
    /// long as it takes where that is none.
    pub fn take(&self, most: usize, within: Option<Duration>) -> Taken<T> {
        let until = within.map(|within| Instant::now() + within);
        let mut state = self.lock();
        if let Some(done) = state.in_hand.take() {
            state.bytes -= done.bytes;
        }
        loop {
            if !state.entries.is_empty() {
                let number = state.entries.len().min(most.max(1));
                let (entries, weights): (Vec<_>, Vec<_>) = state.entries.drain(..number).unzip();
                state.in_hand = Some(weights.into_iter().fold(Weight::default(), Weight::plus));
                state.taken += number as u64;
                return Taken::Entries(entries);
            }
            self.drained.notify_all();
            if state.closed {
                return Taken::End;
            }
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return Taken::Quiet,
                Some(left) => self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    /// Where more than half of its room is taken: how many entries were handed to the writer so far.
    #[must_use]
    pub fn behind(&self) -> Option<u64> {
        let state = self.lock();
        let is_half_full = state.entries.len() > self.limits.entries / 2 || state.bytes > self.limits.bytes / 2;
        is_half_full.then_some(state.taken)
    }

    /// The thread that writes has ended: what it had in hand, and what is left, is lost.
    pub fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        let left = state.left();
        state.lost += left;
        state.entries.clear();
        (state.in_hand, state.bytes) = (None, 0);
        self.drained.notify_all();
    }

    /// Takes nothing more; what is in it is still written.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// Waits until all is written, and once it is closed until its thread has ended, no longer than `until`; gives what never was written, dropped
    /// ones included.
    pub fn wait_until_written(&self, until: Instant) -> Count {
        let mut state = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.ended || (state.is_written() && !state.closed) || left == Duration::ZERO {
                let mut lost = state.lost;
                lost += state.left();
                return lost;
            }
            let waited = self.drained.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What a thread that panicked leaves is still a queue.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn has_room(&mut self, bytes: usize, rank: Rank, limits: Limits) -> bool {
        if self.entries.is_empty() {
            return true;
        }
        let share = if rank == Rank::First { 1 } else { 2 } * if *self.dropping.of(rank) { 2 } else { 1 };
        self.entries.len() < limits.entries / share && self.bytes + bytes <= limits.bytes / share
    }

    fn is_written(&self) -> bool {
        self.entries.is_empty() && self.in_hand.is_none()
    }

    /// What is in it and in hand; what was dropped is counted already.
    fn left(&self) -> Count {
        let mut left = self.in_hand.map(|weight| weight.count).unwrap_or_default();
        self.entries.iter().for_each(|(_, weight)| left += weight.count);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILL: Rank = Rank::First;
    const OTHER: Rank = Rank::Other;

    fn push(queue: &Queue<u32>, item: u32, bytes: usize, rank: Rank) -> Pushed {
        queue.push(item, bytes, rank, Count::one(rank == KILL))
    }

    fn queue() -> Queue<u32> {
        Queue::new(Limits { entries: 8, bytes: 1000 })
    }

    fn all(queue: &Queue<u32>) -> Vec<Entry<u32>> {
        queue.close();
        std::iter::from_fn(|| take(queue, 1).pop()).collect()
    }

    fn take(queue: &Queue<u32>, most: usize) -> Vec<Entry<u32>> {
        match queue.take(most, None) {
            Taken::Entries(entries) => entries,
            Taken::Quiet | Taken::End => Vec::new(),
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_at_its_place() {
        let queue = queue();
        let pushed: Vec<Pushed> = (0..10).map(|n| push(&queue, n, 1, KILL)).collect();
        assert_eq!(pushed[7..], [Pushed::Taken, Pushed::DroppedFirst, Pushed::Dropped]);
        assert_eq!(take(&queue, 1), [Entry::Item(0)]);
        // Until half of it is free.
        assert_eq!(push(&queue, 10, 1, OTHER), Pushed::DroppedFirst);
        for _ in 0..5 {
            take(&queue, 1);
        }
        assert_eq!(push(&queue, 11, 1, KILL), Pushed::Taken);
        let gap = Count { kills: 2, others: 1 };
        assert_eq!(all(&queue), [Entry::Item(6), Entry::Item(7), Entry::Gap(gap), Entry::Item(11)]);
        assert_eq!(queue.wait_until_written(Instant::now()), gap);
    }

    #[test]
    fn nothing_takes_the_room_of_kills() {
        let queue = queue();
        (0..20).for_each(|n| _ = push(&queue, n, 1, OTHER));
        // Where others were dropped, a kill still finds room.
        assert_eq!(push(&queue, 20, 1, KILL), Pushed::Taken);
        assert_eq!(queue.wait_until_written(Instant::now()).kills, 1);
    }

    #[test]
    fn bytes_are_bounded_and_a_large_one_fits_by_itself() {
        let queue = queue();
        assert_eq!(push(&queue, 0, 5000, KILL), Pushed::Taken);
        assert_eq!(push(&queue, 1, 1, KILL), Pushed::DroppedFirst);
        assert_eq!(all(&queue), [Entry::Item(0), Entry::Gap(Count::one(true))]);
    }

    #[test]
    fn what_is_left_when_it_ends_is_lost() {
        let queue = queue();
        (0..3).for_each(|n| _ = push(&queue, n, 1, KILL));
        take(&queue, 1);
        queue.end();
        assert_eq!(push(&queue, 3, 1, OTHER), Pushed::Dropped);
        assert_eq!(queue.wait_until_written(Instant::now()), Count { kills: 3, others: 1 });
    }

    #[test]
    fn quiet_is_said_and_an_end_takes_as_long_as_its_thread() {
        let queue = queue();
        assert_eq!(queue.take(1, Some(Duration::ZERO)), Taken::Quiet);
        push(&queue, 0, 1, KILL);
        assert_eq!(queue.take(1, Some(Duration::ZERO)), Taken::Entries(vec![Entry::Item(0)]));
        queue.close();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(queue.take(1, None), Taken::End);
                std::thread::sleep(Duration::from_millis(20));
                queue.end();
            });
            let lost = queue.wait_until_written(Instant::now() + Duration::from_secs(20));
            assert!(queue.lock().ended && lost.is_zero());
        });
    }

    #[test]
    fn several_are_taken_at_a_time_and_count_as_written_together() {
        let queue = Queue::new(Limits { entries: 8, bytes: 800 });
        (0..5).for_each(|number| {
            queue.push(number, 100, Rank::First, Count::one(true));
        });
        assert_eq!(take(&queue, 3), [0, 1, 2].map(Entry::Item));
        assert_eq!(queue.wait_until_written(Instant::now()), Count { kills: 5, others: 0 });
        assert_eq!(take(&queue, 3), [3, 4].map(Entry::Item));
        assert_eq!(queue.wait_until_written(Instant::now()), Count { kills: 2, others: 0 });
    }
}
