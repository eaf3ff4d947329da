//! What user space and the kernel side both write to maps: the sockets whose clients are recorded, and those clients.

/// Name of the map from a [`SocketPath`] to its [`Watched`].
pub const SOCKETS_MAP: &str = "SOCKETS";
/// Name of the map from a process's thread group id to its [`Client`].
pub const CLIENTS_MAP: &str = "CLIENTS";

/// A socket's path as a key: NUL-padded `sockaddr_un.sun_path` (include/uapi/linux/un.h).
pub type SocketPath = [u8; 108];

/// A socket that is watched.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// The socket's number, which user space chose.
    pub number: u32,
    /// The user who must listen on it, a uid of the initial user namespace; root may as well.
    pub owner: u32,
}

/// A process that connected.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Start of its leader on `CLOCK_BOOTTIME`, in nanoseconds: pids are reused. 0 = not known: user space found
    /// the process.
    pub start: u64,
    /// The time up to which its connections count as recorded, on the same clock; in the future when several came in quick succession.
    pub told: u64,
}

// SAFETY: numbers without padding, as is asserted below.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Watched {}

// SAFETY: numbers without padding, as is asserted below.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Client {}

// User space passes these to the kernel as bytes, and padding has no defined value.
const _: () = {
    assert!(size_of::<Watched>() == 2 * 4);
    assert!(size_of::<Client>() == 2 * 8);
};
