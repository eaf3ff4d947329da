//! Something that is run on a node, from the node's start to its end: the scenarios, and the table of what they gave.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::node::{Node, Surroundings};
use super::settings;
use super::sources::Programs;
use super::{leftovers, network, table};
use crate::time_limit::Spoken;
use crate::{interrupt, progress};

/// Environment variables that the scenarios read.
const VARIABLES: [&str; 7] = [
    "OOMTRACE_K8S_DIRECTORY",
    "OOMTRACE_K8S_CONTAINERD",
    "OOMTRACE_K8S_PROGRAMS",
    "OOMTRACE_K8S_CGROUP",
    "OOMTRACE_K8S_DRIVER",
    "OOMTRACE_K8S_NAMESPACE",
    "OOMTRACE_K8S_TABLE",
];
/// The scenarios' test binary.
pub const SCENARIOS: &str = "tests/k8s/main.rs";
/// Their table, where cargo puts what it builds.
pub const TABLE: &str = "k8s-scenarios";
const LOOK: Duration = Duration::from_millis(100);

/// What a node is made of.
pub struct Parts {
    pub programs: Programs,
    /// Of images.
    pub archives: Vec<PathBuf>,
}

/// The scenarios whose names start with one of `only`, or all, as a program that is to be run; `without_pods`: nothing watches in a pod.
pub fn scenarios(binary: &Path, only: &[String], without_pods: bool) -> Command {
    // As cargo says it, for whoever reads what its tests say.
    println!("     Running {SCENARIOS} ({})", binary.display());
    // When this process is killed, they end as well.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(binary).process_group(0);
    command.env("OOMTRACE_TEST_ONLY", only.join(" "));
    if without_pods {
        command.env("OOMTRACE_K8S_PODS", "none");
    }
    command
}

/// Starts a node, runs the scenarios on it within `limit`, and prints their table, which is kept in `target`; whether every verdict was
/// right, or known to be wrong.
///
/// # Errors
/// When the node does not start, or they do not get to their end.
pub fn judge(
    parts: &Parts,
    surroundings: &Surroundings,
    target: &Path,
    scenarios: &mut Command,
    limit: Duration,
) -> Result<bool> {
    let file = target.join(TABLE);
    for old in [file.clone(), file.with_extension("jsonl")] {
        _ = fs::remove_file(old);
    }
    let passed = run(parts, surroundings, target, scenarios, limit);
    // Also where it was cut.
    let rows = table::rows(&fs::read_to_string(&file).unwrap_or_default());
    print!("{}", table::format(&rows));
    Ok(passed? && !rows.is_empty() && !rows.iter().any(table::Row::is_news))
}

/// Starts a node and runs `command` beside it, within `limit`; whether it succeeded. From here on this process is in the node's network.
///
/// # Errors
/// When the node does not start, or the command does not get to its end.
pub fn run(
    parts: &Parts,
    surroundings: &Surroundings,
    target: &Path,
    command: &mut Command,
    limit: Duration,
) -> Result<bool> {
    network::enter()?;
    let mut node = Node::start(&parts.programs, &parts.archives, surroundings)?;
    let values = [
        node.places.directory.as_os_str().to_owned(),
        node.places.containerd.as_os_str().to_owned(),
        parts.programs.directory().as_os_str().to_owned(),
        node.cgroup().into(),
        surroundings.driver.name().into(),
        leftovers::NAMESPACE.into(),
        target.join(TABLE).into(),
    ];
    command.envs(VARIABLES.into_iter().zip(values));
    // So that it can be used by hand as well.
    command.env("KUBECONFIG", node.places.kubeconfig()).env("NODE_NAME", settings::NAME);
    watch(command, &mut node, limit)
}

/// Runs `command` to its end, and looks after the node meanwhile; whether it succeeded.
fn watch(command: &mut Command, node: &mut Node, limit: Duration) -> Result<bool> {
    let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the scenarios")? {
            return Ok(status.success());
        }
        let why = if interrupt::came() {
            Some("interrupted".to_owned())
        } else if started.elapsed() > limit {
            Some(format!("not done after {}", Spoken(limit)))
        } else {
            node.look_after().err().map(|error| format!("{error:#}"))
        };
        if let Some(why) = why {
            // With all that they started, where they lead a group; what they made on the node goes with that.
            _ = child.kill();
            progress::end(&mut child);
            bail!("the scenarios: {why}");
        }
        std::thread::sleep(LOOK);
    }
}
