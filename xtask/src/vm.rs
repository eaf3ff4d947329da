//! `cargo xtask vm`: the live scenarios on a machine of their own, in QEMU: Debian's cloud kernel with kprobes and cgroup v2,
//! Docker, and memory that may run out. Uses KVM where it works, else QEMU's own emulation.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use xtask::packages::{self, on_path};
use xtask::{say, succeed};

use crate::tests::Binaries;

mod disk;
mod kernel;

/// Longer than every scenario takes together under emulation on two slow cores.
const LIMIT: Duration = Duration::from_secs(40 * 60);
/// Bytes of the disk that the results come back on.
const RESULTS: u64 = 64 << 20;

const PROGRAMS: [(&str, &str); 4] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("debootstrap", "debootstrap"),
    ("mke2fs", "e2fsprogs"),
    ("cpio", "cpio"),
];

/// What came of it.
pub struct Results {
    /// The kernel's release.
    pub release: String,
    /// The table's rows.
    pub table: String,
    /// The folder with the scenarios' recordings.
    pub recordings: PathBuf,
    pub passed: bool,
}

/// What the machine's first process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// The tests themselves: they have the machine's memory to themselves.
    Tests,
    /// systemd, whose services, scopes and users the scenarios need.
    Systemd,
}

/// A machine that is ready to boot.
pub struct Machine {
    folder: PathBuf,
    kernel: kernel::Kernel,
    disk: PathBuf,
}

impl Machine {
    /// Fetches and makes what is missing.
    pub fn prepare(workspace: &Path) -> Result<Self> {
        if let Some(why) = why_not() {
            bail!("{why}");
        }
        for (program, package) in PROGRAMS {
            if !on_path(program) {
                packages::install(&[package], "the virtual machine")?;
            }
        }
        let folder = crate::target_dir(workspace).join("vm");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self { kernel: kernel::fetch(&folder)?, disk: disk::make(&folder)?, folder })
    }

    /// Boots it and runs the scenarios whose names start with one of `only`, or all.
    pub fn run(&self, binaries: &Binaries, init: Init, only: &[String]) -> Result<Results> {
        let initramfs = initramfs(&self.folder, &self.kernel, binaries, init, only)?;
        let results = self.folder.join("results.img");
        let file = fs::File::create(&results).context("cannot create the disk for the results")?;
        file.set_len(RESULTS).context("cannot size the disk for the results")?;
        boot(&self.folder, &self.kernel, &initramfs, &self.disk, &results)?;
        read_results(&self.folder, &results)
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

/// What the kernel starts with: its modules, what is tested, and how.
fn initramfs(
    folder: &Path,
    kernel: &kernel::Kernel,
    binaries: &Binaries,
    init: Init,
    only: &[String],
) -> Result<PathBuf> {
    let root = folder.join("initramfs");
    if root.exists() {
        fs::remove_dir_all(&root).context("cannot remove the last initramfs")?;
    }
    let payload = root.join("payload");
    fs::create_dir_all(&payload).context("cannot create the initramfs")?;
    fs::create_dir_all(root.join("modules")).context("cannot create the initramfs")?;
    for module in &kernel.modules {
        let name = module.file_name().context("a module has a name")?;
        fs::copy(module, root.join("modules").join(name)).context("cannot copy a module")?;
    }
    for (script, to) in [
        (include_str!("vm/initramfs.sh"), root.join("init")),
        (include_str!("vm/machine.sh"), payload.join("machine.sh")),
        (include_str!("vm/systemd.sh"), payload.join("systemd.sh")),
    ] {
        fs::write(&to, script).with_context(|| format!("cannot write {}", to.display()))?;
        succeed(Command::new("chmod").arg("755").arg(&to))?;
    }
    fs::create_dir_all(root.join("bin")).context("cannot create the initramfs")?;
    for to in [root.join("busybox"), root.join("bin/sh"), payload.join("busybox")] {
        fs::copy("/bin/busybox", &to).context("cannot copy /bin/busybox (busybox-static)")?;
    }
    // Debugging information is most of their size.
    for (binary, name) in [(&binaries.live, "live"), (&binaries.oomtrace, "oomtrace")] {
        succeed(Command::new("strip").arg("--strip-debug").arg("-o").arg(payload.join(name)).arg(binary))?;
    }
    fs::write(payload.join("only"), only.join(" ")).context("cannot write which scenarios are wanted")?;
    let init = if init == Init::Systemd { "systemd" } else { "tests" };
    fs::write(payload.join("init"), init).context("cannot write what the first process is")?;
    let archive = folder.join("initramfs.cpio");
    let mut list = Command::new("find").arg(".").current_dir(&root).stdout(Stdio::piped()).spawn().context("find")?;
    let names = list.stdout.take().context("find has an output")?;
    let out = fs::File::create(&archive).context("cannot create the initramfs")?;
    let mut cpio = Command::new("cpio");
    succeed(cpio.args(["--create", "--format=newc", "--quiet"]).current_dir(&root).stdin(names).stdout(out))?;
    list.wait().context("find")?;
    Ok(archive)
}

/// Runs the machine to its end: with KVM where there is one that works, which only trying tells, else emulated.
fn boot(folder: &Path, kernel: &kernel::Kernel, initramfs: &Path, disk: &Path, results: &Path) -> Result<()> {
    let drive = |file: &Path, more: &str| format!("file={},format=raw,if=virtio{more}", file.display());
    // Everything that is written to the disk is forgotten.
    let drives = [drive(disk, ",snapshot=on"), drive(results, "")];
    let accelerators: &[&str] = if Path::new("/dev/kvm").exists() { &["kvm", "tcg"] } else { &["tcg"] };
    for accelerator in accelerators {
        let mut command = Command::new("setpriv");
        // When this process is killed, its machine must not stay behind.
        command
            .args(["--pdeathsig", "KILL", "qemu-system-x86_64", "-accel", accelerator])
            .args(["-cpu", "max", "-smp", "2", "-m", "1280", "-nographic", "-no-reboot", "-nic", "none"])
            .args(["-object", "memory-backend-ram,id=first,size=1024M", "-numa", "node,memdev=first,cpus=0-1"])
            .args(["-object", "memory-backend-ram,id=second,size=256M", "-numa", "node,memdev=second"])
            .arg("-kernel")
            .arg(&kernel.image)
            .arg("-initrd")
            .arg(initramfs)
            .args(["-append", "console=ttyS0 quiet loglevel=1 panic=-1", "-drive", &drives[0], "-drive", &drives[1]]);
        say(&format!("booting Debian's kernel {} in QEMU ({accelerator})", kernel.version));
        let log = folder.join("console.log");
        let error = match run_machine(&mut command, &log) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // A KVM that does not work ends QEMU before the kernel has said anything.
        let console = fs::read_to_string(&log).unwrap_or_default();
        if *accelerator != "kvm" || console.contains("test ") {
            return Err(error);
        }
        say(&format!("KVM does not work here ({error:#})"));
    }
    bail!("no accelerator was tried")
}

fn run_machine(command: &mut Command, log: &Path) -> Result<()> {
    let log = fs::File::create(log).context("cannot create the console's log")?;
    let errors = log.try_clone().context("cannot share the console's log")?;
    let mut machine =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn().context("cannot run QEMU")?;
    let console = machine.stdout.take().context("QEMU has an output")?;
    let shown = std::thread::spawn(move || show(console, log));
    let ended = wait(&mut machine);
    if shown.join().is_err() {
        say("the machine's console could not be shown");
    }
    ended
}

/// Passes on what the tests say, and keeps all of it.
fn show(console: impl std::io::Read, mut log: fs::File) {
    let mut lines = BufReader::new(console);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // A log that cannot be written is no reason to stop.
        _ = std::io::Write::write_all(&mut log, &line);
        let text = String::from_utf8_lossy(&line);
        if text.starts_with("test ") || text.contains("Kernel panic") {
            println!("{}", text.trim_end());
        }
        line.clear();
    }
}

fn wait(machine: &mut Child) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < LIMIT {
        if let Some(status) = machine.try_wait().context("cannot wait for QEMU")? {
            if !status.success() {
                bail!("QEMU: {status}");
            }
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    machine.kill().and_then(|()| machine.wait()).context("cannot end QEMU")?;
    bail!("the machine was still running after {} minutes", LIMIT.as_secs() / 60)
}

fn read_results(folder: &Path, results: &Path) -> Result<Results> {
    let out = folder.join("results");
    if out.exists() {
        fs::remove_dir_all(&out).context("cannot remove the last results")?;
    }
    fs::create_dir_all(&out).context("cannot create a folder for the results")?;
    succeed(Command::new("tar").arg("-xf").arg(results).arg("-C").arg(&out).stderr(Stdio::null()))
        .context("cannot unpack the results")?;
    let console = folder.join("console.log");
    let read = |name: &str| {
        let why = || format!("the machine gave no {name}: see {}", console.display());
        fs::read_to_string(out.join(name)).with_context(why)
    };
    Ok(Results {
        release: read("release")?.trim().to_owned(),
        table: read("table").unwrap_or_default(),
        recordings: out.join("recordings"),
        passed: read("status")?.trim() == "0",
    })
}
