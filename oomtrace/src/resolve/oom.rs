//! What ran out, and whose limit it was: from the OOM killer's own record where it can be read, else inferred from the
//! kernel stack and the victim's memory counters.

use crate::correlate::path;
use crate::event::{Constraint, MarkVictim, MemcgLevel, OomChoice};
use crate::model::{LimitOwner, Oom, OomOrigin, OomScope, VictimMemory};
use crate::placement::Placement;
use crate::resolve::gaps::Gaps;
use crate::resolve::gfp;

use limit::{at_limit, limit_owner, path_of, victim_path};
pub use memory::describe_memory;

mod limit;
mod memory;

/// The order of an OOM kill that a person asks for (`is_sysrq_oom`, mm/oom_kill.c, 5.4 to 7.3).
const SYSRQ: i32 = -1;

/// How a statement about an OOM was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The kernel stack shows it.
    Stack,
    /// The counters suggest it.
    Counters,
}

/// The function is on the stack, or a part of it that the compiler split off (`oom_kill_process.cold`).
fn is_on_stack(symbols: &[String], name: &str) -> bool {
    path::own(symbols).iter().any(|symbol| path::is(symbol, name))
}

/// What ran out, by the stack, else by whether a counter is full.
#[must_use]
pub fn scope(symbols: &[String], levels: &[MemcgLevel]) -> (OomScope, Basis) {
    let on_stack = |name: &str| is_on_stack(symbols, name);
    if on_stack("mem_cgroup_out_of_memory") {
        return (OomScope::Memcg, Basis::Stack);
    }
    if on_stack("out_of_memory") || on_stack("moom_callback") {
        return (OomScope::Host, Basis::Stack);
    }
    let full = !at_limit(levels).is_empty();
    (if full { OomScope::Memcg } else { OomScope::Host }, Basis::Counters)
}

/// What called the OOM killer; none without a stack.
#[must_use]
pub fn origin(symbols: &[String]) -> Option<OomOrigin> {
    let on_stack = |name: &str| is_on_stack(symbols, name);
    // moom_callback is sysrq-f's, lru_gen_age_node min_ttl's (6.1). cgroup v1 refuses a limit below the usage instead.
    Some(match symbols {
        [] => return None,
        _ if on_stack("moom_callback") => OomOrigin::Sysrq,
        _ if on_stack("lru_gen_age_node") => OomOrigin::MinTtl,
        _ if on_stack("memory_max_write") => OomOrigin::LimitLowered,
        _ => OomOrigin::Allocation,
    })
}

/// The path of the cgroup that the OOM killer kills as one: of those with memory.oom.group from the victim's up to the limit
/// owner's, or to the root when there is none, the highest (mm/memcontrol.c, mem_cgroup_get_oom_group, 4.19 to 7.3).
fn group_cgroup(mark: &MarkVictim, owner: Option<&str>) -> Option<String> {
    let path = |level: &MemcgLevel| path_of(level, victim_path(mark));
    let up_to = mark.levels.iter().position(|level| path(level).as_deref() == owner).unwrap_or(mark.levels.len());
    mark.levels.iter().take(up_to + 1).rev().find(|level| level.oom_group).and_then(path)
}

/// The path of the cgroup whose limit was hit, as far as is known when the victim is marked: by the OOM killer's record,
/// else by the counters.
#[must_use]
pub fn owner_path(choice: Option<&OomChoice>, mark: &MarkVictim) -> Option<String> {
    match choice {
        Some(choice) => choice.owner.as_ref()?.1.clone(),
        None if at_limit(&mark.levels).is_empty() => None,
        None => limit_owner(&mark.levels).and_then(|(level, _)| path_of(level, victim_path(mark))),
    }
}

/// All that is known of one OOM kill.
pub struct Facts<'a> {
    /// The OOM killer's own record, where it can be read.
    pub choice: Option<&'a OomChoice>,
    pub mark: Option<&'a MarkVictim>,
    /// Functions on the kernel stack.
    pub symbols: &'a [String],
    /// Where the victim lives.
    pub placement: &'a Placement,
}

/// The contract's form. What could not be seen goes to `gaps`.
#[must_use]
pub fn describe(facts: &Facts<'_>, group: bool, gaps: &mut Gaps) -> Oom {
    let (scope, limit_owner) = match facts.choice {
        Some(choice) => by_record(choice, facts.placement),
        None => by_inference(facts, gaps),
    };
    let group_cgroup = facts.mark.and_then(|mark| group_cgroup(mark, limit_owner.as_ref().map(|o| o.path.as_str())));
    if facts.mark.is_none() {
        gaps.attribution.push("the victim's memory and limits (no mark_victim event came)".to_owned());
    }
    let levels = facts.mark.map(|mark| at_limit(&mark.levels)).unwrap_or_default();
    let path = facts.mark.and_then(victim_path);
    Oom {
        scope: Some(scope),
        origin: match facts.choice {
            // The record says it where no function has a name.
            Some(choice) if choice.order == SYSRQ => Some(OomOrigin::Sysrq),
            _ => origin(facts.symbols),
        },
        limit_owner,
        at_limit: levels.into_iter().filter_map(|level| path_of(level, path)).collect(),
        order: facts.choice.map(|choice| choice.order),
        gfp: facts.choice.map(|choice| gfp::names(choice.gfp)),
        group_cgroup,
        // Known where the levels are: set on one of them up to the limit's owner, or members died of it.
        group: if group { Some(true) } else { facts.mark.map(MarkVictim::is_group_kill) },
        chosen_points: facts.choice.map(|choice| choice.chosen_points),
        oom_score_adj: facts.mark.map(|m| m.oom_score_adj),
        victim_memory: facts.mark.map(|m| VictimMemory {
            anon_bytes: m.anon_bytes,
            file_bytes: m.file_bytes,
            shmem_bytes: m.shmem_bytes,
            swap_bytes: m.swap_bytes,
            page_tables_bytes: m.page_table_bytes,
            total_vm_bytes: m.total_vm_bytes,
        }),
        trigger_stack: None,
        candidates: None,
    }
}

/// What the OOM killer itself says.
fn by_record(choice: &OomChoice, placement: &Placement) -> (OomScope, Option<LimitOwner>) {
    let owner = choice.owner.as_ref().and_then(|(level, path)| Some(owner_of(level, path.clone()?, placement)));
    let scope = match (choice.constraint, &choice.owner) {
        (Constraint::Memcg, _) | (_, Some(_)) => OomScope::Memcg,
        (Constraint::Cpuset, None) => OomScope::Cpuset,
        (Constraint::MemoryPolicy, None) => OomScope::Mempolicy,
        (Constraint::None | Constraint::Other(_), None) => OomScope::Host,
    };
    (scope, owner)
}

/// What the stack and the counters suggest.
fn by_inference(facts: &Facts<'_>, gaps: &mut Gaps) -> (OomScope, Option<LimitOwner>) {
    let levels = facts.mark.map(|m| m.levels.as_slice()).unwrap_or_default();
    let (scope, basis) = scope(facts.symbols, levels);
    if basis == Basis::Counters {
        gaps.attribution.push("what ran out is guessed from how full each memory cgroup was".to_owned());
    }
    if scope == OomScope::Host {
        gaps.without_oom_record("whether a cpuset or a memory policy narrowed the choice");
        return (scope, None);
    }
    let Some((level, only)) = limit_owner(levels) else {
        gaps.attribution.push("which limit was hit (no memory cgroup of the victim shows one)".to_owned());
        return (scope, None);
    };
    if only {
        gaps.without_oom_record("which limit was hit is read off the counters: the only full one");
    } else if at_limit(levels).is_empty() {
        gaps.attribution.push("which limit was hit: none was full any more when the victim was chosen".to_owned());
    } else {
        gaps.without_oom_record("which limit was hit: more than one was full when the victim was chosen");
    }
    let path = path_of(level, facts.mark.and_then(victim_path));
    (scope, path.map(|path| owner_of(level, path, facts.placement)))
}

fn owner_of(level: &MemcgLevel, path: String, placement: &Placement) -> LimitOwner {
    LimitOwner {
        level: placement.level(&path),
        path,
        limit_bytes: level.limit_bytes,
        usage_bytes: Some(level.usage_bytes),
        peak_bytes: Some(level.peak_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::limit::tests::{MIB, level};
    use super::*;

    #[test]
    fn the_stack_says_what_ran_out_and_the_counters_only_suggest_it() {
        let stack = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let full = [level(1, MIB, Some(MIB))];
        for (symbols, levels, expected) in [
            ("oom_kill_process out_of_memory mem_cgroup_out_of_memory", &[][..], (OomScope::Memcg, Basis::Stack)),
            ("oom_kill_process out_of_memory __alloc_pages_may_oom", &full[..], (OomScope::Host, Basis::Stack)),
            ("oom_kill_process out_of_memory.cold", &full[..], (OomScope::Host, Basis::Stack)),
            ("", &full[..], (OomScope::Memcg, Basis::Counters)),
            ("", &[][..], (OomScope::Host, Basis::Counters)),
        ] {
            assert_eq!(scope(&stack(symbols), levels), expected, "{symbols}");
        }
    }

    #[test]
    fn the_stack_says_who_called_the_oom_killer() {
        for (stack, expected) in [
            ("out_of_memory __alloc_pages_may_oom", Some(OomOrigin::Allocation)),
            ("out_of_memory moom_callback process_one_work", Some(OomOrigin::Sysrq)),
            ("out_of_memory lru_gen_age_node balance_pgdat kswapd", Some(OomOrigin::MinTtl)),
            ("mem_cgroup_out_of_memory memory_max_write.cold kernfs_fop_write_iter", Some(OomOrigin::LimitLowered)),
            ("", None),
        ] {
            let symbols: Vec<String> = stack.split_whitespace().map(str::to_owned).collect();
            assert_eq!(origin(&symbols), expected, "{stack}");
        }
    }

    #[test]
    fn the_highest_oom_group_up_to_the_limit_owner_counts() {
        let mut mark = crate::correlate::fixture::mark(10, 20);
        mark.victim.as_mut().unwrap().memory_path = Some("/pod/box/inner".to_owned());
        let with = |depth, oom_group| MemcgLevel { oom_group, ..level(depth, MIB, None) };
        mark.levels = vec![with(3, true), with(2, true), with(1, true), with(0, false)];
        assert_eq!(group_cgroup(&mark, Some("/pod/box")).as_deref(), Some("/pod/box"));
        assert_eq!(group_cgroup(&mark, Some("/pod/box/inner")).as_deref(), Some("/pod/box/inner"));
        assert_eq!(group_cgroup(&mark, None).as_deref(), Some("/pod"));
        mark.levels = vec![with(3, false), with(2, false), with(1, true)];
        assert_eq!(group_cgroup(&mark, Some("/pod/box")), None);
    }

    fn choice(constraint: Constraint, owner: Option<MemcgLevel>) -> OomChoice {
        OomChoice {
            at: 0,
            trigger_tid: 10,
            chosen: crate::event::ProcessKey { pid: 20, start: 0 },
            chosen_points: 300,
            total_pages: 1000,
            constraint,
            order: 0,
            gfp: 0xcc0,
            owner: owner.map(|level| (level, Some("/a".to_owned()))),
        }
    }

    #[test]
    fn the_oom_killers_own_record_outweighs_every_inference() {
        let placement = Placement::default();
        let stack = ["mem_cgroup_out_of_memory".to_owned()];
        for (constraint, owner, scope) in [
            (Constraint::Memcg, Some(level(1, 5 * MIB, Some(9 * MIB))), OomScope::Memcg),
            (Constraint::None, None, OomScope::Host),
            (Constraint::Cpuset, None, OomScope::Cpuset),
            (Constraint::MemoryPolicy, None, OomScope::Mempolicy),
        ] {
            let choice = choice(constraint, owner);
            let facts = Facts { choice: Some(&choice), mark: None, symbols: &stack, placement: &placement };
            let mut gaps = Gaps::default();
            let oom = describe(&facts, false, &mut gaps);
            assert_eq!(
                (oom.scope, oom.chosen_points, oom.gfp.as_deref()),
                (Some(scope), Some(300), Some("GFP_KERNEL"))
            );
            // It is not full, and it is the owner all the same.
            assert_eq!(
                oom.limit_owner.map(|o| (o.path, o.limit_bytes)),
                owner.map(|o| ("/a".to_owned(), o.limit_bytes))
            );
            // Only the mark is missing here.
            assert_eq!((gaps.attribution.len(), gaps.named.len()), (1, 0), "{:?}", gaps.attribution);
        }
    }
}
