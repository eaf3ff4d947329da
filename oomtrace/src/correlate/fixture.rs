//! Events for unit tests: plain ones, to be changed by the test.

use crate::event::{BootNs, CgroupKey, Connect, Info, Listener, MarkVictim, Outcome, ProcessKey, Signal, Task};

/// A process in the machine's own pid namespace, alive.
pub fn task(pid: u32) -> Task {
    Task {
        key: ProcessKey { pid, start: u64::from(pid) * 1_000 },
        tid: pid,
        ppid: 1,
        uid: 0,
        ns_pid: pid,
        ns_level: 0,
        login_uid: None,
        session: None,
        kernel_thread: false,
        exiting: false,
        group_exit: None,
        pgid: None,
        mm: u64::from(pid) << 12,
        cgroup: CgroupKey { id: 1, hierarchy: 0, level: 0 },
        memory_cgroup: CgroupKey { id: 1, hierarchy: 4, level: 0 },
        cgroup_path: Some("/".to_owned()),
        memory_path: Some("/".to_owned()),
        comm: format!("p{pid}"),
        exe: Some(format!("/usr/bin/p{pid}")),
        namespaces: None,
    }
}

/// A SIGKILL by kill(2) from `sender` that ends `victim`.
pub fn signal(sender: u32, victim: u32) -> Signal {
    Signal {
        at: 1_000_000_000,
        number: 9,
        info: Info::Real(0),
        claimed: None,
        cpu: None,
        group: true,
        outcome: Outcome::Delivered,
        preceding: false,
        sender_traced: false,
        disposition: None,
        victim: Task { group_exit: Some(9), ..task(victim) },
        sender: task(sender),
        ancestors: Vec::new(),
        cmdline: None,
        cmdline_truncated: false,
        tty: None,
        stack: Vec::new(),
        symbols: Vec::new(),
        frames: Vec::new(),
        truncated: false,
    }
}

/// The OOM killer marks `victim` in the context of `trigger`.
pub fn mark(trigger: u32, victim: u32) -> MarkVictim {
    MarkVictim {
        at: 1_000_000_500,
        victim: Some(Task { group_exit: Some(9), ..task(victim) }),
        victim_tid: victim,
        trigger: task(trigger),
        anon_bytes: 1 << 20,
        file_bytes: 0,
        shmem_bytes: 0,
        swap_bytes: 0,
        page_table_bytes: 0,
        total_vm_bytes: 2 << 20,
        oom_score_adj: 0,
        sharers: 0,
        levels: Vec::new(),
        user_stack: Vec::new(),
    }
}

/// `task` connects to the first socket, a runtime's own.
pub fn connect(at: BootNs, task: Task) -> Connect {
    Connect {
        at,
        socket: 0,
        wrote: false,
        followed: true,
        listener: Some(Listener { pid: 1, uid: 0, mount: None }),
        task,
        ancestors: Vec::new(),
        cmdline: None,
        cmdline_truncated: false,
        tty: None,
    }
}
