//! Ground truth: each scenario makes a kill whose cause it knows, on the live kernel, and reads what oomtrace says of it.
//!
//! A scenario that this machine cannot run is skipped, counted, and says why. `cargo xtask test` starts the private
//! Docker daemon that the Docker scenarios need, and names its socket in `OOMTRACE_TEST_DOCKER_SOCKET`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

mod scenarios;
mod support;

use std::process::ExitCode;
use std::sync::{PoisonError, RwLock};

use libtest_mimic::{Arguments, Trial};
use nix::sys::signal::{SigHandler, Signal, signal};
use support::needs::Need;
use support::{client, helper, truth, victim};

/// A scenario: its name, what it needs, and what it does.
pub struct Scenario {
    pub name: &'static str,
    pub needs: &'static [Need],
    pub run: fn(),
}

/// Runs a scenario beside others that allow it, or when none is running.
fn with_others(are_allowed: bool, run: fn()) {
    static RUNNING: RwLock<()> = RwLock::new(());
    // One that failed has ended as well.
    if are_allowed {
        let _beside = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
        run();
    } else {
        let _alone = RUNNING.write().unwrap_or_else(PoisonError::into_inner);
        run();
    }
}

fn main() -> ExitCode {
    helper::play();
    victim::play();
    client::play();
    let arguments = Arguments::from_args();
    // A shell starts its background jobs with SIGINT ignored, and children inherit that.
    // SAFETY: the default disposition runs no code of ours.
    unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }.unwrap();
    let mut skipped = Vec::new();
    let only = std::env::var("OOMTRACE_TEST_ONLY").unwrap_or_default();
    let starts: Vec<&str> = only.split(' ').filter(|start| !start.is_empty()).collect();
    let is_wanted = |name: &str| starts.is_empty() || starts.iter().any(|start| name.starts_with(start));
    let is_of_gallery = starts.iter().any(|start| start.starts_with(xtask::situations::SCENARIOS));
    let all = || if is_of_gallery { scenarios::of_gallery() } else { scenarios::all() };
    // A scenario that was renamed is not left out unseen.
    let matches_none = |start: &&&str| !all().iter().any(|scenario| scenario.name.starts_with(**start));
    if let Some(start) = starts.iter().find(matches_none) {
        eprintln!("no scenario's name starts with {start}");
        return ExitCode::FAILURE;
    }
    let trials = all()
        .into_iter()
        .filter(|scenario| is_wanted(scenario.name))
        .map(|Scenario { name, needs, run }| {
            let unmet = needs.iter().find_map(|need| need.unmet());
            skipped.extend(unmet.as_ref().map(|why| format!("{name}: {why}")));
            let trial = Trial::test(name, move || {
                truth::begin(name);
                with_others(!needs.contains(&Need::Alone), run);
                Ok(())
            });
            trial.with_ignored_flag(unmet.is_some())
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !skipped.is_empty() && !arguments.list {
        println!("{} skipped:\n  {}", skipped.len(), skipped.join("\n  "));
    }
    truth::write_table();
    conclusion.exit_code()
}
