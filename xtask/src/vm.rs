//! `cargo xtask vm`: the live scenarios on machines of their own, in QEMU: Debian's cloud kernels, each with every way of
//! hooking and every cgroup hierarchy that it has, Docker, and memory that may run out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};

use xtask::packages::{self, on_path};
use xtask::say;

use crate::tests::Binaries;

mod apt;
mod disk;
mod kernel;
pub mod matrix;
mod payload;
pub mod plan;
mod qemu;
pub mod results;

pub use kernel::MATRIX;
use plan::Boot;
pub use plan::Cgroups;
use results::Results;

const PROGRAMS: [(&str, &str); 4] =
    [("debootstrap", "debootstrap"), ("mke2fs", "e2fsprogs"), ("cpio", "cpio"), ("xz", "xz-utils")];
/// QEMU's first that emulates kernels from 6.12 on without crashing them: 7.2 does not.
const QEMU_VERSION: u32 = 10;

/// What machines are made with.
pub struct Lab {
    folder: PathBuf,
    apt: apt::Apt,
    disk: PathBuf,
    /// One machine's kernel is fetched at a time.
    fetching: Mutex<()>,
}

impl Lab {
    /// Fetches and makes what is missing.
    pub fn prepare(workspace: &Path) -> Result<Self> {
        if let Some(why) = why_not() {
            bail!("{why}");
        }
        for (program, package) in PROGRAMS {
            if !on_path(program) {
                packages::install(&[package], "the virtual machines")?;
            }
        }
        let folder = crate::target_dir(workspace).join("vm");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let apt = apt::Apt::open(&folder.join("apt"))?;
        ensure_qemu(&apt)?;
        let disk = disk::make(&folder)?;
        Ok(Self { folder, apt, disk, fetching: Mutex::new(()) })
    }

    /// The kernel of a machine, and the machine's folder.
    fn place(&self, boot: &Boot) -> Result<(kernel::Kernel, PathBuf)> {
        let _alone = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let kernel = kernel::fetch(&self.apt, &self.folder.join("kernels"), &boot.kernel)?;
        let folder = self.folder.join(format!("{}-{}-{:?}", kernel.version, boot.cgroups.name(), boot.init));
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok((kernel, folder))
    }

    /// What came of a machine when it was last booted.
    pub fn last(&self, boot: &Boot) -> Result<Results> {
        let (kernel, folder) = self.place(boot)?;
        results::read(&folder, &kernel.version, boot)
    }

    /// Boots a machine and does its runs. `shown` says which of the tests' lines are shown.
    pub fn run(&self, boot: &Boot, binaries: &Binaries, shown: fn(&str) -> bool) -> Result<Results> {
        let (kernel, folder) = self.place(boot)?;
        let initramfs = payload::make(&folder, &kernel, boot, binaries)?;
        let disk = folder.join("results.img");
        let hardware = qemu::Hardware {
            image: &kernel.image,
            initramfs: &initramfs,
            disk: &self.disk,
            results: &disk,
            has_virtio: kernel.has_virtio(),
            log: &folder.join("console.log"),
        };
        let attempt = || {
            results::make_disk(&disk)?;
            say(&format!("booting Linux {} with cgroup {} ({:?})", kernel.version, boot.cgroups.name(), boot.init));
            hardware.run(shown)?;
            results::unpack(&folder, &disk)?;
            results::read(&folder, &kernel.version, boot)
        };
        let results = attempt().or_else(|error| {
            // An emulator that gives up says nothing of what is tested; a scenario that fails is no such end.
            say(&format!("{error:#}: once more"));
            attempt()
        });
        for file in [&disk, &initramfs] {
            _ = fs::remove_file(file);
        }
        results
    }
}

/// Why this machine cannot run a virtual one; none when it can.
fn why_not() -> Option<String> {
    if !packages::is_root() {
        return Some("this is not root, who makes the disk".to_owned());
    }
    if std::env::consts::ARCH != "x86_64" {
        return Some("only x86-64 kernels are fetched".to_owned());
    }
    if disk::suite().is_none() {
        return Some("this is not Debian, whose packages the machine is made of".to_owned());
    }
    None
}

/// A QEMU that is new enough, from backports where the release has none.
fn ensure_qemu(apt: &apt::Apt) -> Result<()> {
    if qemu_version().is_some_and(|version| version >= QEMU_VERSION) {
        return Ok(());
    }
    let what_for = "the virtual machines";
    match disk::suite().as_deref() {
        Some("bookworm") => apt.install_backport("qemu-system-x86", "bookworm", what_for)?,
        _ => packages::install(&["qemu-system-x86"], what_for)?,
    }
    match qemu_version() {
        Some(version) if version >= QEMU_VERSION => Ok(()),
        _ => bail!("no QEMU {QEMU_VERSION} or newer: older ones crash kernels from 6.12 on"),
    }
}

/// QEMU's major version: `QEMU emulator version 10.0.2 (Debian …)`.
fn qemu_version() -> Option<u32> {
    let output = Command::new("qemu-system-x86_64").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_once("version ")?.1.split('.').next()?.parse().ok()
}
