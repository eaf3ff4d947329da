//! cgroups: a task's membership, a cgroup's identity, its path.

use oomtrace_common::{event::CgroupKey, limits::MAX_CGROUP_DEPTH};

use super::{Way, field};
use crate::{globals::settings, record::Record};

/// The task's cgroup on the default hierarchy, from its `css_set`.
#[inline(always)]
pub fn default_of<W: Way>(css_set: u64) -> u64 {
    field!(W: css_set, css_set_dfl_cgrp)
}

/// The task's cgroup on the hierarchy of the memory controller. On v2 that can be an ancestor of its own cgroup.
#[inline(always)]
pub fn memory_of<W: Way>(css_set: u64) -> u64 {
    let css: u64 = field!(W: css_set, css_set_memory);
    field!(W: css, css_cgroup)
}

/// A cgroup's identity.
#[inline(always)]
pub fn key<W: Way>(cgroup: u64) -> CgroupKey {
    let kn: u64 = field!(W: cgroup, cgroup_kn);
    CgroupKey { id: field!(W: kn, kn_id), hierarchy: hierarchy::<W>(cgroup), level: field!(W: cgroup, cgroup_level) }
}

/// The id of the hierarchy that a cgroup is on; 0 is the default one.
#[inline(always)]
pub fn hierarchy<W: Way>(cgroup: u64) -> u32 {
    let root: u64 = field!(W: cgroup, cgroup_root);
    field!(W: root, cgroup_root_hierarchy_id)
}

/// Appends the names on a cgroup's path, leaf first, without the root's empty one.
///
/// Read in the kernel because the directory may be gone before user space asks.
#[inline(always)]
pub fn push_path<W: Way, T>(record: &Record<T>, cgroup: u64) {
    let mut kn: u64 = field!(W: cgroup, cgroup_kn);
    for _ in 0..MAX_CGROUP_DEPTH {
        let parent: u64 = field!(W: kn, kn_parent);
        if parent == 0 {
            return;
        }
        let name: u64 = field!(W: kn, kn_name);
        if !record.push_kernel_str(name) {
            return;
        }
        kn = parent;
    }
    record.truncate();
}

/// Appends a task's paths on the default hierarchy and, when that is another, on the memory hierarchy; returns the size
/// of each.
#[inline(always)]
pub fn push_paths<W: Way, T>(record: &Record<T>, task: u64) -> (u16, u16) {
    let css_set: u64 = field!(W: task, task_cgroups);
    let default = default_of::<W>(css_set);
    let memory = memory_of::<W>(css_set);
    push_path::<W, T>(record, default);
    let default_len = record.section();
    // On v2 the memory cgroup is the same one or an ancestor: its level says how much of the path it has. Where it is known to be on
    // v2, the verifier need not follow the other path.
    let memory_hierarchy: u32 = settings!(memory_hierarchy);
    if memory_hierarchy != 0 && hierarchy::<W>(memory) != hierarchy::<W>(default) {
        push_path::<W, T>(record, memory);
    }
    (default_len, record.section())
}
