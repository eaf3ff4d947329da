//! Debian's cloud kernels, fetched with apt and taken apart; nothing is installed.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use xtask::{say, succeed};

use super::apt::Apt;

/// The kernels of the matrix, as they are asked for: the newest of each series that Debian has; and of 5.10 also the oldest,
/// whose `mark_victim` hands over a pid alone.
pub const MATRIX: [&str; 12] =
    ["5.10-oldest", "5.10", "6.1", "6.12", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3"];
/// Those that every test run sees.
pub const QUICK: [&str; 4] = ["5.10-oldest", "6.1", "6.12", "7.3"];

/// What the machine needs for its disk, for systemd, and to show who is connected to a socket, as far as the kernel has it as a
/// module.
const MODULES: [&str; 8] = [
    "virtio",
    "virtio_ring",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "autofs4",
    "unix_diag",
];
/// What the files of a kernel must be, when they are used again.
const SUMS: &str = "sha256sums";

/// A kernel, ready to boot.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// As upstream counts: `6.12.95`.
    pub version: String,
    pub image: PathBuf,
    pub modules: Vec<PathBuf>,
}

impl Kernel {
    /// It can have a paravirtual disk. What it has as a module only is missing where Debian has the image without its modules.
    pub fn has_virtio(&self) -> bool {
        self.modules.iter().any(|module| module.ends_with("virtio_blk.ko"))
    }
}

/// What of a series is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pick {
    Oldest,
    Newest,
}

/// The kernel `wanted` (`6.12`, `5.10-oldest`) with `more` modules than each machine's, from `directory` when it was fetched before, and
/// checked.
pub fn fetch(apt: &Apt, directory: &Path, wanted: &str, more: &[&str]) -> Result<Kernel> {
    let (series, pick) = match wanted.strip_suffix("-oldest") {
        Some(series) => (series, Pick::Oldest),
        None => (wanted, Pick::Newest),
    };
    let modules = [&MODULES, more].concat();
    match fetch_picked(apt, directory, series, pick, &modules) {
        // A package that went since the lists were fetched.
        Err(error) if !error.is::<NoSuchKernel>() => {
            say(&format!("{error:#}: trying with new lists"));
            apt.update()?;
            fetch_picked(apt, directory, series, pick, &modules)
        }
        result => result,
    }
}

/// There is none in Debian.
#[derive(Debug)]
struct NoSuchKernel(String);

impl std::fmt::Display for NoSuchKernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Debian has no kernel {} (there are {})", self.0, MATRIX.join(", "))
    }
}

impl std::error::Error for NoSuchKernel {}

fn fetch_picked(apt: &Apt, directory: &Path, series: &str, pick: Pick, modules: &[&str]) -> Result<Kernel> {
    let release = choose(apt.names("linux-image-")?, series, pick).ok_or_else(|| NoSuchKernel(series.to_owned()))?;
    let kernel = directory.join(&release);
    if !kernel.join(SUMS).exists() {
        unpack(apt, directory, &release, modules)?;
    }
    let check = Command::new("sha256sum").args(["--check", "--quiet", SUMS]).current_dir(&kernel).output();
    if !check.context("cannot run sha256sum")?.status.success() {
        bail!("{} is not what was fetched: remove it, and it is fetched again", kernel.display());
    }
    let modules = modules.iter().map(|module| kernel.join(format!("{module}.ko"))).filter(|module| module.exists());
    let version = fs::read_to_string(kernel.join("version")).context("cannot read the kernel's version")?;
    Ok(Kernel { version, image: kernel.join("vmlinuz"), modules: modules.collect() })
}

/// The release (`6.12.95+deb12-cloud-amd64`) among the names of packages.
fn choose(packages: Vec<String>, series: &str, pick: Pick) -> Option<String> {
    let is_of_series = |release: &&str| {
        let rest = release.strip_prefix(series).unwrap_or_default();
        // `6.1` is neither 6.12 nor the meta-package linux-image-6.1-cloud-amd64, and 6.1.0-0.deb11 is another release's.
        rest.starts_with('.') && release.ends_with("-cloud-amd64") && !release.contains(".deb11.")
    };
    let releases = packages.iter().filter_map(|package| package.strip_prefix("linux-image-")).filter(is_of_series);
    let chosen = match pick {
        Pick::Oldest => releases.min_by(|a, b| by_version(a, b)),
        Pick::Newest => releases.max_by(|a, b| by_version(a, b)),
    };
    chosen.map(str::to_owned)
}

/// By the numbers in them, one after the other.
fn by_version(a: &str, b: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
    };
    numbers(a).cmp(&numbers(b))
}

/// Fetches a kernel's packages, and keeps what a machine boots with.
fn unpack(apt: &Apt, directory: &Path, release: &str, wanted: &[&str]) -> Result<()> {
    let part = directory.join(format!("{release}.part"));
    if part.exists() {
        fs::remove_dir_all(&part).context("cannot remove a kernel that was not finished")?;
    }
    let (root, kept) = (part.join("root"), part.join("kept"));
    for directory in [&root, &kept] {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    // From 6.19 on (Debian's packaging) the image and the modules are packages of their own.
    let image = format!("linux-image-{release}");
    let binary = format!("linux-binary-{release}");
    let modules = format!("linux-modules-{release}");
    let packages: Vec<String> = [binary, modules].into_iter().filter(|name| apt.package(name).is_ok()).collect();
    let packages = if packages.is_empty() { vec![image] } else { packages };
    let mut version = String::new();
    for name in &packages {
        let package = apt.package(name)?;
        say(&format!("fetching {} {}", package.name, package.version));
        version = package.version.split('-').next().unwrap_or_default().to_owned();
        let file = apt.download(name, &part)?;
        succeed(Command::new("dpkg-deb").arg("--extract").arg(file).arg(&root))?;
    }
    let images = [format!("boot/vmlinuz-{release}"), format!("usr/lib/modules/{release}/vmlinuz")];
    let image = images.iter().map(|path| root.join(path)).find(|path| path.exists());
    let image = image.with_context(|| format!("no image in {}", packages.join(", ")))?;
    fs::copy(&image, kept.join("vmlinuz")).context("cannot keep the kernel's image")?;
    keep_modules(&root, release, wanted, &kept)?;
    fs::write(kept.join("version"), version).context("cannot keep the kernel's version")?;
    let sums = Command::new("sh").args(["-c", "sha256sum *"]).current_dir(&kept).output().context("sha256sum")?;
    fs::write(kept.join(SUMS), sums.stdout).context("cannot keep the checksums")?;
    // Whole, or not there at all.
    fs::rename(&kept, directory.join(release)).context("cannot keep the kernel")?;
    fs::remove_dir_all(&part).context("cannot remove the packages")
}

fn keep_modules(root: &Path, release: &str, wanted: &[&str], kept: &Path) -> Result<()> {
    let directories = ["lib/modules", "usr/lib/modules"].map(|directory| root.join(directory).join(release));
    for directory in directories.iter().filter(|directory| directory.exists()) {
        let mut find = Command::new("find");
        let output = find.arg(directory).args(["-name", "*.ko", "-o", "-name", "*.ko.xz"]).output().context("find")?;
        for path in String::from_utf8_lossy(&output.stdout).lines().map(Path::new) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let module = name.split('.').next().unwrap_or_default();
            // Some names have a hyphen where the kernel says an underscore.
            if !wanted.contains(&module.replace('-', "_").as_str()) {
                continue;
            }
            let to = kept.join(format!("{}.ko", module.replace('-', "_")));
            if name.ends_with(".xz") {
                let file = fs::File::create(&to).with_context(|| format!("cannot create {}", to.display()))?;
                succeed(Command::new("xz").args(["--decompress", "--stdout"]).arg(path).stdout(Stdio::from(file)))?;
            } else {
                fs::copy(path, &to).with_context(|| format!("cannot keep {}", path.display()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_picked_by_its_numbers() {
        let packages = [
            "linux-image-5.10.0-30-cloud-amd64",
            "linux-image-5.10.0-46-cloud-amd64",
            "linux-image-5.10.0-9-cloud-amd64",
            "linux-image-6.1-cloud-amd64",
            "linux-image-6.1.0-0.deb11.52-cloud-amd64",
            "linux-image-6.1.0-50-cloud-amd64",
            "linux-image-6.12.95+deb12-cloud-amd64",
            "linux-image-6.12.107+deb13-cloud-amd64",
            "linux-image-6.12.107+deb13-amd64",
        ];
        let choose = |series, pick| choose(packages.iter().map(|name| (*name).to_owned()).collect(), series, pick);
        let newest = |series| choose(series, Pick::Newest);
        assert_eq!(newest("5.10").as_deref(), Some("5.10.0-46-cloud-amd64"));
        assert_eq!(choose("5.10", Pick::Oldest).as_deref(), Some("5.10.0-9-cloud-amd64"));
        assert_eq!(newest("6.1").as_deref(), Some("6.1.0-50-cloud-amd64"));
        assert_eq!(newest("6.12").as_deref(), Some("6.12.107+deb13-cloud-amd64"));
        assert_eq!(newest("6.13"), None);
    }
}
