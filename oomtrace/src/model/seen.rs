//! What one line of `oomtrace signals --json` is. `oomtrace schema signals` prints the JSON Schema of [`SeenRecord`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Disposition;

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SeenRecord {
    /// Signals from now on are seen. Always the first line.
    Ready(SignalsReady),
    /// A signal was generated.
    Generated(GeneratedSignal),
    /// A thread took it, with --histogram alone: its handler runs now, or it ends its process.
    Delivered(FollowedSignal),
    /// Its process has ended by it, with --histogram alone.
    Ended(FollowedSignal),
    /// What could not be recorded since the last such line.
    Lost(LostSignals),
    /// How long something took, at the end, with --histogram alone.
    Histogram(Histogram),
}

/// Where it is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignalsReady {
    /// Version of the contract.
    pub schema: u32,
    /// oomtrace's own version.
    pub version: String,
    /// The host's name.
    pub node: Option<String>,
    /// The kernel's id of this boot.
    pub boot_id: Option<String>,
}

/// A signal that was generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratedSignal {
    /// When.
    pub time: String,
    /// The same on CLOCK_BOOTTIME, in nanoseconds.
    pub boot_ns: u64,
    /// Its number.
    pub signal: u32,
    /// Its name: SIGTERM.
    pub name: String,
    /// `si_code`, when there was a siginfo.
    pub code: Option<i32>,
    /// The kernel made it by itself, and the sender is whoever was running: a fault, a timer, a child that ended.
    pub from_kernel: bool,
    /// It went to the whole process, not to one thread.
    pub group: bool,
    /// What became of it at once.
    pub outcome: SignalOutcome,
    /// What the receiver had set up for it. Null: not known.
    pub disposition: Option<Disposition>,
    /// Who was running when it was generated.
    pub sender: SignalProcess,
    /// Who gets it.
    pub receiver: SignalProcess,
    /// Path of the receiver's cgroup, on the default hierarchy.
    pub cgroup: Option<String>,
    /// On the hierarchy of the memory controller.
    pub memory_cgroup: Option<String>,
}

/// What became of a signal at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalOutcome {
    /// It waits for its receiver.
    Delivered,
    /// The receiver ignores it, or is ending already.
    Ignored,
    /// One of that number waited already, and they count as one.
    AlreadyPending,
    /// There was no room for it, or for its siginfo.
    Overflow,
}

/// A sender or receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignalProcess {
    /// Its pid on the host.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// The name of its first thread (comm).
    pub comm: String,
    /// Its user id in the host's user namespace.
    pub uid: u32,
}

/// What became of a signal that was generated before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FollowedSignal {
    /// When, on CLOCK_BOOTTIME, in nanoseconds.
    pub boot_ns: u64,
    /// Its number.
    pub signal: u32,
    /// Who took it, by its pid on the host.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// The time from its generation, in nanoseconds.
    pub after_ns: u64,
}

/// What could not be recorded, because more came than was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostSignals {
    /// Signals.
    pub signals: u64,
    /// Deliveries, and ends of processes.
    pub followed: u64,
}

/// Times, counted by powers of two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Histogram {
    /// From the generation of a signal to what.
    pub until: HistogramUntil,
    /// How many there are.
    pub count: u64,
    /// The longest, in nanoseconds. Null: there is none.
    pub longest_ns: Option<u64>,
    /// From the shortest time that there is to the longest.
    pub buckets: Vec<Bucket>,
}

/// What a time was measured to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistogramUntil {
    /// A thread took the signal.
    Delivery,
    /// Its process ended by it.
    Exit,
}

/// Times of about the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// From this on, in microseconds.
    pub from_us: u64,
    /// Up to this, which is not in it, in microseconds.
    pub to_us: u64,
    /// How many.
    pub count: u64,
}

/// Times as they come.
#[derive(Clone, Debug)]
pub struct Times {
    until: HistogramUntil,
    longest: Option<u64>,
    /// By the number of bits of the microseconds.
    counts: [u64; 65],
}

impl Times {
    #[must_use]
    pub const fn new(until: HistogramUntil) -> Self {
        Self { until, longest: None, counts: [0; 65] }
    }

    /// Counts one, in nanoseconds.
    pub fn add(&mut self, ns: u64) {
        self.longest = self.longest.max(Some(ns));
        let bits = (u64::BITS - (ns / 1000).leading_zeros()) as usize;
        if let Some(count) = self.counts.get_mut(bits) {
            *count += 1;
        }
    }

    /// All of them.
    #[must_use]
    pub fn histogram(&self) -> Histogram {
        let is_there = |count: &u64| *count > 0;
        let first = self.counts.iter().position(is_there).unwrap_or(0);
        let last = self.counts.iter().rposition(is_there).map_or(0, |last| last + 1);
        let edge = |bits: usize| 1_u64.checked_shl(u32::try_from(bits).unwrap_or(u32::MAX)).unwrap_or(u64::MAX);
        let bucket = |(bits, count): (usize, &u64)| Bucket {
            from_us: if bits == 0 { 0 } else { edge(bits - 1) },
            to_us: edge(bits),
            count: *count,
        };
        let there = self.counts.iter().enumerate().take(last).skip(first);
        let count = self.counts.iter().sum();
        Histogram { until: self.until, count, longest_ns: self.longest, buckets: there.map(bucket).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_by_powers_of_two_of_microseconds() {
        let mut times = Times::new(HistogramUntil::Delivery);
        assert_eq!((times.histogram().buckets, times.histogram().longest_ns), (Vec::new(), None));
        for ns in [1_000, 1_999, 2_000, 16_000, 31_999] {
            times.add(ns);
        }
        let buckets =
            |times: &Times| times.histogram().buckets.iter().map(|b| (b.from_us, b.to_us, b.count)).collect::<Vec<_>>();
        assert_eq!(buckets(&times), [(1, 2, 2), (2, 4, 1), (4, 8, 0), (8, 16, 0), (16, 32, 2)]);
        times.add(0);
        times.add(u64::MAX);
        let all = times.histogram();
        assert_eq!((all.count, all.longest_ns), (7, Some(u64::MAX)));
        assert_eq!((all.buckets[0].from_us, all.buckets[0].to_us, all.buckets[0].count), (0, 1, 1));
        let last = all.buckets.last().unwrap();
        assert!(last.count == 1 && last.from_us <= u64::MAX / 1000 && u64::MAX / 1000 < last.to_us, "{last:?}");
    }
}
