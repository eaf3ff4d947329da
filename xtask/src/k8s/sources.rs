//! What the node is made of, fetched with apt and taken apart; nothing is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use xtask::{say, succeed};

use super::build;
use crate::free_space;
use crate::time_limit::TimeLimit;
use crate::vm::apt::Apt;

/// Debian's packages with programs of the node, and those programs. containerd, runc and the plug-ins are of one release; etcd and
/// kubectl are first in trixie.
const PACKAGES: [(&str, &[&str]); 5] = [
    ("etcd-server/trixie", &["usr/bin/etcd"]),
    ("kubectl/trixie", &["usr/bin/kubectl"]),
    ("containerd/bookworm", &["usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/bin/ctr"]),
    ("runc/bookworm", &["usr/sbin/runc"]),
    ("containernetworking-plugins/bookworm", &["usr/lib/cni/host-local", "usr/lib/cni/loopback", "usr/lib/cni/ptp"]),
];
/// What is in `bin` when all of it is there: what it was made from. Another recipe is made anew.
const STAMP: &str = "made-from";
/// Bytes that building takes.
const SPACE: u64 = 4 << 30;

/// The node's programs.
pub struct Programs {
    directory: PathBuf,
}

impl Programs {
    /// Those that were made in `directory` before.
    pub fn find(directory: &Path) -> Option<Self> {
        let programs = Self { directory: directory.join("bin") };
        let is_whole = fs::read_to_string(programs.directory.join(STAMP)).is_ok_and(|old| old == recipe());
        is_whole.then_some(programs)
    }

    /// From `directory` when they were made before.
    ///
    /// # Errors
    /// When they can be neither fetched nor built, within `time`.
    pub fn ensure(directory: &Path, apt: &Path, time: TimeLimit) -> Result<Self> {
        if let Some(programs) = Self::find(directory) {
            return Ok(programs);
        }
        let programs = Self { directory: directory.join("bin") };
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        free_space::require(directory, SPACE, "building what Debian has as source alone")?;
        let work = directory.join("build");
        for old in [&work, &programs.directory] {
            if old.exists() {
                fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
            }
        }
        let done = work.join("bin");
        fs::create_dir_all(&done).with_context(|| format!("cannot create {}", done.display()))?;
        let apt = Apt::open(apt)?;
        for (package, files) in PACKAGES {
            let root = unpack(&apt, package, &work)?;
            for file in files {
                let name = Path::new(file).file_name().context("a program has a name")?;
                fs::rename(root.join(file), done.join(name)).with_context(|| format!("{package} has no {file}"))?;
            }
        }
        build::build(&apt, &work, &done, time)?;
        fs::write(done.join(STAMP), recipe()).context("cannot write what the programs were made from")?;
        // Whole, or not there at all.
        fs::rename(&done, &programs.directory).context("cannot keep the programs")?;
        fs::remove_dir_all(&work).context("cannot remove what the programs were built from")?;
        Ok(programs)
    }

    /// Where all of them are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// What the programs are made from, in words.
fn recipe() -> String {
    let packages = PACKAGES.map(|(package, _)| package).join(" ");
    format!("{packages} {}\n", build::RECIPE)
}

/// Fetches a package and unpacks it in a directory of its own below `work`.
pub fn unpack(apt: &Apt, package: &str, work: &Path) -> Result<PathBuf> {
    say(&format!("fetching {package}"));
    let name = package.split('/').next().unwrap_or(package);
    let (archive, root) = (work.join(format!("{name}.deb")), work.join(name));
    for directory in [&archive, &root] {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let file = apt.download(package, &archive)?;
    succeed(Command::new("dpkg-deb").arg("--extract").arg(file).arg(&root).stdout(Stdio::null()))?;
    fs::remove_dir_all(&archive).context("cannot remove a package that was unpacked")?;
    Ok(root)
}
