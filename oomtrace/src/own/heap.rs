//! Gives memory back that start-up needed and watching does not: type information and symbols are read through
//! megabytes of buffers, which glibc keeps for a next time that never comes.

/// Returns freed memory to the kernel, where the C library has to be asked to. Memory that is locked cannot be given back
/// (madvise(2), `EINVAL`): it is unlocked for that moment.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    crate::own::endurance::unlocked(|| {
        // SAFETY: malloc_trim(3) may be called at any time, from any thread.
        unsafe { nix::libc::malloc_trim(0) };
    });
}
