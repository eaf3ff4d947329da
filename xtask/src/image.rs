//! The container image: a static binary, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use xtask::packages::on_path;
use xtask::{say, succeed};

use crate::{cargo, target_dir};

/// The image's name.
const NAME: &str = "oomtrace:latest";

/// How the binary is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// For users.
    Release,
    /// For tests, which build it faster.
    Dev,
}

/// Builds the binary that the image holds; the folder with it, which is the image's build context.
///
/// glibc is linked in: nothing in oomtrace asks it for names of users or hosts, which it could not answer by itself.
pub fn context(workspace: &Path, profile: Profile) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = cargo(workspace);
    build.args(["build", "--package", "oomtrace", "--bin", "oomtrace", "--target", &target]);
    let folder = match profile {
        Profile::Release => {
            build.arg("--release");
            "release"
        }
        Profile::Dev => "debug",
    };
    // With a target named, these are not for what runs while building.
    succeed(build.env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    let built = target_dir(workspace).join(&target).join(folder).join("oomtrace");
    let context = target_dir(workspace).join("image");
    fs::create_dir_all(&context).with_context(|| format!("cannot create {}", context.display()))?;
    succeed(Command::new("strip").arg("--strip-debug").arg("-o").arg(context.join("oomtrace")).arg(&built))?;
    Ok(context)
}

/// Builds the image with Docker, or with Podman.
pub fn build(workspace: &Path) -> Result<()> {
    let context = context(workspace, Profile::Release)?;
    let Some(engine) = ["docker", "podman"].into_iter().find(|engine| on_path(engine)) else {
        bail!("neither docker nor podman is here to build the image; its build context is {}", context.display());
    };
    let mut build = Command::new(engine);
    build.args(["build", "--tag", NAME, "--file"]).arg(workspace.join("Dockerfile")).arg(&context);
    succeed(build.stdin(Stdio::null()))?;
    say(&format!(
        "{NAME} is built; the first lines of Dockerfile say how to run it, and deploy/daemonset.yaml runs it on a cluster"
    ));
    Ok(())
}
