//! How many files this process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// As many as following memory takes at the most.
const WANTED: u64 = 32 << 10;

/// Raises the limit of open files as far as it goes, to what following memory takes: a shell's and systemd's is 1,024, for the sake of
/// programs that use select(2). Nothing that is run from here inherits it. What is refused stays as it is.
pub fn raise() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let wanted = WANTED.min(hard);
    if soft < wanted
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)
    {
        log::debug!("the limit of open files stays at {soft}: {error}");
    }
}
