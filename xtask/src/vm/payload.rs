//! What a machine's kernel starts with: its modules, what is tested, and how.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use xtask::succeed;

use super::kernel::Kernel;
use super::plan::{Boot, Init};
use crate::binaries::Binaries;

/// Writes an initramfs below `directory`.
pub fn make(directory: &Path, kernel: &Kernel, boot: &Boot, binaries: &Binaries) -> Result<PathBuf> {
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
    for (script, to) in [
        (include_str!("initramfs.sh"), root.join("init")),
        (include_str!("machine.sh"), payload.join("machine.sh")),
        (include_str!("systemd.sh"), payload.join("systemd.sh")),
    ] {
        fs::write(&to, script).with_context(|| format!("cannot write {}", to.display()))?;
        succeed(Command::new("chmod").arg("755").arg(&to))?;
    }
    for to in [root.join("busybox"), root.join("bin/sh"), payload.join("busybox")] {
        fs::copy("/bin/busybox", &to).context("cannot copy /bin/busybox (busybox-static)")?;
    }
    // Debugging information is most of their size.
    for (binary, name) in [(&binaries.live, "live"), (&binaries.oomtrace, "oomtrace")] {
        succeed(Command::new("strip").arg("--strip-debug").arg("-o").arg(payload.join(name)).arg(binary))?;
    }
    let init = if boot.init == Init::Systemd { "systemd" } else { "tests" };
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
