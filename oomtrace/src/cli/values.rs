//! Values of options, from what people write.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::ValueEnum as _;
use clap::builder::PossibleValue;
use glob::Pattern;
use jiff::SignedDuration;
use oomtrace::filter::Label;
use oomtrace::model::Cause;
use oomtrace::node::signals;
use oomtrace::probe::hook::Absent;
use oomtrace::run::health;
use oomtrace::words::explain::explain;

/// One cause, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Causes(pub Vec<Cause>);

/// Causes that are mostly asked for together: a name, what it is, and the beginnings of their names.
const GROUPS: [(&str, &str, &[&str]); 5] = [
    ("oom", "OOM kills, for whichever limit", &["oom_"]),
    ("runtime", "what a container runtime killed", &["runtime_"]),
    ("kubelet", "what the kubelet killed, or had killed", &["kubelet_"]),
    (
        "process",
        "what another process killed, or the victim itself",
        &["process_kill", "same_container_kill", "self_kill", "cgroup_kill"],
    ),
    (
        "kernel",
        "what the kernel killed for another reason than memory",
        &["pid_namespace_exit", "parent_exit", "rlimit_", "timer", "ptrace", "bpf_program", "other_kernel"],
    ),
];

/// All that `--cause` takes, with what it is.
pub fn cause_names() -> impl Iterator<Item = PossibleValue> {
    let groups = GROUPS.iter().map(|(name, what, _)| PossibleValue::new(*name).help(*what));
    groups.chain(Cause::value_variants().iter().filter_map(Cause::to_possible_value))
}

/// What a name that is one of [`cause_names`] stands for.
pub fn causes(name: &str) -> Causes {
    let group = GROUPS.iter().find(|(group, ..)| *group == name).map(|(_, _, starts)| *starts);
    let is_meant = |cause: &Cause| {
        let own = cause.to_possible_value();
        let own = own.as_ref().map_or("", PossibleValue::get_name);
        group.map_or(own == name, |starts| starts.iter().any(|start| own.starts_with(start)))
    };
    Causes(Cause::value_variants().iter().copied().filter(is_meant).collect())
}

/// Bytes of the ring buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSize(pub u32);

impl std::fmt::Display for RingSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 => write!(f, "{}M", bytes >> 20),
            bytes => write!(f, "{}K", bytes >> 10),
        }
    }
}

/// The smallest ring buffer: a page on every architecture.
const MIN_RING: u64 = 64 << 10;
/// The largest: the kernel counts it twice, and it is memory that nobody else can have.
const MAX_RING: u64 = 1 << 30;

/// `512K`, `8M`, `1G`, or bytes; rounded up to a power of two, as the kernel wants it.
pub fn ring_size(text: &str) -> Result<RingSize, String> {
    let size = size(text, MIN_RING..=MAX_RING, "64K and 1G")?;
    u32::try_from(size.next_power_of_two()).map(RingSize).map_err(|_| "it must be between 64K and 1G".to_owned())
}

/// The smallest history: some hundred incidents.
const MIN_HISTORY: u64 = 1 << 20;
const MAX_HISTORY: u64 = 1 << 40;

/// `64M`, `1G`, or bytes.
pub fn history_size(text: &str) -> Result<u64, String> {
    size(text, MIN_HISTORY..=MAX_HISTORY, "1M and 1024G")
}

fn size(text: &str, allowed: RangeInclusive<u64>, between: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    let number = upper.trim_end_matches("IB").trim_end_matches('B');
    let (digits, shift) = match number.chars().last() {
        Some('K') => (number.trim_end_matches('K'), 10),
        Some('M') => (number.trim_end_matches('M'), 20),
        Some('G') => (number.trim_end_matches('G'), 30),
        _ => (number, 0),
    };
    let out_of_range = || format!("it must be between {between}");
    let size: u64 = digits.parse().map_err(|_| "it must be a size such as 512K, 8M or 1G".to_owned())?;
    let size = size.checked_shl(shift).filter(|bytes| bytes >> shift == size).ok_or_else(out_of_range)?;
    if allowed.contains(&size) { Ok(size) } else { Err(out_of_range()) }
}

/// `30s`, `10m`, `1h 30m` and whatever else jiff's friendly durations are, or seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let parsed = text.parse::<SignedDuration>().and_then(Duration::try_from);
    parsed.map_err(|_| "it must be a time such as 30s, 10m, 2h or 1h 30m, or a number of seconds".to_owned())
}

/// The same with its unit: where a share is thought of as well, a number alone may be meant for one.
pub fn duration_with_unit(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(_) => Err(format!("it is a time, and wants its unit: {text}s, {text}m, {text}h")),
        Err(_) => duration(text),
    }
}

pub fn signal(text: &str) -> Result<u32, String> {
    let number = signals::number(text).ok_or("there is no such signal; `kill -l` lists them")?;
    Ok(number)
}

/// The explanation of a code; or why there is none.
pub fn explanation(text: &str) -> Result<String, String> {
    explain(text).or_else(|| group(text)).ok_or_else(|| {
        let groups = GROUPS.map(|(name, ..)| name).join(", ");
        format!(
            "it is no exit code, signal, reason, cause or confidence such as 137, SIGKILL, OOMKilled, oom_host or likely, and no group of \
             causes ({groups})"
        )
    })
}

/// What a group of causes is, and each of them.
fn group(text: &str) -> Option<String> {
    let (name, what, _) = GROUPS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(text.trim()))?;
    let causes = causes(name).0.into_iter().filter_map(|cause| cause.to_possible_value());
    let one = |cause: PossibleValue| Some(format!("{}: {}.", cause.get_name(), cause.get_help()?));
    let all: Vec<String> = causes.filter_map(one).collect();
    Some(format!(
        "{name}: {what}. `--cause {name}` shows them alone, and `oomtrace explain CAUSE` says what to do:\n\n{}",
        all.join("\n")
    ))
}

/// The largest pid that a kernel gives (`PID_MAX_LIMIT`, include/linux/threads.h, on 64 bits).
const MAX_PID: u32 = 4 << 20;

pub fn pid(text: &str) -> Result<u32, String> {
    let pid = text.parse().ok().filter(|pid| (1..=MAX_PID).contains(pid));
    pid.ok_or_else(|| {
        format!("a pid is a number from 1 to {MAX_PID}, as `ps` shows it on the host (--comm takes a name)")
    })
}

/// A user's number, or a name that this system has.
pub fn uid(text: &str) -> Result<u32, String> {
    // The last number stands for none (setreuid(2)).
    if let Ok(uid) = text.parse::<u32>()
        && uid != u32::MAX
    {
        return Ok(uid);
    }
    let known = nix::unistd::User::from_name(text).ok().flatten();
    known.map(|user| user.uid.as_raw()).ok_or_else(|| {
        format!("there is no user of that name here, and a user's number is one from 0 to {}", u32::MAX - 1)
    })
}

pub fn absent(text: &str) -> Result<Absent, String> {
    let names = Absent::ALL.map(Absent::name).join(", ");
    Absent::ALL.into_iter().find(|absent| absent.name() == text).ok_or_else(|| format!("it is one of {names}"))
}

pub fn label(text: &str) -> Result<Label, &'static str> {
    Label::parse(text).ok_or("a label has a key: KEY, or KEY=VALUE")
}

/// What an oomtrace goes by that is asked for its health.
pub fn health_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > health::MAX_NAME || !text.chars().all(is_plain) {
        return Err(format!("it must be letters, digits, -, _ and ., and not more than {}", health::MAX_NAME));
    }
    Ok(text.to_owned())
}

pub fn pattern(text: &str) -> Result<Pattern, String> {
    if text.is_empty() {
        return Err("it must not be empty".to_owned());
    }
    Pattern::new(text).map_err(|error| {
        format!(
            "{} (at character {}); * stands for any text, ? for a character, [ab] for one of them",
            error.msg, error.pos
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use oomtrace::probe::load::DEFAULT_RING_BYTES;

    #[test]
    fn each_cause_is_in_one_group_but_those_that_stand_alone() {
        let groups: Vec<Vec<Cause>> = GROUPS.iter().map(|(name, ..)| causes(name).0).collect();
        assert!(groups.iter().all(|group| !group.is_empty()));
        for cause in Cause::value_variants() {
            let name = cause.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(causes(&name), Causes(vec![*cause]));
            let number = groups.iter().filter(|group| group.contains(cause)).count();
            let is_alone = matches!(cause, Cause::UserspaceOomKiller | Cause::ServiceManagerKill);
            assert_eq!(number, usize::from(!is_alone), "{name}");
        }
    }

    #[test]
    fn a_group_is_explained_with_each_of_its_causes() {
        for (name, what, ..) in GROUPS {
            let text = explanation(name).unwrap();
            assert!(text.starts_with(&format!("{name}: {what}")), "{text}");
            for cause in causes(name).0 {
                let own = explanation(cause.to_possible_value().unwrap().get_name()).unwrap();
                let what = own.lines().next().unwrap();
                assert!(text.lines().any(|line| line == what), "{what}: {text}");
            }
        }
        assert_eq!(explanation("OOM"), explanation("oom"));
        let error = explanation("nonsense").unwrap_err();
        assert!(error.contains("(oom, runtime, kubelet, process, kernel)"), "{error}");
    }

    #[test]
    fn a_pid_is_a_number_and_a_uid_may_be_a_name() {
        for (text, expected) in [
            ("1", Some(1)),
            ("4194304", Some(4_194_304)),
            ("0", None),
            ("4194305", None),
            ("abc", None),
            ("-1", None),
            ("", None),
            ("1.5", None),
        ] {
            let found = pid(text);
            assert_eq!(found.as_ref().ok().copied(), expected, "{text:?}");
            assert!(found.err().is_none_or(|error| error.contains("from 1 to 4194304")), "{text:?}");
        }
        for (text, expected) in [
            ("0", Some(0)),
            ("root", Some(0)),
            ("4294967294", Some(4_294_967_294)),
            ("4294967295", None),
            ("-1", None),
            ("", None),
            ("nobody-has-this-name", None),
        ] {
            let found = uid(text);
            assert_eq!(found.as_ref().ok().copied(), expected, "{text:?}");
            assert!(found.err().is_none_or(|error| error.contains("from 0 to 4294967294")), "{text:?}");
        }
    }

    #[test]
    fn ring_sizes_are_rounded_up_to_a_power_of_two() {
        for (text, size) in [
            ("64K", Some(64 << 10)),
            ("100k", Some(128 << 10)),
            ("8M", Some(8 << 20)),
            ("8MiB", Some(8 << 20)),
            ("1G", Some(1 << 30)),
            ("65536", Some(64 << 10)),
            ("1K", None),
            ("2G", None),
            ("", None),
            ("M", None),
            ("-8M", None),
            ("8X", None),
            ("99999999999999999999", None),
            ("18446744073709551615G", None),
        ] {
            assert_eq!(ring_size(text).ok().map(|size| size.0), size, "{text:?}");
        }
    }

    #[test]
    fn where_a_share_may_be_meant_a_time_has_its_unit() {
        for (text, seconds) in [("30s", Some(30)), ("2m", Some(120)), ("5", None), ("0.9", None), ("90%", None)] {
            assert_eq!(duration_with_unit(text).ok().map(|time| time.as_secs()), seconds, "{text:?}");
        }
        assert!(duration_with_unit("5").unwrap_err().contains("5s, 5m, 5h"));
    }

    #[test]
    fn times_have_a_unit_or_are_seconds() {
        for (text, seconds) in [
            ("30s", Some(30)),
            ("+30s", Some(30)),
            ("1h 30m", Some(5400)),
            ("1h30m", Some(5400)),
            ("2 hours, 5 seconds", Some(7205)),
            ("1000ms", Some(1)),
            ("45", Some(45)),
            ("10m", Some(600)),
            ("2h", Some(7200)),
            ("0", Some(0)),
            ("", None),
            ("m", None),
            ("1d", None),
            ("-1s", None),
            ("-1", None),
            ("9999999999999999999h", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn the_default_is_shown_as_it_is_written() {
        assert_eq!(RingSize(DEFAULT_RING_BYTES).to_string(), "16M");
        assert_eq!(ring_size("16M"), Ok(RingSize(DEFAULT_RING_BYTES)));
    }
}
