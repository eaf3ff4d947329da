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
    pub limit: Option<f64>,
    /// A new life begins here.
    pub restart: bool,
}

/// No limit is written as a number beyond all memory (`memory.limit_in_bytes` of cgroup v1).
const NO_LIMIT: f64 = 1e18;

impl Sample {
    /// What the kernel cannot take back without swap, as far as is known: anonymous memory and tmpfs; else all but the page cache; else
    /// all of it.
    #[must_use]
    pub fn held(&self) -> Option<f64> {
        match (self.anon, self.usage, self.cache()) {
            (Some(anon), _, _) => Some(anon + self.shmem.unwrap_or(0.0)),
            (None, Some(usage), Some(cache)) => Some((usage - cache).max(0.0)),
            (None, Some(usage), None) => Some(usage),
            (None, None, _) => self.shmem,
        }
    }

    /// What counts towards the limit and cannot be taken back: with kernel memory, where usage is known.
    #[must_use]
    pub fn charged(&self) -> Option<f64> {
        match (self.usage, self.cache()) {
            (Some(usage), Some(cache)) => Some((usage - cache).max(self.held().unwrap_or(0.0))),
            _ => self.held(),
        }
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
        self.anon.is_some() || self.file.is_some() || self.shmem.is_some() || self.usage.is_some()
    }
}

/// Samples in the order of time, one a time, with sizes that make sense.
#[must_use]
pub fn cleaned(mut samples: Vec<Sample>) -> Vec<Sample> {
    let sane = |size: Option<f64>| size.filter(|size| size.is_finite() && *size >= 0.0);
    for sample in &mut samples {
        for size in [&mut sample.anon, &mut sample.file, &mut sample.shmem, &mut sample.usage] {
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
