//! Ground truth on a real Kubernetes node: each scenario makes pods through the API whose ends it knows the causes of, and holds what
//! oomtrace says against the kernel's log, cgroups, containerd's log and the API; never against oomtrace itself. Three say it: one that each
//! scenario starts on the node, and the pods of the two manifests in `deploy`, which watch all the time.
//!
//! `cargo xtask k8s` makes the node, runs these, and prints what they found. What oomtrace is known to say wrongly today is in one list
//! (`known.rs`), and counted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

mod api;
mod cgroup;
mod claims;
mod daemonset;
mod k3s;
mod kernel_log;
mod known;
mod node;
mod pod;
mod scenarios;
#[allow(dead_code, reason = "the other scenarios need all of it")]
#[path = "../live/support/mod.rs"]
mod support;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{PoisonError, RwLock};

use libtest_mimic::{Arguments, Trial};
use support::truth;

/// A scenario: its name, what it does, whether it does so when no other is running, and whether it is about the manifests' own pods.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub alone: bool,
    pub of_pods: bool,
    pub run: fn(),
}

impl Scenario {
    /// One beside others.
    pub const fn new(name: &'static str, run: fn()) -> Self {
        Self { name, alone: false, of_pods: false, run }
    }

    /// One that others' pods would be in the way of, or that would be in theirs.
    pub const fn alone(name: &'static str, run: fn()) -> Self {
        Self { name, alone: true, of_pods: false, run }
    }

    /// The same, which needs what the manifests' pods say.
    pub const fn of_pods(self) -> Self {
        Self { of_pods: true, ..self }
    }

    fn play(self) -> Result<(), String> {
        static RUNNING: RwLock<()> = RwLock::new(());
        // One that failed has ended as well.
        let _beside = (!self.alone).then(|| RUNNING.read().unwrap_or_else(PoisonError::into_inner));
        let _alone = self.alone.then(|| RUNNING.write().unwrap_or_else(PoisonError::into_inner));
        claims::begin(self.name);
        truth::begin(self.name);
        let end = catch_unwind(AssertUnwindSafe(self.run));
        if let Err(panic) = &end {
            let why = message(&**panic);
            claims::claim("the scenario", "comes to its end", why.lines().next().unwrap_or_default());
        }
        // As far as it got, in case that the whole run is cut.
        claims::write_table();
        if let Err(panic) = end {
            return Err(message(&*panic));
        }
        match claims::news() {
            0 => Ok(()),
            news => Err(format!("{news} of its claims are wrong")),
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They wait for kubelet most of the time.
    arguments.test_threads = arguments.test_threads.or(Some(4));
    let only = std::env::var("OOMTRACE_TEST_ONLY").unwrap_or_default();
    let starts: Vec<&str> = only.split(' ').filter(|start| !start.is_empty()).collect();
    // A scenario that was renamed is not left out unseen.
    let matches_none = |start: &&&str| !scenarios::all().iter().any(|scenario| scenario.name.starts_with(**start));
    if let Some(start) = starts.iter().find(matches_none) {
        eprintln!("no scenario's name starts with {start}");
        return ExitCode::FAILURE;
    }
    if node::find().is_none() && !arguments.list {
        println!("there is no Kubernetes node: `cargo xtask k8s` makes one, and runs these");
        return ExitCode::SUCCESS;
    }
    if !arguments.list {
        daemonset::start();
    }
    let is_wanted = |name: &str| starts.is_empty() || starts.iter().any(|start| name.starts_with(start));
    let (wanted, left_out): (Vec<Scenario>, Vec<Scenario>) = scenarios::all()
        .into_iter()
        .filter(|scenario| is_wanted(scenario.name))
        .partition(|scenario| !scenario.of_pods || daemonset::are_pods_wanted());
    if !left_out.is_empty() && !arguments.list {
        let names: Vec<&str> = left_out.iter().map(|scenario| scenario.name).collect();
        println!("left out without the manifests' pods: {}", names.join(" "));
    }
    let trial = |scenario: Scenario| Trial::test(scenario.name, move || Ok(scenario.play()?));
    let conclusion = libtest_mimic::run(&arguments, wanted.into_iter().map(trial).collect());
    conclusion.exit_code()
}
