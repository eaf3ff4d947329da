//! What the kernel says of an OOM kill: the victim's mark, the choice, and memory cgroups' counters.

use super::paths::{cgroup_path, set_paths};
use super::{DecodeError, fixed, many, section, task, wire};
use crate::event::{Constraint, MarkVictim, MemcgLevel, OomChoice, ProcessKey, UserFrame};

pub(super) fn mark_victim(
    event: &wire::MarkVictimEvent,
    at: &mut &[u8],
    page_size: u64,
) -> Result<MarkVictim, DecodeError> {
    let (header, tail) = (event.header, event.tail);
    let mut victim = task(&event.victim);
    let bytes = |pages: u64| pages.saturating_mul(page_size);
    let levels = many(at, tail.levels)?;
    let user_stack = user_stack(section(at, tail.user_stack)?)?;
    set_paths(&mut victim, section(at, tail.victim_cgroup)?, section(at, tail.victim_memory_cgroup)?);
    Ok(MarkVictim {
        at: header.boot_ns,
        victim_tid: victim.tid,
        victim: (header.flags & wire::FLAG_NO_TASK == 0).then_some(victim),
        trigger: task(&event.trigger),
        anon_bytes: bytes(event.anon_pages),
        file_bytes: bytes(event.file_pages),
        shmem_bytes: bytes(event.shmem_pages),
        swap_bytes: bytes(event.swap_pages),
        page_table_bytes: event.page_table_bytes,
        total_vm_bytes: bytes(event.total_vm_pages),
        oom_score_adj: event.oom_score_adj,
        sharers: event.sharers,
        levels: levels.iter().map(|found| level(found, page_size)).collect(),
        user_stack,
    })
}

/// Addresses, and where the kernel could look that up what is mapped there.
fn user_stack(mut section: &[u8]) -> Result<Vec<UserFrame>, DecodeError> {
    if section.is_empty() {
        return Ok(Vec::new());
    }
    let bytes: u64 = fixed(&mut section)?;
    let bytes = u16::try_from(bytes).map_err(|_| DecodeError::Truncated)?;
    let addresses: Vec<u64> = many(&mut section, bytes)?;
    let rest = u16::try_from(section.len()).map_err(|_| DecodeError::Truncated)?;
    let files: Vec<wire::UserFrame> = many(&mut section, rest)?;
    // Both are of one stack, or the one says nothing about the other.
    let files = if files.len() == addresses.len() { files } else { Vec::new() };
    let build = |frame: &wire::UserFrame| {
        let id = frame.build_id.iter().fold(String::new(), |id, byte| id + &format!("{byte:02x}"));
        (frame.status == wire::USER_FRAME_VALID).then_some((id, frame.offset))
    };
    let frame = |(index, address): (usize, u64)| UserFrame { address, build: files.get(index).and_then(build) };
    // Where frame pointers lead nowhere, the last address is none.
    Ok(addresses.into_iter().take_while(|address| *address != 0).enumerate().map(frame).collect())
}

pub(super) fn oom(event: &wire::OomEvent, at: &mut &[u8], page_size: u64) -> Result<OomChoice, DecodeError> {
    let owner = level(&event.owner, page_size);
    let path = cgroup_path(section(at, event.owner_path)?, owner.cgroup);
    Ok(OomChoice {
        at: event.header.boot_ns,
        trigger_tid: event.trigger_tid,
        chosen: ProcessKey { pid: event.chosen_tgid, start: event.chosen_start_boot_ns },
        chosen_points: event.chosen_points,
        total_pages: event.total_pages,
        constraint: match event.constraint {
            wire::CONSTRAINT_NONE => Constraint::None,
            wire::CONSTRAINT_CPUSET => Constraint::Cpuset,
            wire::CONSTRAINT_MEMORY_POLICY => Constraint::MemoryPolicy,
            wire::CONSTRAINT_MEMCG => Constraint::Memcg,
            other => Constraint::Other(other),
        },
        order: event.order,
        gfp: event.gfp,
        owner: (owner.cgroup.id != 0).then_some((owner, path)),
    })
}

fn level(found: &wire::MemcgLevel, page_size: u64) -> MemcgLevel {
    let bytes = |pages: u64| pages.saturating_mul(page_size);
    // PAGE_COUNTER_MAX is LONG_MAX / PAGE_SIZE (include/linux/page_counter.h, 5.4 to 7.3).
    let unlimited = (i64::MAX.unsigned_abs()).checked_div(page_size).unwrap_or(u64::MAX);
    let limit = |max: u64| (max < unlimited).then(|| bytes(max));
    MemcgLevel {
        cgroup: found.cgroup,
        usage_bytes: bytes(found.usage),
        limit_bytes: limit(found.max),
        peak_bytes: bytes(found.watermark),
        swap_usage_bytes: bytes(found.swap_usage),
        swap_limit_bytes: limit(found.swap_max),
        oom_group: found.oom_group != 0,
    }
}
