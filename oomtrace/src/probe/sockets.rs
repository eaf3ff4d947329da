//! The kernel side's maps of sockets that are watched, and of their clients.

use aya::Pod;
use aya::maps::{HashMap, Map, MapData, MapError};
use oomtrace_common::event::SocketPath;

use super::attach::chain;

/// Only where there is none (include/uapi/linux/bpf.h).
const BPF_NOEXIST: u64 = 1;

/// The sockets whose clients the kernel side records.
pub struct Sockets {
    paths: HashMap<MapData, SocketPath, u32>,
    clients: HashMap<MapData, u32, Client>,
}

/// A process that connected, as in the kernel side's map of them.
#[repr(C)]
#[derive(Clone, Copy)]
struct Client {
    start: u64,
    told: u64,
}

// SAFETY: it is repr(C) and has no padding.
unsafe impl Pod for Client {}

impl Sockets {
    /// Takes the maps `SOCKETS` and `CLIENTS`.
    pub(super) fn new(paths: Map, clients: Map) -> Result<Self, MapError> {
        Ok(Self { paths: HashMap::try_from(paths)?, clients: HashMap::try_from(clients)? })
    }

    /// Has the clients of the socket that is bound to `path` told, under `number`.
    ///
    /// # Errors
    /// In words, when the path is too long for a socket, or too many are watched.
    pub fn watch(&mut self, path: &str, number: u32) -> Result<(), String> {
        let mut key: SocketPath = [0; 108];
        match key.get_mut(..path.len()) {
            // The last byte stays NUL.
            Some(start) if path.len() < size_of::<SocketPath>() => start.copy_from_slice(path.as_bytes()),
            _ => return Err(format!("{path} is longer than a socket's path can be")),
        }
        self.paths.insert(key, number, 0).map_err(|error| format!("{path} cannot be watched: {}", chain(&error)))
    }

    /// Has the end of a process told that was connected before.
    pub fn follow(&mut self, pid: u32) {
        // It may have connected again meanwhile, and is known better then.
        let unknown = Client { start: 0, told: 0 };
        if let Err(error) = self.clients.insert(pid, unknown, BPF_NOEXIST) {
            log::debug!("the end of process {pid} will not be told: {}", chain(&error));
        }
    }
}
