//! `oomtrace signals`: each signal as it is generated, for kernel debugging.

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use glob::Pattern;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use oomtrace::filter::cgroup_path;
use oomtrace::model::seen::{SeenRecord, SignalOutcome};
use oomtrace::probe::load::DEFAULT_RING_BYTES;
use oomtrace::probe::signals::{Signals as Probe, SignalsError};
use oomtrace::run::signals::{Wanted, run as watch};
use oomtrace::sink::{json, notices, seen};

use super::exit::{Failure, Status};
use super::output;
use super::stop::Stop;
use super::values::{RingSize, duration, pattern, ring_size, signal};

/// Which signals, and how.
#[derive(Debug, Args)]
pub struct Signals {
    /// Only this signal (TERM, SIGINT, 15, RTMIN+3); may be repeated
    #[arg(long, value_name = "SIGNAL", value_parser = signal)]
    pub signal: Vec<u32>,
    /// Only what this process sent, by its name or pid; kernel is the kernel itself; * and ? match, may be repeated
    #[arg(long, value_name = "NAME|PID", value_parser = pattern)]
    pub sender: Vec<Pattern>,
    /// Only what is for this process, by its name or pid; * and ? match, may be repeated
    #[arg(long, value_name = "NAME|PID", value_parser = pattern)]
    pub receiver: Vec<Pattern>,
    /// Only receivers of this user, by its number on the host; may be repeated
    #[arg(long, value_name = "UID")]
    pub uid: Vec<u32>,
    /// Only receivers with this name; * and ? match, may be repeated
    #[arg(long, value_name = "NAME", value_parser = pattern)]
    pub comm: Vec<Pattern>,
    /// Only receivers in this cgroup or below it; may be repeated
    #[arg(long, value_name = "PATH", value_parser = cgroup_path)]
    pub cgroup: Vec<String>,
    /// Only signals that their receiver ignores, or that came when it was ending
    #[arg(long, conflicts_with = "delivered")]
    pub ignored: bool,
    /// Only signals that wait for their receiver
    #[arg(long)]
    pub delivered: bool,
    /// Follow each signal to its delivery, and to the end of its process, and show at the end how long that took
    #[arg(long)]
    pub histogram: bool,
    /// End after so many signals
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after this time (30s, 10m, 1h 30m)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Print a line of JSON for each signal in place of text
    #[arg(long)]
    pub json: bool,
    /// Size of the buffer between kernel and oomtrace (for example 512K, 16M, 64M), rounded up to a power of two
    #[arg(long, value_name = "SIZE", default_value_t = RingSize(DEFAULT_RING_BYTES), value_parser = ring_size)]
    pub ring_size: RingSize,
}

impl Signals {
    fn wanted(&self) -> Wanted {
        Wanted {
            signals: self.signal.clone(),
            senders: self.sender.clone(),
            receivers: self.receiver.clone(),
            uids: self.uid.clone(),
            comms: self.comm.clone(),
            cgroups: self.cgroup.clone(),
            outcome: match (self.ignored, self.delivered) {
                (true, _) => Some(SignalOutcome::Ignored),
                (false, true) => Some(SignalOutcome::Delivered),
                (false, false) => None,
            },
            follows: self.histogram,
            count: self.count,
        }
    }
}

pub fn run(options: &Signals) -> Result<Status, Failure> {
    let stop = Stop::catch().context("cannot wait for signals")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let wanted = options.wanted();
    let probe = Probe::load(&wanted.filter(), options.ring_size.0).map_err(|error| match error {
        // It has a status of its own.
        SignalsError::Load(error) => Failure::from(error),
        error => Failure::from(error),
    })?;
    if !options.json {
        notices::say("watching signals on this node; Ctrl-C stops");
    }
    let mut out = output::text_or_data(!options.json);
    let mut line = Vec::new();
    let zone = TimeZone::system();
    let put = |record: &SeenRecord| -> io::Result<()> {
        line.clear();
        if options.json {
            json::append(&mut line, record)?;
        } else {
            line.extend(seen::text(record, |time| local(time, &zone)).into_bytes());
        }
        out.write_all(&line)?;
        out.flush()
    };
    let ended = async {
        match options.duration {
            Some(duration) => tokio::time::timeout(duration, stop.asked()).await.map_or((), |_| ()),
            None => _ = stop.asked().await,
        }
    };
    runtime.block_on(watch(probe, &wanted, put, ended))?;
    Ok(Status::Done)
}

/// Hours to microseconds where this machine is.
fn local(time: &str, zone: &TimeZone) -> String {
    time.parse::<Timestamp>()
        .map_or_else(|_| time.to_owned(), |time| time.to_zoned(zone.clone()).strftime("%H:%M:%S%.6f").to_string())
}
