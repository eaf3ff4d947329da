//! `cargo xtask vm`: the live scenarios on machines of their own, in QEMU: Debian's cloud kernels, each with every way of
//! hooking and every cgroup hierarchy that it has, Docker, and memory that may run out.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use xtask::packages::{self, on_path};
use xtask::say;

use crate::binaries::Binaries;
use crate::free_space;
use crate::time_limit::{Spoken, TimeLimit};

pub mod accelerator;
pub mod apt;
mod disk;
mod kernel;
mod machine;
pub mod matrix;
mod monitor;
pub mod payload;
pub mod plan;
mod processor_time;
mod qemu;
pub mod results;

use accelerator::{Accelerator, Choice};
use machine::{Fault, Machine};
use payload::Contents;

pub use kernel::MATRIX;
use plan::Boot;
pub use plan::Cgroups;
use results::Results;

const PROGRAMS: [(&str, &str); 4] =
    [("debootstrap", "debootstrap"), ("mke2fs", "e2fsprogs"), ("cpio", "cpio"), ("xz", "xz-utils")];
/// QEMU's first that emulates kernels from 6.12 on without crashing them: 7.2 does not.
const QEMU_VERSION: u32 = 10;

/// Bytes that a machine's temporary files may take: what is written to its disk, and its results. Some 100 MiB were seen.
const SPACE: u64 = 1 << 30;

/// What machines are made with.
pub struct Lab {
    directory: PathBuf,
    apt: apt::Apt,
    disk: PathBuf,
    pub accelerators: Choice,
    /// One machine's kernel is fetched at a time.
    fetching: Mutex<()>,
    /// Machines started so far.
    started: AtomicU32,
}

impl Lab {
    /// Why this machine cannot run a virtual one: all that it lacks, with what to do; empty when it can.
    pub fn missing() -> Vec<String> {
        let mut missing = Vec::new();
        if !packages::is_root() {
            missing.push("this is not root, who makes their disk".to_owned());
        }
        if std::env::consts::ARCH != "x86_64" {
            missing.push("only x86-64 kernels are fetched for them".to_owned());
        }
        if !packages::has_apt() {
            missing.push("kernels and disk are Debian's, fetched with apt, which this system does not have".to_owned());
        }
        missing
    }

    /// Fetches and makes what is missing.
    pub fn prepare(workspace: &Path, accelerator: Option<Accelerator>) -> Result<Self> {
        let missing = Self::missing();
        if !missing.is_empty() {
            bail!("{}", missing.join("; "));
        }
        let accelerators = Choice::new(accelerator)?;
        for (program, package) in PROGRAMS {
            if !on_path(program) {
                packages::install(&[package], "the virtual machines")?;
            }
        }
        let directory = crate::target_dir(workspace).join("vm");
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        free_space::require(&directory, SPACE, "the virtual machines")?;
        let apt = apt::Apt::open(&directory.join("apt"))?;
        ensure_qemu(&apt)?;
        let disk = disk::make(&directory)?;
        Ok(Self { directory, apt, disk, accelerators, fetching: Mutex::new(()), started: AtomicU32::new(0) })
    }

    /// The kernel of a machine, and the machine's directory.
    fn place(&self, boot: &Boot) -> Result<(kernel::Kernel, PathBuf)> {
        let _alone = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let kernel = kernel::fetch(&self.apt, &self.directory.join(boot.kernels()), &boot.kernel, boot.modules())?;
        let directory = self.directory.join(format!("{}-{}-{:?}", kernel.version, boot.cgroups.name(), boot.init));
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        Ok((kernel, directory))
    }

    /// The results of a machine that was booted before.
    pub fn last(&self, boot: &Boot) -> Result<Results> {
        let (kernel, directory) = self.place(boot)?;
        results::read(&directory, &kernel.version, boot)
    }

    /// Boots a machine and does its runs, within `time`. `shown` says which of the tests' lines are shown.
    pub fn run(&self, boot: &Boot, binaries: &Binaries, time: TimeLimit, shown: fn(&str) -> bool) -> Result<Results> {
        let (kernel, directory) = self.place(boot)?;
        let initramfs = payload::make(&directory, &kernel, boot, Contents::Scenarios(binaries))?;
        let parts = Parts { kernel, directory, initramfs, payload: None };
        self.boot(boot, &parts, time, shown, || results::read(&parts.directory, &parts.kernel.version, boot))
    }

    /// Boots a machine that runs a Kubernetes node, whose programs and scenarios are in `payload`, with `arguments`; what it is, and where
    /// its results are.
    pub fn run_node(
        &self,
        payload: &Path,
        arguments: &str,
        time: TimeLimit,
        shown: fn(&str) -> bool,
    ) -> Result<(String, PathBuf)> {
        let boot = plan::node();
        let (kernel, directory) = self.place(&boot)?;
        let initramfs = payload::make(&directory, &kernel, &boot, Contents::Node(arguments))?;
        let payload = payload::disk(&directory, payload)?;
        let parts = Parts { kernel, directory, initramfs, payload: Some(payload) };
        let name = boot.describe(&parts.kernel.version);
        self.boot(&boot, &parts, time, shown, || Ok((name.clone(), results::folder(&parts.directory))))
    }

    /// Boots a machine of these parts, and takes its results. They are removed but for the kernel.
    fn boot<T>(
        &self,
        boot: &Boot,
        parts: &Parts,
        time: TimeLimit,
        shown: fn(&str) -> bool,
        read: impl Fn() -> Result<T>,
    ) -> Result<T> {
        let Parts { kernel, directory, initramfs, payload } = parts;
        let disk = directory.join("results.img");
        let hardware = qemu::Hardware {
            image: &kernel.image,
            initramfs,
            disk: &self.disk,
            results: &disk,
            payload: payload.as_deref(),
            has_virtio: kernel.has_virtio(),
            memory: boot.memory(),
        };
        let name = format!("Linux {}", kernel.version);
        let attempt = |accelerator: Accelerator| {
            free_space::require(directory, SPACE, "the virtual machines")?;
            results::make_disk(&disk)?;
            let mut limits = boot.limits(accelerator);
            limits.whole = limits.whole.min(time.left());
            let monitor = qemu::monitor(self.started.fetch_add(1, Ordering::Relaxed));
            let mut command = hardware.command(accelerator, &monitor);
            let log = &directory.join("console.log");
            say(&format!("booting {}, by {accelerator}", boot.describe(&kernel.version)));
            Machine { name: &name, monitor, log, limits, shown }.run(&mut command)?;
            results::unpack(directory, &disk)?;
            read()
        };
        let mut tried = 0;
        let results = loop {
            let accelerator = self.accelerators.next();
            let error = match attempt(accelerator) {
                Ok(results) => break Ok(results),
                Err(error) => error,
            };
            let fault = error.downcast_ref::<Fault>();
            if matches!(fault, Some(Fault::TooLong(_))) && time.is_over() {
                break Err(Cut::of(&directory.join("console.log"), time).into());
            }
            if fault == Some(&Fault::Interrupted) || time.is_over() {
                break Err(error);
            }
            let why = fault.map_or_else(|| format!("{error:#}"), ToString::to_string);
            if self.accelerators.give_up(accelerator, &name, &why) {
                continue;
            }
            tried += 1;
            // An emulator that gives up says nothing of what is tested; a scenario that fails is no such end. One that took all the
            // time it may take would do so again.
            if tried > 1 || matches!(fault, Some(Fault::TooLong(_))) {
                break Err(error);
            }
            say(&format!("{name}: {error:#}: once more"));
        };
        for file in [Some(&disk), Some(initramfs), payload.as_ref()].into_iter().flatten() {
            _ = fs::remove_file(file);
        }
        results
    }
}

/// The whole run's time was over while a machine ran, which says nothing of what was not run yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Of the whole run.
    limit: Duration,
    /// Scenarios that had failed by then.
    pub failures: Vec<String>,
}

impl Cut {
    fn of(console: &Path, time: TimeLimit) -> Self {
        let text = fs::read(console).unwrap_or_default();
        Self { limit: time.whole(), failures: results::failures(&String::from_utf8_lossy(&text)) }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the time of the whole run was over in its middle, {} (--limit)", Spoken(self.limit))
    }
}

impl std::error::Error for Cut {}

/// What a machine boots with.
struct Parts {
    kernel: kernel::Kernel,
    directory: PathBuf,
    initramfs: PathBuf,
    /// A disk of its own.
    payload: Option<PathBuf>,
}

/// A QEMU that is new enough, from bookworm's backports where the host is a bookworm: its own is not.
fn ensure_qemu(apt: &apt::Apt) -> Result<()> {
    let is_new_enough = || qemu::version().is_some_and(|version| version >= QEMU_VERSION);
    if is_new_enough() {
        return Ok(());
    }
    let what_for = "the virtual machines";
    if is_bookworm() {
        apt.install_backport("qemu-system-x86", "bookworm", what_for)?;
    } else if qemu::version().is_none() {
        packages::install(&["qemu-system-x86"], what_for)?;
    }
    if !is_new_enough() {
        let found = qemu::version().map_or_else(|| "none".to_owned(), |version| version.to_string());
        bail!(
            "{} is of version {found}; older ones than {QEMU_VERSION} crash kernels from 6.12 on: install a newer one",
            qemu::PROGRAM
        );
    }
    Ok(())
}

/// The host's packages are bookworm's, whatever it calls itself: `12.11` in Debian's own file.
fn is_bookworm() -> bool {
    fs::read_to_string("/etc/debian_version").is_ok_and(|version| version.starts_with("12."))
}
