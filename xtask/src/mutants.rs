//! `cargo xtask mutants`: what no test would notice if it were wrong, in the parts that are pure: the correlator, the judge and the
//! words.
//!
//! `cargo mutants` builds and tests once for each change that it makes. The whole of oomtrace takes a quarter of a minute for that; the
//! pure parts, which use nothing of the rest, take two seconds as a package of their own. That they can be one is checked by the way.

use std::fs;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use xtask::say;

use crate::{cargo, target_dir};

/// What is copied from `oomtrace/src`: the parts that are tested so, and those that they use.
const PARTS: [&str; 15] = [
    "event",
    "model",
    "profile",
    "placement.rs",
    "text",
    "node/signals.rs",
    "correlate",
    "container/runtime/docker/run_state.rs",
    "kubernetes/report.rs",
    "kubernetes/said.rs",
    "resolve/case.rs",
    "resolve/limits_before.rs",
    "resolve/limits_before",
    "judge",
    "words",
];

/// The package's `lib.rs`: those parts, at the paths by which they know each other.
const LIBRARY: &str = "\
pub mod event;
pub mod model;
pub mod profile;
pub mod placement;
pub mod text;
pub mod node { pub mod signals; }
pub mod correlate;
pub mod container { pub mod runtime { pub mod docker { pub mod run_state; } } }
pub mod kubernetes { pub mod report; pub mod said; }
pub mod resolve { pub mod case; pub mod limits_before; }
pub mod judge;
pub mod words;
";

/// Those of oomtrace's dependencies that the parts use.
const DEPENDENCIES: [&str; 11] = [
    "clap",
    "jiff",
    "log",
    "oomtrace-common",
    "schemars",
    "serde",
    "serde_json",
    "textwrap",
    "thiserror",
    "unicode-width",
    "zerocopy",
];

/// Which mutants are known to change nothing, each with its reason.
const EQUIVALENT: &str = "oomtrace/mutants.toml";

/// What is changed.
const CHANGED: [&str; 3] = ["src/correlate/**", "src/judge/**", "src/words/**"];

/// Makes the package, and has `cargo mutants` change it; `arguments` are for that, as `--shard 0/4` or `--list`. It fails when a mutant
/// is alive.
pub fn run(workspace: &Path, arguments: &[String]) -> Result<ExitCode> {
    let here = cargo(workspace).args(["mutants", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !here.is_ok_and(|status| status.success()) {
        bail!("cargo-mutants is not here: `cargo install cargo-mutants` brings it");
    }
    let package = target_dir(workspace).join("mutants");
    make(workspace, &package)
        .with_context(|| format!("cannot make a package of the pure parts in {}", package.display()))?;
    say(&format!("changing the pure parts, in {}; what is found lies in mutants.out there", package.display()));
    let mut command = cargo(&package);
    command.arg("mutants").args(CHANGED.iter().flat_map(|files| ["--file", files]));
    // The target directory of the workspace would be locked by each build; a test that takes this long goes round in a circle.
    command.args(["--timeout", "30"]).args(arguments).env_remove("CARGO_TARGET_DIR");
    let status = command.status().context("cannot run cargo mutants")?;
    Ok(crate::code(status.success()))
}

fn make(workspace: &Path, package: &Path) -> Result<()> {
    let (from, to) = (workspace.join("oomtrace/src"), package.join("src"));
    if to.exists() {
        fs::remove_dir_all(&to)?;
    }
    for part in PARTS {
        copy(&from.join(part), &to.join(part)).with_context(|| format!("{part} cannot be copied"))?;
    }
    fs::write(to.join("lib.rs"), LIBRARY)?;
    fs::write(package.join("Cargo.toml"), manifest(workspace)?)?;
    fs::copy(workspace.join("Cargo.lock"), package.join("Cargo.lock"))?;
    fs::create_dir_all(package.join(".cargo"))?;
    fs::copy(workspace.join(EQUIVALENT), package.join(".cargo/mutants.toml"))?;
    Ok(())
}

/// With the same versions and features as oomtrace itself.
fn manifest(workspace: &Path) -> Result<String> {
    let own = fs::read_to_string(workspace.join("oomtrace/Cargo.toml"))?;
    let mut text = "[package]\nname = \"oomtrace-pure\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n[lib]\ndoctest = false\n\n\
                    [workspace]\n\n[profile.dev]\nopt-level = 0\ndebug = false\n\n[dependencies]\n"
        .to_owned();
    for name in DEPENDENCIES {
        let line = own.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(" = ")));
        let line = line.with_context(|| format!("oomtrace/Cargo.toml names no {name} any more: mutants.rs does"))?;
        let common = format!("path = \"{}\"", workspace.join("oomtrace-common").display());
        text += &line.replace("path = \"../oomtrace-common\"", &common);
        text.push('\n');
    }
    Ok(text)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if !from.is_dir() {
        fs::copy(from, to)?;
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_and_their_dependencies_are_there() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for part in PARTS {
            assert!(workspace.join("oomtrace/src").join(part).exists(), "{part}");
        }
        let manifest = manifest(workspace).unwrap();
        assert!(DEPENDENCIES.iter().all(|name| manifest.contains(name)), "{manifest}");
    }
}
