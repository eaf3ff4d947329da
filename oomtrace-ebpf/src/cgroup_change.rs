//! `cgroup:cgroup_mkdir`, `cgroup_rename`, `cgroup_rmdir`, `cgroup_release`: a cgroup is created, renamed, removed and released.
//! Argument: the cgroup (include/trace/events/cgroup.h, 4.13 to 7.3). `mkdir` fires before any process can be in it.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use oomtrace_common::{
    counts::CGROUPS,
    event::{CGROUP_MADE, CGROUP_RELEASED, CGROUP_REMOVED, CGROUP_RENAMED, CgroupEvent, KIND_CGROUP},
};

use crate::{
    count,
    globals::{CGROUP_SCRATCH, settings},
    kernel::{Probed, cgroup},
    limit,
    record::Record,
    room,
};

#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
pub fn cgroup_mkdir(ctx: RawTracePointContext) -> i32 {
    capture(ctx.arg(0), CGROUP_MADE);
    0
}

#[raw_tracepoint(tracepoint = "cgroup_rename")]
pub fn cgroup_rename(ctx: RawTracePointContext) -> i32 {
    capture(ctx.arg(0), CGROUP_RENAMED);
    0
}

#[raw_tracepoint(tracepoint = "cgroup_rmdir")]
pub fn cgroup_rmdir(ctx: RawTracePointContext) -> i32 {
    capture(ctx.arg(0), CGROUP_REMOVED);
    0
}

#[raw_tracepoint(tracepoint = "cgroup_release")]
pub fn cgroup_release(ctx: RawTracePointContext) -> i32 {
    capture(ctx.arg(0), CGROUP_RELEASED);
    0
}

#[inline(always)]
fn capture(cgroup: u64, what: u32) {
    let key = cgroup::key::<Probed>(cgroup);
    let memory: u32 = settings!(memory_hierarchy);
    // A container has a cgroup on each v1 hierarchy. The others report nothing that these two do not.
    if key.hierarchy != 0 && key.hierarchy != memory {
        return;
    }
    if !limit::allows_cgroup(cgroup) {
        return count::limited(CGROUPS);
    }
    let Some((record, event)) = Record::<CgroupEvent>::start(&CGROUP_SCRATCH, CGROUPS) else { return };
    event.cgroup = key;
    event.what = what;
    if what == CGROUP_MADE || what == CGROUP_RENAMED {
        cgroup::push_path::<Probed, _>(&record, cgroup);
    }
    event.path = record.section();
    event.reserved = 0;
    record.send(KIND_CGROUP, room::is_free(room::OTHERS));
}
