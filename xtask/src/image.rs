//! The container image: a static binary, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use xtask::packages::on_path;
use xtask::{say, succeed};

use crate::binaries::{STATIC, target};
use crate::vm::payload::separate;
use crate::{cargo, target_dir};

/// The image's name.
const NAME: &str = "oomtrace:latest";

/// A directory with the static `binary`, which is the image's build context. Its debugging information is beside the directory, in
/// `oomtrace.debug`.
pub fn context(workspace: &Path, binary: &Path) -> Result<PathBuf> {
    let context = target_dir(workspace).join("image");
    fs::create_dir_all(&context).with_context(|| format!("cannot create {}", context.display()))?;
    separate(binary, &context.join("oomtrace"), &context.with_file_name("oomtrace.debug"))?;
    Ok(context)
}

/// Builds the image with Docker, or with Podman.
pub fn build(workspace: &Path) -> Result<()> {
    let target = target();
    let mut build = cargo(workspace);
    build.args([
        "build",
        "--release",
        "--package",
        "oomtrace",
        "--features",
        "kubernetes",
        "--bin",
        "oomtrace",
        "--target",
        &target,
    ]);
    succeed(build.env("RUSTFLAGS", STATIC))?;
    let context = context(workspace, &target_dir(workspace).join(&target).join("release/oomtrace"))?;
    let Some(engine) = ["docker", "podman"].into_iter().find(|engine| on_path(engine)) else {
        bail!("neither docker nor podman is here to build the image; its build context is {}", context.display());
    };
    let mut build = Command::new(engine);
    build.args(["build", "--tag", NAME, "--file"]).arg(workspace.join("Dockerfile")).arg(&context);
    succeed(build.stdin(Stdio::null()))?;
    let debug = context.with_file_name("oomtrace.debug");
    say(&format!("debugging information, which a debugger takes from beside the binary: {}", debug.display()));
    say(&format!(
        "{NAME} is built; the first lines of Dockerfile say how to run it, and deploy/daemonset.yaml runs it on a cluster"
    ));
    Ok(())
}
