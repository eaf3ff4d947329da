//! The static binaries: what runs in virtual machines and in the image, whose C library is another one than this machine's, or none.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use xtask::succeed;

use crate::{cargo, executable, target_dir};

/// The target that must be named for flags not to hold for what runs while building, too.
pub fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// For the compiler: glibc is linked in. Nothing in oomtrace asks it for names of users or hosts, which it could not answer by itself.
pub const STATIC: &str = "-C target-feature=+crt-static";

/// What is run where the tests are not built.
#[derive(Debug, Default)]
pub struct Binaries {
    /// The scenarios.
    pub live: PathBuf,
    /// oomtrace itself.
    pub oomtrace: PathBuf,
}

/// What is run on a Kubernetes node in a virtual machine.
#[derive(Debug)]
pub struct OfNode {
    pub scenarios: PathBuf,
    /// With the Kubernetes API.
    pub oomtrace: PathBuf,
    pub xtask: PathBuf,
}

/// Builds them.
pub fn of_node(workspace: &Path) -> Result<OfNode> {
    let target = target();
    let arguments = ["test", "--package", "oomtrace", "--features", "kubernetes", "--test", "k8s", "--target", &target];
    let scenarios = executable(workspace, &arguments, Some(STATIC))?;
    let mut build = cargo(workspace);
    build.args(["build", "--quiet", "--package", "xtask", "--target", &target]);
    succeed(build.env("RUSTFLAGS", STATIC)).context("cannot build a static xtask")?;
    let directory = target_dir(workspace).join(&target).join("debug");
    Ok(OfNode { scenarios, oomtrace: directory.join("oomtrace"), xtask: directory.join("xtask") })
}

/// Builds oomtrace alone; where it is.
pub fn oomtrace(workspace: &Path) -> Result<PathBuf> {
    let target = target();
    let mut build = cargo(workspace);
    build.args(["build", "--quiet", "--package", "oomtrace", "--features", "kubernetes", "--bin", "oomtrace"]);
    build.args(["--target", &target]);
    succeed(build.env("RUSTFLAGS", STATIC)).context("cannot build a static oomtrace")?;
    Ok(target_dir(workspace).join(&target).join("debug/oomtrace"))
}

/// Builds them, as tests want them.
pub fn build(workspace: &Path) -> Result<Binaries> {
    let target = target();
    let arguments = ["test", "--package", "oomtrace", "--test", "live", "--target", &target];
    let live = executable(workspace, &arguments, Some(STATIC))?;
    let oomtrace = target_dir(workspace).join(&target).join("debug/oomtrace");
    // Copies: what is built meanwhile is for the next run.
    let directory = target_dir(workspace).join("vm/binaries");
    fs::create_dir_all(&directory).context("cannot create a directory for the binaries")?;
    let binaries = Binaries { live: directory.join("live"), oomtrace: directory.join("oomtrace") };
    for (from, to) in [(live, &binaries.live), (oomtrace, &binaries.oomtrace)] {
        fs::copy(&from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(binaries)
}
