//! Installs what is missing. Changes nothing but the target directory, cargo's own directories and apt's packages.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use xtask::bpf::{self, Compiler, Missing, Toolchain};
use xtask::packages::{self, on_path};
use xtask::{helm, say, succeed};

use crate::target_dir;

/// The BPF toolchain, installed if need be.
pub fn ensure(workspace: &Path) -> Result<Toolchain> {
    let Missing { compiler, linker } = match bpf::find(workspace) {
        Ok(toolchain) => return Ok(toolchain),
        Err(missing) => missing,
    };
    if compiler {
        if !packages::has_apt() {
            bail!("no Rust compiler for BPF: {}", Missing { compiler, linker }.advice());
        }
        packages::install(&bpf::DEBIAN_PACKAGES, "a Rust compiler that builds for BPF, for the kernel side")?;
    }
    if linker {
        install_linker(workspace)?;
    }
    bpf::find(workspace)
        .map_err(|missing| anyhow::anyhow!("the BPF toolchain is still not whole: {}", missing.advice()))
}

/// The toolchain's clippy, installed if need be.
pub fn ensure_clippy(toolchain: &Toolchain) -> Result<()> {
    if toolchain.has_clippy() {
        return Ok(());
    }
    match toolchain.compiler {
        Compiler::RustupNightly => bail!("nightly has no clippy: `rustup component add clippy --toolchain nightly`"),
        // apt would remove it: Debian's clippy conflicts with it.
        Compiler::Debian { .. } if Path::new("/usr/bin/rustup").exists() => bail!(
            "Debian's {} does not go with Debian's rustup: `rustup toolchain install nightly --component rust-src,clippy`",
            bpf::DEBIAN_CLIPPY_PACKAGE
        ),
        Compiler::Debian { .. } if !packages::may_install() => {
            bail!("Debian's rustc has no clippy: `apt-get install {}`", bpf::DEBIAN_CLIPPY_PACKAGE)
        }
        Compiler::Debian { .. } => {
            packages::install(&[bpf::DEBIAN_CLIPPY_PACKAGE], "clippy for the kernel side's compiler")?;
        }
    }
    if !toolchain.has_clippy() {
        bail!("Debian's clippy is of another version than Debian's rustc");
    }
    Ok(())
}

/// Into cargo's own directory, or into the target directory when another version is there already.
fn install_linker(workspace: &Path) -> Result<()> {
    let version = bpf::LINKER_VERSION;
    say(&format!("installing bpf-linker {version} with cargo: it links the kernel side (a minute or two)"));
    let mut command = Command::new("cargo");
    command.args(["install", "bpf-linker", "--version", version, "--locked"]).stdin(Stdio::null());
    if on_path("bpf-linker") {
        command.arg("--root").arg(bpf::own_linker_root(workspace));
    }
    succeed(&mut command).context("cannot install bpf-linker")
}

/// What tests want besides. Without it they run all the same, and those that need it are skipped.
pub fn ensure_for_tests(workspace: &Path) -> Result<()> {
    let wanted = [
        ("dockerd", "docker.io", "tests run containers on a private Docker daemon"),
        ("docker", "docker-cli", "tests use Docker's client"),
        ("busybox", "busybox-static", "tests make their image of it"),
        ("docker-compose", "docker-compose", "tests end a project with it"),
        ("curl", "curl", "tests ask Docker by hand with it"),
        ("lxc-start", "lxc", "tests run a container of LXC's"),
        ("gunicorn", "gunicorn", "tests have it kill a worker that hangs"),
    ];
    for (program, package, what_for) in wanted {
        if on_path(program) {
            continue;
        }
        if !packages::may_install() {
            say(&format!("no {program}, and no right to install {package}: tests that need it are skipped"));
            continue;
        }
        if let Err(error) = packages::install(&[package], what_for) {
            say(&format!("no {program} ({error:#}): tests that need it are skipped"));
        }
    }
    if let Err(error) = helm::ensure(&target_dir(workspace)) {
        say(&format!("no Helm ({error:#}): tests of the chart are skipped"));
    }
    Ok(())
}
