//! Incidents in words: the same ones in the verdict, on the terminal and in evidence.

pub mod ascii;
pub mod escape;
pub mod plot;
pub mod quote;
pub mod when;

use std::borrow::Cow;

use crate::model::{Container, Elevation, Incident, LimitLevel, Pod, Process, SignalPath, Source};
use crate::node::signals;
use crate::placement::user_of;
use crate::text::quote::quote;

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

/// How long the victim had lived when the signal came, in milliseconds. None: it is not known when it was started.
#[must_use]
pub fn age_ms(incident: &Incident) -> Option<u64> {
    let started: jiff::Timestamp = incident.victim.process.started.as_ref()?.parse().ok()?;
    let killed: jiff::Timestamp = incident.time.parse().ok()?;
    u64::try_from(killed.duration_since(started).as_millis()).ok()
}

/// `once`, `3 times`.
#[must_use]
pub fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Each run of 64 hexadecimal digits as its first twelve and an ellipsis.
#[must_use]
pub fn shorten_ids(text: &str) -> String {
    let is_id = |part: &str| part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let parts = text.split_inclusive(|c: char| !c.is_ascii_hexdigit());
    parts
        .map(|part| {
            let digits = part.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
            let rest = part.get(digits.len()..).unwrap_or_default();
            if is_id(digits) { format!("{}…{rest}", short_id(digits)) } else { part.to_owned() }
        })
        .collect()
}

/// Where a fact comes from.
#[must_use]
pub const fn source(source: Source) -> &'static str {
    match source {
        Source::Kernel => "the kernel",
        Source::Cgroup => "the cgroup",
        Source::Procfs => "/proc",
        Source::Runtime => "the runtime",
        Source::Kubernetes => "the Kubernetes API",
        Source::Kmsg => "the kernel's log",
        Source::Systemd => "systemd",
        Source::Logins => "the record of logins",
    }
}

/// The beginning of a text, of so many bytes at most.
#[must_use]
pub fn clip(text: &str, most: usize) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= most).last().unwrap_or(0);
    text.get(..end).unwrap_or_default()
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

/// How long something has been there, in its two largest units: `40 ms`, `12.3 s`, `2 min 5 s`, `3 h 12 min`, `12 d 4 h`.
#[must_use]
pub fn elapsed_ms(ms: u64) -> String {
    let minutes = ms / 60_000;
    match minutes {
        0..60 => duration_ms(ms),
        60..1_440 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1_440, minutes % 1_440 / 60),
    }
}

/// Microseconds as people read them: `87 µs`, `3 ms`.
#[must_use]
pub fn duration_us(us: u64) -> String {
    if us < 1000 { format!("{us} µs") } else { duration_ms(us / 1000) }
}

/// `through sudo, run by alice (uid 1000)`.
#[must_use]
pub fn elevation(elevation: &Elevation) -> String {
    let by = &elevation.by;
    match (elevation.uid, &elevation.user) {
        (Some(uid), Some(user)) => format!("through {by}, run by {user} (uid {uid})"),
        (Some(uid), None) => format!("through {by}, run by uid {uid}"),
        (None, _) => format!("through {by}"),
    }
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
    incident.container.as_ref().map(known_name)
}

/// Nanoseconds since 1970 of a time as the contract has it; 64 bits last until 2262.
#[must_use]
pub fn nanoseconds(time: &str) -> Option<i64> {
    let time: jiff::Timestamp = time.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

/// A container's name, else the start of its id and whether that is its runtime's word, and whose it is where it is a user's own.
#[must_use]
pub fn known_name(container: &Container) -> String {
    let name = container.name.as_deref().filter(|name| !name.is_empty());
    let id = || match container.confirmed {
        true => quote(short_id(&container.id)).into_owned(),
        false => format!("{} (unconfirmed)", quote(short_id(&container.id))),
    };
    of_user(container, name.map_or_else(id, |name| quote(name).into_owned()).into()).into_owned()
}

/// A container's name, else the start of its id, and whose it is where it is a user's own.
#[must_use]
pub fn name_or_id(container: &Container) -> Cow<'_, str> {
    of_user(container, quote(container.name.as_deref().unwrap_or_else(|| short_id(&container.id))))
}

/// A container with its pod, if it has one: containers of two pods may have one name. `shop/web-5d4/app`, `web`.
#[must_use]
pub fn full_name(container: &Container) -> String {
    let own = name_or_id(container);
    match container.pod.as_ref().and_then(pod_name) {
        Some(pod) => format!("{pod}/{own}"),
        None => own.into_owned(),
    }
}

/// `web.service`, `web.service of user 1000`: a user's own service manager may have units of any names. One that lies right below the user's slice was
/// made by root (logind).
#[must_use]
pub fn unit_name(unit: &str, cgroup: Option<&str>) -> String {
    let name = quote(&shorten_ids(unit)).into_owned();
    let users = cgroup.and_then(|cgroup| Some((cgroup, user_of(cgroup)?)));
    match users {
        Some((cgroup, uid)) if cgroup.split('/').nth(3) != Some(unit) => format!("{name} of user {uid}"),
        _ => name,
    }
}

/// `web of user 1000`: a user may call a container of their own as one of the machine's is called.
#[must_use]
pub fn of_user<'a>(container: &Container, name: Cow<'a, str>) -> Cow<'a, str> {
    match container.user {
        Some(uid) => format!("{name} of user {uid}").into(),
        None => name,
    }
}

/// `shop/web-5d4`; its uid, where no name is known.
#[must_use]
pub fn pod_name(pod: &Pod) -> Option<String> {
    let name = pod.name.as_ref().or(pod.uid.as_ref())?;
    Some(match &pod.namespace {
        Some(namespace) => quote(&format!("{namespace}/{name}")).into_owned(),
        None => quote(name).into_owned(),
    })
}

/// The first twelve digits of a container's id, as Docker shows it; a name stays whole.
#[must_use]
pub fn short_id(id: &str) -> &str {
    if id.len() == 64 { id.get(..12).unwrap_or(id) } else { id }
}

/// A terminal by its file's name below /dev: the kernel calls `pts/2` `pts2`.
#[must_use]
pub fn terminal(tty: &str) -> Cow<'_, str> {
    let number = tty.strip_prefix("pts").filter(|number| number.starts_with(|c: char| c.is_ascii_digit()));
    match number {
        Some(number) => quote(&format!("pts/{number}")).into_owned().into(),
        None => quote(tty),
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

/// `1st`, `2nd`, `3rd`, `4th`, `11th`, `22nd`.
#[must_use]
pub fn ordinal(number: u64) -> String {
    let ending = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
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
    fn a_terminal_is_called_as_its_file_is() {
        for (tty, name) in [("pts2", "pts/2"), ("tty1", "tty1"), ("ptsx", "ptsx"), ("pts/2", "pts/2"), ("a b", "'a b'")]
        {
            assert_eq!(terminal(tty), name);
        }
    }

    #[test]
    fn how_long_has_two_units() {
        let minute = 60_000;
        for (ms, text) in [
            (40, "40 ms"),
            (12_345, "12.3 s"),
            (59 * minute + 59_999, "59 min 59 s"),
            (60 * minute, "1 h 0 min"),
            (192 * minute + 59_999, "3 h 12 min"),
            (24 * 60 * minute, "1 d 0 h"),
            ((12 * 24 + 4) * 60 * minute, "12 d 4 h"),
        ] {
            assert_eq!(elapsed_ms(ms), text, "{ms}");
        }
    }

    #[test]
    fn only_long_ids_are_shortened() {
        assert_eq!(short_id(&"ab".repeat(32)), "abababababab");
        assert_eq!(short_id("web"), "web");
    }

    #[test]
    fn numbers_have_their_endings() {
        let all = [1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 111, 112].map(ordinal);
        assert_eq!(all, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "111th", "112th"]);
    }

    #[test]
    fn a_unit_of_a_users_own_is_called_so() {
        let app = "/user.slice/user-1000.slice/user@1000.service/app.slice/mysql.service";
        for (unit, cgroup, expected) in [
            ("mysql.service", Some("/system.slice/mysql.service"), "mysql.service"),
            ("mysql.service", Some(app), "mysql.service of user 1000"),
            ("mysql.service", None, "mysql.service"),
            // What logind has made, and its imitation.
            ("session-3.scope", Some("/user.slice/user-1000.slice/session-3.scope"), "session-3.scope"),
            (
                "user@1000.service",
                Some("/user.slice/user-1000.slice/user@1000.service/init.scope"),
                "user@1000.service",
            ),
            (
                "session-3.scope",
                Some("/user.slice/user-1000.slice/user@1000.service/session-3.scope"),
                "session-3.scope of user 1000",
            ),
        ] {
            assert_eq!(unit_name(unit, cgroup), expected, "{cgroup:?}");
        }
    }
}
