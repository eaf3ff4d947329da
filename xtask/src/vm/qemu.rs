//! A machine in QEMU, from power on to power off: with KVM where there is one that works, which only trying tells, else emulated.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use xtask::say;

/// Longer than every scenario takes together under emulation on two slow cores.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// What a machine is made of.
pub struct Hardware<'a> {
    pub image: &'a Path,
    pub initramfs: &'a Path,
    /// What is written to it is forgotten.
    pub disk: &'a Path,
    pub results: &'a Path,
    /// The disks are paravirtual; else NVMe's, for which Debian's cloud kernels need no module.
    pub has_virtio: bool,
    /// Gets all that the machine says.
    pub log: &'a Path,
}

/// KVM was tried here, and works or does not.
static KVM: OnceLock<bool> = OnceLock::new();

impl Hardware<'_> {
    /// Runs the machine to its end. Of what the tests say, the lines that `shown` takes are shown.
    pub fn run(&self, shown: fn(&str) -> bool) -> Result<()> {
        if *KVM.get_or_init(kvm_works) { self.run_with("kvm", shown) } else { self.run_with("tcg", shown) }
    }

    fn run_with(&self, accelerator: &str, shown: fn(&str) -> bool) -> Result<()> {
        let device = if self.has_virtio { "virtio-blk-pci" } else { "nvme" };
        let drive = |file: &Path, id: &str, more: &str| {
            let drive = format!("file={},format=raw,if=none,id={id}{more}", file.display());
            ["-drive".to_owned(), drive, "-device".to_owned(), format!("{device},drive={id},serial={id}")]
        };
        let mut command = Command::new("setpriv");
        // When this process is killed, its machine must not stay behind.
        command
            .args(["--pdeathsig", "KILL", "qemu-system-x86_64", "-accel", accelerator])
            .args(["-cpu", "max", "-smp", "2", "-m", "1280", "-nographic", "-no-reboot", "-nic", "none"])
            .args(["-object", "memory-backend-ram,id=first,size=1024M", "-numa", "node,memdev=first,cpus=0-1"])
            .args(["-object", "memory-backend-ram,id=second,size=256M", "-numa", "node,memdev=second"])
            .arg("-kernel")
            .arg(self.image)
            .arg("-initrd")
            .arg(self.initramfs)
            .args(["-append", "console=ttyS0 quiet loglevel=1 panic=-1 psi=1"])
            .args(drive(self.disk, "system", ",snapshot=on"))
            .args(drive(self.results, "results", ""));
        let log = fs::File::create(self.log).context("cannot create the console's log")?;
        let errors = log.try_clone().context("cannot share the console's log")?;
        let mut machine =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn().context("cannot run QEMU")?;
        let console = machine.stdout.take().context("QEMU has an output")?;
        let passing = std::thread::spawn(move || pass(console, log, shown));
        let ended = wait(&mut machine);
        if passing.join().is_err() {
            say("the machine's console could not be shown");
        }
        ended
    }
}

/// A machine without anything in it starts, and waits for its first instruction to be let run.
fn kvm_works() -> bool {
    if !Path::new("/dev/kvm").exists() {
        return false;
    }
    let mut command = Command::new("timeout");
    command.args(["10", "qemu-system-x86_64", "-accel", "kvm", "-cpu", "max", "-display", "none", "-monitor", "stdio"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut machine) = command.spawn() else { return false };
    // It is told to end once it has run for a while: where KVM does not work, it has aborted by then.
    std::thread::sleep(Duration::from_secs(1));
    if let Some(monitor) = &mut machine.stdin {
        // One that has aborted does not read it.
        _ = std::io::Write::write_all(monitor, b"quit\n");
    }
    machine.wait().is_ok_and(|status| status.success())
}

/// Passes on the lines that are to be shown, and keeps all.
fn pass(console: impl std::io::Read, mut log: fs::File, shown: fn(&str) -> bool) {
    let mut lines = BufReader::new(console);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // A log that cannot be written is no reason to stop.
        _ = std::io::Write::write_all(&mut log, &line);
        let text = String::from_utf8_lossy(&line);
        if shown(text.trim_end()) || text.contains("Kernel panic") {
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
