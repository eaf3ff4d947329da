//! containerd's shims, by `/proc`: each says which containerd it belongs to, wherever that has its socket and its state.
//!
//! A process that only calls itself so says nothing here: it must be root in the initial user namespace, in the host's mount namespace or
//! in that of oomtrace itself, where only root decides what lies at a path.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::node::files::{self, SMALL};

/// What the kernel keeps of `containerd-shim-runc-v2` as a name: 15 bytes (TASK_COMM_LEN, include/linux/sched.h).
const COMM: &[u8] = b"containerd-shim";
/// How the programs are called: `containerd-shim-runc-v2`, and others for other runtimes.
const PROGRAM: &[u8] = b"containerd-shim";
/// Processes that are looked at.
const MAX_PROCESSES: usize = 1 << 16;
/// Shims that are looked at: those of one containerd say the same.
const MAX_SHIMS: usize = 4096;
/// `PROC_USER_INIT_INO` (include/linux/proc_ns.h, 5.4 to 7.3).
const INITIAL_USER: u64 = 0xEFFF_FFFD;

/// What a shim says of its containerd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shim {
    /// Where containerd takes requests (`-address`).
    pub socket: PathBuf,
    /// The shim's working directory: its container's bundle (containerd, runtime/v2/shim/util.go, 1.4 to 2.1). None: not to be read.
    pub bundle: Option<PathBuf>,
}

/// All that run.
#[must_use]
pub fn running() -> Vec<Shim> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let names = processes.take(MAX_PROCESSES).flatten().map(|entry| entry.path());
    let pids = names.filter(|path| path.file_name().is_some_and(|name| name.as_bytes().iter().all(u8::is_ascii_digit)));
    pids.filter(|process| is_shim(process)).take(MAX_SHIMS).filter_map(|process| read(&process)).collect()
}

fn is_shim(process: &Path) -> bool {
    let comm = files::read(&process.join("comm"), SMALL).unwrap_or_default();
    if comm.strip_suffix(b"\n") != Some(COMM) {
        return false;
    }
    let program = fs::read_link(process.join("exe")).unwrap_or_default();
    let is_program = program.file_name().is_some_and(|name| name.as_bytes().starts_with(PROGRAM));
    let namespace = |of: &Path, name: &str| fs::metadata(of.join("ns").join(name)).map(|found| found.ino()).ok();
    let mount = namespace(process, "mnt");
    let is_trusted = [Path::new("/proc/1"), Path::new("/proc/self")].iter().any(|of| namespace(of, "mnt") == mount);
    is_program
        && mount.is_some()
        && is_trusted
        && namespace(process, "user") == Some(INITIAL_USER)
        && fs::metadata(process).is_ok_and(|process| process.uid() == 0)
}

fn read(process: &Path) -> Option<Shim> {
    let arguments = files::read(&process.join("cmdline"), SMALL).ok()?;
    Some(Shim { socket: socket_of(&arguments)?, bundle: fs::read_link(process.join("cwd")).ok() })
}

/// The value of `-address` in a command line of NUL-terminated arguments.
fn socket_of(arguments: &[u8]) -> Option<PathBuf> {
    let arguments: Vec<&[u8]> = arguments.split(|byte| *byte == 0).collect();
    let at = arguments.iter().position(|argument| matches!(*argument, b"-address" | b"--address"))?;
    let path = std::str::from_utf8(arguments.get(at + 1)?).ok()?;
    // A containerd of Windows' has a pipe; abstract sockets are nobody's own.
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_says_where_its_containerd_listens() {
        let line = |text: &str| text.replace(' ', "\0").into_bytes();
        for (arguments, socket) in [
            (
                "/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id 1f -address /run/k3s/containerd/containerd.sock ",
                true,
            ),
            ("containerd-shim-runc-v2 --address /run/k3s/containerd/containerd.sock", true),
            ("containerd-shim-runc-v2 -namespace k8s.io -address", false),
            ("containerd-shim-runc-v2 -address relative.sock", false),
            ("containerd-shim-runc-v2", false),
            ("", false),
        ] {
            let expected = socket.then(|| PathBuf::from("/run/k3s/containerd/containerd.sock"));
            assert_eq!(socket_of(&line(arguments)), expected, "{arguments}");
        }
    }
}
