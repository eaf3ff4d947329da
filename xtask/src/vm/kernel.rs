//! Debian's cloud kernel, fetched with apt and taken apart; nothing is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use xtask::{say, succeed};

/// Depends on the newest kernel that apt's sources have for virtual machines.
const META_PACKAGE: &str = "linux-image-cloud-amd64";

/// What the machine needs for its disk, as far as the kernel has it as a module.
const MODULES: [&str; 6] = [
    "kernel/drivers/virtio/virtio.ko",
    "kernel/drivers/virtio/virtio_ring.ko",
    "kernel/drivers/virtio/virtio_pci_legacy_dev.ko",
    "kernel/drivers/virtio/virtio_pci_modern_dev.ko",
    "kernel/drivers/virtio/virtio_pci.ko",
    "kernel/drivers/block/virtio_blk.ko",
];

/// A kernel, ready to boot.
pub struct Kernel {
    pub version: String,
    pub image: PathBuf,
    pub modules: Vec<PathBuf>,
}

/// The kernel, from `folder` when it was fetched before.
pub fn fetch(folder: &Path) -> Result<Kernel> {
    let package = package()?;
    let version = package.trim_start_matches("linux-image-").to_owned();
    let root = folder.join(&package);
    if !root.join("boot").exists() {
        say(&format!("fetching {package}"));
        let parts = folder.join(format!("{package}.part"));
        fs::create_dir_all(&parts).with_context(|| format!("cannot create {}", parts.display()))?;
        succeed(
            Command::new("apt-get").args(["download", "--quiet", &package]).current_dir(&parts).stdout(Stdio::null()),
        )?;
        let entries = fs::read_dir(&parts).context("cannot list what apt fetched")?.flatten().map(|entry| entry.path());
        let deb = entries.filter(|path| path.extension().is_some_and(|end| end == "deb")).last();
        let deb = deb.context("apt fetched no package")?;
        succeed(Command::new("dpkg-deb").arg("--extract").arg(deb).arg(parts.join("root")))?;
        // Whole, or not there at all.
        fs::rename(parts.join("root"), &root).context("cannot keep the kernel")?;
        fs::remove_dir_all(&parts).context("cannot remove the package")?;
    }
    let folder = root.join("lib/modules").join(&version);
    let modules = MODULES.iter().map(|module| folder.join(module)).filter(|module| module.exists()).collect();
    Ok(Kernel { image: root.join("boot").join(format!("vmlinuz-{version}")), version, modules })
}

/// The package that the meta-package depends on.
fn package() -> Result<String> {
    let output = Command::new("apt-cache").args(["depends", META_PACKAGE]).output().context("cannot run apt-cache")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let depends = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    Ok(depends.with_context(|| format!("apt knows no {META_PACKAGE}"))?.to_owned())
}
