//! `cargo xtask run` and `cargo xtask test`: oomtrace's two commands, on a machine with nothing but a stable Rust
//! toolchain.

mod bench;
mod image;
mod setup;
mod tests;
mod vm;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use tests::Which;
use vm::Init;
use xtask::{packages, succeed};

const HELP: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  run [-- ARGS]   set up what is missing, build, and run `oomtrace ARGS` (through sudo when not root)
  test [-- ARGS]  the same set-up, then every test, and the table of scenarios; with ARGS, which go to `cargo test`,
                  only what they choose
  scenarios       the scenarios alone, and their table: each makes a kill and holds the verdict against what it knows
  vm [-- NAME …]  scenarios whose names start so (all of them, without) in a virtual machine, with kprobes, cgroup v2, and
                  memory that may run out; --systemd boots it with systemd; --keep makes their recordings those that
                  `cargo test` judges again
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
        && !matches!(unexpected.as_str(), "-h" | "--help")
    {
        bail!("unexpected argument {unexpected}: put oomtrace's own behind --, as in `cargo xtask run -- --json`");
    } else if !rest.is_empty() {
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

fn vm(workspace: &Path, only: &[String]) -> Result<ExitCode> {
    setup::ensure(workspace)?;
    setup::ensure_for_tests()?;
    let (flags, only): (Vec<_>, Vec<_>) = only.iter().cloned().partition(|argument| argument.starts_with("--"));
    if let Some(unknown) = flags.iter().find(|flag| !matches!(flag.as_str(), "--keep" | "--systemd")) {
        bail!("vm knows no {unknown}");
    }
    let has = |name: &str| flags.iter().any(|flag| flag == name);
    let init = if has("--systemd") { Init::Systemd } else { Init::Tests };
    tests::run_in_vm(workspace, init, &only, has("--keep")).map(code)
}

fn cargo(workspace: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace);
    command
}

/// Where this cargo puts what it builds.
fn target_dir(workspace: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |dir| workspace.join(dir))
}

fn code(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
