//! `cargo xtask k8s`: the scenarios on a real Kubernetes node, made of Debian's packages: kubelet, kube-apiserver and its controllers and
//! scheduler, etcd, containerd, runc and CNI. Nothing of it is left afterwards.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use xtask::packages::{self, on_path};
use xtask::say;

use crate::time_limit::Spoken;
use crate::{binaries, executable, image, interrupt, progress, target_dir};

mod build;
mod cgroups;
mod daemons;
mod images;
mod leftovers;
mod network;
mod node;
mod propagation;
mod settings;
mod sources;
mod table;

use node::Node;
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
/// Environment variables that the scenarios read.
const VARIABLES: [&str; 6] = [
    "OOMTRACE_K8S_DIRECTORY",
    "OOMTRACE_K8S_CONTAINERD",
    "OOMTRACE_K8S_PROGRAMS",
    "OOMTRACE_K8S_CGROUP",
    "OOMTRACE_K8S_NAMESPACE",
    "OOMTRACE_K8S_TABLE",
];
/// What all of them may take together.
const LIMIT: Duration = Duration::from_secs(40 * 60);
const LOOK: Duration = Duration::from_millis(100);

/// How it is asked for.
#[derive(Debug, Default)]
struct Wanted {
    /// Scenarios whose names start so; all when there are none.
    only: Vec<String>,
    /// Where the programs are kept, once they were built.
    directory: Option<PathBuf>,
    /// containerd's state directory; else it is that of k3s.
    containerd: Option<PathBuf>,
    /// Only builds.
    build: bool,
    /// Runs this in the node instead of the scenarios.
    command: Vec<String>,
}

/// Whether every verdict was right, or known to be wrong.
pub fn run(workspace: &Path, arguments: &[String]) -> Result<bool> {
    let wanted = wanted(arguments)?;
    if !packages::is_root() {
        bail!("a Kubernetes node needs root");
    }
    for (program, package) in PROGRAMS {
        if !on_path(program) {
            packages::install(&[package], "the Kubernetes node is made with it")?;
        }
    }
    interrupt::listen()?;
    let target = target_dir(workspace);
    let directory = wanted.directory.clone().unwrap_or_else(|| target.join("k8s"));
    let programs = Programs::ensure(&directory, &target.join("vm/apt"))?;
    let mut archives = images::ensure(&directory.join("images"))?;
    if wanted.build {
        say(&format!("the node's programs are in {}", programs.directory().display()));
        return Ok(true);
    }
    crate::setup::ensure(workspace)?;
    let binary = binaries::oomtrace(workspace)?;
    let binary = image::context(workspace, &binary)?.join("oomtrace");
    archives.push(images::of_oomtrace(&directory.join("images"), &binary)?);
    let mut command = match wanted.command.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
        None => {
            let scenarios = executable(
                workspace,
                &["test", "--package", "oomtrace", "--features", "kubernetes", "--test", "k8s"],
                None,
            )?;
            // When this process is killed, they end as well.
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL"]).arg(scenarios).process_group(0);
            command.env("OOMTRACE_TEST_ONLY", wanted.only.join(" ")).current_dir(workspace.join("oomtrace"));
            command
        }
    };
    let table_file = target.join("k8s-scenarios");
    for old in [table_file.clone(), table_file.with_extension("jsonl")] {
        _ = fs::remove_file(old);
    }
    network::enter()?;
    let mut node = Node::start(&programs, &archives, wanted.containerd.as_deref())?;
    let values = [
        node.places.directory.as_os_str().to_owned(),
        node.places.containerd.as_os_str().to_owned(),
        programs.directory().as_os_str().to_owned(),
        node.cgroup().into(),
        leftovers::NAMESPACE.into(),
        table_file.as_os_str().to_owned(),
    ];
    command.envs(VARIABLES.into_iter().zip(values));
    // So that it can be used by hand as well.
    command.env("KUBECONFIG", node.places.kubeconfig()).env("NODE_NAME", settings::NAME);
    let passed = watch(&mut command, &mut node);
    drop(node);
    let passed = passed?;
    if !wanted.command.is_empty() {
        return Ok(passed);
    }
    let rows = table::rows(&fs::read_to_string(&table_file).unwrap_or_default());
    print!("{}", table::format(&rows));
    Ok(passed && !rows.is_empty() && !rows.iter().any(table::Row::is_news))
}

/// Runs `command` to its end, and looks after the node meanwhile; whether it succeeded.
fn watch(command: &mut Command, node: &mut Node) -> Result<bool> {
    let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let started = std::time::Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the scenarios")? {
            return Ok(status.success());
        }
        let why = if interrupt::came() {
            Some("interrupted".to_owned())
        } else if started.elapsed() > LIMIT {
            Some(format!("not done after {}", Spoken(LIMIT)))
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
            "--" => wanted.command = arguments.by_ref().cloned().collect(),
            other => bail!("k8s knows no {other}"),
        }
    }
    Ok(wanted)
}
