//! Builds the kernel side and leaves it in `OUT_DIR/oomtrace-ebpf`.
//!
//! Without a BPF toolchain the file is empty, so that documentation, clippy and tests that need no kernel still work;
//! the binary then says at start that it has no kernel side. The same holds where the kernel side's source is not: it is no part of the
//! package `oomtrace`.

#[expect(dead_code, reason = "xtask has this file, too, and uses the rest")]
mod bpf;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?);
    let workspace = manifest.parent().ok_or("the package lies in the workspace")?;
    let object = out.join("oomtrace-ebpf");
    println!("cargo::rerun-if-changed=build");
    if !workspace.join("oomtrace-ebpf/Cargo.toml").is_file() {
        println!("cargo::warning=oomtrace is built without its kernel side, whose source is in the repository alone");
        fs::write(&object, [])?;
        return Ok(());
    }
    for source in ["oomtrace-ebpf", "oomtrace-common", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    match bpf::find(workspace) {
        Ok(toolchain) => {
            // OUT_DIR is `<target>/<profile>/build/oomtrace-<hash>/out`, with another hash for each way in which cargo builds; the
            // kernel side and what it needs are the same for all.
            let shared = out.ancestors().nth(3).ok_or("OUT_DIR lies in a target directory")?;
            fs::copy(toolchain.build(workspace, shared)?, &object)?;
        }
        Err(missing) => {
            println!("cargo::warning=oomtrace is built without its kernel side: {}", missing.advice());
            fs::write(&object, [])?;
            look_again_next_time(&out);
        }
    }
    Ok(())
}

/// A file that never exists makes cargo run this script on each build.
fn look_again_next_time(out: &Path) {
    println!("cargo::rerun-if-changed={}", out.join("no-bpf-toolchain-yet").display());
}
