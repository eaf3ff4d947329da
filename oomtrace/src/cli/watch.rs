//! `oomtrace` without a verb: watch the node.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use anyhow::Context as _;
use aya_log::EbpfLogger;
use oomtrace::container::directory::Directory;
use oomtrace::container::list::list;
use oomtrace::container::readers;
use oomtrace::filter::Filter;
use oomtrace::memory::recorder::point::tenths;
use oomtrace::memory::recorder::warning::Rules;
use oomtrace::model::{Lost, OutputName, Record};
use oomtrace::node::cgroups;
use oomtrace::node::signals::SIGKILL;
use oomtrace::own::{descriptors, endurance};
use oomtrace::probe::load::{LoadError, Options, Probe};
use oomtrace::run::flight::FlightRecorder;
use oomtrace::run::health::server::{self, Questions};
use oomtrace::run::live::{self, Tally};
use oomtrace::run::recording::Recorder;
use oomtrace::sink::notices;
use oomtrace::sink::outputs::{Failures, Outputs, counted, say_trouble, unwritten};
use oomtrace::sink::queue::Count;
use oomtrace::sink::steady::Steady;
use oomtrace::store;
use oomtrace::store::sink::{Asker, Kept};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Runtime;

use super::agent::ServiceManager;
use super::exit::{Failure, Status};
use super::options::{Keep, Watch};
use super::output;
use super::stop::Stop;

/// Watches; with `recording`, everything that it takes to judge again is written to that file.
pub fn run(
    options: &Watch,
    keep: &Keep,
    recording: Option<&Path>,
    manager: Option<ServiceManager>,
) -> Result<Status, Failure> {
    // Before the signals are blocked, which it would inherit.
    let history = start_history(options, keep);
    let stop = Stop::catch().context("cannot wait for signals")?;
    let (kept, asker) = history.unzip();
    let (outputs, mut failures) = outputs(options, kept)?;
    let runtime = runtime()?;
    let ending = Arc::new(Ending { outputs: Arc::clone(&outputs), recorder: OnceLock::new() });
    let watching = watch(options, recording, asker, manager, &stop, &ending, &mut failures);
    let result = tokio::task::LocalSet::new().block_on(&runtime, watching);
    manager.iter().for_each(|manager| manager.ending());
    // Threads that still read, whatever it is, must not hold up the end.
    runtime.shutdown_background();
    let is_whole = ending.finish(stop.write_until());
    let tally = result?;
    say_tally(options, tally);
    Ok(if is_whole { Status::Done } else { Status::Failed })
}

/// One thread for all, and few more that read files.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().max_blocking_threads(readers::MAX_THREADS).build().context("cannot start")?)
}

/// Has a history kept, where one is wanted and may be.
fn start_history(options: &Watch, keep: &Keep) -> Option<(Kept, Asker)> {
    let (path, is_asked_for) = keep.path()?;
    if options.show.no_redact {
        // It outlives whoever wanted to see them.
        notices::say("no history is kept: with --no-redact it would have passwords, tokens and keys in it");
        return None;
    }
    let path = std::path::absolute(&path).unwrap_or(path);
    let started = store::sink::start(&path, keep.bounds(), is_asked_for);
    started.map_err(|error| notices::say(&format!("no history is kept: {error}"))).ok()
}

/// Standard output, the history, and standard error from now on, each on a thread of its own.
fn outputs(options: &Watch, history: Option<Kept>) -> Result<(Arc<Outputs>, Failures), Failure> {
    let (mut outputs, failures) = Outputs::new();
    let out = output::descriptor().context("cannot write to standard output")?;
    let (show, reading) = (&options.show, &options.reading);
    let losses_on_stderr = output::is_one_terminal();
    let stdout = |closing| {
        let out = Steady::new(out, closing, say_trouble(OutputName::Stdout));
        output::sink(show, reading, out, losses_on_stderr)
    };
    outputs.add(OutputName::Stdout, stdout).context("cannot start")?;
    let others: Arc<OnceLock<Weak<Outputs>>> = Arc::default();
    if let Some(history) = history {
        let others = Arc::clone(&others);
        let history = history.saying(move |unwritten| {
            if let Some(outputs) = others.get().and_then(Weak::upgrade) {
                outputs.put(Record::Lost(Lost { unwritten: Some(unwritten), ..Lost::default() }));
            }
        });
        outputs.add_aside(OutputName::History, |_| Box::new(history)).context("cannot start")?;
    }
    let outputs = Arc::new(outputs);
    _ = others.set(Arc::downgrade(&outputs));
    let said = Arc::clone(&outputs);
    // What cannot be said on the one is said on the other.
    notices::start(move |_| said.put(unwritten(OutputName::Stderr, Count::one(false)))).context("cannot start")?;
    Ok((outputs, failures))
}

async fn watch(
    options: &Watch,
    recording: Option<&Path>,
    history: Option<Asker>,
    manager: Option<ServiceManager>,
    stop: &Stop,
    ending: &Arc<Ending>,
    failures: &mut Failures,
) -> Result<Tally, Failure> {
    let mut probe = load(options)?;
    endurance::outlast();
    let logs = forward_kernel_log(&mut probe);
    let kubernetes = options.kubernetes.start(options.kubernetes_events.into());
    if let Some(why) = options.kubernetes.why_not(&kubernetes, options.kubernetes_events) {
        notices::say(&why);
    }
    options.runtimes.absent().for_each(|absent| notices::say(&absent));
    let (privacy, sandbox) = (options.show.privacy(), options.sandbox.into());
    let mut runtimes = options.runtimes.runtimes(options.keep_names, privacy, sandbox, kubernetes);
    runtimes.detail = options.debugging.detail();
    runtimes.history = history;
    runtimes.health = options.health.as_deref().and_then(answer_health);
    runtimes.flight = if options.no_curves { None } else { follow_memory(options) };
    // After loading: what cannot watch leaves no file behind.
    let recorder = recording.map(|path| create(path, Arc::clone(&ending.outputs))).transpose()?;
    if let Some(recorder) = &recorder {
        _ = ending.recorder.set(recorder.clone());
    }
    let last = Arc::clone(ending);
    stop.set_last_words(Box::new(move |until| {
        notices::say("it does not end in time: what it was at is left out");
        last.finish(until);
        Status::Failed
    }));
    if options.reading.form().is_for_people() {
        greet(&probe, &options.select.filter());
    }
    let filter = options.select.filter();
    if filter.is_of_containers() {
        tokio::task::spawn_local(say_if_none(runtimes.directory.clone(), filter.clone()));
    }
    if let Some(manager) = manager {
        // It runs when the loop waits for the first time, and everything is attached.
        tokio::task::spawn_local(manager.keep_notified());
    }
    let result = live::run(probe, runtimes, filter, recorder, &ending.outputs, failures, stopped(stop)).await;
    if let Some(logs) = logs {
        logs.abort();
    }
    Ok(result?)
}

/// Loads and attaches what the options ask for.
///
/// # Errors
/// See [`Probe::load`].
pub(super) fn load(options: &Watch) -> Result<Probe, LoadError> {
    Probe::load(&Options {
        signals: options.signal.iter().copied().filter(|signal| *signal != SIGKILL).collect(),
        ring_bytes: options.ring_size.0,
        without: options.without.clone(),
        user_stack: options.debugging.detail().stack,
    })
}

/// Kills are reported without a curve where memory cannot be followed.
pub(super) fn follow_memory(options: &Watch) -> Option<FlightRecorder> {
    descriptors::raise();
    let said = |error| notices::say(&format!("memory is not followed: {error}"));
    let rules = Rules {
        near_for: tenths(options.warn_near.as_nanos().try_into().unwrap_or(u64::MAX)),
        within_s: options.warn_within.as_secs_f64(),
    };
    FlightRecorder::start((!options.no_warnings).then_some(rules)).map_err(said).ok()
}

/// Somebody else may have the name: that is no reason not to watch, and whoever asks gets an answer that says so.
pub(super) fn answer_health(name: &str) -> Option<Questions> {
    let said = |error| notices::say(&format!("nobody can ask {name} for its health: {error}; it watches all the same"));
    server::listen(name).map_err(said).ok()
}

fn create(path: &Path, outputs: Arc<Outputs>) -> Result<Recorder, Failure> {
    let lost = move |count: Count| {
        notices::say(&format!(
            "{} kills and {} other events and answers are not in the recording; it goes on",
            count.kills, count.others
        ));
        outputs.put(unwritten(OutputName::Recording, count));
    };
    Ok(Recorder::create(path, lost).with_context(|| format!("cannot create the recording {}", path.display()))?)
}

/// What must be written before the end.
struct Ending {
    outputs: Arc<Outputs>,
    recorder: OnceLock<Recorder>,
}

impl Ending {
    /// Has everything written until then, and says what never was; whether there is none of it.
    fn finish(&self, until: Instant) -> bool {
        let mut lost = self.outputs.close(until);
        if let Some(recorder) = self.recorder.get() {
            lost.push((OutputName::Recording, recorder.close(until)));
        }
        lost.retain(|(_, count)| !count.is_zero());
        for (name, count) in &lost {
            match name {
                OutputName::Recording => notices::say(&format!(
                    "{} kills and {} other events and answers are not in the recording",
                    count.kills, count.others
                )),
                _ => notices::say(&format!("{} never written to {name}", counted(*count))),
            }
        }
        lost.is_empty()
    }
}

/// Says so when no container is what the filter asks for: it may be a slip, or come later.
pub(super) async fn say_if_none(directory: Directory, filter: Filter) {
    let Ok(hierarchies) = cgroups::hierarchies() else { return };
    let all = list(&directory, &hierarchies).await;
    if !filter.wants_any(all.iter().map(|listed| &listed.container)) {
        notices::say("no container matches the filters now; waiting for one");
    }
}

/// Says on stderr that it is running, and what it cannot see.
fn greet(probe: &Probe, filter: &Filter) {
    match filter.describe() {
        Some(only) => notices::say(&format!("watching OOM kills and SIGKILLs on this node, only {only}; Ctrl-C stops")),
        None => notices::say("watching every OOM kill and SIGKILL on this node; Ctrl-C stops"),
    }
    for missing in &probe.missing {
        notices::say(&format!("not seen here: {missing}"));
    }
}

pub(super) fn say_tally(options: &Watch, tally: Tally) {
    let lost = tally.lost.words().unwrap_or_else(|| "no event was lost".to_owned());
    let is_for_people = options.reading.form().is_for_people();
    if is_for_people && io::stderr().is_terminal() {
        // The terminal shows ^C where the cursor is.
        notices::new_line();
    }
    if is_for_people || tally.lost.words().is_some() {
        let incidents = match tally.incidents {
            1 => "1 incident".to_owned(),
            number => format!("{number} incidents"),
        };
        let others = match tally.left_out {
            0 => String::new(),
            number => format!(" ({number} left out by the filters)"),
        };
        let is_hiding = is_for_people && !options.reading.all;
        let hidden = output::hidden(tally.routine).filter(|_| is_hiding).map(|hidden| format!("; {hidden}"));
        notices::say(&format!("{incidents}{others}; {lost}{}", hidden.unwrap_or_default()));
    }
}

/// Completes when it is to end: by a signal, or because whoever reads standard output has left. Says by when runtimes may still
/// answer.
pub(super) async fn stopped(stop: &Stop) -> Instant {
    tokio::select! {
        until = stop.asked() => until,
        () = closed_output() => Instant::now(),
    }
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
pub(super) fn forward_kernel_log(probe: &mut Probe) -> Option<tokio::task::JoinHandle<()>> {
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
