//! The thread that reads cgroups' files.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

use crate::memory::recorder::point::{Point, Tenths, tenths};
use crate::memory::recorder::scope::scope;
use crate::memory::recorder::warning::{Raised, Rules};
use crate::memory::verdict;
use crate::node::clock::{WallClock, boot_now};
use crate::node::gauge::{Gauge, Gauges};
use crate::node::warnings::Warnings;
use crate::run::flight::Shared;
use crate::run::flight::pace::Pace;
use crate::run::flight::room::{MOST, Refused};
use crate::run::flight::waiting::Waiting;
use crate::run::flight::walk::walk;

static TROUBLE: Warnings = Warnings::new();
/// Descriptors that are left to everything else.
const RESERVED: usize = 256;
/// Cgroups that begin to be followed at once, and in each tenth of a second after that: whoever makes many of them gets no more of the
/// processor.
const BURST: u32 = 2048;
const EACH_TENTH: u32 = 20;
/// All cgroups are looked for no more often.
const RESCAN_EVERY: Tenths = 100;
/// The same where it is for those that there was no room for before.
const RETRY_EVERY: Tenths = 600;
/// Cgroups that have woken it, which are looked at together.
const EVENTS: usize = 64;
/// One that wakes is not let wake again within this time, and within twice as much each time that its limit turns out to be far: a cgroup
/// full of cache hits its limit hundreds of times a second, for hours.
const CALM: Tenths = 10;
const MOST_CALM: Tenths = 600;
/// What is raised and waits to be said.
const MAX_RAISED: usize = 256;
/// Marks the descriptor that says that something is asked.
const ASKED: u64 = u64::MAX;

/// See the module's documentation.
pub struct Sampler {
    gauges: Gauges,
    shared: Arc<Shared>,
    epoll: OwnedFd,
    open: Vec<Option<Open>>,
    /// Places that are free.
    free: Vec<usize>,
    by_path: HashMap<Arc<str>, usize>,
    /// Those that wait for their turn.
    waiting: Waiting,
    tokens: u32,
    filled: Tenths,
    scanned: Option<Tenths>,
    rescan: bool,
    rules: Option<Rules>,
}

/// A cgroup whose files are open.
struct Open {
    path: Arc<str>,
    id: u64,
    gauge: Gauge,
    pace: Pace,
    /// It has woken then, and wakes again only once it is asked to.
    woke: Option<Tenths>,
    calm: Tenths,
    armed: Tenths,
}

impl Sampler {
    pub fn new(gauges: Gauges, shared: Arc<Shared>, rules: Option<Rules>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, shared.wake.as_fd(), epoll::EventData::new_u64(ASKED), epoll::EventFlags::IN)?;
        let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(RESERVED);
        shared.lock().book.room.set_most((descriptors / gauges.descriptors_each()).min(MOST));
        Ok(Self {
            gauges,
            shared,
            epoll,
            open: Vec::new(),
            free: Vec::new(),
            by_path: HashMap::new(),
            waiting: Waiting::default(),
            tokens: BURST,
            filled: 0,
            scanned: None,
            rescan: true,
            rules,
        })
    }

    /// Until `stop` is set.
    pub fn run(mut self) {
        let mut woken: Vec<u64> = Vec::with_capacity(EVENTS);
        // The kernel has this clock since 2.6.39.
        while let Ok(now) = boot_now().map(tenths) {
            if !self.asked() {
                return;
            }
            self.scan(now);
            self.begin(now);
            self.read(now, &woken);
            woken.clear();
            if let Err(error) = self.sleep(&mut woken) {
                TROUBLE.warn(format_args!("memory is not followed any more: {error}"));
                return;
            }
        }
    }

    /// Sleeps until something is due, or wakes it.
    fn sleep(&self, woken: &mut Vec<u64>) -> io::Result<()> {
        let due = self.open.iter().flatten().map(|open| open.due()).min();
        // Those that wait have their turn in the next tenth of a second.
        let due = match (due, self.waiting.is_empty()) {
            (due, true) => due,
            (due, false) => Some(due.unwrap_or(Tenths::MAX).min(self.filled.saturating_add(1))),
        };
        let due = match (due, self.rescan, self.scanned) {
            (due, true, Some(scanned)) => Some(due.unwrap_or(Tenths::MAX).min(scanned.saturating_add(RESCAN_EVERY))),
            (due, ..) => due,
        };
        let timeout = due.and_then(|due| {
            let now = boot_now().ok()?;
            let left = (u64::from(due) * 100_000_000).saturating_sub(now);
            Timespec::try_from(Duration::from_nanos(left)).ok()
        });
        let mut events =
            [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; EVENTS];
        let count = match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        woken.extend(events.iter().take(count).map(|event| event.data.u64()));
        Ok(())
    }

    /// Takes what was asked; false when it is to stop.
    fn asked(&mut self) -> bool {
        // Nothing is there when it woke by itself.
        _ = rustix::io::read(self.shared.wake.as_fd(), &mut [0; 8]);
        let mut state = self.shared.lock();
        state.book.seen.wakes += 1;
        let (came, went) = (std::mem::take(&mut state.came), std::mem::take(&mut state.went));
        self.rescan |= std::mem::take(&mut state.rescan);
        let goes_on = !state.stop;
        drop(state);
        if !went.is_empty() {
            let went: HashSet<u64> = went.into_iter().collect();
            let gone: Vec<usize> = self
                .open
                .iter()
                .enumerate()
                .filter_map(|(slot, open)| open.as_ref().filter(|open| went.contains(&open.id)).map(|_| slot))
                .collect();
            gone.into_iter().for_each(|slot| self.close(slot));
        }
        for path in came {
            // Those that find no room are looked for later, if they are still there.
            self.rescan |= !self.waiting.push(path);
        }
        goes_on
    }

    /// Looks for all cgroups, where that is wanted and was not done just before.
    fn scan(&mut self, now: Tenths) {
        if !self.rescan || self.scanned.is_some_and(|scanned| now.saturating_sub(scanned) < RESCAN_EVERY) {
            return;
        }
        (self.rescan, self.scanned) = (false, Some(now));
        let mut state = self.shared.lock();
        state.book.room.recount();
        let mut named: HashSet<String> = state.book.room.named().keys().cloned().collect();
        drop(state);
        let (waiting, by_path) = (&mut self.waiting, &self.by_path);
        let mut has_room = true;
        let whole = walk(self.gauges.mount(), |path| {
            let is_wanted = scope(path).is_some() || named.remove(path);
            if is_wanted && !by_path.contains_key(path) {
                has_room &= waiting.push(path.to_owned());
            }
            true
        });
        self.rescan |= !has_room;
        if !whole {
            return TROUBLE.warn("more cgroups than are looked at: the memory of some is not followed");
        }
        // Those that were not found are gone.
        let mut state = self.shared.lock();
        named.iter().for_each(|path| state.book.room.unname(path));
    }

    /// Begins to follow those that wait, as many as have their turn.
    fn begin(&mut self, now: Tenths) {
        if self.waiting.is_empty() {
            return;
        }
        let filled = now.saturating_sub(self.filled).saturating_mul(EACH_TENTH);
        (self.tokens, self.filled) = (self.tokens.saturating_add(filled).min(BURST), now);
        let turn = self.waiting.len().min(self.tokens as usize);
        self.tokens -= turn as u32;
        for _ in 0..turn {
            let Some(path) = self.waiting.pop() else { break };
            self.follow(&path, now);
        }
        if self.waiting.is_empty() {
            self.waiting.shrink();
        }
    }

    fn follow(&mut self, path: &str, now: Tenths) {
        let admitted = self.shared.lock().book.admits(path);
        let scope = match admitted {
            Ok(scope) => scope,
            Err(Refused::NoScope) => return,
            Err(Refused::NoRoom) => return self.leave_out(now),
        };
        let gauge = match self.gauges.open(path, scope.region.is_none()) {
            Ok(gauge) => gauge,
            Err(error) if matches!(error.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENFILE)) => {
                return self.leave_out(now);
            }
            // It is gone already, or has no memory controller.
            Err(error) => {
                self.shared.lock().book.room.unname(path);
                return log::debug!("{path:?}: its memory is not followed: {error}");
            }
        };
        let id = gauge.id();
        if let Some(slot) = self.by_path.get(path).copied() {
            if self.open.get(slot).and_then(Option::as_ref).is_some_and(|open| open.id == id) {
                return;
            }
            self.close(slot);
        }
        let restart = self.shared.lock().book.follow(path, id, scope, now);
        let slot = self.free.pop().unwrap_or(self.open.len());
        for waker in gauge.wakers() {
            // Without it, it is looked at when its time comes.
            let flags = epoll::EventFlags::PRI | epoll::EventFlags::ONESHOT;
            _ = epoll::add(&self.epoll, waker, epoll::EventData::new_u64(slot as u64), flags);
        }
        let path: Arc<str> = Arc::from(path);
        self.by_path.insert(Arc::clone(&path), slot);
        let open = Some(Open { path, id, gauge, pace: Pace::new(now, restart), woke: None, calm: CALM, armed: now });
        match self.open.get_mut(slot) {
            Some(place) => *place = open,
            None => self.open.push(open),
        }
    }

    fn leave_out(&mut self, now: Tenths) {
        self.shared.lock().book.room.leave_out();
        // There may be room later.
        self.rescan = true;
        let retry = now.saturating_add(RETRY_EVERY).saturating_sub(RESCAN_EVERY);
        self.scanned = Some(self.scanned.map_or(retry, |scanned| scanned.max(retry)));
    }

    /// Reads those that are due, and those that have woken.
    fn read(&mut self, now: Tenths, woken: &[u64]) {
        let mut points: Vec<(Arc<str>, Point)> = Vec::new();
        let mut gone = Vec::new();
        let (mut looks, mut readings) = (0, 0);
        for slot in woken.iter().filter(|slot| **slot != ASKED).filter_map(|slot| usize::try_from(*slot).ok()) {
            if let Some(open) = self.open.get_mut(slot).and_then(Option::as_mut) {
                open.wakes(now);
            }
        }
        for (slot, open) in self.open.iter_mut().enumerate().filter_map(|(slot, open)| Some((slot, open.as_mut()?))) {
            if open.woke.is_some_and(|woke| now.saturating_sub(woke) >= open.calm) {
                open.rearm(&self.epoll, slot, now);
            }
            if open.pace.due > now {
                continue;
            }
            looks += 1;
            match open.look(now) {
                Ok(Some(point)) => {
                    readings += 1;
                    points.push((Arc::clone(&open.path), point));
                }
                Ok(None) => {}
                Err(_) => gone.push(slot),
            }
        }
        gone.into_iter().for_each(|slot| self.close(slot));
        let mut state = self.shared.lock();
        state.book.seen.looks += looks;
        state.book.seen.readings += readings;
        let raised: Vec<Raised> =
            points.iter().filter_map(|(path, point)| state.book.push(path, *point, self.rules)).collect();
        state.book.forget(now);
        drop(state);
        self.raise(raised);
        for (path, _) in &points {
            self.judge(path, now);
        }
    }

    /// Judges a whole curve, where it is time to: that takes a fraction of a millisecond, and nobody waits meanwhile.
    fn judge(&self, path: &str, now: Tenths) {
        let Ok(clock) = WallClock::read() else { return };
        let offset_s = clock.offset_ns as f64 / 1e9;
        let Some(samples) = self.shared.lock().book.take_to_judge(path, now, offset_s) else { return };
        let verdict = verdict::judge(&samples);
        let unix = f64::from(now) / 10.0 + offset_s;
        let raised = self.shared.lock().book.judged(path, now, unix, verdict, self.rules);
        self.raise(raised);
    }

    fn raise(&self, raised: impl IntoIterator<Item = Raised>) {
        for raised in raised {
            let mut state = self.shared.lock();
            if state.raised.len() >= MAX_RAISED {
                TROUBLE.warn("more warnings at once than can be said: some are left out");
                return;
            }
            state.raised.push_back(raised);
            drop(state);
            self.shared.raised.notify_one();
        }
    }

    /// It is gone.
    fn close(&mut self, slot: usize) {
        let Some(open) = self.open.get_mut(slot).and_then(Option::take) else { return };
        // Closing the files takes them out of what wakes.
        self.by_path.remove(&open.path);
        self.free.push(slot);
        let now = boot_now().map(tenths).unwrap_or_default();
        self.shared.lock().book.leave(&open.path, now);
    }
}

impl Open {
    /// When it wants something.
    fn due(&self) -> Tenths {
        self.woke.map_or(self.pace.due, |woke| self.pace.due.min(woke.saturating_add(self.calm)))
    }

    /// The point that a look makes, if it finds something new.
    fn look(&mut self, now: Tenths) -> io::Result<Option<Point>> {
        let usage = self.gauge.usage()?;
        if self.woke != Some(now) && !self.pace.wants_whole(now, usage) {
            self.pace.looked(now);
            return Ok(None);
        }
        let reading = self.gauge.read()?;
        let point = self.pace.take(now, &reading);
        if self.woke == Some(now) && self.pace.is_calm(now) {
            self.calm = (2 * self.calm).min(MOST_CALM);
        } else if !self.pace.is_calm(now) {
            self.calm = CALM;
        }
        Ok(Some(point))
    }

    fn wakes(&mut self, now: Tenths) {
        // It has been quiet for long.
        if now.saturating_sub(self.armed) > 2 * self.calm {
            self.calm = CALM;
        }
        self.woke.get_or_insert(now);
        self.pace.due = now;
    }

    /// Lets it wake again.
    fn rearm(&mut self, epoll: &OwnedFd, slot: usize, now: Tenths) {
        (self.woke, self.armed) = (None, now);
        self.gauge.rearm();
        for waker in self.gauge.wakers() {
            let flags = epoll::EventFlags::PRI | epoll::EventFlags::ONESHOT;
            _ = epoll::modify(epoll, waker, epoll::EventData::new_u64(slot as u64), flags);
        }
    }
}
