//! `oom_kill_process`: the OOM killer has chosen, and its record, `struct oom_control`, is final. A kernel function and no
//! tracepoint, static but never inlined (5.4 to 7.3), so it is probed: by a kprobe, or by fentry where the kernel has only
//! that. Arguments: `oc`, `message`.

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use oomtrace_common::{
    counts::OOM_CHOICES,
    event::{KIND_OOM, MemcgLevel, OomEvent},
    layout::ABSENT,
};

use crate::{
    globals::{OOM_SCRATCH, layout},
    kernel::{Probed, cgroup, field, memcg},
    record::Record,
    room,
};

#[kprobe]
pub fn oom_kill_process(ctx: ProbeContext) -> u32 {
    capture(ctx.arg(0).unwrap_or(0));
    0
}

#[fentry(function = "oom_kill_process")]
pub fn oom_kill_process_fentry(ctx: FEntryContext) -> i32 {
    capture(ctx.arg(0));
    0
}

/// Records the `oom_control` at `oc`.
#[inline(always)]
fn capture(oc: u64) {
    let Some((record, event)) = Record::<OomEvent>::start(&OOM_SCRATCH, OOM_CHOICES) else { return };
    let chosen: u64 = field!(oc, oc_chosen);
    let leader: u64 = field!(chosen, task_group_leader);
    event.trigger_tid = bpf_get_current_pid_tgid() as u32;
    event.chosen_tgid = field!(chosen, task_tgid);
    event.chosen_start_boot_ns = field!(leader, task_start_boottime);
    event.chosen_points = field!(oc, oc_chosen_points);
    event.total_pages = field!(oc, oc_totalpages);
    event.constraint = field!(oc, oc_constraint);
    event.order = field!(oc, oc_order);
    event.gfp = field!(oc, oc_gfp_mask);
    event.reserved = 0;
    let owner: u64 = field!(oc, oc_memcg);
    if owner != 0 && layout!(memcg_css) != ABSENT {
        let css = owner + u64::from(layout!(memcg_css));
        memcg::fill(&mut event.owner, css);
        cgroup::push_path::<Probed, _>(&record, field!(css, css_cgroup));
    } else {
        event.owner = MemcgLevel::default();
    }
    event.owner_path = record.section();
    record.send(KIND_OOM, room::is_free_for(chosen, record.bytes(), room::REST));
}
