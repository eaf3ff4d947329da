//! `cargo xtask run` and `cargo xtask test`: oomtrace's two commands, on a machine with nothing but a stable Rust
//! toolchain.

mod bench;
mod image;
mod recordings;
mod setup;
mod tests;
mod vm;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use tests::{Wanted, Which};
use vm::{Cgroups, plan};
use xtask::{packages, succeed};

const HELP: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  run [-- ARGS]   set up what is missing, build, and run `oomtrace ARGS` (through sudo when not root)
  test [-- ARGS]  the same set-up, then every test, and the table of scenarios; with ARGS, which go to `cargo test`,
                  only what they choose
  scenarios       the scenarios alone, and their table: each makes a kill and holds the verdict against what it knows
  vm [KERNEL …]   scenarios in virtual machines, with Debian's cloud kernels (all of the matrix: over an hour under emulation;
                  or those named, as 6.12), each with cgroup v2, hybrid and v1, and functions hooked in every way
    --all             every scenario in every state, not only those that the state can change
    --only NAME       only scenarios whose names start so; again for more
    --cgroups MODE    only v2, hybrid or v1
    --systemd         one machine that boots with systemd (6.1, or the kernel named)
    --quick           what `cargo xtask test` runs of it
    --last            boots nothing: takes what came of it the last time
    --jobs N          so many machines at once
    --keep            makes the recordings those that `cargo test` judges again
    --write           writes the table into the README
  bench           measure, and write BENCHMARKS.md
  image           build the container image oomtrace:latest: a static binary and nothing else
  setup           only the set-up

The set-up needs a BPF compiler (a rustup nightly with rust-src, else Debian's rustc-web and libstd-rust-web-dev-bpf) and
bpf-linker. It says what it installs and why before it does. Tests besides want Docker and a static busybox.";

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
    if rest.first().is_some_and(|argument| argument == "--") {
        rest.remove(0);
    } else if let Some(unexpected) = rest.first()
        && command.as_deref() != Some("vm")
        && !matches!(unexpected.as_str(), "-h" | "--help")
    {
        bail!("unexpected argument {unexpected}: put oomtrace's own behind --, as in `cargo xtask run -- --json`");
    } else if rest.first().is_some_and(|argument| matches!(argument.as_str(), "-h" | "--help")) {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    match command.as_deref() {
        Some("run") => run(&workspace, &rest),
        Some("test") => test(&workspace, Which::All, &rest),
        Some("scenarios") => test(&workspace, Which::Scenarios, &rest),
        Some("vm") => vm(&workspace, &rest),
        Some("bench") => {
            setup::ensure(&workspace)?;
            bench::run(&workspace)?;
            Ok(ExitCode::SUCCESS)
        }
        Some("image") => {
            setup::ensure(&workspace)?;
            image::build(&workspace)?;
            Ok(ExitCode::SUCCESS)
        }
        Some("setup") => {
            let toolchain = setup::ensure(&workspace)?;
            println!("xtask: the kernel side is built with {}", toolchain.describe());
            Ok(ExitCode::SUCCESS)
        }
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

/// The folder with the workspace's Cargo.toml: cargo runs this from anywhere below it.
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

fn test(workspace: &Path, which: Which, arguments: &[String]) -> Result<ExitCode> {
    setup::ensure(workspace)?;
    setup::ensure_for_tests()?;
    tests::run(workspace, which, arguments).map(code)
}

fn vm(workspace: &Path, arguments: &[String]) -> Result<ExitCode> {
    let wanted = wanted_of_vm(arguments)?;
    setup::ensure(workspace)?;
    setup::ensure_for_tests()?;
    tests::run_in_vm(workspace, &wanted).map(code)
}

/// What `vm` is asked for.
fn wanted_of_vm(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted { jobs: 1, ..Wanted::default() };
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

/// Builds the one test or bench that `arguments` choose; its path.
fn executable(workspace: &Path, arguments: &[&str]) -> Result<PathBuf> {
    let mut command = cargo(workspace);
    command.args(arguments).args(["--no-run", "--color", "never"]);
    let output = command.stdout(Stdio::null()).output().context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("cargo {} failed:\n{text}", arguments.join(" "));
    }
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
