//! cgroups: a task's membership, a cgroup's identity, its path.

use oomtrace_common::{event::CgroupKey, limits::MAX_CGROUP_DEPTH};

use super::{KernelRead, Probed, field};
use crate::{globals::settings, record::Record};

/// The task's cgroup on the default hierarchy, from its `css_set`.
#[inline(always)]
pub fn default_of<R: KernelRead>(css_set: u64) -> u64 {
    field!(R: css_set, css_set_dfl_cgrp)
}

/// The task's cgroup on the hierarchy of the memory controller. On v2 that can be an ancestor of its own cgroup.
#[inline(always)]
pub fn memory_of<R: KernelRead>(css_set: u64) -> u64 {
    let css: u64 = field!(R: css_set, css_set_memory);
    field!(R: css, css_cgroup)
}

/// A cgroup's identity.
#[inline(always)]
pub fn key<R: KernelRead>(cgroup: u64) -> CgroupKey {
    let kn: u64 = field!(R: cgroup, cgroup_kn);
    CgroupKey { id: field!(R: kn, kn_id), hierarchy: hierarchy::<R>(cgroup), level: field!(R: cgroup, cgroup_level) }
}

/// The id of the hierarchy that a cgroup is on; 0 is the default one.
#[inline(always)]
pub fn hierarchy<R: KernelRead>(cgroup: u64) -> u32 {
    let root: u64 = field!(R: cgroup, cgroup_root);
    field!(R: root, cgroup_root_hierarchy_id)
}

/// The cgroups that a process's events are counted by: those above it that it cannot leave.
pub struct Lineage {
    /// At the level of a container or a pod: the fourth at most (`/kubepods.slice/kubepods-X.slice/kubepods-X-podU.slice/C.scope`).
    pub near: u64,
    /// At the level of a slice, a unit or a user: the second at most (`/user.slice/user-U.slice`, `/docker/C`). The third for pods, which
    /// share the second with all of their class. The first where that is not root's: whoever has it makes any number of others below it
    /// (`/lxc.payload.NAME` of a container with users of its own).
    pub far: u64,
}

const NEAR: u32 = 4;
const PODS: u32 = 3;
const FAR: u32 = 2;
/// How the first level's name begins where Kubernetes has its pods: `kubepods`, `kubepods.slice`.
const KUBEPODS: [u8; 8] = *b"kubepods";

/// The lineage of a task.
#[inline(always)]
pub fn lineage_of(task: u64) -> Lineage {
    let css_set: u64 = field!(task, task_cgroups);
    let default = default_of::<Probed>(css_set);
    let level: u32 = field!(default, cgroup_level);
    // Where containers are on v1 alone, all are in the default hierarchy's root.
    lineage(if level > 0 { default } else { memory_of::<Probed>(css_set) })
}

/// The lineage of a process in `cgroup`. Those that are too deep to follow are counted as one.
#[inline(always)]
pub fn lineage(cgroup: u64) -> Lineage {
    let mut level: u32 = field!(cgroup, cgroup_level);
    let mut kn: u64 = field!(cgroup, cgroup_kn);
    if level > MAX_CGROUP_DEPTH as u32 {
        return Lineage { near: 0, far: 0 };
    }
    for _ in 0..MAX_CGROUP_DEPTH as u32 - NEAR {
        if level <= NEAR {
            break;
        }
        kn = field!(kn, kn_parent);
        level -= 1;
    }
    let near: u64 = field!(kn, kn_id);
    let mut pods = near;
    for _ in 0..NEAR - FAR {
        if level <= FAR {
            break;
        }
        kn = field!(kn, kn_parent);
        level -= 1;
        if level == PODS {
            pods = field!(kn, kn_id);
        }
    }
    let far: u64 = field!(kn, kn_id);
    if level < FAR {
        return Lineage { near, far };
    }
    let first: u64 = field!(kn, kn_parent);
    let name: u64 = field!(first, kn_name);
    let far = if Probed::read::<[u8; 8]>(name, 0) == KUBEPODS {
        pods
    } else if is_others(first) {
        field!(first, kn_id)
    } else {
        far
    };
    Lineage { near, far }
}

/// The directory belongs to somebody else than root (`chown`, which gives it attributes of its own: fs/kernfs/inode.c,
/// `kernfs_iop_setattr`, 5.4 to 7.3).
#[inline(always)]
fn is_others(kn: u64) -> bool {
    let attributes: u64 = field!(kn, kn_iattr);
    if attributes == 0 {
        return false;
    }
    // `kernfs_iattrs.ia_uid` comes first (fs/kernfs/kernfs-internal.h, 5.2 to 7.3).
    let uid: u32 = Probed::read(attributes, 0);
    uid != 0
}

/// Appends the names on a cgroup's path, leaf first, without the root's empty one.
///
/// Read in the kernel because the directory may be removed before user space can look it up.
#[inline(always)]
pub fn push_path<R: KernelRead, T>(record: &Record<T>, cgroup: u64) {
    let mut kn: u64 = field!(R: cgroup, cgroup_kn);
    for _ in 0..MAX_CGROUP_DEPTH {
        let parent: u64 = field!(R: kn, kn_parent);
        if parent == 0 {
            return;
        }
        let name: u64 = field!(R: kn, kn_name);
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
pub fn push_paths<R: KernelRead, T>(record: &Record<T>, task: u64) -> (u16, u16) {
    let css_set: u64 = field!(R: task, task_cgroups);
    let default = default_of::<R>(css_set);
    let memory = memory_of::<R>(css_set);
    push_path::<R, T>(record, default);
    let default_len = record.section();
    // On v2 the memory cgroup is the same one or an ancestor: its level is the number of the path's components. Where it is known
    // to be on v2, the verifier need not follow the other path.
    let memory_hierarchy: u32 = settings!(memory_hierarchy);
    if memory_hierarchy != 0 && hierarchy::<R>(memory) != hierarchy::<R>(default) {
        push_path::<R, T>(record, memory);
    }
    (default_len, record.section())
}
