//! What a machine's kernel starts with: its modules, what is tested, and how.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use xtask::succeed;

use super::kernel::Kernel;
use super::plan::{Boot, Init};
use crate::binaries::Binaries;

/// What a machine is for.
#[derive(Clone, Copy)]
pub enum Contents<'a> {
    /// The scenarios of its runs, with what they are run with.
    Scenarios(&'a Binaries),
    /// A Kubernetes node, by the program on its third disk, with these arguments.
    Node(&'a str),
}

/// Writes an initramfs below `directory`.
pub fn make(directory: &Path, kernel: &Kernel, boot: &Boot, contents: Contents<'_>) -> Result<PathBuf> {
    let root = directory.join("initramfs");
    if root.exists() {
        fs::remove_dir_all(&root).context("cannot remove the last initramfs")?;
    }
    let payload = root.join("payload");
    for directory in [&payload, &root.join("modules"), &root.join("bin")] {
        fs::create_dir_all(directory).context("cannot create the initramfs")?;
    }
    for module in &kernel.modules {
        let name = module.file_name().context("a module has a name")?;
        fs::copy(module, root.join("modules").join(name)).context("cannot copy a module")?;
    }
    let script = match contents {
        Contents::Scenarios(_) => include_str!("machine.sh"),
        Contents::Node(_) => include_str!("node.sh"),
    };
    for (script, to) in [
        (include_str!("initramfs.sh"), root.join("init")),
        (script, payload.join("machine.sh")),
        (include_str!("systemd.sh"), payload.join("systemd.sh")),
    ] {
        fs::write(&to, script).with_context(|| format!("cannot write {}", to.display()))?;
        succeed(Command::new("chmod").arg("755").arg(&to))?;
    }
    for to in [root.join("busybox"), root.join("bin/sh"), payload.join("busybox")] {
        fs::copy("/bin/busybox", &to).context("cannot copy /bin/busybox (busybox-static)")?;
    }
    match contents {
        Contents::Scenarios(binaries) => {
            for (binary, name) in [(&binaries.live, "live"), (&binaries.oomtrace, "oomtrace")] {
                strip(binary, &payload.join(name))?;
            }
        }
        Contents::Node(arguments) => {
            fs::write(payload.join("node"), arguments).context("cannot write what is wanted of the node")?;
        }
    }
    let init = if boot.init == Init::Tests { "tests" } else { "systemd" };
    let run = |run: &super::plan::Run| format!("{}|{}|{}\n", run.hooks.name(), run.hooks.without(), run.only.join(" "));
    for (name, text) in [
        ("init", init.to_owned()),
        ("cgroups", boot.cgroups.name().to_owned()),
        ("runs", boot.runs.iter().map(run).collect()),
    ] {
        fs::write(payload.join(name), text).context("cannot write what is wanted of the machine")?;
    }
    let archive = directory.join("initramfs.cpio");
    let mut list = Command::new("find").arg(".").current_dir(&root).stdout(Stdio::piped()).spawn().context("find")?;
    let names = list.stdout.take().context("find has an output")?;
    let out = fs::File::create(&archive).context("cannot create the initramfs")?;
    let mut cpio = Command::new("cpio");
    succeed(cpio.args(["--create", "--format=newc", "--quiet"]).current_dir(&root).stdin(names).stdout(out))?;
    list.wait().context("find")?;
    Ok(archive)
}

/// Debugging information is most of a binary's size.
pub fn strip(binary: &Path, to: &Path) -> Result<()> {
    succeed(Command::new("strip").arg("--strip-debug").arg("-o").arg(to).arg(binary))
}

/// The same, with the debugging information in `debug`, which a debugger finds by its name. The names of functions stay in both: a
/// backtrace has them, and with the other file beside it the lines as well.
pub fn separate(binary: &Path, to: &Path, debug: &Path) -> Result<()> {
    _ = fs::remove_file(debug);
    succeed(Command::new("objcopy").args(["--only-keep-debug", "--compress-debug-sections"]).arg(binary).arg(debug))?;
    let mut link = std::ffi::OsString::from("--add-gnu-debuglink=");
    link.push(debug);
    succeed(Command::new("objcopy").arg("--strip-debug").arg(link).arg(binary).arg(to))
}

/// Bytes of a disk besides what is on it: the file system's own.
const SLACK: u64 = 64 << 20;

/// Writes a disk below `directory`, with all that is in `root`.
pub fn disk(directory: &Path, root: &Path) -> Result<PathBuf> {
    let disk = directory.join("payload.img");
    _ = fs::remove_file(&disk);
    let file = fs::File::create(&disk).with_context(|| format!("cannot create {}", disk.display()))?;
    file.set_len(size(root)? + SLACK).context("cannot size the machine's third disk")?;
    let mut fill = Command::new("mke2fs");
    fill.args(["-q", "-t", "ext4", "-F", "-d"]).arg(root).arg(&disk).stdin(Stdio::null());
    succeed(&mut fill).context("cannot fill the machine's third disk")?;
    Ok(disk)
}

/// Bytes of all files below a directory.
fn size(directory: &Path) -> Result<u64> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut sum = 0;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", directory.display()))?;
        let metadata = entry.path().metadata().with_context(|| format!("cannot see {}", entry.path().display()))?;
        sum += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}
