//! What of a cgroup's memory the kernel cannot take back without swap. Sizes are in bytes.

use crate::model::TimelinePoint;

/// The kernel counts tmpfs and shared memory as `file`, too (mm/memcontrol.c, `memory_stat_format`), and they are no page cache. None:
/// `file` is not known.
#[must_use]
pub fn page_cache(file: Option<u64>, shmem: Option<u64>) -> Option<u64> {
    Some(file?.saturating_sub(shmem.unwrap_or(0)))
}

/// All but page cache, as far as that is known.
#[must_use]
pub fn held(usage: u64, file: Option<u64>, shmem: Option<u64>) -> u64 {
    usage.saturating_sub(page_cache(file, shmem).unwrap_or(0))
}

/// The same at one point of a timeline.
#[must_use]
pub fn held_at(point: &TimelinePoint) -> u64 {
    held(point.usage_bytes, point.file_bytes, point.shmem_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_cache_is_left_out_and_shared_memory_is_not() {
        for (file, shmem, cache, expected) in [
            (Some(40), Some(10), Some(30), 70),
            (Some(40), None, Some(40), 60),
            (None, Some(10), None, 100),
            // Each is read at another moment.
            (Some(5), Some(10), Some(0), 100),
            (Some(200), None, Some(200), 0),
        ] {
            assert_eq!((page_cache(file, shmem), held(100, file, shmem)), (cache, expected), "{file:?} {shmem:?}");
        }
    }
}
