//! `oomtrace selftest`: kills two processes of its own and checks all that the pipeline says about it.

mod checks;
mod child;
mod scratch;

use std::io;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use oomtrace::container::directory::KEEP;
use oomtrace::filter::Filter;
use oomtrace::kubernetes::Kubernetes;
use oomtrace::model::{Incident, OutputName, Record};
use oomtrace::node::cgroups;
use oomtrace::own;
use oomtrace::probe::hook::Hook;
use oomtrace::probe::load::{Options, Probe};
use oomtrace::redact::Privacy;
use oomtrace::run::live;
use oomtrace::sink::Sink;
use oomtrace::sink::notices;
use oomtrace::sink::outputs::Outputs;
use tokio::sync::{mpsc, oneshot};

use super::exit::{Failure, Status};
use super::options::Runtimes;
use super::stop::Stop;
use checks::Checks;
use child::Victim;
pub use child::{Role, run as run_child};
use scratch::ScratchCgroup;

/// The scratch cgroup's limit: small enough to be hit at once, large enough for a process to start in.
const LIMIT_BYTES: u64 = 16 << 20;
/// An incident comes within milliseconds; a machine that is starved of CPU may need longer.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn run(options: &Runtimes) -> Result<Status, Failure> {
    let stop = Stop::catch().context("cannot wait for signals")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let result = tokio::task::LocalSet::new().block_on(&runtime, async {
        tokio::select! {
            result = selftest(options) => result,
            // What it made is removed when the future above is dropped.
            _ = stop.asked() => Err(anyhow::anyhow!("interrupted; everything that the selftest made is removed").into()),
        }
    });
    runtime.shutdown_background();
    result
}

async fn selftest(options: &Runtimes) -> Result<Status, Failure> {
    let mut checks = Checks::default();
    let probe = Probe::load(&Options::default())?;
    checks.hooks(&probe)?;
    let by_record = probe.has(Hook::OomKillProcess);
    let (records, mut seen) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    // This process runs programs to be killed.
    let runtimes = options.runtimes(KEEP, Privacy::default(), own::Mode::Off, Kubernetes::off("this is a selftest"));
    let watching = tokio::task::spawn_local(async move {
        let (mut outputs, mut failures) = Outputs::new();
        outputs.add(OutputName::Selftest, |_| Box::new(Channel(records)))?;
        let stopped = async {
            // A sender that is dropped means stop, too.
            _ = stopped.await;
            Instant::now() + PATIENCE
        };
        live::run(probe, runtimes, Filter::default(), None, &outputs, &mut failures, stopped).await
    });
    match kill_by_oom(&mut seen).await {
        Ok((pid, scratch, incident)) => checks.oom(&incident, pid, &scratch, LIMIT_BYTES, by_record)?,
        Err(error) => checks.fail("an OOM kill is reported", &format!("{error:#}"))?,
    }
    match kill_by_hand(&mut seen).await {
        Ok((pid, incident)) => checks.kill(&incident, pid)?,
        Err(error) => checks.fail("a kill(2) is reported", &format!("{error:#}"))?,
    }
    _ = stop.send(());
    let tally = watching.await.context("the watch failed")??;
    checks.lost(tally.lost.events)?;
    Ok(checks.end()?)
}

/// Lets a child of ours run into the limit of a cgroup of ours.
async fn kill_by_oom(seen: &mut mpsc::UnboundedReceiver<Record>) -> anyhow::Result<(u32, String, Incident)> {
    let hierarchies = cgroups::hierarchies().context("cannot read /proc/self/mountinfo")?;
    let Some(memory) = cgroups::memory(&hierarchies) else {
        bail!("no cgroup hierarchy with the memory controller is mounted");
    };
    let scratch = ScratchCgroup::create(memory, LIMIT_BYTES)?;
    let mut victim = Victim::start(Role::Allocate)?;
    scratch.add(victim.pid())?;
    victim.go()?;
    let incident = wait_for(seen, victim.pid()).await?;
    Ok((victim.pid(), scratch.name().to_owned(), incident))
}

/// Kills a child of ours with kill(2).
async fn kill_by_hand(seen: &mut mpsc::UnboundedReceiver<Record>) -> anyhow::Result<(u32, Incident)> {
    let mut victim = Victim::start(Role::Wait)?;
    victim.kill()?;
    let incident = wait_for(seen, victim.pid()).await?;
    Ok((victim.pid(), incident))
}

/// The incident whose victim is `pid`. Others may come in between: the node goes on living.
async fn wait_for(seen: &mut mpsc::UnboundedReceiver<Record>, pid: u32) -> anyhow::Result<Incident> {
    let found = async {
        while let Some(record) = seen.recv().await {
            match record {
                Record::Incident(incident) if incident.victim.process.pid == pid => return Ok(incident),
                _ => {}
            }
        }
        bail!("the watch ended early")
    };
    let late = || format!("no incident for pid {pid} within {} s", PATIENCE.as_secs());
    tokio::time::timeout(PATIENCE, found).await.with_context(late)?
}

/// Gives records to the selftest.
struct Channel(mpsc::UnboundedSender<Record>);

impl Sink for Channel {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        // Nobody listens any more while the selftest ends.
        _ = self.0.send(record.clone());
        Ok(())
    }
}

/// Ends a child and takes its status, so that nothing is left behind.
fn reap(child: &mut Child) {
    if let Err(error) = child.kill().and_then(|()| child.wait()) {
        notices::say(&format!("child {} may be left: {error}", child.id()));
    }
}
