//! `oomtrace` without a verb: watch the node.

use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use aya_log::EbpfLogger;
use oomtrace::node::endurance;
use oomtrace::node::signals::SIGKILL;
use oomtrace::probe::load::{Options, Probe};
use oomtrace::recording::Recorder;
use oomtrace::watch::{self, Tally};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Failure, Status};
use super::options::Watch;
use super::output;

/// Threads that read files of runtimes.
const MAX_READERS: usize = 4;

/// Watches; with `recording`, everything that it takes to judge again is written to that file.
pub fn run(options: &Watch, recording: Option<&Path>) -> Result<Status, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_READERS)
        .build()
        .context("cannot start")?;
    let tally = tokio::task::LocalSet::new().block_on(&runtime, watch(options, recording))?;
    // Threads that still read kernel symbols must not hold up the end.
    runtime.shutdown_background();
    say_tally(options, tally);
    Ok(Status::Done)
}

async fn watch(options: &Watch, recording: Option<&Path>) -> Result<Tally, Failure> {
    // Before loading: a signal that comes meanwhile must end it in order, too.
    let stop = stopped()?;
    let signals = options.signal.iter().copied().filter(|signal| *signal != SIGKILL).collect();
    let mut probe =
        Probe::load(&Options { signals, ring_bytes: options.ring_size.0, without: options.without.clone() })?;
    endurance::outlast();
    let logs = forward_kernel_log(&mut probe);
    let around = options.runtimes.around(options.keep_names);
    // After loading: what cannot watch leaves no file behind.
    let recorder = recording.map(create).transpose()?;
    if !options.show.json {
        greet(&probe);
    }
    let mut sink = output::sink(&options.show);
    let filter = options.select.filter();
    let result = watch::run(probe, around, filter, recorder, sink.as_mut(), stop).await;
    if let Some(logs) = logs {
        logs.abort();
    }
    Ok(result?)
}

fn create(path: &Path) -> Result<Recorder, Failure> {
    Ok(Recorder::create(path).with_context(|| format!("cannot create the recording {}", path.display()))?)
}

/// Says on stderr that it is running, and what it cannot see.
fn greet(probe: &Probe) {
    let mut err = io::stderr().lock();
    // Nobody may be reading stderr, and that is no reason to stop.
    _ = writeln!(err, "oomtrace: watching every OOM kill and SIGKILL on this node; Ctrl-C stops");
    for missing in &probe.missing {
        _ = writeln!(err, "oomtrace: not seen here: {missing}");
    }
}

fn say_tally(options: &Watch, tally: Tally) {
    let lost = tally.lost.words().unwrap_or_else(|| "no event was lost".to_owned());
    if !options.show.json && io::stderr().is_terminal() {
        // The terminal shows ^C where the cursor is.
        _ = writeln!(io::stderr());
    }
    if !options.show.json || tally.lost.words().is_some() {
        _ = writeln!(io::stderr(), "oomtrace: {} incidents; {lost}", tally.incidents);
    }
}

/// Completes on SIGINT, on SIGTERM, and when whoever reads standard output has gone.
fn stopped() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let closed = closed_output();
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = closed => {}
        }
    })
}

/// Completes when standard output is a pipe without a reader. Without this, oomtrace would stay until the next kill.
async fn closed_output() {
    // SAFETY: standard output's descriptor is 1 and stays open for the life of the process.
    match unsafe { AsyncFd::register_with_interest(io::stdout(), Interest::ERROR) } {
        Ok(output) => {
            if let Err(error) = output.ready(Interest::ERROR).await {
                log::debug!("cannot watch standard output: {error}");
                std::future::pending::<()>().await;
            }
        }
        // A file cannot be watched, and has no reader to lose.
        Err(_) => std::future::pending().await,
    }
}

/// Hands the kernel side's own log lines to the log.
fn forward_kernel_log(probe: &mut Probe) -> Option<tokio::task::JoinHandle<()>> {
    if !log::log_enabled!(target: "oomtrace_ebpf", log::Level::Error) {
        return None;
    }
    let logger = match EbpfLogger::init(&mut probe.ebpf) {
        Ok(logger) => logger,
        Err(error) => {
            log::debug!("no log from the kernel side: {error}");
            return None;
        }
    };
    // SAFETY: the logger owns its ring buffer's descriptor and keeps it open until it is dropped.
    let mut logger = match unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) } {
        Ok(logger) => logger,
        Err(error) => {
            log::debug!("no log from the kernel side: {}", io::Error::from(error));
            return None;
        }
    };
    Some(tokio::task::spawn_local(async move {
        while let Ok(mut guard) = logger.readable_mut().await {
            guard.get_inner_mut().flush();
            guard.clear_ready();
        }
    }))
}
