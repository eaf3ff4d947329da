//! The machine's disk: a small Debian with Docker and what the scenarios are killed by.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use xtask::{say, succeed};

const PACKAGES: [&str; 19] = [
    "apparmor",
    "busybox-static",
    "crun",
    "curl",
    "dbus",
    "dbus-user-session",
    "docker.io",
    "earlyoom",
    "gunicorn",
    "iptables",
    "libpam-systemd",
    "lxc",
    // Of the two that podman can do with; debootstrap does not choose.
    "netavark",
    "podman",
    "procps",
    "systemd-oomd",
    "systemd-sysv",
    "udev",
    "uidmap",
];
/// Sparse; what is in it takes a third of that.
const SIZE: &str = "3G";
const MIRROR: &str = "http://deb.debian.org/debian";

/// This machine's Debian release, which its binaries run on; none on another system.
pub fn suite() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let field = |name: &str| release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    (field("ID")? == "debian").then(|| field("VERSION_CODENAME").map(str::to_owned)).flatten()
}

/// Tells one set of packages from another (FNV-1a).
fn checksum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The disk, from `folder` when it was made before.
pub fn make(folder: &Path) -> Result<PathBuf> {
    let suite = suite().context("this is not Debian")?;
    // Another set of packages is another disk.
    let disk = folder.join(format!("{suite}-{:08x}.img", checksum(&PACKAGES.join(" "))));
    if disk.exists() {
        return Ok(disk);
    }
    say(&format!("making a disk with Debian {suite} and {} (about two minutes, once)", PACKAGES.join(", ")));
    let root = folder.join("root");
    if root.exists() {
        fs::remove_dir_all(&root).context("cannot remove a disk that was not finished")?;
    }
    let include = format!("--include={}", PACKAGES.join(","));
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &include, &suite]).arg(&root).arg(MIRROR);
    succeed(debootstrap.stdin(Stdio::null()).stdout(Stdio::null())).context("cannot make a Debian")?;
    let part = folder.join("disk.part");
    _ = fs::remove_file(&part);
    succeed(Command::new("truncate").args(["--size", SIZE]).arg(&part))?;
    succeed(Command::new("mke2fs").args(["-q", "-t", "ext4", "-F", "-d"]).arg(&root).arg(&part))?;
    fs::remove_dir_all(&root).context("cannot remove what the disk was made from")?;
    // Whole, or not there at all.
    fs::rename(&part, &disk).context("cannot keep the disk")?;
    Ok(disk)
}
