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
    /// The disks are paravirtual; else NVMe's, for which Debian's cloud kernels need no module.
    pub has_virtio: bool,
}

impl Hardware<'_> {
    /// QEMU with this hardware; it speaks its own protocol on `monitor`.
    pub fn command(&self, accelerator: Accelerator, monitor: &Path) -> Command {
        let device = if self.has_virtio { "virtio-blk-pci" } else { "nvme" };
        let drive = |file: &Path, id: &str, more: &str| {
            let drive = format!("file={},format=raw,if=none,id={id}{more}", file.display());
            ["-drive".to_owned(), drive, "-device".to_owned(), format!("{device},drive={id},serial={id}")]
        };
        let mut command = Command::new("setpriv");
        // When this process is killed, its machine must not stay behind.
        command
            .args(["--pdeathsig", "KILL", PROGRAM, "-accel", accelerator.name()])
            .args(["-cpu", "max", "-smp", "2", "-m", "1280", "-nographic", "-no-reboot", "-nic", "none"])
            .args(["-object", "memory-backend-ram,id=first,size=1024M", "-numa", "node,memdev=first,cpus=0-1"])
            .args(["-object", "memory-backend-ram,id=second,size=256M", "-numa", "node,memdev=second"])
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", monitor.display()))
            .arg("-kernel")
            .arg(self.image)
            .arg("-initrd")
            .arg(self.initramfs)
            .args(["-append", "console=ttyS0 quiet loglevel=1 panic=-1 psi=1"])
            .args(drive(self.disk, "system", ",snapshot=on"))
            .args(drive(self.results, "results", ""));
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
