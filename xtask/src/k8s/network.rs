//! A network namespace of this process's own, with a loopback and nothing else: whatever the node opens, joins or makes there is seen by
//! nobody, and goes with its last process.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use nix::sched::{CloneFlags, unshare};

use xtask::succeed;

/// The node's own address: kubelet refuses 127.0.0.1.
pub const ADDRESS: &str = "10.88.0.1";
/// Where pods find the API server: the first address of services, which the node has itself, as nobody forwards it.
pub const API: &str = "10.96.0.1";
/// Of services.
pub const SERVICES: &str = "10.96.0.0/16";
/// Of pods, each with a pair of interfaces.
pub const PODS: &str = "10.88.1.0/24";

/// From here on this process, and all that it starts, is in it. Nothing can be fetched any more.
///
/// # Errors
/// When the kernel refuses, as for whoever is not root.
pub fn enter() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("cannot make a network namespace")?;
    let [address, api] = [ADDRESS, API].map(|address| format!("{address}/32"));
    for arguments in [
        ["link", "set", "lo", "up"].as_slice(),
        &["address", "add", &address, "dev", "lo"],
        &["address", "add", &api, "dev", "lo"],
    ] {
        // A machine without iproute2 has busybox: the images are made of it.
        succeed(Command::new("busybox").arg("ip").args(arguments).stdin(Stdio::null()))?;
    }
    Ok(())
}
