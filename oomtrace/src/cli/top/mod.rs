//! `oomtrace top`: what nears its limit and what is killed, live on a screen.

mod earlier;
mod input;
mod naming;
mod once;
mod screen;
mod shared;
mod suspend;
mod terminal;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use oomtrace::model::OutputName;
use oomtrace::node::identity::Identity;
use oomtrace::own::calls::Network;
use oomtrace::own::{self, endurance};
use oomtrace::run::flight::FlightRecorder;
use oomtrace::run::live::{self, RuntimeConfig, Tally};
use oomtrace::screen::glyphs::Glyphs;
use oomtrace::screen::state::Watched;
use oomtrace::sink::notices;
use oomtrace::sink::outputs::{Failures, Outputs};
use oomtrace::sink::terminal::{shows_ascii_alone, variable};

use super::exit::{Failure, Status};
use super::options::{Top, Watch};
use super::stop::Stop;
use super::watch::{answer_health, follow_memory, forward_kernel_log, load, runtime, say_tally};
use screen::Settings;
use shared::{Shared, ToScreen};

/// Without the kernel's word, cgroups that came are looked for so often.
const LOOK_FOR_NEW: Duration = Duration::from_secs(10);
/// Whoever draws is waited for so long at the end, and where the end is late already.
const STILL: Duration = Duration::from_millis(300);
const LAST_STILL: Duration = Duration::from_millis(50);

pub use earlier::print as print_last_kills;

/// Shows it until it is left, or once.
pub fn run(options: &Top) -> Result<Status, Failure> {
    if options.once {
        return once::run(&options.watch, &options.last_kills);
    }
    if let Some(why) = no_screen() {
        notices::say(&format!("{why}; `oomtrace top --once` prints a table"));
        return Ok(Status::Usage);
    }
    let earlier = earlier::start(&options.last_kills, &options.watch.select);
    let options = &options.watch;
    // Before all else: a thread that was there before would take them, and stop the process as it is.
    suspend::block().context("cannot block signals")?;
    let stop = Stop::catch().context("cannot wait for signals")?;
    let shared = Shared::new();
    if let Some(earlier) = earlier {
        let shared = Arc::clone(&shared);
        earlier.read(move |earlier| {
            earlier.missing.iter().for_each(|missing| shared.notice(missing.as_bytes()));
            shared.earlier(earlier.kills, earlier.before);
        });
    }
    let (outputs, mut failures) = outputs(&shared)?;
    let runtime = runtime()?;
    let watching = watch(options, &stop, &shared, &outputs, &mut failures);
    let result = tokio::task::LocalSet::new().block_on(&runtime, watching);
    // Threads that still read, whatever it is, must not hold up the end.
    runtime.shutdown_background();
    _ = outputs.close(Instant::now() + Duration::from_millis(200));
    shared.end_and_wait(STILL);
    terminal::restore();
    notices::divert(None);
    shared.say_rest();
    if let Some(tally) = result? {
        say_tally(options, tally);
    }
    Ok(if shared.has_failed() { Status::Failed } else { Status::Done })
}

/// Why there can be no screen.
fn no_screen() -> Option<&'static str> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Some("top needs a terminal for its screen and its keys");
    }
    match std::env::var("TERM") {
        Ok(term) if !term.is_empty() && term != "dumb" => None,
        _ => Some("this terminal cannot be drawn on (TERM is dumb, or not set)"),
    }
}

fn outputs(shared: &Arc<Shared>) -> Result<(Arc<Outputs>, Failures), Failure> {
    let (mut outputs, failures) = Outputs::new();
    let to_screen = ToScreen(Arc::clone(shared));
    outputs.add(OutputName::Stdout, |_| Box::new(to_screen)).context("cannot start")?;
    notices::start(|_| {}).context("cannot start")?;
    Ok((Arc::new(outputs), failures))
}

/// None: it watched memory alone, and no kill.
async fn watch(
    options: &Watch,
    stop: &Stop,
    shared: &Arc<Shared>,
    outputs: &Arc<Outputs>,
    failures: &mut Failures,
) -> Result<Option<Tally>, Failure> {
    let (probe, watched) = match load(options) {
        Ok(probe) => (Some(probe), Watched::Kills),
        Err(error) => (None, Watched::MemoryAlone(Failure::from(error).said())),
    };
    let flight = follow_memory(options);
    let Some(flight) = flight else {
        return Err(anyhow::anyhow!("there is no memory to show: see above").into());
    };
    endurance::outlast();
    let kubernetes = options.kubernetes.start(options.kubernetes_events.into());
    let privacy = options.show.privacy();
    let mut runtimes =
        options.runtimes.runtimes(options.keep_names, privacy, options.sandbox.into(), kubernetes.clone());
    runtimes.detail = options.debugging.detail();
    runtimes.health = options.health.as_deref().filter(|_| probe.is_some()).and_then(answer_health);
    runtimes.flight = Some(flight.clone());
    let last = Arc::clone(shared);
    stop.set_last_words(Box::new(move |_| {
        last.end_and_wait(LAST_STILL);
        terminal::restore();
        Status::Failed
    }));
    let missing =
        probe.iter().flat_map(|probe| &probe.missing).map(|missing| format!("not seen here: {missing}")).collect();
    open(options, shared, flight.clone(), watched, missing)?;
    if let Some(why) = options.kubernetes.why_not(&kubernetes, options.kubernetes_events) {
        notices::say(&why);
    }
    options.runtimes.absent().for_each(|absent| notices::say(&absent));
    let names = naming::answer(Arc::clone(shared), flight.on(), runtimes.directory.clone(), kubernetes, privacy);
    tokio::task::spawn_local(names);
    let left = ended(stop, shared);
    match probe {
        Some(mut probe) => {
            let logs = forward_kernel_log(&mut probe);
            let filter = options.select.filter();
            let result = live::run(probe, runtimes, filter, None, outputs, failures, left).await;
            if let Some(logs) = logs {
                logs.abort();
            }
            Ok(Some(result?))
        }
        None => {
            memory_alone(runtimes, &flight, left).await;
            Ok(None)
        }
    }
}

/// Takes the terminal, and starts what draws and what reads keys.
fn open(
    options: &Watch,
    shared: &Arc<Shared>,
    flight: FlightRecorder,
    watched: Watched,
    missing: Vec<String>,
) -> Result<(), Failure> {
    let settings = Settings {
        node: Identity::read().node.unwrap_or_default(),
        watched,
        missing,
        color: options.show.color.on_stdout(),
        verbose: options.reading.verbose(),
        time: options.reading.time().into(),
        all_kills: options.reading.all,
        glyphs: glyphs(),
        filter: options.select.filter(),
    };
    terminal::take().context("cannot take the terminal")?;
    if std::io::stderr().is_terminal() {
        let shared = Arc::clone(shared);
        notices::divert(Some(Box::new(move |line| shared.notice(line))));
    }
    suspend::listen(Arc::clone(shared)).context("cannot start")?;
    screen::start(settings, Arc::clone(shared), flight).context("cannot start")?;
    input::start(Arc::clone(shared)).context("cannot start")?;
    Ok(())
}

/// Kills are not seen; memory is.
async fn memory_alone(runtimes: RuntimeConfig, flight: &FlightRecorder, left: impl Future<Output = Instant>) {
    let network = if runtimes.kubernetes.is_on() { Network::Others } else { Network::Nobody };
    let sockets: Vec<_> = runtimes.sockets_asked.iter().map(std::path::PathBuf::as_path).collect();
    own::confine(runtimes.sandbox, &sockets, network, || true);
    // A runtime that is not there, or does not let this user ask, leaves its containers without names.
    if let Err(error) = runtimes.directory.preload().await {
        notices::say(&format!("containers have no names: {error}"));
    }
    let mut left = std::pin::pin!(left);
    loop {
        tokio::select! {
            _ = &mut left => return,
            () = tokio::time::sleep(LOOK_FOR_NEW) => flight.rescan(),
        }
    }
}

/// Completes when it is to end: by a signal, or a key.
async fn ended(stop: &Stop, shared: &Shared) -> Instant {
    tokio::select! {
        until = stop.asked() => until,
        () = shared.left() => Instant::now(),
    }
}

fn glyphs() -> Glyphs {
    if shows_ascii_alone(variable) { Glyphs::Ascii } else { Glyphs::Unicode }
}
