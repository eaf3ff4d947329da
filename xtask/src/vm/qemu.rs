//! The machine's hardware, as QEMU is given it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::accelerator::Accelerator;

/// The program; what lies on the path under this name is taken.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// What a machine is made of.
pub struct Hardware<'a> {
    pub image: &'a Path,
    pub initramfs: &'a Path,
    /// What is written to it is forgotten.
    pub disk: &'a Path,
    pub results: &'a Path,
    /// A third disk; what is written to it is forgotten, too.
    pub payload: Option<&'a Path>,
    /// The disks are paravirtual; else NVMe's, for which Debian's cloud kernels need no module.
    pub has_virtio: bool,
    /// MiB of its first memory node; the second has what is its own anywhere.
    pub memory: u32,
}

/// MiB of the second memory node.
const SECOND_NODE: u32 = 256;

impl Hardware<'_> {
    /// QEMU with this hardware; it speaks its own protocol on `monitor`.
    pub fn command(&self, accelerator: Accelerator, monitor: &Path) -> Command {
        let device = if self.has_virtio { "virtio-blk-pci" } else { "nvme" };
        let drive = |file: &Path, id: &str, more: &str| {
            let drive = format!("file={},format=raw,if=none,id={id}{more}", file.display());
            ["-drive".to_owned(), drive, "-device".to_owned(), format!("{device},drive={id},serial={id}")]
        };
        let memory = |id: &str, size: u32, more: &str| {
            let object = format!("memory-backend-ram,id={id},size={size}M");
            ["-object".to_owned(), object, "-numa".to_owned(), format!("node,memdev={id}{more}")]
        };
        let mut command = Command::new("setpriv");
        // When this process is killed, its machine must not stay behind.
        command
            .args(["--pdeathsig", "KILL", PROGRAM, "-accel", accelerator.name()])
            .args(["-cpu", "max", "-smp", "2", "-nographic", "-no-reboot", "-nic", "none"])
            .args(["-m", &(self.memory + SECOND_NODE).to_string()])
            .args(memory("first", self.memory, ",cpus=0-1"))
            .args(memory("second", SECOND_NODE, ""))
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", monitor.display()))
            .arg("-kernel")
            .arg(self.image)
            .arg("-initrd")
            .arg(self.initramfs)
            .args(["-append", "console=ttyS0 quiet loglevel=1 panic=-1 psi=1"])
            .args(drive(self.disk, "system", ",snapshot=on"))
            .args(drive(self.results, "results", ""))
            .args(self.payload.map(|file| drive(file, "payload", ",snapshot=on")).into_iter().flatten());
        command
    }
}

/// Where the QEMU of machine `number` of this process speaks its protocol. Not in the target directory: the path of a Unix socket
/// has at most 108 bytes.
pub fn monitor(number: u32) -> PathBuf {
    std::env::temp_dir().join(format!("oomtrace-vm-{}-{number}.sock", std::process::id()))
}

/// QEMU's major version: `QEMU emulator version 10.0.2 (Debian …)`.
pub fn version() -> Option<u32> {
    let output = Command::new(PROGRAM).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_once("version ")?.1.split('.').next()?.parse().ok()
}
