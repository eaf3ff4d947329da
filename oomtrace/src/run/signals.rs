//! `oomtrace signals`: each signal as it is generated, for kernel debugging. Nothing is judged, and nothing else is watched.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use glob::Pattern;
use oomtrace_common::counts::{ARGUMENTS, Counts, EXITS, SIGNALS};
use oomtrace_common::event::{MADE_FOR_RECEIVER, RESULT_DELIVERED};
use oomtrace_common::settings::{ANY_UID, SignalFilter, signal_bit};

use crate::event::decode::seen::{Generated, Seen, Taken, seen};
use crate::event::{BootNs, Info, Outcome, Task};
use crate::filter::is_below;
use crate::model::SCHEMA;
use crate::model::seen::{
    FollowedSignal, GeneratedSignal, HistogramUntil, LostSignals, SeenRecord, SignalOutcome, SignalProcess,
    SignalsReady, Times,
};
use crate::node::clock::WallClock;
use crate::node::identity::Identity;
use crate::node::signals;
use crate::own;
use crate::own::calls::Network;
use crate::probe::counter::{Counter, since};
use crate::probe::ring::Ring;
use crate::probe::signals::Signals;
use crate::run::live::WatchError;

/// What is lost is said once in this time.
const LOST_EVERY: Duration = Duration::from_secs(1);
/// For how long what became of the last signals is waited for.
const LAST: Duration = Duration::from_millis(50);
/// What lies at most between a signal's time and that of its event: interrupts are off.
const NEAR_NS: BootNs = 1_000_000;

/// Which signals.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Numbers; empty = all.
    pub signals: Vec<u32>,
    /// By name or pid; `kernel` is the kernel itself.
    pub senders: Vec<Pattern>,
    /// By name or pid.
    pub receivers: Vec<Pattern>,
    /// Receivers' uids.
    pub uids: Vec<u32>,
    /// Receivers' names.
    pub comms: Vec<Pattern>,
    /// Receivers' cgroups, and those below.
    pub cgroups: Vec<String>,
    pub outcome: Option<SignalOutcome>,
    /// Follows each to its delivery and to the end of its process.
    pub follows: bool,
    /// Ends after so many.
    pub count: Option<u64>,
}

impl Wanted {
    /// What of it the kernel side decides; the rest is left for [`Self::wants`], which decides it all again.
    #[must_use]
    pub fn filter(&self) -> SignalFilter {
        let number = |patterns: &[Pattern]| match patterns {
            [one] => one.as_str().parse().unwrap_or(0),
            _ => 0,
        };
        SignalFilter {
            signals: match self.signals.as_slice() {
                [] => u64::MAX,
                some => some.iter().fold(0, |mask, signal| mask | signal_bit(*signal)),
            },
            sender: number(&self.senders),
            receiver: number(&self.receivers),
            uid: if let [uid] = self.uids.as_slice() { *uid } else { ANY_UID },
            result: match self.outcome {
                Some(SignalOutcome::Delivered) => RESULT_DELIVERED + 1,
                Some(SignalOutcome::Ignored) => RESULT_DELIVERED + 2,
                _ => 0,
            },
            follows: u32::from(self.follows),
            reserved: 0,
        }
    }

    fn wants(&self, signal: &Generated) -> bool {
        let is_sender = |pattern: &Pattern| {
            if is_from_kernel(signal) { pattern.as_str() == "kernel" } else { is_named(pattern, &signal.sender) }
        };
        let receiver = &signal.receiver;
        let paths = [&receiver.cgroup_path, &receiver.memory_path];
        let is_in = |cgroup: &String| paths.into_iter().flatten().any(|path| is_below(path, cgroup));
        any(&self.signals, |number| *number == signal.signal)
            && any(&self.senders, is_sender)
            && any(&self.receivers, |pattern| is_named(pattern, receiver))
            && any(&self.uids, |uid| *uid == receiver.uid)
            && any(&self.comms, |pattern| pattern.matches(&receiver.comm))
            && any(&self.cgroups, is_in)
            && self.outcome.is_none_or(|wanted| wanted == outcome(signal.outcome))
    }
}

/// One of them is; or there is none.
fn any<T>(wanted: &[T], is: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is)
}

fn is_named(pattern: &Pattern, task: &Task) -> bool {
    pattern.matches(&task.comm) || pattern.as_str().parse() == Ok(task.key.pid)
}

fn is_from_kernel(signal: &Generated) -> bool {
    match signal.info {
        Info::Kernel => true,
        Info::None => false,
        // Codes above zero are the kernel's alone.
        Info::Real(code) => code > 0 || MADE_FOR_RECEIVER.contains(&code),
    }
}

const fn outcome(outcome: Outcome) -> SignalOutcome {
    match outcome {
        Outcome::Delivered => SignalOutcome::Delivered,
        Outcome::Ignored => SignalOutcome::Ignored,
        Outcome::AlreadyPending => SignalOutcome::AlreadyPending,
        Outcome::Other(_) => SignalOutcome::Overflow,
    }
}

/// Gives each signal that is wanted to `put`, until `stop` completes or there were as many as are wanted.
///
/// # Errors
/// When the ring buffer, the clock or `put` fails.
pub async fn run(
    signals: Signals,
    wanted: &Wanted,
    mut put: impl FnMut(&SeenRecord) -> io::Result<()>,
    stop: impl Future<Output = ()>,
) -> Result<u64, WatchError> {
    let Signals { ebpf, events, counter } = signals;
    // Holds the programs for as long as this runs.
    let _ebpf = ebpf;
    let mut ring = Ring::new(events).map_err(WatchError::Ring)?;
    own::confine(own::Mode::On, &[], Network::Nobody, || counter.read().is_ok());
    let Identity { node, boot_id } = Identity::read();
    put(&SeenRecord::Ready(SignalsReady {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node,
        boot_id,
    }))?;
    let mut seen = Watch::new(wanted);
    let mut losses = Losses { counter, told: Counts::default(), at: Instant::now() };
    let mut stop = std::pin::pin!(stop);
    while !seen.is_enough() {
        tokio::select! {
            biased;
            () = &mut stop => break,
            read = ring.read(|record| seen.take(record)) => read.map_err(WatchError::Ring)?,
        }
        seen.put(&mut put)?;
        if losses.at.elapsed() >= LOST_EVERY {
            losses.put(&mut put)?;
        }
    }
    if wanted.follows {
        tokio::time::sleep(LAST).await;
    }
    // Whoever makes signals faster than they are read must not hold up the end.
    let until = Instant::now() + LAST;
    while ring.drain_some(|record| seen.take(record)).map_err(WatchError::Ring)? && Instant::now() < until {
        seen.put(&mut put)?;
    }
    seen.put(&mut put)?;
    losses.put(&mut put)?;
    if wanted.follows {
        for times in [&seen.delivery, &seen.exit] {
            put(&SeenRecord::Histogram(times.histogram()))?;
        }
    }
    Ok(seen.count)
}

/// Whom a signal is for, as the kernel side follows it: a process or a thread by its id, and the number.
type Whom = (u32, u32, bool);

struct Watch<'a> {
    wanted: &'a Wanted,
    count: u64,
    delivery: Times,
    exit: Times,
    /// Signals that are wanted and on their way, and when each was generated.
    followed: HashMap<Whom, BootNs>,
    waiting: Vec<SeenRecord>,
}

/// Signals that are remembered for what may become of them; one that is forgotten is left out of the histogram.
const MAX_FOLLOWED: usize = 1 << 16;

impl<'a> Watch<'a> {
    fn new(wanted: &'a Wanted) -> Self {
        let (delivery, exit) = (Times::new(HistogramUntil::Delivery), Times::new(HistogramUntil::Exit));
        Self { wanted, count: 0, delivery, exit, followed: HashMap::new(), waiting: Vec::new() }
    }

    fn is_enough(&self) -> bool {
        self.wanted.count.is_some_and(|count| self.count >= count)
    }

    fn take(&mut self, record: &[u8]) {
        match seen(record) {
            Ok(Seen::Generated(signal)) => self.generated(&signal),
            Ok(Seen::Taken(taken)) => self.taken(taken),
            Err(error) => log::error!("undecodable event of {} bytes: {error}", record.len()),
        }
    }

    fn generated(&mut self, signal: &Generated) {
        if self.is_enough() || !self.wanted.wants(signal) {
            return;
        }
        self.count += 1;
        if self.wanted.follows {
            if self.followed.len() >= MAX_FOLLOWED {
                self.followed.clear();
            }
            let receiver = &signal.receiver;
            let id = if signal.group { receiver.key.pid } else { receiver.tid };
            self.followed.insert((id, signal.signal, signal.group), signal.at);
        }
        self.waiting.push(SeenRecord::Generated(describe(signal)));
    }

    fn taken(&mut self, taken: Taken) {
        let whoms = [(taken.tid, taken.signal, false), (taken.pid, taken.signal, true)];
        // The kernel side notes the time a little before it writes the event. Another time is that of one that is not wanted.
        let is_it = |whom: &Whom| self.followed.get(whom).is_some_and(|at| at.wrapping_sub(taken.generated) < NEAR_NS);
        let Some(whom) = whoms.into_iter().find(is_it) else { return };
        let after_ns = taken.at.saturating_sub(taken.generated);
        let Taken { at: boot_ns, signal, pid, tid, .. } = taken;
        let followed = FollowedSignal { boot_ns, signal, pid, tid, after_ns };
        self.waiting.push(if taken.ended {
            self.followed.remove(&whom);
            self.exit.add(after_ns);
            SeenRecord::Ended(followed)
        } else {
            self.delivery.add(after_ns);
            SeenRecord::Delivered(followed)
        });
    }

    fn put(&mut self, put: &mut impl FnMut(&SeenRecord) -> io::Result<()>) -> Result<(), WatchError> {
        // It cannot fail after it worked once.
        let clock = WallClock::read()?;
        for mut record in self.waiting.drain(..) {
            if let SeenRecord::Generated(signal) = &mut record {
                signal.time = clock.rfc3339(signal.boot_ns).unwrap_or_default();
            }
            put(&record)?;
        }
        Ok(())
    }
}

fn describe(signal: &Generated) -> GeneratedSignal {
    GeneratedSignal {
        time: String::new(),
        boot_ns: signal.at,
        signal: signal.signal,
        name: signals::name(signal.signal),
        code: match signal.info {
            Info::Real(code) => Some(code),
            Info::None | Info::Kernel => None,
        },
        from_kernel: is_from_kernel(signal),
        group: signal.group,
        outcome: outcome(signal.outcome),
        disposition: signal.disposition,
        sender: process(&signal.sender),
        receiver: process(&signal.receiver),
        cgroup: signal.receiver.cgroup_path.clone(),
        memory_cgroup: signal.receiver.memory_path.clone(),
    }
}

fn process(task: &Task) -> SignalProcess {
    SignalProcess { pid: task.key.pid, tid: task.tid, comm: task.comm.clone(), uid: task.uid }
}

/// What the kernel side had no room for.
struct Losses {
    counter: Counter,
    told: Counts,
    at: Instant,
}

impl Losses {
    fn put(&mut self, put: &mut impl FnMut(&SeenRecord) -> io::Result<()>) -> Result<(), WatchError> {
        let counts = self.counter.read()?;
        self.at = Instant::now();
        let new = since(&counts, &self.told).lost;
        let of = |kind: usize| new.get(kind).copied().unwrap_or_default();
        let lost = LostSignals { signals: of(SIGNALS), followed: of(ARGUMENTS) + of(EXITS) };
        if lost != LostSignals::default() {
            self.told = counts;
            put(&SeenRecord::Lost(lost))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::fixture;

    fn signal(sender: u32, receiver: u32) -> Generated {
        let event = fixture::signal(sender, receiver);
        let mut receiver = Task { uid: 1000, cgroup_path: Some("/a/b".to_owned()), ..event.victim };
        receiver.comm = "worker".to_owned();
        Generated {
            at: 5_000,
            signal: 15,
            info: Info::Real(0),
            group: true,
            outcome: Outcome::Delivered,
            disposition: None,
            receiver,
            sender: Task { comm: "kill".to_owned(), ..event.sender },
        }
    }

    fn patterns(text: &str) -> Vec<Pattern> {
        vec![Pattern::new(text).unwrap()]
    }

    #[test]
    fn each_filter_decides_and_all_of_them_together() {
        let of = |change: fn(&mut Wanted)| {
            let mut wanted = Wanted::default();
            change(&mut wanted);
            wanted
        };
        for (wanted, expected) in [
            (Wanted::default(), true),
            (of(|w| w.signals = vec![9, 15]), true),
            (of(|w| w.signals = vec![9]), false),
            (of(|w| w.senders = patterns("ki*")), true),
            (of(|w| w.senders = patterns("10")), true),
            (of(|w| w.senders = patterns("11")), false),
            (of(|w| w.senders = patterns("kernel")), false),
            (of(|w| w.receivers = patterns("20")), true),
            (of(|w| w.receivers = patterns("worker")), true),
            (of(|w| w.receivers = patterns("kill")), false),
            (of(|w| w.uids = vec![0, 1000]), true),
            (of(|w| w.uids = vec![0]), false),
            (of(|w| w.comms = patterns("work??")), true),
            (of(|w| w.comms = patterns("10")), false),
            (of(|w| w.cgroups = vec!["/a".to_owned()]), true),
            (of(|w| w.cgroups = vec!["/a/bc".to_owned()]), false),
            (of(|w| w.outcome = Some(SignalOutcome::Delivered)), true),
            (of(|w| w.outcome = Some(SignalOutcome::Ignored)), false),
            (of(|w| (w.signals, w.uids) = (vec![15], vec![7])), false),
        ] {
            assert_eq!(wanted.wants(&signal(10, 20)), expected, "{wanted:?}");
        }
        for (info, expected) in [
            (Info::Kernel, true),
            (Info::Real(128), true),
            (Info::Real(-2), true),
            (Info::Real(-6), false),
            (Info::None, false),
        ] {
            let wanted = of(|w| w.senders = patterns("kernel"));
            assert_eq!(wanted.wants(&Generated { info, ..signal(10, 20) }), expected, "{info:?}");
        }
    }

    #[test]
    fn the_kernel_side_is_given_what_it_can_decide() {
        assert_eq!(Wanted::default().filter(), SignalFilter::ALL);
        let wanted = Wanted {
            signals: vec![1, 64],
            senders: patterns("10"),
            receivers: patterns("a20"),
            uids: vec![1, 2],
            outcome: Some(SignalOutcome::Ignored),
            follows: true,
            ..Wanted::default()
        };
        let expected = SignalFilter { signals: 1 | 1 << 63, sender: 10, result: 2, follows: 1, ..SignalFilter::ALL };
        assert_eq!(wanted.filter(), expected);
    }

    #[test]
    fn times_are_those_of_signals_that_are_wanted() {
        let wanted = Wanted { follows: true, count: Some(2), receivers: patterns("20"), ..Wanted::default() };
        let mut watch = Watch::new(&wanted);
        let taken = |generated, ended| Taken { at: 9_000, pid: 20, tid: 20, signal: 15, ended, generated };
        watch.generated(&signal(10, 21));
        watch.generated(&signal(10, 20));
        assert!(watch.count == 1 && !watch.is_enough());
        // Of another signal of that number, of another process, and its own.
        watch.taken(taken(6_000, false));
        watch.taken(Taken { pid: 21, tid: 21, ..taken(4_000, false) });
        watch.taken(taken(4_000, false));
        watch.taken(taken(4_000, true));
        watch.taken(taken(4_000, true));
        let (delivery, exit) = (watch.delivery.histogram(), watch.exit.histogram());
        assert_eq!((delivery.count, delivery.longest_ns, exit.count), (1, Some(5_000), 1));
        assert_eq!(watch.waiting.len(), 3);
        watch.generated(&signal(10, 20));
        watch.generated(&signal(10, 20));
        assert!(watch.count == 2 && watch.is_enough());
    }
}
