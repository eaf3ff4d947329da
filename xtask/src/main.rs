//! `cargo xtask run` and `cargo xtask test`: oomtrace's two commands, on a machine with nothing but a stable Rust
//! toolchain.

mod bench;
mod binaries;
mod free_space;
mod gallery;
mod image;
mod interrupt;
mod k8s;
mod mutants;
mod progress;
mod recordings;
mod setup;
mod tests;
mod time_limit;
mod vm;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tests::{How, LIMIT, Wanted, Which};
use time_limit::TimeLimit;
use vm::accelerator::Accelerator;
use vm::{Cgroups, plan};
use xtask::{chart, helm, packages, say, succeed};

const HELP: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  run [-- ARGS]   set up what is missing, build, and run `oomtrace ARGS` (through sudo when not root)
  test [-- ARGS]  the same set-up, then every test, here and in virtual machines, and a table of how it ended; with ARGS, which
                  go to `cargo test`, only what they choose, here
  scenarios       the scenarios alone: each makes a kill and holds the verdict against what it knows
    --limit MINUTES   for the whole run (test, scenarios: 40; vm: none); what has no time left is reported as not run
    --accel kvm|tcg   forces KVM, or emulation, as OOMTRACE_VM_ACCEL does (test, scenarios, vm); else KVM is given up at the first
                      machine that it does not run
    --no-vm           no virtual machines (test, scenarios)
  vm [KERNEL …]   scenarios in virtual machines, with Debian's cloud kernels (all of the matrix: over an hour under emulation;
                  or those named, as 6.12), each with cgroup v2, hybrid and v1, and functions hooked in every way
    --all             every scenario in every state, not only those that the state can change
    --only NAME       only scenarios whose names start so; again for more
    --cgroups MODE    only v2, hybrid or v1
    --systemd         one machine that boots with systemd (6.1, or the kernel named)
    --quick           what `cargo xtask test` runs of it
    --last            boots nothing: takes the results of the last time
    --jobs N          so many machines at once
    --keep            makes the recordings those that `cargo test` judges again
    --write           writes the table into docs/kernels.md
  k8s             scenarios on a real Kubernetes node: kubelet, kube-apiserver with controllers and scheduler, etcd and containerd, of
                  Debian's packages (the first time some ten minutes more, to build what Debian has as source alone)
    --only NAME       only scenarios whose names start so; again for more
    --containerd DIR  its containerd has its state there, and not where k3s has it, in /run/k3s/containerd
    --systemd         in a virtual machine in which systemd makes the pods' cgroups, of version 2; --accel and --limit as above (40)
    --without-pods    the manifests' pods do not watch beside the scenarios' own: for machines that are too slow for them
    --build           only builds the node's programs
    --directory DIR   keeps them there, and not in target/k8s
    -- COMMAND        runs that beside the node instead, with its KUBECONFIG
  gallery         make docs/gallery.md and its pictures anew, of recordings of real kills
    --only NAME       prints only situations whose names start so, in place of that; again for more
    --width N         prints them for a terminal of so many columns, in place of that
    --record          makes the kills and their recordings anew, in a virtual machine with systemd (with --only, only those)
    --last            keeps the recordings of the last time, and boots nothing
    --node FILE       takes what `cargo xtask k8s` left, target/k8s-scenarios.jsonl
  bench           measure, and write BENCHMARKS.md
    --only SECTION    only that section, anew (flight, history, rules); again for more
  image           build the container image oomtrace:latest: a static binary and nothing else
  chart           write deploy/daemonset.yaml and its like anew, of the Helm chart in deploy/helm
  mutants [-- ARGS]
                  what no test notices when it is changed, in correlator, judge and words; ARGS go to `cargo mutants`
  setup           only the set-up
  lint-bpf        clippy on the kernel side, for its BPF target and with the toolchain that builds it, its clippy set up
    --if-possible     passes with a word on it where that toolchain's clippy cannot be had

The set-up needs a BPF compiler (a rustup nightly with rust-src, else Debian's rustc-web and libstd-rust-web-dev-bpf) and
bpf-linker. It says what it installs and why before it does. Tests besides want Docker and a static busybox.";

/// What a build may take, dependencies and all, on a slow machine.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);
/// What the matrix may take: each machine of it has a limit of its own.
const NO_LIMIT: Duration = Duration::from_secs(100 * 3600);

fn main() -> ExitCode {
    match dispatch(env::args().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: Vec<String>) -> Result<ExitCode> {
    let workspace = workspace()?;
    let mut arguments = arguments.into_iter();
    let command = arguments.next();
    let mut rest: Vec<String> = arguments.collect();
    let own = rest.iter().position(|argument| argument == "--").unwrap_or(rest.len());
    if rest.iter().take(own).any(|argument| matches!(argument.as_str(), "-h" | "--help")) {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let has_options =
        matches!(command.as_deref(), Some("vm" | "test" | "scenarios" | "lint-bpf" | "k8s" | "gallery" | "bench"));
    if let Some(unexpected) = rest.iter().take(own).next().filter(|_| !has_options) {
        bail!("unexpected argument {unexpected}: put oomtrace's own behind --, as in `cargo xtask run -- --json`");
    }
    let keeps_separator = matches!(command.as_deref(), Some("test" | "scenarios" | "k8s"));
    if own == 0 && !rest.is_empty() && !keeps_separator {
        rest.remove(0);
    }
    match command.as_deref() {
        Some("run") => run(&workspace, &rest),
        Some("test") => test(&workspace, how_of_test(Which::All, rest)?),
        Some("scenarios") => test(&workspace, how_of_test(Which::Scenarios, rest)?),
        Some("vm") => vm(&workspace, &rest),
        Some("k8s") => k8s::run(&workspace, &rest).map(code),
        Some("gallery") => gallery::run(&workspace, &rest).map(|()| ExitCode::SUCCESS),
        Some("bench") => {
            setup::ensure(&workspace)?;
            bench::run(&workspace, &bench::only(rest)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Some("image") => {
            setup::ensure(&workspace)?;
            image::build(&workspace)?;
            Ok(ExitCode::SUCCESS)
        }
        Some("chart") => chart(&workspace),
        Some("mutants") => mutants::run(&workspace, &rest),
        Some("setup") => {
            let toolchain = setup::ensure(&workspace)?;
            println!("xtask: the kernel side is built with {}", toolchain.describe());
            Ok(ExitCode::SUCCESS)
        }
        Some("lint-bpf") => lint_bpf(&workspace, &rest),
        Some("help" | "-h" | "--help") => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => {
            eprintln!("{HELP}");
            bail!("{}", other.map_or_else(|| "no command".to_owned(), |other| format!("no command {other}")))
        }
    }
}

/// The directory with the workspace's Cargo.toml: cargo runs this from anywhere below it.
fn workspace() -> Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    Ok(Path::new(&manifest).parent().context("xtask lies in the workspace")?.to_owned())
}

fn run(workspace: &Path, arguments: &[String]) -> Result<ExitCode> {
    setup::ensure(workspace)?;
    succeed(cargo(workspace).args(["build", "--release", "--package", "oomtrace"]))?;
    let binary = target_dir(workspace).join("release/oomtrace");
    let mut command = if packages::is_root() { Command::new(&binary) } else { Command::new("sudo") };
    if !packages::is_root() {
        // sudo forgets the environment; these are oomtrace's own.
        command.arg("--preserve-env=OOMTRACE_LOG,NO_COLOR,NODE_NAME").arg(&binary);
    }
    command.args(arguments);
    // oomtrace gets the terminal, its signals, and our place: exec returns only when it failed.
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    Err(error).with_context(|| format!("cannot run {command:?}"))
}

/// `cargo clippy` by itself passes the kernel side over: only a compiler that has `core` for BPF can check it.
fn lint_bpf(workspace: &Path, arguments: &[String]) -> Result<ExitCode> {
    let if_possible = match arguments {
        [] => false,
        [flag] if flag == "--if-possible" => true,
        _ => bail!("lint-bpf knows --if-possible and nothing else"),
    };
    let toolchain = setup::ensure(workspace)?;
    match setup::ensure_clippy(&toolchain) {
        Err(error) if if_possible => say(&format!("the kernel side is not linted: {error:#}")),
        result => {
            result?;
            toolchain.lint(workspace, &target_dir(workspace).join("lint-bpf"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the plain manifests that the chart gives.
fn chart(workspace: &Path) -> Result<ExitCode> {
    let helm = helm::ensure(&target_dir(workspace))?;
    let lint = chart::lint(&helm, workspace)?;
    if !lint.status.success() {
        bail!("helm lint: {}", String::from_utf8_lossy(&lint.stdout));
    }
    for manifest in chart::MANIFESTS {
        let text = manifest.render(&helm, workspace)?;
        fs::write(workspace.join(manifest.path), text).with_context(|| format!("cannot write {}", manifest.path))?;
        say(&format!("{} is what the chart gives", manifest.path));
    }
    Ok(ExitCode::SUCCESS)
}

fn test(workspace: &Path, how: How) -> Result<ExitCode> {
    interrupt::listen()?;
    setup::ensure(workspace)?;
    setup::ensure_for_tests(workspace)?;
    tests::run(workspace, &how).map(code)
}

/// How `test` or `scenarios` is asked for; what stands behind `--` is cargo's.
fn how_of_test(which: Which, mut arguments: Vec<String>) -> Result<How> {
    let cargos = match arguments.iter().position(|argument| argument == "--") {
        Some(at) => arguments.split_off(at).split_off(1),
        None => Vec::new(),
    };
    let mut how = How { which, arguments: cargos, accelerator: None, machines: true, time: TimeLimit::new(LIMIT) };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--accel" => how.accelerator = Some(Accelerator::parse(value()?)?),
            "--limit" => how.time = limit(value()?)?,
            "--no-vm" => how.machines = false,
            other => bail!("unexpected argument {other}: put cargo's own behind --, as in `cargo xtask test -- --lib`"),
        }
    }
    Ok(how)
}

fn limit(minutes: &str) -> Result<TimeLimit> {
    let minutes: u32 = minutes.parse().context("--limit wants a number of minutes")?;
    Ok(TimeLimit::new(Duration::from_secs(60 * u64::from(minutes))))
}

fn vm(workspace: &Path, arguments: &[String]) -> Result<ExitCode> {
    let wanted = wanted_of_vm(arguments)?;
    interrupt::listen()?;
    setup::ensure(workspace)?;
    setup::ensure_for_tests(workspace)?;
    tests::run_in_vm(workspace, &wanted).map(code)
}

/// What `vm` is asked for.
fn wanted_of_vm(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted {
        boots: Vec::new(),
        jobs: 1,
        last: false,
        keep: false,
        write: false,
        accelerator: None,
        time: TimeLimit::new(NO_LIMIT),
    };
    let (mut kernels, mut only, mut cgroups) = (Vec::new(), Vec::new(), Vec::new());
    let (mut systemd, mut quick, mut all) = (false, false, false);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--only" => only.push(value()?.clone()),
            "--cgroups" => {
                let name = value()?;
                let mode = Cgroups::ALL.into_iter().find(|mode| mode.name() == name);
                cgroups.push(mode.with_context(|| format!("--cgroups knows v2, hybrid and v1, no {name}"))?);
            }
            "--jobs" => wanted.jobs = value()?.parse().context("--jobs wants a number")?,
            "--accel" => wanted.accelerator = Some(Accelerator::parse(value()?)?),
            "--limit" => wanted.time = limit(value()?)?,
            "--systemd" => systemd = true,
            "--quick" => quick = true,
            "--all" => all = true,
            "--last" => wanted.last = true,
            "--keep" => wanted.keep = true,
            "--write" => wanted.write = true,
            flag if flag.starts_with('-') => bail!("vm knows no {flag}"),
            kernel => kernels.push(kernel.to_owned()),
        }
    }
    let is_full = kernels.is_empty() && only.is_empty() && cgroups.is_empty();
    if kernels.is_empty() {
        kernels = if systemd { vec!["6.1".to_owned()] } else { vm::MATRIX.map(str::to_owned).to_vec() };
    }
    if cgroups.is_empty() {
        cgroups = Cgroups::ALL.to_vec();
    }
    wanted.boots = match (systemd, quick) {
        (true, _) => kernels.iter().map(|kernel| plan::systemd(kernel, &only)).collect(),
        (false, true) => plan::quick(),
        (false, false) => plan::matrix(&kernels, &cgroups, &only, all),
    };
    if is_full && !systemd && !quick {
        wanted.boots.extend(plan::under_systemd());
    }
    Ok(wanted)
}

fn cargo(workspace: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace);
    command
}

/// Builds the one test or bench that `arguments` choose, with `flags` for the compiler; its path.
fn executable(workspace: &Path, arguments: &[&str], flags: Option<&str>) -> Result<PathBuf> {
    let mut command = cargo(workspace);
    command.args(arguments).args(["--no-run", "--color", "never"]);
    if let Some(flags) = flags {
        command.env("RUSTFLAGS", flags);
    }
    let log = target_dir(workspace).join("build.log");
    let output = fs::File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
    let built = progress::run(command.stdout(Stdio::null()).stderr(output), "building", BUILD_LIMIT);
    let text = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
    built.with_context(|| format!("cargo {} failed:\n{text}", arguments.join(" ")))?;
    // `  Executable tests/live/main.rs (target/debug/deps/live-0123456789abcdef)`
    let path = text.lines().find_map(|line| {
        let (before, path) = line.trim().strip_suffix(')')?.split_once(" (")?;
        before.starts_with("Executable").then(|| workspace.join(path))
    });
    path.with_context(|| format!("cargo named no executable:\n{text}"))
}

/// Where this cargo puts what it builds.
fn target_dir(workspace: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |dir| workspace.join(dir))
}

fn code(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
