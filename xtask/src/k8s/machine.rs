//! The same node in a virtual machine that boots with systemd and has cgroup v2 alone: systemd makes the pods' cgroups there, as it does on
//! the nodes of most clusters. What runs in the machine is this very program, with all that it needs on a disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use xtask::say;

use super::on_node::Parts;
use super::sources::Programs;
use super::{names, node, on_node, table};
use crate::binaries;
use crate::time_limit::TimeLimit;
use crate::vm::Lab;
use crate::vm::accelerator::Accelerator;
use crate::vm::payload::strip;

/// What is run there by default: what a cgroup hierarchy, or who makes the cgroups, can change, as far as an emulated machine does it in 25
/// minutes. Names of the scenarios begin so.
const DEFAULT: [&str; 18] = [
    "manifests::their_pods",
    "oom::guaranteed",
    "oom::burstable",
    "oom::one_of_two",
    "oom::child_of_a_living_init",
    "oom::child_whose_status",
    "pod_limit::files_in_memory",
    "pod_limit::of_a_class",
    "pod_limit::of_all_pods",
    "probe::liveness_by_exec",
    "probe::exec_times_out",
    "deletion::with_grace",
    "deletion::clean",
    "deletion::what_is_left",
    "eviction::by_an_empty_dir",
    "hands::kubectl_exec_kill",
    "hands::cri_remove_container",
    "start::limit_too_small",
];

/// How the machine is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub only: &'a [String],
    /// The manifests' pods do not watch.
    pub without_pods: bool,
    /// Forces KVM or emulation.
    pub accelerator: Option<Accelerator>,
    pub time: TimeLimit,
}

/// Runs the scenarios there, and prints their table; whether every verdict was right, or known to be wrong.
///
/// # Errors
/// When there is no machine, or it does not get to its end.
pub fn run(workspace: &Path, parts: &Parts, directory: &Path, wanted: &Wanted<'_>) -> Result<bool> {
    let lab = Lab::prepare(workspace, wanted.accelerator).context("no virtual machine")?;
    let payload = fill(workspace, parts, &directory.join("payload"))?;
    let default = DEFAULT.map(str::to_owned);
    let only = if wanted.only.is_empty() { default.as_slice() } else { wanted.only };
    let without_pods = wanted.without_pods.then(|| "--without-pods".to_owned());
    let arguments: Vec<String> =
        only.iter().flat_map(|name| ["--only".to_owned(), name.clone()]).chain(without_pods).collect();
    let (machine, results) = lab.run_node(&payload, &arguments.join(" "), wanted.time, is_shown)?;
    let read = |name: &str| fs::read_to_string(results.join(name));
    let status = read("status").with_context(|| format!("the machine left nothing: see {}", results.display()))?;
    let rows = table::rows(&read(on_node::TABLE).unwrap_or_default());
    if rows.is_empty() {
        bail!("no scenario gave anything; what was said is in {}", results.display());
    }
    print!("{}", table::format(&rows));
    say(&format!("{machine}; its logs are in {}", results.display()));
    let all = names::all(workspace);
    let starts: Vec<&str> = only.iter().map(String::as_str).collect();
    let (_, left_out) = names::choose(&all, &starts);
    println!("{} of {} scenarios were not run there: {}", left_out.len(), all.len(), left_out.join(" "));
    Ok(status.trim() == "0" && !rows.iter().any(table::Row::is_news))
}

fn is_shown(line: &str) -> bool {
    line.starts_with("test ") || line.starts_with("xtask: ")
}

/// Puts all that the machine needs into `root`, which is made anew.
fn fill(workspace: &Path, parts: &Parts, root: &Path) -> Result<PathBuf> {
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    let (bin, images) = (root.join("bin"), root.join("images"));
    for directory in [&bin, &images] {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let programs = parts.programs.directory();
    let entries = fs::read_dir(programs).with_context(|| format!("cannot list {}", programs.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", programs.display()))?;
        files.push((entry.path(), bin.join(entry.file_name())));
    }
    for archive in &parts.archives {
        files.push((archive.clone(), images.join(archive.file_name().context("an archive has a name")?)));
    }
    for (from, to) in files {
        // Half a gigabyte need not be there twice.
        if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    let binaries = binaries::of_node(workspace)?;
    for (binary, name) in
        [(&binaries.scenarios, SCENARIOS), (&binaries.oomtrace, "oomtrace"), (&binaries.xtask, "xtask")]
    {
        strip(binary, &root.join(name))?;
    }
    node::make_key(&root.join(KEY))?;
    copy_manifests(&workspace.join("deploy"), &root.join(MANIFESTS))?;
    Ok(root.to_owned())
}

/// In what was prepared: the scenarios' binary, and a key.
const SCENARIOS: &str = "scenarios";
const KEY: &str = "tokens.key";
const MANIFESTS: &str = "manifests";

fn copy_manifests(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let file = entry.with_context(|| format!("cannot list {}", from.display()))?.path();
        if let Some(name) = file.file_name().filter(|_| file.extension().is_some_and(|extension| extension == "yaml")) {
            fs::copy(&file, to.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    Ok(())
}

/// What was prepared in `root` by another run of this program.
pub struct Prepared {
    pub parts: Parts,
    pub scenarios: PathBuf,
    pub key: PathBuf,
    /// The directory that they are in.
    pub manifests: PathBuf,
}

impl Prepared {
    /// Finds it.
    ///
    /// # Errors
    /// When it is not whole.
    pub fn find(root: &Path) -> Result<Self> {
        let programs = Programs::find(root).with_context(|| format!("no node was prepared in {}", root.display()))?;
        let images = root.join("images");
        let entries = fs::read_dir(&images).with_context(|| format!("cannot list {}", images.display()))?;
        let archives = entries.flatten().map(|entry| entry.path()).collect();
        let parts = Parts { programs, archives };
        Ok(Self { parts, scenarios: root.join(SCENARIOS), key: root.join(KEY), manifests: root.join(MANIFESTS) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_default_is_of_a_scenario_that_there_is() {
        let all = names::all(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
        for start in DEFAULT {
            assert!(!names::choose(&all, &[start]).0.is_empty(), "no scenario's name starts with {start}");
        }
    }
}
