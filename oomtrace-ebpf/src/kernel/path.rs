//! The path of an executable: up the dentries, and across mounts.

use oomtrace_common::{event::FLAG_WHOLE_PATHS, layout::ABSENT, limits::MAX_PATH_DEPTH};

use super::field;
use crate::{globals::layout, record::Record};

/// Appends the names on the path of `mm`'s executable, file name first; nothing for a kernel thread. The path is the one
/// in the executable's own mount namespace. Behind the last name of one that is whole stands `/`: what is left of one that is too long may
/// look like another's.
#[inline(always)]
pub fn push_exe<T>(record: &Record<T>, mm: u64) {
    record.flag(FLAG_WHOLE_PATHS);
    let file: u64 = field!(mm, mm_exe_file);
    if file == 0 || layout!(file_f_path) == ABSENT || layout!(mount_mnt) == ABSENT {
        return;
    }
    let f_path = file + u64::from(layout!(file_f_path));
    let mut vfsmount: u64 = field!(f_path, path_mnt);
    let mut dentry: u64 = field!(f_path, path_dentry);
    let mut root: u64 = field!(vfsmount, vfsmount_mnt_root);
    for _ in 0..MAX_PATH_DEPTH {
        let (parent, name) = parent_and_name(dentry);
        if dentry == root || dentry == parent {
            // container_of(vfsmount, struct mount, mnt): go on from where this is mounted.
            let mount = vfsmount.wrapping_sub(u64::from(layout!(mount_mnt)));
            let above: u64 = field!(mount, mount_mnt_parent);
            if above != mount && above != 0 {
                dentry = field!(mount, mount_mnt_mountpoint);
                vfsmount = above.wrapping_add(u64::from(layout!(mount_mnt)));
                root = field!(vfsmount, vfsmount_mnt_root);
                continue;
            }
            if dentry == parent {
                return record.push_root();
            }
            // A mount that is attached nowhere and shows a part of its file system, as runtimes make one of themselves to be
            // safe from their containers (crun and runc, cloned_binary.c): the path in that file system.
        }
        if !record.push_kernel_str(name) {
            return;
        }
        dentry = parent;
    }
    record.truncate();
}

/// A dentry's parent and the address of its name, by one read where they lie together: `d_parent`, then `d_name` with hash and
/// length before the name (include/linux/dcache.h, 5.4 to 7.3).
#[inline(always)]
fn parent_and_name(dentry: u64) -> (u64, u64) {
    if layout!(dentry_name) == layout!(dentry_d_parent).wrapping_add(16) {
        let [parent, _, name]: [u64; 3] = field!(dentry, dentry_d_parent);
        (parent, name)
    } else {
        (field!(dentry, dentry_d_parent), field!(dentry, dentry_name))
    }
}
