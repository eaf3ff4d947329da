//! OOM kills: whose limit it was, and how sure that is.

use crate::judge::judgement::{LimitHolder, Reason};
use crate::judge::starting::is_starting;
use crate::model::{Cause, Confidence, Container, Incident, LimitLevel, Oom, OomOrigin, OomScope, SignalPath};

/// Certain when the OOM killer's own record was read; read off the counters, whose limit it was is likely at best.
pub fn by_oom(incident: &Incident, oom: &Oom) -> (Cause, Confidence) {
    let is_killers = incident.signal.path.is_some_and(SignalPath::is_oom_killers);
    let seen_on_stack = is_killers && incident.signal.path_confidence == Some(Confidence::Certain);
    // Only the OOM killer's own record has the points; it says what ran out, and whose limit it was.
    let by_record = oom.chosen_points.is_some();
    match (oom.scope, &oom.limit_owner) {
        (Some(OomScope::Memcg), Some(owner)) => {
            let by_name = owner.level == LimitLevel::Container && is_unconfirmed(incident, &owner.path);
            let cause = match owner.level {
                LimitLevel::Container => Cause::OomContainerLimit,
                LimitLevel::Pod => Cause::OomPodLimit,
                LimitLevel::Unit => Cause::OomUnitLimit,
                // A limit on the root is only there for a kernel inside a container; it is the machine's own.
                LimitLevel::Slice | LimitLevel::Root => Cause::OomSliceLimit,
            };
            let confidence = if by_record {
                if by_name { Confidence::Likely } else { Confidence::Certain }
            } else if seen_on_stack && oom.at_limit.len() == 1 {
                Confidence::Likely
            } else {
                Confidence::Possible
            };
            (cause, confidence)
        }
        (Some(OomScope::Memcg), None) => (own_level(incident), Confidence::Possible),
        (Some(OomScope::Cpuset | OomScope::Mempolicy), _) => {
            (Cause::OomConstrained, if by_record { Confidence::Certain } else { Confidence::Likely })
        }
        (Some(OomScope::Host) | None, _) if by_record => (Cause::OomHost, Confidence::Certain),
        (Some(OomScope::Host) | None, _) => {
            (Cause::OomHost, if seen_on_stack { Confidence::Likely } else { Confidence::Possible })
        }
    }
}

/// Only its name says that the cgroup at `path` is a container's.
fn is_unconfirmed(incident: &Incident, path: &str) -> bool {
    let owner = incident.container.iter().flat_map(Container::chain).find(|container| container.owns(path));
    owner.is_some_and(|container| !container.confirmed)
}

/// A memory cgroup's limit, and nothing says which: the victim's own is the first guess.
fn own_level(incident: &Incident) -> Cause {
    match (&incident.container, &incident.unit) {
        (Some(_), _) => Cause::OomContainerLimit,
        (None, Some(_)) => Cause::OomUnitLimit,
        (None, None) => Cause::OomSliceLimit,
    }
}

/// What there is to say of it besides: whose limit, or what brought the OOM killer in.
pub fn reason(incident: &Incident, oom: &Oom, cause: Cause) -> Reason {
    match (cause, oom.origin) {
        (Cause::OomHost, Some(OomOrigin::Sysrq)) => Reason::Sysrq,
        (Cause::OomHost, Some(OomOrigin::MinTtl)) => Reason::MinTtl,
        (Cause::OomHost | Cause::OomConstrained, _) => Reason::Plain,
        (_, origin) => {
            let starting =
                incident.is_contained() && may_become_first(incident) && is_starting(&incident.victim.process);
            let lowered = origin == Some(OomOrigin::LimitLowered);
            Reason::Limit { holder: holder(incident, cause), lowered, starting }
        }
    }
}

/// One that is brought in by exec is not the container's first process: that has started long before. runc's own steps before the last are not
/// in the container's pid namespace yet (libcontainer/nsenter/nsexec.c), and nor is anything of a container that has none.
fn may_become_first(incident: &Incident) -> bool {
    let process = &incident.victim.process;
    let known = incident.container.as_ref().and_then(|container| container.init_pid);
    match process.pid_in_namespace {
        Some(within) if within == process.pid => known.is_none_or(|init| init == process.pid),
        within => within.is_none_or(|within| within == 1),
    }
}

fn holder(incident: &Incident, cause: Cause) -> LimitHolder {
    match (cause, outer_owner(incident)) {
        (Cause::OomContainerLimit, Some(outer)) => LimitHolder::OuterContainer(Box::new(outer.clone())),
        (Cause::OomSliceLimit, _) if is_own_limit(incident) => LimitHolder::OwnCgroup,
        _ => LimitHolder::Level,
    }
}

/// The container around the victim's whose limit it was; none when it was the victim's own.
fn outer_owner(incident: &Incident) -> Option<&Container> {
    let owner = incident.oom.as_ref()?.limit_owner.as_ref()?;
    incident.container.as_ref()?.chain().skip(1).find(|outer| outer.owns(&owner.path))
}

/// The limit that was hit is that of the victim's own memory cgroup.
fn is_own_limit(incident: &Incident) -> bool {
    let level = incident.memory.as_ref().and_then(|memory| memory.levels.first()).map(|level| &level.path);
    let lives_in = incident.victim.process.cgroup.as_ref();
    // Without its counters: where it lives.
    let own = level.or(lives_in);
    let owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref()).map(|owner| &owner.path);
    // The kernel's log has the owner's counters alone.
    let is_below = owner
        .zip(lives_in)
        .is_some_and(|(owner, path)| path.strip_prefix(owner.as_str()).is_some_and(|rest| rest.starts_with('/')));
    own.is_some() && own == owner && !is_below
}

#[cfg(test)]
mod tests;
