//! Debian's packages, installed with apt where that is possible.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{say, succeed};

/// This process is root.
#[must_use]
pub fn is_root() -> bool {
    // The owner of this process's directory in /proc is its effective user.
    std::os::unix::fs::MetadataExt::uid(&match fs::metadata("/proc/self") {
        Ok(metadata) => metadata,
        Err(_) => return false,
    }) == 0
}

/// apt is here, and this is Debian or made from it.
#[must_use]
pub fn has_apt() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is_debian = release
        .lines()
        .any(|line| matches!(line.split_once('='), Some(("ID" | "ID_LIKE", id)) if id.contains("debian")));
    is_debian && on_path("apt-get")
}

/// Packages can be installed without asking anybody: as root, or by a sudo that wants no password.
#[must_use]
pub fn may_install() -> bool {
    let sudo = || {
        let status = Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    has_apt() && (is_root() || sudo())
}

/// Installs packages, saying what for first.
///
/// # Errors
/// When apt fails, or knows no such package.
pub fn install(packages: &[&str], what_for: &str) -> Result<()> {
    say(&format!("installing {} with apt: {what_for}", packages.join(", ")));
    if !are_known(packages) {
        succeed(apt().args(["update", "--quiet"])).with_context(|| {
            format!("cannot fetch the lists of packages for {}: apt's mirror must answer", packages.join(", "))
        })?;
    }
    if !are_known(packages) {
        bail!("apt knows no package of {} (their repository is not in its sources)", packages.join(", "));
    }
    succeed(apt().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages)).with_context(|| {
        let packages = packages.join(" ");
        format!("cannot install {packages}: apt's mirror must answer and the disk must not be full; then `apt-get install {packages}`")
    })
}

fn apt() -> Command {
    let mut command = if is_root() { Command::new("env") } else { Command::new("sudo") };
    if !is_root() {
        command.arg("env");
    }
    // apt's output is no part of ours: standard output may be oomtrace's.
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    // A mirror that does not answer is given up, and another apt that is at work is waited for.
    command.args(["-o", "Acquire::http::Timeout=30", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"]);
    command.stdin(Stdio::null()).stdout(std::io::stderr());
    command
}

/// apt has a version of each to install.
fn are_known(packages: &[&str]) -> bool {
    packages.iter().all(|package| {
        let output = Command::new("apt-cache").args(["policy", package]).output();
        output.is_ok_and(|o| {
            String::from_utf8_lossy(&o.stdout).lines().any(|l| l.contains("Candidate:") && !l.contains("(none)"))
        })
    })
}

/// A program of this name is on the path.
#[must_use]
pub fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // Users' paths often lack these, where daemons are.
    let system = ["/usr/sbin", "/sbin"].map(Into::into);
    env::split_paths(&path).chain(system).any(|dir| dir.join(program).is_file())
}
