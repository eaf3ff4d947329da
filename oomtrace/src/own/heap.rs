//! Gives memory back that start-up needed and watching does not: type information and symbols are read through
//! megabytes of buffers, which glibc keeps for a next time that never comes; and the code that read them stays as well.

use std::fs;

use nix::libc;

/// Returns freed memory to the kernel, where the C library has to be asked to. Memory that is locked cannot be given back
/// (madvise(2), `EINVAL`): it is unlocked for that moment.
pub fn give_back() {
    crate::own::endurance::unlocked(trim);
}

/// The same, and code that only the start needed, or what came in a burst: a part that is needed again is mapped again from the page
/// cache, at its first use.
pub fn give_back_all() {
    crate::own::endurance::unlocked(|| {
        trim();
        for (start, length) in code() {
            // SAFETY: the mapping is the kernel's own word, nobody writes to it, and what is dropped comes again from its file.
            unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
        }
    });
}

fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Where this program's code is mapped from its file: what is executable and not writable, which no relocation changes.
fn code() -> Vec<(usize, usize)> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().filter_map(mapping).collect()
}

/// Start and length of a mapping of code from a file, of a line `START-END r-xp OFFSET DEVICE INODE PATH` (proc(5)).
fn mapping(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (range, permissions) = (fields.next()?, fields.next()?);
    let path = fields.nth(3)?;
    let (start, end) = range.split_once('-')?;
    let [start, end] = [start, end].map(|text| usize::from_str_radix(text, 16).ok());
    let (start, end) = (start?, end?);
    (permissions == "r-xp" && path.starts_with('/')).then(|| (start, end.saturating_sub(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_from_a_file_is_dropped() {
        for (line, expected) in [
            ("55d0-55e0 r-xp 00001000 fe:00 123 /usr/bin/oomtrace", Some((0x55d0, 0x10))),
            ("55d0-55e0 r-xp 00001000 fe:00 123 /usr/bin/oomtrace (deleted)", Some((0x55d0, 0x10))),
            ("55d0-55e0 r--p 00001000 fe:00 123 /usr/bin/oomtrace", None),
            ("55d0-55e0 rw-p 00001000 fe:00 123 /usr/bin/oomtrace", None),
            ("7ffd-7fff r-xp 00000000 00:00 0 [vdso]", None),
            ("7ffd-7fff r-xp 00000000 00:00 0", None),
            ("", None),
        ] {
            assert_eq!(mapping(line), expected, "{line}");
        }
        assert!(!code().is_empty());
    }

    #[test]
    fn code_that_was_dropped_still_runs() {
        give_back_all();
        assert_eq!(format!("{:?}", [1, 2]), "[1, 2]");
    }
}
