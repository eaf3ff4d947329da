//! Where the running kernel keeps what the kernel side reads: byte offsets, resolved from BTF by user space.
//!
//! Rust has no CO-RE relocations, so user space resolves each field by name (with alternates for renamed ones) and passes
//! this table to the kernel side as a read-only global. The verifier sees constants and removes the code behind an [`ABSENT`] field.

#[cfg(feature = "user")]
use zerocopy::{Immutable, IntoBytes};

/// Name of the global that holds [`Layout`] in the kernel side's read-only data.
pub const LAYOUT_GLOBAL: &str = "LAYOUT";

/// This kernel has no such field; what depends on it is reported as missing.
pub const ABSENT: u32 = u32::MAX;

macro_rules! layout {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Byte offsets into kernel structures, or [`ABSENT`].
        #[repr(C)]
        #[cfg_attr(feature = "user", derive(IntoBytes, Immutable))]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Layout {
            $($(#[$doc])* pub $field: u32,)*
        }

        impl Layout {
            /// Nothing is known: every field is [`ABSENT`].
            pub const UNKNOWN: Self = Self { $($field: ABSENT,)* };

            /// Each field's name and value, in declaration order.
            #[must_use]
            pub fn fields(&self) -> [(&'static str, u32); [$(stringify!($field)),*].len()] {
                [$((stringify!($field), self.$field)),*]
            }

            /// Sets a field by name; false when there is none of that name.
            pub fn set(&mut self, name: &str, offset: u32) -> bool {
                match name {
                    $(stringify!($field) => self.$field = offset,)*
                    _ => return false,
                }
                true
            }
        }
    };
}

layout! {
    /// `task_struct`
    task_pid,
    task_tgid,
    task_comm,
    task_flags,
    task_real_parent,
    task_group_leader,
    /// `start_boottime` (5.5), `real_start_time` (5.4)
    task_start_boottime,
    task_cred,
    task_mm,
    task_signal,
    task_sighand,
    task_blocked,
    task_cgroups,
    task_thread_pid,
    task_exit_code,
    /// None of a task that has given its namespaces up (kernel/exit.c, `exit_task_namespaces`)
    task_nsproxy,
    task_ptrace,
    /// The tracer, while there is one
    task_parent,
    /// `seccomp.mode`; with CONFIG_SECCOMP only
    task_seccomp_mode,
    /// With CONFIG_AUDIT only
    task_loginuid,
    /// With CONFIG_AUDIT only
    task_sessionid,
    /// `cred`
    cred_uid,
    cred_user_ns,
    /// `user_namespace`
    user_ns_level,
    user_ns_owner,
    /// `user_namespace.ns.inum`
    user_ns_inum,
    /// `nsproxy`
    nsproxy_mnt_ns,
    /// `mnt_namespace.ns.inum`
    mnt_ns_inum,
    /// `struct pid`
    pid_level,
    pid_numbers,
    /// `sizeof(struct upid)`
    upid_size,
    upid_nr,
    /// `signal_struct`
    signal_flags,
    /// `shared_pending.signal`
    signal_shared_pending,
    signal_group_exit_code,
    /// `signal.live.counter`: threads that have not ended
    signal_live,
    signal_oom_score_adj,
    signal_tty,
    /// `signal.pids[PIDTYPE_PGID]`
    signal_pgrp,
    /// `signal.rlim`
    signal_rlim,
    /// `signal.cputimer`
    signal_cputimer,
    /// `sighand_struct.action`, and `sizeof(struct k_sigaction)`
    sighand_action,
    k_sigaction_size,
    /// `k_sigaction.sa.sa_handler`
    k_sigaction_handler,
    /// `tty_struct`
    tty_name,
    /// `mm_struct`
    mm_exe_file,
    /// `mm_users.counter`: threads of any process, and temporary references by readers such as /proc
    mm_users,
    mm_arg_start,
    mm_arg_end,
    mm_total_vm,
    mm_pgtables_bytes,
    /// Offset of the first counter's value: `rss_stat.count[0]` (to 6.1) or `rss_stat[0].count` (6.2)
    mm_rss_stat,
    /// Bytes from one counter's value to the next
    mm_rss_stat_stride,
    /// `file.f_path`; in an anonymous union since 6.18
    file_f_path,
    path_mnt,
    path_dentry,
    dentry_d_parent,
    /// `dentry.d_name.name`
    dentry_name,
    vfsmount_mnt_root,
    /// `struct mount`
    mount_mnt,
    mount_mnt_parent,
    mount_mnt_mountpoint,
    /// `mnt_ns`: none of a mount that was detached since
    mount_mnt_ns,
    /// `css_set.subsys[memory_cgrp_id]`
    css_set_memory,
    css_set_dfl_cgrp,
    /// `cgroup_subsys_state`
    css_cgroup,
    css_parent,
    /// `cgroup`
    cgroup_kn,
    cgroup_root,
    cgroup_level,
    /// `cgroup_root`
    cgroup_root_hierarchy_id,
    /// `kernfs_node`
    kn_id,
    /// `parent` (to 6.14), `__parent` (6.15)
    kn_parent,
    kn_name,
    /// `iattr`: its owner and mode, where somebody has changed them
    kn_iattr,
    /// `mem_cgroup.css`
    memcg_css,
    /// `mem_cgroup.memory`
    memcg_memory,
    /// `mem_cgroup.memsw`, since 5.8 in a union with `swap`
    memcg_memsw,
    /// `mem_cgroup.swap`
    memcg_swap,
    memcg_oom_group,
    /// `oom_control`
    oc_memcg,
    oc_gfp_mask,
    oc_order,
    oc_totalpages,
    oc_chosen,
    oc_chosen_points,
    oc_constraint,
    /// `page_counter`
    counter_usage,
    counter_max,
    counter_watermark,
    /// `kernel_siginfo.si_code`
    siginfo_code,
    /// `sock.__sk_common`
    sock_family,
    sock_state,
    /// Who listens, or who connected
    sock_peer_pid,
    sock_peer_cred,
    unix_sock_addr,
    /// `path.mnt`: where the socket was bound
    unix_sock_mnt,
    /// `peer`: the other end of a connection
    unix_sock_peer,
    /// `unix_address.name[0].sun_path`
    unix_address_path,
}
