//! The BPF toolchain: a rustc that has `core` for BPF, and bpf-linker.
//!
//! Two ways work. A rustup nightly with `rust-src` builds `core` itself. Debian's rustc-web has it prebuilt in
//! libstd-rust-web-dev-bpf, and needs only permission for the unstable features of the crate `aya_ebpf`.
//!
//! Part of oomtrace's build script, and of xtask, which installs such a toolchain. It needs nothing but anyhow, so that a build of
//! oomtrace compiles nothing that only tests want.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, bail};

/// The version of bpf-linker that the project is built with.
pub const LINKER_VERSION: &str = "0.10.3";
/// Debian's packages of the second way.
pub const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// Debian's clippy for that compiler.
pub const DEBIAN_CLIPPY_PACKAGE: &str = "rust-web-clippy";

const TARGET: &str = "bpfel-unknown-none";
const PACKAGE: &str = "oomtrace-ebpf";
/// Debian's compiler, whatever rustup puts in front of it on the path.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// Debian's clippy, likewise.
const DEBIAN_CLIPPY: &str = "/usr/bin/clippy-driver";

/// A compiler that can build for BPF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// `rustup run nightly`, with rust-src.
    RustupNightly,
    /// Debian's rustc and its LLVM, which bpf-linker must use too.
    Debian { llvm: PathBuf },
}

/// All that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    pub compiler: Compiler,
    pub linker: PathBuf,
}

/// What is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    pub compiler: bool,
    pub linker: bool,
}

impl Missing {
    /// One line with the commands to run.
    #[must_use]
    pub fn advice(&self) -> String {
        let compiler = "`rustup toolchain install nightly --component rust-src` (or on Debian: `apt-get install \
                        rustc-web libstd-rust-web-dev-bpf`)";
        let linker = format!("`cargo install bpf-linker --version {LINKER_VERSION} --locked`");
        let parts: Vec<&str> = [(self.compiler, compiler), (self.linker, linker.as_str())]
            .into_iter()
            .filter_map(|(missing, command)| missing.then_some(command))
            .collect();
        format!("run {}", parts.join(" and "))
    }
}

/// Looks for both ways, and for bpf-linker.
///
/// # Errors
/// What is not there.
pub fn find(workspace: &Path) -> Result<Toolchain, Missing> {
    let compiler = if has_nightly_with_source() { Some(Compiler::RustupNightly) } else { debian_compiler() };
    match (compiler, find_linker(workspace)) {
        (Some(compiler), Some(linker)) => Ok(Toolchain { compiler, linker }),
        (compiler, linker) => Err(Missing { compiler: compiler.is_none(), linker: linker.is_none() }),
    }
}

/// Where a bpf-linker of the project's own goes when the user has another version.
#[must_use]
pub fn own_linker_root(workspace: &Path) -> PathBuf {
    workspace.join("target/bpf-linker")
}

/// A bpf-linker of a version that is known to work: the project's own, cargo's, or one on the path.
#[must_use]
pub fn find_linker(workspace: &Path) -> Option<PathBuf> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let path = env::var_os("PATH").unwrap_or_default();
    let own = own_linker_root(workspace).join("bin");
    std::iter::once(own)
        .chain(cargo_home.map(|home| home.join("bin")))
        .chain(env::split_paths(&path))
        .map(|dir| dir.join("bpf-linker"))
        .find(|candidate| candidate.is_file() && linker_version(candidate).is_some_and(|v| is_compatible(&v)))
}

fn linker_version(linker: &Path) -> Option<String> {
    let output = Command::new(linker).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(1).map(str::to_owned)
}

/// Same minor version: bpf-linker follows rustc's LLVM from one to the next.
fn is_compatible(version: &str) -> bool {
    let minor = |v: &str| v.rsplit_once('.').map(|(minor, _)| minor.to_owned());
    minor(version) == minor(LINKER_VERSION)
}

fn has_nightly_with_source() -> bool {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "rustc", "--print", "sysroot"]);
    isolate(&mut command);
    let Ok(output) = command.output() else { return false };
    let sysroot = String::from_utf8_lossy(&output.stdout);
    output.status.success() && Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").is_dir()
}

fn debian_compiler() -> Option<Compiler> {
    let sysroot =
        Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]).env_remove("RUSTUP_TOOLCHAIN").output().ok()?;
    let sysroot = String::from_utf8(sysroot.stdout).ok()?;
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib");
    let has_core =
        fs::read_dir(libraries).ok()?.flatten().any(|f| f.file_name().to_string_lossy().starts_with("libcore"));
    if !has_core {
        return None;
    }
    let linked = Command::new("ldd").arg(DEBIAN_RUSTC).output().ok()?;
    let llvm = llvm_of(&String::from_utf8_lossy(&linked.stdout))?;
    Some(Compiler::Debian { llvm })
}

/// The LLVM library in ldd's output: `libLLVM.so.22.1 => /lib/x86_64-linux-gnu/libLLVM.so.22.1 (0x…)`.
fn llvm_of(ldd: &str) -> Option<PathBuf> {
    let line = ldd.lines().find(|line| line.trim_start().starts_with("libLLVM"))?;
    Some(PathBuf::from(line.split_once("=> ")?.1.split(" (").next()?))
}

impl Toolchain {
    /// Both parts, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let compiler = match &self.compiler {
            Compiler::RustupNightly => "rustup's nightly and rust-src".to_owned(),
            Compiler::Debian { llvm } => format!("{DEBIAN_RUSTC} ({})", llvm.display()),
        };
        format!("{compiler} and {}", self.linker.display())
    }

    /// Builds the kernel side below `out` and returns the object's path. `out` must be no other cargo's target directory.
    ///
    /// # Errors
    /// When it does not compile, or files cannot be written.
    pub fn build(&self, workspace: &Path, out: &Path) -> Result<PathBuf> {
        let target_dir = out.join("bpf-target");
        let mut command = self.cargo("build", workspace, out, &target_dir)?;
        let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
        if !output.status.success() {
            bail!("building the kernel side failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(target_dir.join(TARGET).join("release").join(PACKAGE))
    }

    /// Whether this toolchain has a clippy. Another compiler's does not read the `core` that Debian's has built.
    #[must_use]
    pub fn has_clippy(&self) -> bool {
        let version = |command: &mut Command| {
            isolate(command);
            command.output().ok().filter(|output| output.status.success()).map(|output| output.stdout)
        };
        match &self.compiler {
            Compiler::RustupNightly => {
                version(Command::new("rustup").args(["run", "nightly", "cargo", "clippy", "--version"])).is_some()
            }
            Compiler::Debian { .. } => {
                let clippys = version(Command::new(DEBIAN_CLIPPY).args(["--rustc", "--version"]));
                clippys.is_some() && clippys == version(Command::new(DEBIAN_RUSTC).arg("--version"))
            }
        }
    }

    /// Runs clippy on the kernel side as it is built, its output shown. `out` as for [`Self::build`].
    ///
    /// # Errors
    /// When clippy has something to say, or cannot be run.
    pub fn lint(&self, workspace: &Path, out: &Path) -> Result<()> {
        let target_dir = out.join("bpf-target");
        let mut command = match &self.compiler {
            Compiler::RustupNightly => {
                let mut command = self.cargo("clippy", workspace, out, &target_dir)?;
                command.args(["--", "--deny", "warnings"]);
                command
            }
            // What `cargo clippy` does; Debian's would bring a cargo along.
            Compiler::Debian { .. } => {
                let mut command = self.cargo("check", workspace, out, &target_dir)?;
                command.env("RUSTC_WORKSPACE_WRAPPER", DEBIAN_CLIPPY);
                command.env("CLIPPY_ARGS", "--deny__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
                command
            }
        };
        let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
        if !status.success() {
            bail!("clippy does not pass the kernel side");
        }
        Ok(())
    }

    /// cargo's `verb` on the kernel side, for its target.
    fn cargo(&self, verb: &str, workspace: &Path, out: &Path, target_dir: &Path) -> Result<Command> {
        let mut command = match &self.compiler {
            Compiler::RustupNightly => {
                let mut command = Command::new("rustup");
                command.args(["run", "nightly", "cargo", verb, "-Z", "build-std=core"]);
                isolate(&mut command);
                command
            }
            Compiler::Debian { llvm } => {
                let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
                isolate(&mut command);
                // bpf-linker opens the first libLLVM* that it finds: give it a directory with the right one alone.
                let folder = out.join("llvm");
                only_link(&folder.join("libLLVM.so"), llvm)?;
                command.arg(verb).env("RUSTC", DEBIAN_RUSTC).env("LD_LIBRARY_PATH", &folder);
                // For this one crate, not for all.
                command.env("RUSTC_BOOTSTRAP", "aya_ebpf");
                command
            }
        };
        let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_else(|_| env::consts::ARCH.to_owned());
        let arch = if arch.starts_with("riscv64") { "riscv64".to_owned() } else { arch };
        let flags = [format!("--cfg=bpf_target_arch=\"{arch}\""), "-Cdebuginfo=2".into(), "-Clink-arg=--btf".into()];
        command
            .current_dir(workspace)
            .args(["--package", PACKAGE, "--bins", "--release", "--locked", "--target", TARGET, "--target-dir"])
            .arg(target_dir)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &self.linker);
        Ok(command)
    }
}

/// Takes away what cargo and rustup hand down to a build script, so that the inner build chooses for itself.
fn isolate(command: &mut Command) {
    for key in [
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOC",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "CARGO_MAKEFLAGS",
        "MAKEFLAGS",
        "RUSTUP_TOOLCHAIN",
        "CLIPPY_ARGS",
        "LD_LIBRARY_PATH",
    ] {
        command.env_remove(key);
    }
}

/// Makes `link` a link to `to`, in a directory of its own.
fn only_link(link: &Path, to: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|target| target == to) {
        return Ok(());
    }
    if let Some(folder) = link.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    match fs::remove_file(link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", link.display()));
        }
        _ => {}
    }
    std::os::unix::fs::symlink(to, link).with_context(|| format!("cannot link {}", link.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_is_found_in_what_ldd_prints() {
        let ldd =
            "\tlinux-vdso.so.1 (0x00007f)\n\tlibLLVM.so.22.1 => /lib/x86_64-linux-gnu/libLLVM.so.22.1 (0x00007f)\n";
        assert_eq!(llvm_of(ldd), Some(PathBuf::from("/lib/x86_64-linux-gnu/libLLVM.so.22.1")));
        assert_eq!(llvm_of("\tlibc.so.6 => /lib/libc.so.6 (0x0)\n"), None);
        assert_eq!(llvm_of("\tlibLLVM.so.22.1 (0x0)\n"), None);
    }

    #[test]
    fn only_a_bpf_linker_of_the_same_minor_version_is_used() {
        for (version, compatible) in
            [("0.10.3", true), ("0.10.9", true), ("0.9.15", false), ("1.10.3", false), ("x", false)]
        {
            assert_eq!(is_compatible(version), compatible, "{version}");
        }
    }

    #[test]
    fn what_is_missing_is_said_with_the_command_for_it() {
        let both = Missing { compiler: true, linker: true }.advice();
        assert!(both.contains("rust-src") && both.contains("libstd-rust-web-dev-bpf") && both.contains("bpf-linker"));
        let linker = Missing { compiler: false, linker: true }.advice();
        assert!(!linker.contains("rust-src") && linker.contains(LINKER_VERSION));
    }
}
