//! What belongs together: the rules by which signals become episodes.

use crate::correlate::episode::{Episode, Kill};
use crate::correlate::open::Open;
use crate::correlate::path::{self, Path, Reach};
use crate::event::{Arguments, BootNs, CgroupKey, Info, Outcome, Signal, Task};
use crate::model::{Role, SignalPath};
use crate::node::signals::SIGKILL;

/// This SIGKILL is what ends its victim: the kernel did not ignore it, and the process was not dying of something else.
///
/// `complete_signal` (kernel/signal.c) has set SIGNAL_GROUP_EXIT and `group_exit_code = 9` by the time of the
/// tracepoint, unless the process was exiting already; before 6.0 such a signal still counts as delivered.
pub fn is_kill(signal: &Signal) -> bool {
    signal.outcome == Outcome::Delivered && signal.victim.group_exit.is_some_and(|status| status & 0x7f == SIGKILL)
}

/// `signal` belongs to an episode that is open: one context goes on killing for one reason.
pub fn belongs(open: &Open, signal: &Signal, path: Path) -> bool {
    if !open.has_room() {
        return false;
    }
    // The threads of a sender take turns (Go moves its goroutines between them), so its process is what counts here.
    if open.sender == signal.sender.key && open.until > signal.at && is_one_by_one(open, signal, path) {
        return true;
    }
    if open.tid != signal.sender.tid || open.sender != signal.sender.key || is_orphaned(open) {
        return false;
    }
    // A context is in oom_kill_memcg_member for one episode only, its first kill the last that was chosen.
    if path.path == SignalPath::OomGroup {
        return open.episode.is_oom();
    }
    if open.until <= signal.at {
        return false;
    }
    let Some(first) = open.episode.chosen.path else { return false };
    match (first.path, path.path) {
        (SignalPath::CgroupKill, SignalPath::CgroupKill) => true,
        (SignalPath::PidNamespaceExit, SignalPath::PidNamespaceExit) => true,
        // pidfd_send_signal(2) has PIDFD_SIGNAL_PROCESS_GROUP (6.9).
        (SignalPath::Kill, SignalPath::Kill) | (SignalPath::PidfdSendSignal, SignalPath::PidfdSendSignal) => {
            match path::reach(signal) {
                Reach::One => false,
                Reach::Group => open.episode.first().is_some_and(|first| is_one_group(first, signal)),
                Reach::All => open.episode.first().is_some_and(|first| path::reach(first) == Reach::All),
            }
        }
        // After the chosen process those die that share its memory. One that does not was chosen by itself: the context
        // had to kill again.
        (_, SignalPath::OomKill) => shares_memory(&open.episode, signal),
        // Without symbols an OOM kill is known by its mark, and what shares its memory by that.
        (_, SignalPath::OtherKernel) => signal.info == Info::Kernel && open.episode.is_oom(),
        _ => false,
    }
}

/// Forked children that were killed with their cgroup, and who killed it was not seen so far. Their parents only forked.
pub fn is_orphaned(open: &Open) -> bool {
    open.episode.first().is_some_and(path::is_at_fork)
}

/// An open episode is that of a cgroup being killed as one, and one of its victims was in `cgroup`.
pub fn is_of_killed_cgroup(open: &Open, cgroup: CgroupKey, at: BootNs) -> bool {
    open.until > at
        && open.has_room()
        && open.episode.chosen.path.is_some_and(|path| path.path == SignalPath::CgroupKill)
        // The latest first: a cgroup's processes follow each other.
        && open.episode.latest_first().any(|kill| kill.victim().is_some_and(|v| v.cgroup == cgroup))
}

/// The signal's victim has the memory of one that the OOM killer chose in this episode.
fn shares_memory(episode: &Episode, signal: &Signal) -> bool {
    let mut of_oom = episode.kills().filter_map(|kill| kill.signal.as_ref()).map(|signal| signal.victim.mm);
    episode.is_oom() && signal.victim.mm != 0 && of_oom.any(|mm| mm == signal.victim.mm)
}

/// `signal` goes on with what an open episode began: its sender kills the processes of a cgroup one by one. The init of a
/// container is never one among others: the container ends with it.
pub fn is_one_by_one(open: &Open, signal: &Signal, path: Path) -> bool {
    let Some(first) = open.episode.first().filter(|first| !path::is_at_fork(first)) else { return false };
    path::is_by_process(path.path, signal.info)
        && open.episode.chosen.path.is_some_and(|p| path::is_by_process(p.path, first.info))
        && is_from_outside(signal)
        && !signal.victim.is_namespace_init()
        && home(&first.victim) == home(&signal.victim)
}

/// The sender does not live where its victim does, as a runtime or a service manager does not.
pub fn is_from_outside(signal: &Signal) -> bool {
    let home_of_victim = home(&signal.victim);
    home_of_victim.is_some() && home(&signal.sender) != home_of_victim
}

/// The sender leads the process group that its victim is in, or is its victim's parent, and may go on to kill the group, itself with it:
/// timeout(1) kills its command, which may have left the group (setsid, a shell with job control), and then its group (`cleanup` of
/// src/timeout.c, coreutils 8.0 to 9.7), at its limit or after `--kill-after`.
pub fn may_go_on_to_own_group(signal: &Signal) -> bool {
    let (victim, sender) = (&signal.victim, signal.sender.key);
    victim.key != sender && (victim.pgid == Some(sender.pid) || victim.ppid == sender.pid)
}

/// The sender is timeout(1), whose second call is certain to come, however late. It is known by its program's file: a process may call
/// itself anything, and one program may have more than one name only where it holds all of coreutils. Where the file is not known, what
/// it calls itself counts: its own kills are reported half a second later then.
pub fn is_timeouts(signal: &Signal) -> bool {
    let name = signal.sender.exe.as_deref().and_then(|exe| exe.rsplit('/').next());
    let is_timeout = match name {
        Some("coreutils") | None => signal.sender.comm == "timeout",
        Some(name) => name == "timeout",
    };
    is_timeout && may_go_on_to_own_group(signal) && !is_foreground(signal)
}

/// The sender, timeout(1), is asked to make no process group of its own, and so kills its command alone: `--foreground`, or `-f`
/// (`cleanup` and `main` of src/timeout.c, coreutils 8.13 to 9.7).
fn is_foreground(signal: &Signal) -> bool {
    let (all, _) = signal.cmdline.as_ref().map(Arguments::to_vec).unwrap_or_default();
    let is_own = |word: &&String| word.rsplit('/').next() == Some("timeout");
    let mut words = all.iter().skip_while(|word| !is_own(word)).skip(1);
    while let Some(word) = words.next() {
        // Long ones may be shortened; `--` ends them.
        let is_short_for = |long: &str, option: &str| !long.is_empty() && option.starts_with(long);
        let takes_next = match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(""), _) | (None, None) => return false,
            (Some(long), _) if is_short_for(long, "foreground") => return true,
            (Some(long), _) => is_short_for(long, "signal") || is_short_for(long, "kill-after"),
            (None, Some(letters)) => {
                // What follows these two is their value.
                let (flags, value) = letters.split_once(['s', 'k']).unwrap_or((letters, "-"));
                if flags.contains('f') {
                    return true;
                }
                value.is_empty()
            }
        };
        if takes_next {
            words.next();
        }
    }
    false
}

/// A call for a process group goes on with what a kill of the same sender's began: the group of that victim, or the sender's own after its
/// child.
fn is_one_group(first: &Signal, signal: &Signal) -> bool {
    let sender = signal.sender.key.pid;
    first.victim.pgid == signal.victim.pgid || (first.victim.ppid == sender && signal.victim.pgid == Some(sender))
}

/// The cgroup that a process lives in; none for the root, where anything may live.
pub fn home(task: &Task) -> Option<CgroupKey> {
    [task.cgroup, task.memory_cgroup].into_iter().find(|cgroup| cgroup.level > 0)
}

/// The SIGKILL may be the OOM killer's: the kernel made it, and the stack shows no other path. An episode stays open until
/// its victim has ended, so a mark for a process that somebody else killed may find that kill in the same context.
pub fn may_be_oom(kill: &Kill) -> bool {
    let by_kernel = kill.signal.as_ref().is_some_and(|signal| signal.info == Info::Kernel);
    by_kernel && kill.path.is_some_and(|p| p.path.is_oom_killers() || !p.seen_on_stack)
}

/// The kernel kills what is left of a pid namespace, in the context of its init, which is in do_exit. Without symbols that
/// is all that shows it.
pub fn is_sweep(signal: &Signal, path: Path) -> bool {
    let dying_init = signal.sender.exiting && signal.sender.is_namespace_init() && signal.info == Info::Kernel;
    path.path == SignalPath::PidNamespaceExit || (path.path == SignalPath::OtherKernel && dying_init)
}

/// Corrects what could not be known when it came: without symbols, a kernel-made kill in the context of an OOM victim
/// that was neither marked nor shares memory is the sweep of that victim's pid namespace.
pub fn settle(mut episode: Episode) -> Episode {
    let marked: Vec<u64> = episode
        .kills()
        .filter(|kill| kill.mark.is_some())
        .filter_map(|kill| Some(kill.signal.as_ref()?.victim.mm))
        .collect();
    for (role, kill) in &mut episode.collateral {
        let unseen = kill.path.is_none_or(|path| !path.seen_on_stack);
        let alone = kill.signal.as_ref().is_none_or(|s| !marked.contains(&s.victim.mm));
        if *role == Role::SharedMm && unseen && alone {
            *role = Role::PidNamespace;
        }
    }
    episode
}

/// What a victim besides the chosen one is, by the signal that killed it.
pub fn role(path: SignalPath, signal: &Signal) -> Role {
    match path {
        _ if path::reach(signal) != Reach::One => Role::ProcessGroup,
        SignalPath::CgroupKill => Role::CgroupKill,
        path if path::is_by_process(path, signal.info) => Role::OneByOne,
        SignalPath::PidNamespaceExit => Role::PidNamespace,
        SignalPath::OomGroup => Role::OomGroup,
        _ => Role::SharedMm,
    }
}

#[cfg(test)]
mod tests;
