//! `oomtrace top --once`: what there is now, as a table or as JSON.

use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use oomtrace::container::directory::{Directory, KEEP};
use oomtrace::filter::Filter;
use oomtrace::kubernetes::{EventsMode, Kubernetes};
use oomtrace::model::LimitLevel;
use oomtrace::node::identity::Identity;
use oomtrace::placement::On;
use oomtrace::redact::Privacy;
use oomtrace::resolve::facts::live::Curves as _;
use oomtrace::run::flight::{FlightRecorder, Row};
use oomtrace::screen::entry::{Entry, entries};
use oomtrace::screen::listing::{self, Top};
use oomtrace::screen::names::{Named, Names};
use oomtrace::screen::order::Order;
use oomtrace::screen::table::Look;
use tokio::task::JoinSet;

use super::super::exit::{Failure, Status};
use super::super::missing;
use super::super::options::{Form, LastKills, Watch};
use super::super::output::{self, Stdout, width};
use super::earlier::{self, Earlier};
use super::{glyphs, naming};

/// So long everything is waited for, and how long one that has found nothing is.
const WITHIN: Duration = Duration::from_secs(3);
const NOTHING: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(20);
/// Questions to runtimes at a time.
const ASKING: usize = 8;

pub fn run(options: &Watch, last_kills: &LastKills) -> Result<Status, Failure> {
    let earlier = earlier::start(last_kills, &options.select).map(|reader| {
        let (found, earlier) = mpsc::channel();
        // Whoever waited for it may have gone on without.
        reader.read(move |kills| _ = found.send(kills));
        earlier
    });
    oomtrace::own::descriptors::raise();
    let flight = FlightRecorder::start(None).context("memory cannot be read")?;
    let rows = read(&flight)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    options.runtimes.absent().for_each(|absent| oomtrace::sink::notices::say(&absent));
    let kubernetes = options.kubernetes.start(EventsMode::Off);
    let directory = Directory::new(options.runtimes.sources(), KEEP);
    let privacy = options.show.privacy();
    let (names, unsaid) =
        tokio::task::LocalSet::new().block_on(&runtime, name_all(&rows, flight.on(), &directory, &kubernetes, privacy));
    runtime.shutdown_background();
    let earlier = earlier.map(|earlier| {
        let late = |_| Earlier::unread("the history was not read in time");
        earlier.recv_timeout(WITHIN).unwrap_or_else(late)
    });
    let Earlier { kills, missing, .. } = earlier.unwrap_or_default();
    let mut all = entries(rows, &names, &kills, &options.select.filter());
    Order::Limit.sort(&mut all);
    let mut out = Stdout::new();
    match options.reading.form() {
        Form::Json => {
            let Identity { node, boot_id } = Identity::read();
            let time = format!("{:.9}", jiff::Timestamp::now());
            let unsaid = missing::said(unsaid.iter().map(String::as_str));
            let missing = flight.left_out().into_iter().chain(missing).chain(unsaid).collect();
            let top = Top { time, node, boot_id, entries: all, missing };
            serde_json::to_writer(&mut out, &top).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        _ => {
            missing::say(unsaid.iter().map(String::as_str));
            missing.iter().for_each(|missing| oomtrace::sink::notices::say(missing));
            write_table(output::text(), options, all)?;
        }
    }
    out.flush()?;
    Ok(Status::Done)
}

fn write_table(mut out: impl Write, options: &Watch, mut all: Vec<Entry>) -> std::io::Result<()> {
    // A unit without a limit is of interest to whoever asks for it.
    if !options.reading.all && options.select.unit.is_empty() && options.select.cgroup.is_empty() {
        all.retain(Entry::is_of_interest);
    }
    if all.is_empty() {
        return writeln!(out, "{}", nothing(&options.select.filter(), options.reading.all));
    }
    let now = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
    let look = Look { glyphs: glyphs(), time: options.reading.time().into(), now };
    out.write_all(listing::text(&all, width(), options.show.color.on_stdout(), &look).as_bytes())
}

/// Why there is no line in the table.
const fn nothing(filter: &Filter, all: bool) -> &'static str {
    if filter.is_of_places() {
        return "nothing here matches the filters";
    }
    if all {
        // Those without a limit are wanted, too.
        return "no container or unit has a cgroup whose memory can be read";
    }
    "no container or unit has a memory limit here (--all shows units that have none)"
}

/// What is followed, once each was read.
fn read(flight: &FlightRecorder) -> Result<Vec<Row>, Failure> {
    let started = Instant::now();
    let mut before = None;
    loop {
        std::thread::sleep(PAUSE);
        let seen = flight.seen();
        let is_whole = seen.readings >= seen.cgroups as u64 && seen.cgroups > 0 && before == Some(seen.cgroups);
        let waited = started.elapsed();
        if is_whole || waited >= WITHIN || (seen.cgroups == 0 && waited >= NOTHING) {
            return Ok(flight.rows().context("cannot read the clock")?);
        }
        before = Some(seen.cgroups);
    }
}

/// The names, and what runtimes did not say of containers.
async fn name_all(
    rows: &[Row],
    on: On,
    directory: &Directory,
    kubernetes: &Kubernetes,
    privacy: Privacy,
) -> (Names, Vec<String>) {
    let (mut names, mut unsaid) = (Names::default(), Vec::new());
    let mut asking = JoinSet::new();
    let mut put = |answer: Option<(String, (Named, Option<String>))>| {
        if let Some((cgroup, (named, why))) = answer {
            names.put(cgroup, named, 0, 0);
            unsaid.extend(why);
        }
    };
    for row in rows.iter().filter(|row| row.level == LimitLevel::Container) {
        while asking.len() >= ASKING {
            put(asking.join_next().await.and_then(Result::ok));
        }
        let (directory, kubernetes, cgroup) = (directory.clone(), kubernetes.clone(), row.cgroup.clone());
        asking.spawn_local(async move {
            let named = naming::name(&cgroup, on, &directory, &kubernetes, privacy).await;
            (cgroup, named)
        });
    }
    while let Some(answer) = asking.join_next().await {
        put(answer.ok());
    }
    (names, unsaid)
}

#[cfg(test)]
mod tests {
    use glob::Pattern;

    use super::*;

    #[test]
    fn whoever_asks_for_something_is_not_told_of_limits() {
        let typo = || vec![Pattern::new("typo").unwrap()];
        for (filter, is_of_limits) in [
            (Filter::default(), true),
            // It chooses among kills, and leaves the table as it is.
            (Filter { comms: typo(), ..Filter::default() }, true),
            (Filter { containers: typo(), ..Filter::default() }, false),
            (Filter { pods: typo(), ..Filter::default() }, false),
            (Filter { units: typo(), ..Filter::default() }, false),
            (Filter { cgroups: vec!["/typo".to_owned()], ..Filter::default() }, false),
        ] {
            assert_eq!(nothing(&filter, false).contains("limit"), is_of_limits, "{filter:?}");
            assert!(!nothing(&filter, true).contains("--all"), "{filter:?}");
        }
    }
}
