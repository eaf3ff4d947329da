//! Samples of a memory curve.

/// One sample. Sizes are in bytes; none: not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Unix time in seconds.
    pub t: f64,
    /// Memory of the program's own: heap, stacks.
    pub anon: Option<f64>,
    /// Page cache, tmpfs among it, as `memory.stat` counts it (mm/memcontrol.c, `memory_stat_format`).
    pub file: Option<f64>,
    /// tmpfs and shared memory, which count as `file` too.
    pub shmem: Option<f64>,
    /// All that is charged.
    pub usage: Option<f64>,
    /// All that is charged but the page cache that is not in use, where that is said and not what is charged. The rest of the page cache
    /// is in it, and how much that is is not known.
    pub working_set: Option<f64>,
    pub limit: Option<f64>,
    /// A new life begins here.
    pub restart: bool,
    /// It was watched all the time since the sample before, and this is what was kept of that: there is no gap between them.
    pub is_watched: bool,
}

/// No limit is written as a number beyond all memory (`memory.limit_in_bytes` of cgroup v1).
const NO_LIMIT: f64 = 1e18;

impl Sample {
    /// What the kernel cannot take back without swap, as far as is known: anonymous memory and tmpfs; else all but the page cache; else
    /// all of it, or the working set.
    #[must_use]
    pub fn held(&self) -> Option<f64> {
        match (self.anon, self.usage, self.cache()) {
            (Some(anon), _, _) => Some(anon + self.shmem.unwrap_or(0.0)),
            (None, Some(usage), Some(cache)) => Some((usage - cache).max(0.0)),
            (None, Some(usage), None) => Some(usage),
            (None, None, _) => self.working_set.or(self.shmem),
        }
    }

    /// What counts towards the limit and cannot be taken back: with kernel memory, where usage is known. Of a working set, no page cache is
    /// left out once more.
    #[must_use]
    pub fn charged(&self) -> Option<f64> {
        match (self.usage, self.cache(), self.working_set) {
            (Some(usage), Some(cache), _) => Some((usage - cache).max(self.held().unwrap_or(0.0))),
            (None, _, Some(working_set)) => Some(working_set.max(self.held().unwrap_or(0.0))),
            _ => self.held(),
        }
    }

    /// All that is charged, or what of that is known.
    #[must_use]
    pub fn in_use(&self) -> Option<f64> {
        self.usage.or(self.working_set)
    }

    /// What of it is page cache is known, or what the program itself holds.
    #[must_use]
    pub const fn is_told_apart(&self) -> bool {
        let has_cache = self.file.is_some() && (self.usage.is_some() || self.working_set.is_none());
        self.anon.is_some() || self.shmem.is_some() || has_cache
    }

    /// Page cache that the kernel can take back.
    #[must_use]
    pub fn cache(&self) -> Option<f64> {
        self.file.map(|file| (file - self.shmem.unwrap_or(0.0)).max(0.0))
    }

    /// What is charged and neither the program's own nor page cache: slabs, page tables, sockets.
    #[must_use]
    pub fn kernel(&self) -> Option<f64> {
        Some((self.usage? - self.anon? - self.file?).max(0.0))
    }

    /// Some size is known.
    #[must_use]
    pub const fn has_size(&self) -> bool {
        let is_charged = self.usage.is_some() || self.working_set.is_some();
        is_charged || self.anon.is_some() || self.file.is_some() || self.shmem.is_some()
    }
}

/// From the first of them to the last, in seconds.
#[must_use]
pub fn span_s(samples: &[Sample]) -> f64 {
    samples.first().zip(samples.last()).map_or(0.0, |(first, last)| last.t - first.t)
}

/// Samples in the order of time, one a time, with sizes that make sense.
#[must_use]
pub fn cleaned(mut samples: Vec<Sample>) -> Vec<Sample> {
    let sane = |size: Option<f64>| size.filter(|size| size.is_finite() && *size >= 0.0);
    for sample in &mut samples {
        let Sample { anon, file, shmem, usage, working_set, .. } = sample;
        for size in [anon, file, shmem, usage, working_set] {
            *size = sane(*size);
        }
        sample.limit = sane(sample.limit).filter(|limit| *limit > 0.0 && *limit < NO_LIMIT);
    }
    samples.retain(|sample| sample.t.is_finite() && (sample.has_size() || sample.restart));
    samples.sort_by(|a, b| a.t.total_cmp(&b.t));
    // A restart that has no size belongs to the sample that comes next.
    let mut is_marked = false;
    let mut all: Vec<Sample> = Vec::with_capacity(samples.len());
    for mut sample in samples {
        sample.restart |= std::mem::take(&mut is_marked);
        if !sample.has_size() {
            is_marked = true;
            continue;
        }
        match all.last_mut() {
            // Of two at the same time the later word counts.
            Some(last) if last.t >= sample.t => *last = Sample { restart: last.restart || sample.restart, ..sample },
            _ => all.push(sample),
        }
    }
    without_holes(all)
}

/// Without single samples of nothing at all between others: whoever read them found none.
fn without_holes(samples: Vec<Sample>) -> Vec<Sample> {
    let is_some = |at: Option<usize>| at.and_then(|at| samples.get(at)?.held()).is_some_and(|held| held > 0.0);
    let is_hole = |(at, sample): (usize, &Sample)| {
        sample.held() == Some(0.0) && !sample.restart && is_some(at.checked_sub(1)) && is_some(Some(at + 1))
    };
    let holes: Vec<bool> = samples.iter().enumerate().map(is_hole).collect();
    samples.into_iter().zip(holes).filter_map(|(sample, is_hole)| (!is_hole).then_some(sample)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_cache_is_left_out_once() {
        // 100 of its own, 400 of page cache of which 350 are not in use, 200 of the kernel's.
        let all = Sample { anon: Some(100.0), file: Some(400.0), usage: Some(700.0), ..Sample::default() };
        assert_eq!((all.held(), all.charged(), all.kernel()), (Some(100.0), Some(300.0), Some(200.0)));
        let of_set = Sample { usage: None, working_set: Some(350.0), ..all };
        assert_eq!((of_set.held(), of_set.charged(), of_set.kernel()), (Some(100.0), Some(350.0), None));
        // What is charged is known: the working set says no more.
        assert_eq!(Sample { working_set: Some(350.0), ..all }.charged(), Some(300.0));
        let without_anon = Sample { anon: None, ..of_set };
        assert_eq!((without_anon.held(), without_anon.is_told_apart()), (Some(350.0), false));
        let alone = Sample { working_set: Some(350.0), ..Sample::default() };
        assert_eq!((alone.held(), alone.charged(), alone.has_size()), (Some(350.0), Some(350.0), true));
    }
}
