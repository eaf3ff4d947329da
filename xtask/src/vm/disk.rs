//! The machine's disk: a small Debian with Docker and what the scenarios are killed by.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use xtask::{say, succeed};

use super::apt::KEYRING;
use crate::{free_space, progress};

const PACKAGES: [&str; 20] = [
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
    // A user's podman is called through it by root, as oomtrace advises.
    "sudo",
    "systemd-oomd",
    "systemd-sysv",
    "udev",
    "uidmap",
];
/// Sparse; what is in it takes a third of that.
const SIZE: &str = "3G";
const MIRROR: &str = "http://deb.debian.org/debian";
/// The guest's release, whatever the host's is: what runs in it brings its C library along.
const SUITE: &str = "bookworm";
/// A debootstrap may be older or younger than a release and not know its name; Debian's releases are all made by this script.
const SCRIPT: &str = "/usr/share/debootstrap/scripts/sid";
/// Bytes that are free when the disk is made: what it is made from, and itself; 1.7 GiB were seen, a third of them debootstrap's packages.
const SPACE: u64 = 9 << 28;
/// What each step of making it may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// A mirror that does not answer is given up after so many seconds, and tries; wget, which debootstrap uses, would wait for hours.
const WGETRC: &str = "timeout = 30\ntries = 3\n";

/// A checksum over a set of packages (FNV-1a).
fn checksum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The disk, from `directory` when it was made before.
pub fn make(directory: &Path) -> Result<PathBuf> {
    // Another set of packages is another disk.
    let disk = directory.join(format!("{SUITE}-{:08x}.img", checksum(&PACKAGES.join(" "))));
    if disk.exists() {
        return Ok(disk);
    }
    free_space::require(directory, SPACE, "the virtual machines' disk")?;
    say(&format!("making a disk with Debian {SUITE} and {} (about two minutes, once)", PACKAGES.join(", ")));
    let root = directory.join("root");
    if root.exists() {
        fs::remove_dir_all(&root).context("cannot remove a disk that was not finished")?;
    }
    let settings = directory.join("wgetrc");
    fs::write(&settings, WGETRC).with_context(|| format!("cannot write {}", settings.display()))?;
    let log = directory.join("debootstrap.log");
    let output = fs::File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
    let include = format!("--include={}", PACKAGES.join(","));
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &format!("--keyring={KEYRING}"), &include, SUITE]).arg(&root);
    debootstrap.args([MIRROR, SCRIPT]).env("WGETRC", &settings).stdout(output);
    progress::run(&mut debootstrap, "making the disk", LIMIT).with_context(|| {
        format!(
            "cannot make a Debian: {MIRROR} must answer, and the disk must not be full; {} says more",
            log.display()
        )
    })?;
    let part = directory.join("disk.part");
    _ = fs::remove_file(&part);
    succeed(Command::new("truncate").args(["--size", SIZE]).arg(&part))?;
    let mut fill = Command::new("mke2fs");
    progress::run(fill.args(["-q", "-t", "ext4", "-F", "-d"]).arg(&root).arg(&part), "filling the disk", LIMIT)
        .context("cannot fill the virtual machines' disk")?;
    succeed(Command::new("e2fsck").args(["-f", "-n"]).arg(&part).stdout(Stdio::null()).stderr(Stdio::null()))
        .context("the virtual machines' disk was not written whole")?;
    fs::remove_dir_all(&root).context("cannot remove what the disk was made from")?;
    // Whole, or not there at all, also after a power cut.
    fs::File::open(&part).and_then(|file| file.sync_all()).context("cannot write the virtual machines' disk")?;
    fs::rename(&part, &disk).context("cannot keep the disk")?;
    Ok(disk)
}
