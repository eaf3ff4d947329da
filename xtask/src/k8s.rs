//! `cargo xtask k8s`: the scenarios on a real Kubernetes node, made of Debian's packages: kubelet, kube-apiserver and its controllers and
//! scheduler, etcd, containerd, runc and CNI. Nothing of it is left afterwards.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use xtask::packages::{self, on_path};
use xtask::say;

use crate::time_limit::TimeLimit;
use crate::vm::accelerator::Accelerator;
use crate::{binaries, executable, image, interrupt, limit, target_dir};

mod build;
mod cgroups;
mod daemons;
mod images;
mod leftovers;
mod machine;
pub mod names;
mod network;
mod node;
mod on_node;
mod propagation;
mod settings;
mod sources;
mod table;

pub use on_node::SCENARIOS;

use machine::Prepared;
use node::Surroundings;
use on_node::Parts;
use settings::Driver;
use sources::Programs;

/// What the node and its making need of this machine.
const PROGRAMS: [(&str, &str); 7] = [
    ("busybox", "busybox-static"),
    ("cc", "gcc"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("setpriv", "util-linux"),
    ("mount", "mount"),
    ("tar", "tar"),
];
/// What all of them may take together.
const LIMIT: Duration = Duration::from_secs(40 * 60);
/// What making the node's programs may take, on two slow and shared processors.
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// How it is asked for.
#[derive(Debug, Default)]
struct Wanted {
    /// Scenarios whose names start so; all when there are none.
    only: Vec<String>,
    /// Where the programs are kept, once they were built.
    directory: Option<PathBuf>,
    /// containerd's state directory; else it is that of k3s.
    containerd: Option<PathBuf>,
    /// In a virtual machine with systemd.
    systemd: bool,
    /// For that one.
    accelerator: Option<Accelerator>,
    time: Option<TimeLimit>,
    /// In such a machine: all that is needed is there.
    prepared: Option<PathBuf>,
    /// The manifests' pods do not watch.
    without_pods: bool,
    /// Only builds.
    build: bool,
    /// Runs this in the node instead of the scenarios.
    command: Vec<String>,
}

/// Why there can be no node on this machine; none when there can be.
pub fn missing() -> Option<String> {
    if !packages::is_root() {
        return Some("a Kubernetes node needs root".to_owned());
    }
    node::place_is_taken()
}

/// The node's programs were made before, where they are kept unless another place is asked for.
pub fn is_built(workspace: &Path) -> bool {
    Programs::find(&directory(workspace)).is_some()
}

/// Makes the node's programs, where they are kept unless another place is asked for.
///
/// # Errors
/// When they can be neither fetched nor built, within `time`.
pub fn build(workspace: &Path, time: TimeLimit) -> Result<()> {
    programs(workspace, &directory(workspace), time).map(|_| ())
}

fn directory(workspace: &Path) -> PathBuf {
    target_dir(workspace).join("k8s")
}

fn programs(workspace: &Path, directory: &Path, time: TimeLimit) -> Result<Programs> {
    for (program, package) in PROGRAMS {
        if !on_path(program) {
            packages::install(&[package], "the Kubernetes node is made with it")?;
        }
    }
    Programs::ensure(directory, &target_dir(workspace).join("vm/apt"), time)
}

/// Whether every verdict was right, or known to be wrong.
pub fn run(workspace: &Path, arguments: &[String]) -> Result<bool> {
    let wanted = wanted(arguments)?;
    if !packages::is_root() {
        bail!("a Kubernetes node needs root");
    }
    if wanted.systemd && !wanted.command.is_empty() {
        bail!("a command is run beside the node on this machine alone, without --systemd");
    }
    interrupt::listen()?;
    let target = target_dir(workspace);
    if let Some(prepared) = &wanted.prepared {
        return in_machine(&target, prepared, &wanted);
    }
    let directory = wanted.directory.clone().unwrap_or_else(|| directory(workspace));
    let programs = programs(workspace, &directory, TimeLimit::new(BUILD_LIMIT))?;
    let archives = images::ensure(&directory.join("images"))?;
    if wanted.build {
        say(&format!("the node's programs are in {}", programs.directory().display()));
        return Ok(true);
    }
    crate::setup::ensure(workspace)?;
    let mut parts = Parts { programs, archives };
    let binary = binaries::oomtrace(workspace)?;
    let binary = image::context(workspace, &binary)?.join("oomtrace");
    parts.archives.push(images::of_oomtrace(&directory.join("images"), &binary)?);
    if wanted.systemd {
        let time = wanted.time.unwrap_or_else(|| TimeLimit::new(LIMIT));
        let machine = machine::Wanted {
            only: &wanted.only,
            without_pods: wanted.without_pods,
            accelerator: wanted.accelerator,
            time,
        };
        return machine::run(workspace, &parts, &directory, &machine);
    }
    let surroundings = Surroundings { containerd: wanted.containerd, ..Surroundings::default() };
    if let Some((program, arguments)) = wanted.command.split_first() {
        return on_node::run(&parts, &surroundings, &target, Command::new(program).args(arguments), LIMIT);
    }
    let scenarios = executable(workspace, &["test", "--features", "oomtrace/kubernetes", "--test", "k8s"], None)?;
    let mut scenarios = on_node::scenarios(&scenarios, &wanted.only, wanted.without_pods);
    scenarios.current_dir(workspace.join("oomtrace"));
    on_node::judge(&parts, &surroundings, &target, &mut scenarios, LIMIT)
}

/// In the virtual machine, where everything is ready.
fn in_machine(target: &Path, prepared: &Path, wanted: &Wanted) -> Result<bool> {
    let Prepared { parts, scenarios, key, manifests } = Prepared::find(prepared)?;
    let surroundings =
        Surroundings { driver: Driver::Systemd, key: Some(key), is_emulated: true, ..Surroundings::default() };
    let mut scenarios = on_node::scenarios(&scenarios, &wanted.only, wanted.without_pods);
    // More would take much of the little time that an emulated processor has.
    scenarios.arg("--test-threads=2").env("OOMTRACE_K8S_MANIFESTS", manifests);
    on_node::judge(&parts, &surroundings, target, &mut scenarios, LIMIT)
}

fn wanted(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--only" => wanted.only.push(value()?.clone()),
            "--directory" => wanted.directory = Some(env::current_dir()?.join(value()?)),
            "--containerd" => wanted.containerd = Some(PathBuf::from(value()?)),
            "--build" => wanted.build = true,
            "--systemd" => wanted.systemd = true,
            "--without-pods" => wanted.without_pods = true,
            "--accel" => wanted.accelerator = Some(Accelerator::parse(value()?)?),
            "--limit" => wanted.time = Some(limit(value()?)?),
            "--prepared" => wanted.prepared = Some(PathBuf::from(value()?)),
            "--" => wanted.command = arguments.by_ref().cloned().collect(),
            other => bail!("k8s knows no {other}"),
        }
    }
    Ok(wanted)
}
