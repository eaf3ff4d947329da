//! Incidents in words: the same ones in the verdict, on the terminal and in evidence.

use crate::node::signals;

use super::model::{Cause, Confidence, Incident, LimitLevel, LimitOwner, Process, SignalPath};
use super::quote::quote;

/// `nginx[22490]`.
#[must_use]
pub fn process(process: &Process) -> String {
    // The kernel keeps 15 bytes of a name; the executable's file name may have the rest.
    let file = process.exe.as_deref().and_then(|exe| exe.rsplit('/').next());
    let name = match file.filter(|file| process.comm.len() == 15 && file.starts_with(&process.comm)) {
        Some(file) => file.strip_suffix(" (deleted)").unwrap_or(file),
        None if process.comm.is_empty() => "unknown",
        None => &process.comm,
    };
    format!("{}[{}]", quote(name), process.pid)
}

/// Bytes as people read them: `512 MiB`, `1.5 GiB`, `12 KiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let Some((unit, shift)) = UNITS.into_iter().find(|(_, shift)| bytes >> shift != 0) else {
        return format!("{bytes} B");
    };
    // Tenths, rounded down: a usage must not be shown above its limit.
    let tenths = (u128::from(bytes) * 10) >> shift;
    if tenths >= 1000 || tenths.is_multiple_of(10) {
        format!("{} {unit}", tenths / 10)
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// Milliseconds as people read them: `12 ms`, `10.0 s`, `2 min 5 s`.
#[must_use]
pub fn duration_ms(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// Microseconds as people read them: `87 µs`, `3 ms`.
#[must_use]
pub fn duration_us(us: u64) -> String {
    if us < 1000 { format!("{us} µs") } else { duration_ms(us / 1000) }
}

/// What the machine had left right after an OOM kill, in bytes.
#[must_use]
pub fn host_available(incident: &Incident) -> Option<u64> {
    incident.memory.as_ref()?.host?.available_bytes
}

/// The largest processes besides the victim, at most `count`: `java[7] 2.1 GiB, redis[9] 300 MiB`; none when there is none.
#[must_use]
pub fn other_large_processes(incident: &Incident, count: usize) -> Option<String> {
    let largest = incident.memory.as_ref().map(|memory| memory.largest.as_slice()).unwrap_or_default();
    let others = largest.iter().filter(|user| user.pid != incident.victim.process.pid);
    let named: Vec<String> = others
        .take(count)
        .map(|user| format!("{}[{}] {}", quote(&user.comm), user.pid, bytes(user.resident_bytes)))
        .collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// A path's name as in the contract.
#[must_use]
pub fn path_name(path: SignalPath) -> &'static str {
    match path {
        SignalPath::Kill => "kill",
        SignalPath::Tkill => "tkill",
        SignalPath::Tgkill => "tgkill",
        SignalPath::RtSigqueueinfo => "rt_sigqueueinfo",
        SignalPath::PidfdSendSignal => "pidfd_send_signal",
        SignalPath::CgroupKill => "cgroup_kill",
        SignalPath::OomKill => "oom_kill",
        SignalPath::OomGroup => "oom_group",
        SignalPath::OomSharedMm => "oom_shared_mm",
        SignalPath::PidNamespaceExit => "pid_namespace_exit",
        SignalPath::ParentDeath => "parent_death",
        SignalPath::Ptrace => "ptrace",
        SignalPath::PidfdAutokill => "pidfd_autokill",
        SignalPath::RlimitCpu => "rlimit_cpu",
        SignalPath::RlimitRttime => "rlimit_rttime",
        SignalPath::PosixTimer => "posix_timer",
        SignalPath::MessageQueue => "message_queue",
        SignalPath::AsyncIo => "async_io",
        SignalPath::Sysrq => "sysrq",
        SignalPath::BpfSendSignal => "bpf_send_signal",
        SignalPath::ForceSignal => "force_signal",
        SignalPath::Unseen => "unseen",
        SignalPath::OtherKernel => "other_kernel",
    }
}

/// Whose a limit is, as the end of "the limit of …".
#[must_use]
pub fn owner(level: LimitLevel) -> &'static str {
    match level {
        LimitLevel::Container => "the container's own",
        LimitLevel::Pod => "the pod's",
        LimitLevel::Unit => "the unit's",
        LimitLevel::Slice => "that of cgroup",
        LimitLevel::Root => "the root cgroup's",
    }
}

/// A container as a person names it, quoted: its name, else the id's first twelve digits.
#[must_use]
pub fn container_name(incident: &Incident) -> Option<String> {
    let container = incident.container.as_ref()?;
    let name = container.name.as_deref().filter(|name| !name.is_empty());
    let id = || match container.confirmed {
        true => quote(short_id(&container.id)).into_owned(),
        false => format!("{} (unconfirmed)", quote(short_id(&container.id))),
    };
    Some(name.map_or_else(id, |name| quote(name).into_owned()))
}

/// The first twelve digits of a container's id, as Docker shows it; a name stays whole.
#[must_use]
pub fn short_id(id: &str) -> &str {
    if id.len() == 64 { id.get(..12).unwrap_or(id) } else { id }
}

/// The verdict in one sentence.
#[must_use]
pub fn summary(incident: &Incident, cause: Cause) -> String {
    let victim = victim(incident);
    let sender = incident.sender.process.as_ref().map_or_else(|| "the kernel".to_owned(), process);
    match cause {
        Cause::OomContainerLimit | Cause::OomPodLimit | Cause::OomUnitLimit | Cause::OomSliceLimit => {
            let limit_owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
            let whose = match cause {
                Cause::OomContainerLimit => "the container's own memory limit",
                Cause::OomPodLimit => "the pod's memory limit",
                Cause::OomUnitLimit => "the unit's memory limit",
                _ => "the memory limit",
            };
            let amount =
                limit_owner.and_then(|o| o.limit_bytes).map(|l| format!(" of {}", bytes(l))).unwrap_or_default();
            let place = match (cause, limit_owner) {
                (Cause::OomSliceLimit, Some(owner)) => format!(" of cgroup {}", quote(&owner.path)),
                (Cause::OomUnitLimit, Some(owner)) => format!(" ({})", quote(&owner.path)),
                _ => String::new(),
            };
            match cause {
                Cause::OomSliceLimit => {
                    format!("{victim} was OOM-killed at {whose}{place}{amount}.", amount = limit_of(limit_owner))
                }
                _ => format!("{victim} was OOM-killed at {whose}{amount}{place}."),
            }
        }
        Cause::OomHost => format!("{victim} was OOM-killed because the machine ran out of memory."),
        Cause::OomConstrained => {
            format!("{victim} was OOM-killed because the memory nodes that it may use were full.")
        }
        Cause::UserspaceOomKiller => format!("{victim} was killed by the out-of-memory daemon {sender}."),
        Cause::RuntimeKill => {
            format!("{victim} was killed by the container runtime ({sender}){}.", unasked(incident))
        }
        Cause::RuntimeStopTimeout => {
            let stop = super::super::verdict::judge::stop_request(incident);
            let before = stop.map(|p| format!("{} after {}", duration_ms(p.before_ms), p.name)).unwrap_or_default();
            format!("{victim} was killed by the container runtime ({sender}) {before}, because it had not stopped.")
        }
        Cause::ServiceManagerKill => format!("{victim} was killed by the service manager {sender}."),
        Cause::KubeletProbeFailure => format!("{victim} was killed because a probe failed."),
        Cause::KubeletEviction => format!("{victim} was killed because its pod was evicted."),
        Cause::KubeletPreemption => format!("{victim} was killed because its pod was preempted."),
        Cause::KubeletDeletion => format!("{victim} was killed because its pod was deleted."),
        Cause::SameContainerKill => format!("{victim} was killed by {sender} inside the same container."),
        Cause::ProcessKill => format!("{victim} was killed by {sender}."),
        Cause::SelfKill => format!("{victim} killed itself."),
        Cause::CgroupKill if incident.sender.process.is_none() => {
            format!("{victim} was killed because it was forked into a cgroup that was being killed (cgroup.kill).")
        }
        Cause::CgroupKill => format!("{victim} was killed by {sender} through cgroup.kill."),
        Cause::PidNamespaceExit => format!("{victim} was killed by the kernel because {}.", init_ended(incident)),
        Cause::ParentExit => format!("{victim} was killed by the kernel because its parent ended (PR_SET_PDEATHSIG)."),
        Cause::RlimitCpu => format!("{victim} was killed by the kernel because it used up its CPU time (RLIMIT_CPU)."),
        Cause::RlimitRttime => format!(
            "{victim} was killed by the kernel because it ran in real time for too long without a pause (RLIMIT_RTTIME)."
        ),
        Cause::Timer => format!("{victim} was killed by a timer that it had set for itself (timer_create)."),
        Cause::Ptrace => format!("{victim} was killed through ptrace by its tracer."),
        Cause::BpfProgram => format!("{victim} was killed by a BPF program (bpf_send_signal)."),
        Cause::OtherKernel if incident.signal.path == Some(SignalPath::Unseen) => {
            format!("{victim} was ended by SIGKILL, and no signal that was seen explains it.")
        }
        Cause::OtherKernel => match kernel_part(incident) {
            Some(part) => format!("{victim} was killed by the kernel: {part}."),
            None => {
                let path = incident.signal.path.map_or("unknown", path_name);
                format!("{victim} was killed by the kernel (path {path}).")
            }
        },
    }
}

/// `, without a stop signal before`; nothing when there was one that does not explain the kill.
#[must_use]
pub fn unasked(incident: &Incident) -> &'static str {
    let asked = incident.preceding.iter().any(|p| super::super::verdict::judge::is_stop_signal(incident, p.signal));
    if asked { "" } else { ", without a stop signal before" }
}

/// Which part of the kernel it was, where that has no cause of its own.
#[must_use]
pub fn kernel_part(incident: &Incident) -> Option<&'static str> {
    match incident.signal.path? {
        SignalPath::MessageQueue => {
            return Some("it had asked to be notified of a message by SIGKILL (mq_notify)");
        }
        SignalPath::AsyncIo => {
            return Some(
                "a file descriptor was set to send SIGKILL to it when there is something to read or write (F_SETSIG)",
            );
        }
        SignalPath::PidfdAutokill => {
            return Some("the last descriptor was closed that it was to live for (CLONE_PIDFD_AUTOKILL)");
        }
        SignalPath::OtherKernel if incident.signal.path_confidence == Some(Confidence::Certain) => {}
        _ => return None,
    }
    const PARTS: [(&str, &str); 5] = [
        ("aa_audit", "AppArmor's profile says so"),
        ("__do_SAK", "the secure attention key ends what uses its terminal"),
        ("kill_procs", "memory that it uses is broken"),
        ("reboot_pid_ns", "a process in its pid namespace asked for a reboot"),
        ("do_notify_parent", "a child of it ended, whose exit signal it had chosen to be SIGKILL (clone)"),
    ];
    let own = super::path::own(&incident.signal.kernel_stack);
    PARTS.iter().find(|(function, _)| own.iter().any(|symbol| super::path::is(symbol, function))).map(|(_, part)| *part)
}

/// Why a pid namespace was swept: `the init of its pid namespace, sh[7], had been killed by runc[9]`.
#[must_use]
pub fn init_ended(incident: &Incident) -> String {
    let Some(end) = &incident.init_end else { return "the init of its pid namespace ended".to_owned() };
    let init = process(&end.init);
    match &end.killed {
        Some(killed) => {
            let by = killed.by.as_ref().map_or_else(|| "the kernel".to_owned(), process);
            format!("the init of its pid namespace, {init}, had been killed by {by}")
        }
        None => match end.status {
            Some(status) => format!("the init of its pid namespace, {init}, {}", ended(status)),
            None => format!("the init of its pid namespace, {init}, ended"),
        },
    }
}

/// A wait status in words: `exited with 1`, `was ended by SIGSEGV`.
#[must_use]
pub fn ended(status: u32) -> String {
    match status & 0x7f {
        0 => format!("exited with {}", status >> 8 & 0xff),
        signal => format!("was ended by {}", signals::name(signal)),
    }
}

/// ` of 512 MiB`, as the end of a sentence about a limit; nothing when it is not known.
fn limit_of(owner: Option<&LimitOwner>) -> String {
    owner.and_then(|owner| owner.limit_bytes).map(|limit| format!(" ({})", bytes(limit))).unwrap_or_default()
}

/// `nginx[22490] in container web`.
fn victim(incident: &Incident) -> String {
    let process = process(&incident.victim.process);
    match (container_name(incident), &incident.unit) {
        (Some(name), _) => format!("{process} in container {name}"),
        (None, Some(unit)) => format!("{process} in {}", quote(unit)),
        (None, None) => process,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_down_to_three_figures() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (512 << 20, "512 MiB"),
            ((512 << 20) - 1, "511 MiB"),
            ((1 << 30) + (1 << 29), "1.5 GiB"),
            (u64::MAX, "16777215 TiB"),
        ] {
            assert_eq!(bytes(size), text, "{size}");
        }
    }

    #[test]
    fn durations() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1.0 s"),
            (10_049, "10.0 s"),
            (59_999, "59.9 s"),
            (125_000, "2 min 5 s"),
        ] {
            assert_eq!(duration_ms(ms), text);
        }
    }

    #[test]
    fn only_long_ids_are_shortened() {
        assert_eq!(short_id(&"ab".repeat(32)), "abababababab");
        assert_eq!(short_id("web"), "web");
    }
}
