//! The kernel layout table, resolved from BTF: which field is where, under which of its names, and what is lost when the
//! running kernel does not have it.

use oomtrace_common::layout::{ABSENT, Layout};

use crate::probe::btf::{Btf, Kind};

/// Everything that BTF decides about the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelLayout {
    /// Offsets for the kernel side.
    pub offsets: Layout,
    /// What `oom/mark_victim` hands over; none when this kernel has no such tracepoint.
    pub mark_victim: Option<MarkVictimArg>,
    /// The tracepoint `signal/signal_generate` is there with the arguments that the kernel side expects.
    pub signal_generate: bool,
    /// `sched/sched_process_exit` is there; true when a process still has its memory at it, which is since it says whether
    /// the whole group is dead (6.16).
    pub process_exit: Option<bool>,
    /// `signal/signal_deliver` is there.
    pub signal_deliver: bool,
    /// `cgroup/cgroup_mkdir` and its like are there.
    pub cgroups: bool,
    /// `sock/sk_data_ready` is there (6.3).
    pub sk_data_ready: bool,
}

/// The argument of `oom/mark_victim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkVictimArg {
    /// `(int pid)`, a thread id.
    Tid,
    /// `(struct task_struct *task, uid_t uid)`: mainline 6.9 (72ba14deb40a) and its backports.
    Task,
}

/// Each offset that is a plain member: field of [`Layout`], struct, and the member's names, newest first.
const MEMBERS: &[(&str, &str, &[&str])] = &[
    ("task_pid", "task_struct", &["pid"]),
    ("task_tgid", "task_struct", &["tgid"]),
    ("task_comm", "task_struct", &["comm"]),
    ("task_flags", "task_struct", &["flags"]),
    ("task_real_parent", "task_struct", &["real_parent"]),
    ("task_group_leader", "task_struct", &["group_leader"]),
    ("task_start_boottime", "task_struct", &["start_boottime", "real_start_time"]),
    ("task_cred", "task_struct", &["cred"]),
    ("task_mm", "task_struct", &["mm"]),
    ("task_signal", "task_struct", &["signal"]),
    ("task_sighand", "task_struct", &["sighand"]),
    ("task_blocked", "task_struct", &["blocked"]),
    ("task_cgroups", "task_struct", &["cgroups"]),
    ("task_thread_pid", "task_struct", &["thread_pid"]),
    ("task_exit_code", "task_struct", &["exit_code"]),
    ("task_nsproxy", "task_struct", &["nsproxy"]),
    ("task_ptrace", "task_struct", &["ptrace"]),
    ("task_parent", "task_struct", &["parent"]),
    ("task_seccomp_mode", "task_struct", &["seccomp.mode"]),
    ("task_loginuid", "task_struct", &["loginuid"]),
    ("task_sessionid", "task_struct", &["sessionid"]),
    ("cred_uid", "cred", &["uid"]),
    ("cred_user_ns", "cred", &["user_ns"]),
    ("user_ns_level", "user_namespace", &["level"]),
    ("user_ns_owner", "user_namespace", &["owner"]),
    ("user_ns_inum", "user_namespace", &["ns.inum"]),
    ("nsproxy_mnt_ns", "nsproxy", &["mnt_ns"]),
    ("mnt_ns_inum", "mnt_namespace", &["ns.inum"]),
    ("pid_level", "pid", &["level"]),
    ("pid_numbers", "pid", &["numbers"]),
    ("upid_nr", "upid", &["nr"]),
    ("signal_flags", "signal_struct", &["flags"]),
    ("signal_shared_pending", "signal_struct", &["shared_pending.signal"]),
    ("signal_group_exit_code", "signal_struct", &["group_exit_code"]),
    ("signal_live", "signal_struct", &["live"]),
    ("signal_oom_score_adj", "signal_struct", &["oom_score_adj"]),
    ("signal_tty", "signal_struct", &["tty"]),
    ("signal_rlim", "signal_struct", &["rlim"]),
    ("signal_cputimer", "signal_struct", &["cputimer"]),
    ("sighand_action", "sighand_struct", &["action"]),
    ("k_sigaction_handler", "k_sigaction", &["sa.sa_handler"]),
    ("tty_name", "tty_struct", &["name"]),
    ("mm_exe_file", "mm_struct", &["exe_file"]),
    ("mm_users", "mm_struct", &["mm_users"]),
    ("mm_arg_start", "mm_struct", &["arg_start"]),
    ("mm_arg_end", "mm_struct", &["arg_end"]),
    ("mm_total_vm", "mm_struct", &["total_vm"]),
    ("mm_pgtables_bytes", "mm_struct", &["pgtables_bytes"]),
    ("file_f_path", "file", &["f_path"]),
    ("path_mnt", "path", &["mnt"]),
    ("path_dentry", "path", &["dentry"]),
    ("dentry_d_parent", "dentry", &["d_parent"]),
    ("dentry_name", "dentry", &["d_name.name", "__d_name.name"]),
    ("vfsmount_mnt_root", "vfsmount", &["mnt_root"]),
    ("mount_mnt", "mount", &["mnt"]),
    ("mount_mnt_parent", "mount", &["mnt_parent"]),
    ("mount_mnt_mountpoint", "mount", &["mnt_mountpoint"]),
    ("mount_mnt_ns", "mount", &["mnt_ns"]),
    ("css_set_dfl_cgrp", "css_set", &["dfl_cgrp"]),
    ("css_cgroup", "cgroup_subsys_state", &["cgroup"]),
    ("css_parent", "cgroup_subsys_state", &["parent"]),
    ("cgroup_kn", "cgroup", &["kn"]),
    ("cgroup_root", "cgroup", &["root"]),
    ("cgroup_level", "cgroup", &["level"]),
    ("cgroup_root_hierarchy_id", "cgroup_root", &["hierarchy_id"]),
    ("kn_id", "kernfs_node", &["id"]),
    ("kn_parent", "kernfs_node", &["__parent", "parent"]),
    ("kn_name", "kernfs_node", &["name"]),
    ("kn_iattr", "kernfs_node", &["iattr"]),
    ("memcg_css", "mem_cgroup", &["css"]),
    ("memcg_memory", "mem_cgroup", &["memory"]),
    ("memcg_memsw", "mem_cgroup", &["memsw"]),
    ("memcg_swap", "mem_cgroup", &["swap"]),
    ("memcg_oom_group", "mem_cgroup", &["oom_group"]),
    ("oc_memcg", "oom_control", &["memcg"]),
    ("oc_gfp_mask", "oom_control", &["gfp_mask"]),
    ("oc_order", "oom_control", &["order"]),
    ("oc_totalpages", "oom_control", &["totalpages"]),
    ("oc_chosen", "oom_control", &["chosen"]),
    ("oc_chosen_points", "oom_control", &["chosen_points"]),
    ("oc_constraint", "oom_control", &["constraint"]),
    ("counter_usage", "page_counter", &["usage"]),
    ("counter_max", "page_counter", &["max"]),
    ("counter_watermark", "page_counter", &["watermark"]),
    ("siginfo_code", "kernel_siginfo", &["si_code"]),
    ("sock_family", "sock", &["__sk_common.skc_family"]),
    ("sock_state", "sock", &["__sk_common.skc_state"]),
    ("sock_peer_pid", "sock", &["sk_peer_pid"]),
    ("sock_peer_cred", "sock", &["sk_peer_cred"]),
    ("unix_sock_addr", "unix_sock", &["addr"]),
    ("unix_sock_mnt", "unix_sock", &["path.mnt"]),
    ("unix_sock_peer", "unix_sock", &["peer"]),
];

/// Types looked up by name besides the structs in [`MEMBERS`].
const OTHER_TYPES: &[&str] = &[
    "ns_common",
    "cgroup_subsys_id",
    "pid_type",
    "sigaction",
    "percpu_counter",
    "mm_rss_stat",
    "btf_trace_mark_victim",
    "btf_trace_signal_generate",
    "btf_trace_sched_process_exit",
    "btf_trace_signal_deliver",
    "btf_trace_cgroup_mkdir",
    "btf_trace_sk_data_ready",
    "sock_common",
    "unix_address",
    "sockaddr_un",
];

/// What a missing field costs, in words. Fields that are missing together are named together.
const COSTS: &[(&[&str], &str)] = &[
    (&["task_tgid", "task_pid", "task_group_leader", "task_flags"], "which process a thread belongs to"),
    (&["task_comm"], "process names"),
    (&["task_exit_code", "signal_live"], "how a killed process ended"),
    (
        &["signal_shared_pending", "task_ptrace", "task_parent", "task_seccomp_mode"],
        "what ended a process that no signal ended",
    ),
    (&["task_start_boottime"], "process start times, so a reused pid cannot be told apart"),
    (&["task_real_parent"], "the sender's ancestors"),
    (&["task_cred", "cred_uid"], "users"),
    (
        &[
            "task_nsproxy",
            "nsproxy_mnt_ns",
            "mnt_ns_inum",
            "cred_user_ns",
            "user_ns_level",
            "user_ns_owner",
            "user_ns_inum",
        ],
        "which namespaces a process runs in, so a program is known by its path alone",
    ),
    (
        &["task_thread_pid", "pid_level", "pid_numbers", "upid_size", "upid_nr"],
        "pids inside containers, and which process is a container's init",
    ),
    (&["task_signal", "signal_flags", "signal_group_exit_code"], "whether a victim was dying already"),
    (&["signal_oom_score_adj"], "oom_score_adj"),
    (&["task_loginuid", "task_sessionid"], "the login behind a sender (kernel without CONFIG_AUDIT)"),
    (
        &["task_sighand", "task_blocked", "sighand_action", "k_sigaction_size", "k_sigaction_handler"],
        "whether a process had a handler for the signal that it was stopped with",
    ),
    (&["signal_pgrp"], "process groups"),
    (&["signal_rlim", "signal_cputimer"], "which limit of CPU time was used up (RLIMIT_CPU or RLIMIT_RTTIME)"),
    (&["signal_tty", "tty_name"], "the sender's terminal"),
    (
        &[
            "task_mm",
            "mm_exe_file",
            "file_f_path",
            "path_mnt",
            "path_dentry",
            "dentry_d_parent",
            "dentry_name",
            "vfsmount_mnt_root",
            "mount_mnt",
            "mount_mnt_parent",
            "mount_mnt_mountpoint",
        ],
        "executable paths",
    ),
    (&["mm_users"], "whether other processes share an OOM victim's memory and go with it"),
    (&["mm_arg_start", "mm_arg_end"], "the sender's command line"),
    (&["mm_rss_stat", "mm_rss_stat_stride", "mm_total_vm", "mm_pgtables_bytes"], "the victim's memory"),
    (
        &[
            "task_cgroups",
            "css_set_dfl_cgrp",
            "cgroup_kn",
            "cgroup_root",
            "cgroup_level",
            "cgroup_root_hierarchy_id",
            "kn_id",
            "kn_parent",
            "kn_name",
            "kn_iattr",
        ],
        "cgroups, and so containers",
    ),
    (&["css_set_memory", "css_cgroup"], "memory cgroups"),
    (
        &["css_parent", "memcg_css", "memcg_memory", "counter_usage", "counter_max", "counter_watermark"],
        "memory limits and usage at the kill",
    ),
    (&["memcg_memsw", "memcg_swap"], "swap limits at the kill"),
    (
        &["oc_memcg", "oc_gfp_mask", "oc_order", "oc_totalpages", "oc_chosen", "oc_chosen_points", "oc_constraint"],
        "the OOM killer's own record",
    ),
    (&["memcg_oom_group"], "memory.oom.group"),
    (&["siginfo_code"], "si_code"),
    (
        &["sock_family", "sock_state", "unix_sock_addr", "unix_address_path"],
        "who connects to a runtime, and so who asked it to kill",
    ),
    (
        &[
            "sock_peer_pid",
            "sock_peer_cred",
            "cred_user_ns",
            "user_ns_level",
            "mnt_ns_inum",
            "mount_mnt_ns",
            "unix_sock_mnt",
            "unix_sock_peer",
        ],
        "whether a socket is a runtime's own, so that nobody is said to have asked with more than \"possible\"",
    ),
];

impl KernelLayout {
    /// Names of all types that [`Self::resolve`] looks up.
    #[must_use]
    pub fn wanted_types() -> Vec<&'static str> {
        let mut names: Vec<_> = MEMBERS.iter().map(|m| m.1).chain(OTHER_TYPES.iter().copied()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Names of all members that [`Self::resolve`] looks up.
    #[must_use]
    pub fn wanted_members() -> Vec<&'static str> {
        let plain = MEMBERS.iter().flat_map(|m| m.2.iter().flat_map(|path| path.split('.')));
        plain
            .chain(["subsys", "rss_stat", "count", "pids", "action", "sa", "__sk_common", "name", "sun_path"])
            .collect()
    }

    /// Looks every field up in `btf`.
    #[must_use]
    pub fn resolve(btf: &Btf<'_>) -> Self {
        let mut offsets = Layout::UNKNOWN;
        for (field, ty, names) in MEMBERS {
            let found = names.iter().find_map(|name| btf.member(ty, name)).map(|m| m.offset);
            set(&mut offsets, field, found);
        }
        set(&mut offsets, "upid_size", upid_size(btf));
        set(&mut offsets, "css_set_memory", css_set_memory(btf));
        set(&mut offsets, "signal_pgrp", signal_pgrp(btf));
        set(&mut offsets, "k_sigaction_size", k_sigaction_size(btf));
        set(&mut offsets, "unix_address_path", unix_address_path(btf));
        let (value, stride) = rss_stat(btf).unzip();
        set(&mut offsets, "mm_rss_stat", value);
        set(&mut offsets, "mm_rss_stat_stride", stride);
        Self {
            offsets,
            mark_victim: mark_victim(btf),
            signal_generate: btf.prototype("btf_trace_signal_generate").is_some_and(|p| p.len() == 6),
            process_exit: btf.prototype("btf_trace_sched_process_exit").map(|p| p.len() >= 3),
            signal_deliver: btf.prototype("btf_trace_signal_deliver").is_some_and(|p| p.len() == 4),
            cgroups: btf.prototype("btf_trace_cgroup_mkdir").is_some_and(|p| p.len() == 3),
            sk_data_ready: btf.prototype("btf_trace_sk_data_ready").is_some_and(|p| p.len() == 2),
        }
    }

    /// What cannot be seen on this kernel because a field is not there, in words.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let absent: Vec<&str> =
            self.offsets.fields().iter().filter(|(_, v)| *v == ABSENT).map(|(name, _)| *name).collect();
        COSTS
            .iter()
            .filter(|(fields, _)| fields.iter().any(|f| absent.contains(f)))
            .map(|(_, cost)| (*cost).to_owned())
            .collect()
    }
}

/// Sets a field of the table by name. The names are those of the same macro that makes the struct.
fn set(layout: &mut Layout, field: &str, value: Option<u32>) {
    let known = layout.set(field, value.unwrap_or(ABSENT));
    debug_assert!(known, "no field {field} in the layout table");
}

fn upid_size(btf: &Btf<'_>) -> Option<u32> {
    let numbers = btf.member("pid", "numbers")?;
    btf.size(btf.array(numbers.ty)?.0)
}

/// `signal_struct.pids[PIDTYPE_PGID]` (include/linux/sched/signal.h, 5.4 to 7.3).
fn signal_pgrp(btf: &Btf<'_>) -> Option<u32> {
    let pids = btf.member("signal_struct", "pids")?.offset;
    let index = btf.enum_value("pid_type", "PIDTYPE_PGID")?;
    pids.checked_add(index.checked_mul(8)?)
}

fn k_sigaction_size(btf: &Btf<'_>) -> Option<u32> {
    let actions = btf.member("sighand_struct", "action")?;
    btf.size(btf.array(actions.ty)?.0)
}

/// `unix_address.name` is an array without a size of one `sockaddr_un`.
fn unix_address_path(btf: &Btf<'_>) -> Option<u32> {
    let name = btf.member("unix_address", "name")?.offset;
    name.checked_add(btf.member("sockaddr_un", "sun_path")?.offset)
}

/// `css_set.subsys[memory_cgrp_id]`; none without the memory controller.
fn css_set_memory(btf: &Btf<'_>) -> Option<u32> {
    let subsys = btf.member("css_set", "subsys")?.offset;
    let index = btf.enum_value("cgroup_subsys_id", "memory_cgrp_id")?;
    subsys.checked_add(index.checked_mul(8)?)
}

/// Where the first resident-set counter's value is, and how far the next one is from it.
fn rss_stat(btf: &Btf<'_>) -> Option<(u32, u32)> {
    let rss = btf.member("mm_struct", "rss_stat")?;
    if let Some((element, _)) = btf.array(rss.ty) {
        // struct percpu_counter rss_stat[NR_MM_COUNTERS] (6.2)
        let count = btf.member("percpu_counter", "count")?;
        return Some((rss.offset.checked_add(count.offset)?, btf.size(element)?));
    }
    // struct mm_rss_stat { atomic_long_t count[NR_MM_COUNTERS]; } (to 6.1)
    let count = btf.member("mm_rss_stat", "count")?;
    Some((rss.offset.checked_add(count.offset)?, btf.size(btf.array(count.ty)?.0)?))
}

/// Recognized by the prototype, never by a version: the change was backported to every stable line.
fn mark_victim(btf: &Btf<'_>) -> Option<MarkVictimArg> {
    // The first parameter is the tracepoint's own `void *__data`.
    let arg = *btf.prototype("btf_trace_mark_victim")?.get(1)?;
    match btf.kind(arg)? {
        Kind::Ptr => Some(MarkVictimArg::Task),
        Kind::Int => Some(MarkVictimArg::Tid),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
