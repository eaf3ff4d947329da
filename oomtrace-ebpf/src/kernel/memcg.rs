//! Memory cgroups: each level's counters, from the victim's own cgroup up to the root.

use oomtrace_common::{event::MemcgLevel, layout::ABSENT, limits::MAX_MEMCG_LEVELS};

use super::{Probed, cgroup, field};
use crate::{globals::layout, record::Record};

/// Appends a [`MemcgLevel`] for each memory cgroup from the task's own up.
#[inline(always)]
pub fn push_levels<T>(record: &Record<T>, task: u64) {
    let css_set: u64 = field!(task, task_cgroups);
    let mut css: u64 = field!(css_set, css_set_memory);
    if layout!(memcg_css) == ABSENT || layout!(memcg_memory) == ABSENT {
        return;
    }
    for _ in 0..MAX_MEMCG_LEVELS {
        if css == 0 {
            return;
        }
        let Some(end) = record.end() else { return };
        // SAFETY: `end` has room for a section, is aligned (the fixed part and each level are multiples of eight bytes), and any bytes
        // are a level.
        fill(unsafe { &mut *end.cast() }, css);
        record.grow(size_of::<MemcgLevel>() as u64);
        css = field!(css, css_parent);
    }
    record.truncate();
}

/// Fills in a level.
#[inline(always)]
pub fn fill(out: &mut MemcgLevel, css: u64) {
    let memcg = css.wrapping_sub(u64::from(layout!(memcg_css)));
    let memory = memcg.wrapping_add(u64::from(layout!(memcg_memory)));
    let key = cgroup::key::<Probed>(field!(css, css_cgroup));
    // `swap` and `memsw` are one union since 5.8; before, v1 uses the one and v2 the other.
    let offset = if key.hierarchy == 0 { layout!(memcg_swap) } else { layout!(memcg_memsw) };
    let swap = memcg.wrapping_add(u64::from(offset));
    out.cgroup = key;
    let oom_group: u8 = field!(memcg, memcg_oom_group);
    out.oom_group = u32::from(oom_group);
    out.reserved = 0;
    out.usage = field!(memory, counter_usage);
    out.max = field!(memory, counter_max);
    out.watermark = field!(memory, counter_watermark);
    out.swap_usage = if offset == ABSENT { 0 } else { field!(swap, counter_usage) };
    out.swap_max = if offset == ABSENT { u64::MAX } else { field!(swap, counter_max) };
}
